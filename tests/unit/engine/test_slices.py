"""A sliced entry: one approval, one child at a time, never more than was approved, guarded as it fills."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from neuratrade.core.engine.slices import execution_report, schedule, share_of, smallest_child
from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import (
    CancelIntent,
    CloseIntent,
    EntryType,
    Execution,
    Iceberg,
    OpenIntent,
    Twap,
    Vwap,
)
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole, OrderStatus, OrderType, TimeInForce
from neuratrade.core.model.venue_rules import VenueRules
from tests.simulation.hand import Hand
from tests.simulation.world import PERP, SPOT, T0, D, fill_of, intent

S = NS_PER_SECOND
ENTRY, STOP = OrderRole.ENTRY, OrderRole.STOP
FOUR = Twap(4, 30 * S)
"""Four slices, ten seconds apart."""


def sliced(execution: Execution = FOUR, quantity: D | int | str = 4, **more: object) -> OpenIntent:
    return replace(intent(quantity=quantity, **more), execution=execution)  # type: ignore[arg-type]


def begun(execution: Execution = FOUR, quantity: D | int | str = 4, **more: object) -> Hand:
    hand = Hand()
    hand.propose(sliced(execution, quantity, **more))
    return hand


def children(hand: Hand) -> list[D]:
    """Quantities of all entry orders so far."""
    planned = [fact.request for fact in hand.facts if isinstance(fact, f.OrderPlanned)]
    return [request.quantity for request in planned if request.role is ENTRY]


def ended(hand: Hand) -> list[str]:
    return [fact.reason for fact in hand.facts if isinstance(fact, f.EntryEnded)]


def end(hand: Hand, filled: D | int | str | None) -> None:
    """The venue ends the child that is live and states what it filled."""
    stated = None if filled is None else D(filled)
    hand.step(f.OrderCancelled(hand.now_ns, hand.coid(ENTRY), "", stated))


def take(hand: Hand, quantity: D | int | str) -> None:
    """The child is accepted and fills so much; what is held then is under a working stop."""
    hand.accept(ENTRY)
    hand.fill(ENTRY, quantity, 100)
    guard(hand)


def guard(hand: Hand) -> None:
    stop = hand.order(STOP)
    if stop.status is OrderStatus.PLANNED:
        hand.accept(STOP)
    if hand.order(STOP).asked == "amend":
        hand.amended(STOP, hand.order(STOP).asked_quantity, hand.bracket.stop_price)
    assert hand.bracket.protected


# how a quantity is cut


@pytest.mark.parametrize(
    ("execution", "quantity", "cut"),
    [
        (Twap(4, 30), "4", ["1", "1", "1", "1"]),
        (Twap(3, 30), "10", ["3.333", "3.333", "3.334"]),
        (Twap(5, 40), "0.252", ["0.050", "0.050", "0.050", "0.050", "0.052"]),
        (Twap(3, 30), "0.15", ["0.05", "0.05", "0.05"]),
        (Twap(5, 40), "0.12", ["0.12"]),
        (Twap(5, 40), "0.15", ["0.06", "0.09"]),
        (Vwap((D(1), D(2), D(1)), 20), "4", ["1", "2", "1"]),
        (Vwap((D(0), D(1), D(0)), 20), "4", ["4"]),
        (Vwap((D(1), D(1000), D(1)), 20), "2", ["2"]),
        (Vwap((D(10), D(29), D(1)), 20), "0.4", ["0.1", "0.3"]),
    ],
)
def test_slices_are_floored_merged_where_too_small_and_add_up(
    execution: Twap | Vwap, quantity: str, cut: list[str]
) -> None:
    slots = schedule(execution, D(quantity), PERP, D("0.05"))
    assert [slot.quantity for slot in slots] == [D(part) for part in cut]
    assert sum(slot.quantity for slot in slots) == D(quantity)


def test_no_slice_is_planned_for_nothing_even_where_nothing_is_too_small() -> None:
    slots = schedule(Vwap((D(0), D(1), D(0), D(1)), 30), D(4), PERP, D(0))
    assert [slot.quantity for slot in slots] == [D(2), D(2)]


def test_a_slice_shares_what_those_before_it_did_not_get_with_those_after_it() -> None:
    slots = schedule(Twap(4, 30), D(4), PERP, D("0.05"))
    # The first got nothing: 4 is free for the three that are left, of which this one takes its third.
    assert share_of(slots, 1, D(4), PERP, D("0.05")) == D("1.333")
    assert share_of(slots, 3, D("2.5"), PERP, D("0.05")) == D("2.5")


def test_no_slice_asks_for_more_than_is_free() -> None:
    slots = schedule(Twap(4, 30), D(4), PERP, D("0.05"))
    assert share_of(slots, 1, D("0.4"), PERP, D("0.05")) == D("0.4")


def test_the_least_child_is_worth_the_venues_minimum_even_near_the_stop() -> None:
    assert smallest_child(intent(stop=50), PERP) == D("0.100")
    assert smallest_child(intent(stop=95), PERP) == D("0.053")


# time by time


def test_a_twap_asks_for_equal_parts_at_equal_distances_under_one_approval() -> None:
    hand = begun()
    for part in range(1, 5):
        assert children(hand) == [D(1)] * part
        order = hand.order(ENTRY).request
        assert (order.order_type, order.time_in_force) == (OrderType.MARKET, TimeInForce.IOC)
        take(hand, 1)
        assert hand.bracket.entered == part
        assert hand.bracket.entry_used == part
        hand.wait(9_999)
        assert len(children(hand)) == part
        hand.wait(1)
    assert ended(hand) == ["all of it was asked for"]
    assert len([fact for fact in hand.facts if isinstance(fact, f.IntentJudged)]) == 1
    assert hand.bracket.protected
    assert hand.state.accounts["paper"].opened_today == {"tactical": 1}


def test_a_vwap_follows_its_profile() -> None:
    hand = begun(Vwap((D(1), D(2), D(5)), 20 * S), 8)
    for quantity in (1, 2, 5):
        assert hand.order(ENTRY).quantity == quantity
        take(hand, quantity)
        hand.seconds(10)
    assert children(hand) == [1, 2, 5]


def test_a_profile_is_a_matter_of_ratios_however_small_its_weights_are() -> None:
    hand = begun(Vwap((D("0.01"), D("0.02"), D("0.01")), 30 * S))
    assert children(hand) == [1]


def test_what_a_market_child_did_not_get_is_carried_into_the_next_ones() -> None:
    hand = begun()
    take(hand, "0.4")
    end(hand, "0.4")
    assert hand.bracket.entry_used == D("0.4")
    hand.seconds(10)
    assert children(hand) == [D(1), D("1.2")]
    take(hand, "1.2")
    hand.seconds(10)
    take(hand, "1.2")
    hand.seconds(10)
    take(hand, "1.2")
    assert hand.bracket.entered == 4
    assert sum(children(hand)) - D("0.6") == 4


def test_a_limit_child_rests_until_the_next_slice_whose_end_is_awaited_first() -> None:
    hand = begun(order_type=EntryType.LIMIT)
    first = hand.order(ENTRY)
    assert first.request.order_type is OrderType.LIMIT
    assert first.request.time_in_force is TimeInForce.GTD
    take(hand, "0.5")
    hand.seconds(10)
    assert first.asked == "cancel"
    assert children(hand) == [D(1)]
    end(hand, "0.7")
    # The venue filled 0.7, of which 0.2 have not come yet: nothing is sent before they have.
    assert children(hand) == [D(1)]
    late = fill_of(first.request, "0.2", 100, "late", hand.now_ns)
    hand.step(f.OrderFilled(hand.now_ns, late))
    guard(hand)
    assert children(hand) == [D(1), D("1.1")]
    assert hand.bracket.entry_used == D("1.8")


def test_a_child_whose_fill_was_not_stated_is_asked_about_and_its_rest_not_used_before() -> None:
    hand = begun()
    take(hand, "0.4")
    end(hand, None)
    assert [item for item in hand.commands if isinstance(item, c.LookUpOrder)]
    assert hand.bracket.entry_used == 1
    end(hand, "0.4")
    assert hand.bracket.entry_used == D("0.4")
    hand.seconds(10)
    assert children(hand) == [D(1), D("1.2")]


def test_a_child_whose_fill_is_never_stated_costs_its_rest() -> None:
    hand = begun()
    take(hand, "0.4")
    end(hand, None)
    for _ in range(3):
        hand.seconds(10)
        take(hand, 1)
    assert children(hand) == [1, 1, 1, 1]
    assert hand.bracket.entered == D("3.4")
    assert hand.bracket.entry_over


def test_no_further_slice_is_sent_while_what_was_filled_is_bare() -> None:
    hand = begun()
    hand.accept(ENTRY)
    hand.wait(9_000)
    hand.fill(ENTRY, 1, 100)
    hand.wait(2_000)
    assert children(hand) == [1]
    hand.accept(STOP)
    assert children(hand) == [1, 1]


def test_the_stop_grows_with_every_slice() -> None:
    hand = begun()
    for filled in range(1, 5):
        take(hand, 1)
        assert hand.order(STOP).remaining == filled
        hand.seconds(10)


def test_while_slices_are_to_come_the_gate_counts_the_whole_quantity() -> None:
    hand = begun()
    take(hand, 1)
    hand.seconds(1)
    second = hand.step(e.IntentArrived(replace(intent("b", quantity=1), created_ns=hand.now_ns), hand.now_ns))
    judged = next(fact for fact in second.facts if isinstance(fact, f.IntentJudged))
    leverage = next(layer for layer in judged.layers if layer.name == "leverage")
    equity = hand.state.accounts["paper"].equity
    assert leverage.observed == f"room {equity * 1000 - 400}"


def test_once_no_further_slice_comes_the_gate_counts_what_is_held() -> None:
    hand = begun()
    take(hand, 1)
    hand.step(e.IntentArrived(CancelIntent("c", "paper", "op", "a", "no more", hand.now_ns), hand.now_ns))
    hand.seconds(1)
    second = hand.step(e.IntentArrived(replace(intent("b", quantity=1), created_ns=hand.now_ns), hand.now_ns))
    judged = next(fact for fact in second.facts if isinstance(fact, f.IntentJudged))
    leverage = next(layer for layer in judged.layers if layer.name == "leverage")
    equity = hand.state.accounts["paper"].equity
    assert leverage.observed == f"room {equity * 1000 - 100}"


def test_an_instrument_whose_session_is_closed_gets_no_slice_until_it_opens() -> None:
    hand = begun()
    take(hand, 1)
    hand.step(f.SessionMoved(hand.now_ns, PERP.key, False))
    hand.seconds(15)
    assert children(hand) == [1]
    hand.step(f.SessionMoved(hand.now_ns, PERP.key, True))
    guard(hand)
    assert len(children(hand)) == 2


# what ends it


def _close(hand: Hand) -> None:
    hand.step(e.IntentArrived(CloseIntent("x", "paper", "op", "a", "enough", hand.now_ns), hand.now_ns))


def _cancel(hand: Hand) -> None:
    hand.step(e.IntentArrived(CancelIntent("x", "paper", "op", "a", "enough", hand.now_ns), hand.now_ns))


def _halt(hand: Hand) -> None:
    hand.step(e.Halt(hand.now_ns, "op", "enough"))


def _flatten(hand: Hand) -> None:
    hand.step(e.Halt(hand.now_ns, "op", "enough", f.KillPolicy.FLATTEN_ALL))


def _reach_stop(hand: Hand) -> None:
    hand.step(f.OrderTriggered(hand.now_ns, hand.coid(STOP)))


def _fill_stop(hand: Hand) -> None:
    hand.fill(STOP, "0.3", 95)


def _reach_target(hand: Hand) -> None:
    hand.quote(111)


@pytest.mark.parametrize("event", [_close, _cancel, _halt, _flatten, _reach_stop, _fill_stop, _reach_target])
@pytest.mark.parametrize("resting", [False, True])
def test_nothing_more_is_entered_after(event: Callable[[Hand], None], resting: bool) -> None:
    hand = begun(order_type=EntryType.LIMIT if resting else EntryType.MARKET)
    take(hand, "0.6")
    if not resting:
        end(hand, "0.6")
    event(hand)
    assert len(ended(hand)) == 1
    assert hand.bracket.entry_over
    if resting:
        assert hand.order(ENTRY).asked == "cancel"
        end(hand, "0.6")
    assert "slice:a" not in hand.state.timers
    hand.seconds(4)
    assert children(hand) == [1]


def test_nothing_more_is_entered_after_a_pause_was_lifted_again() -> None:
    hand = begun()
    take(hand, 1)
    _halt(hand)
    hand.step(e.Resume(hand.now_ns, "op", "go on"))
    hand.seconds(40)
    assert children(hand) == [1]


def test_it_ends_with_the_approval() -> None:
    hand = begun(expiry_s=30)
    take(hand, 1)
    for _ in range(2):
        hand.seconds(10)
        take(hand, 1)
    hand.seconds(10)
    assert children(hand) == [1, 1, 1]
    assert ended(hand) == ["the entry rested long enough"]
    assert hand.bracket.held == 3


def test_it_ends_when_the_venue_refuses_three_times() -> None:
    hand = begun()
    for _ in range(3):
        hand.rejected(ENTRY)
        hand.seconds(10)
    assert children(hand) == [D(1), D("1.333"), D("2")]
    assert hand.closed.reason is f.CloseReason.NO_ENTRY
    assert hand.state.timers == {}


def test_a_bracket_whose_slices_all_got_nothing_is_closed() -> None:
    hand = begun()
    for _ in range(4):
        end(hand, 0)
        hand.seconds(10)
    assert hand.closed.entered == 0
    assert hand.closed.reason is f.CloseReason.NO_ENTRY


def test_a_bracket_cancelled_between_slices_before_any_fill_is_closed_at_once() -> None:
    hand = begun()
    end(hand, 0)
    assert "a" in hand.state.brackets
    _cancel(hand)
    assert hand.state.brackets == {}


def test_a_first_fill_below_a_lot_after_its_fee_does_not_end_the_entry() -> None:
    hand = begun(quantity=4, instrument=SPOT)
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.01", 100, "0.00001", "ETH")
    assert hand.order(ENTRY).asked == ""
    end(hand, "0.01")
    hand.seconds(10)
    assert len(children(hand)) == 2


def test_a_slice_that_fills_while_its_last_rung_is_leaving_is_left_too() -> None:
    hand = begun(order_type=EntryType.LIMIT, targets=((110, 1),))
    take(hand, "0.6")
    hand.quote(111)
    assert hand.leaving()
    hand.fill(ENTRY, "0.4", 100)
    hand.cancelled(STOP)
    hand.fill(OrderRole.TARGET, "0.6", 110)
    guard(hand)
    assert hand.bracket.held == D("0.4")
    hand.quote(111)
    assert hand.leaving()
    hand.cancelled(STOP)
    hand.fill(OrderRole.TARGET, "0.4", 110)
    assert hand.closed.entered == 1


# doubt


def test_a_child_in_doubt_is_looked_up_and_never_doubled() -> None:
    hand = begun()
    hand.unknown(ENTRY)
    hand.seconds(10)
    assert children(hand) == [1]
    hand.accept(ENTRY)
    end(hand, 0)
    assert children(hand) == [D(1), D("1.333")]


def test_what_could_not_be_found_is_not_asked_for_again_and_taken_away_when_it_turns_up() -> None:
    hand = begun()
    lost = hand.coid(ENTRY)
    hand.not_found(ENTRY)
    hand.seconds(3)
    hand.not_found(ENTRY)
    hand.seconds(7)
    assert children(hand) == [1, 1]
    take(hand, 1)
    hand.step(f.OrderAccepted(hand.now_ns, lost, "V"))
    assert hand.state.orders[lost].asked == "cancel"
    hand.seconds(10)
    assert children(hand) == [1, 1], "one child at a time"
    hand.step(f.OrderCancelled(hand.now_ns, lost, "", D(0)))
    assert sum(children(hand)) - 1 <= 4


@pytest.mark.parametrize(
    "kind", [f.IntentJudged, f.TimerSet, f.OrderPlanned, f.OrderAccepted, f.OrderFilled, f.ProtectionChanged]
)
def test_after_a_crash_the_rest_of_the_slices_is_sent(kind: type[f.Fact]) -> None:
    hand = begun()
    take(hand, 1)
    hand.crash_after(kind)
    hand.seconds(1)
    hand.recover()
    for _ in range(20):
        if hand.state.brackets and not hand.bracket.entry_over and hand.bracket.entry_order:
            child = hand.order(ENTRY)
            if child.is_live:
                if child.status is OrderStatus.PLANNED:
                    hand.accept(ENTRY)
                hand.fill(ENTRY, child.remaining, 100)
        if hand.bracket.held:
            guard(hand)
        hand.seconds(5)
    assert hand.bracket.entered == 4
    assert hand.bracket.entry_over
    assert hand.bracket.protected


def test_after_a_crash_that_cut_off_the_cancel_of_an_ended_entry_it_is_asked_for() -> None:
    hand = begun(order_type=EntryType.LIMIT)
    take(hand, "0.6")
    _cancel(hand)
    hand.crash_after(f.EntryEnded)
    assert hand.order(ENTRY).asked == ""
    hand.recover()
    assert hand.order(ENTRY).asked == "cancel"


def test_after_a_crash_that_cut_off_the_end_of_an_entry_no_slice_is_sent_while_the_desk_is_held_back() -> (
    None
):
    hand = begun()
    take(hand, 1)
    _halt(hand)
    hand.crash_after(f.TradingStateMoved)
    assert not hand.bracket.entry_over
    hand.seconds(10)
    assert children(hand) == [1]
    assert hand.bracket.entry_over


def test_after_a_long_outage_the_slices_that_are_left_share_what_was_missed() -> None:
    hand = begun()
    take(hand, 1)
    hand.crash_after(f.OrderFilled)
    hand.now_ns += 22 * S
    hand.recover()
    guard(hand)
    assert children(hand) == [D(1), D("1.5")]


def test_after_an_outage_longer_than_the_approval_nothing_more_is_sent() -> None:
    hand = begun(expiry_s=30)
    take(hand, 1)
    hand.crash_after(f.OrderFilled)
    hand.now_ns += 31 * S
    hand.recover()
    assert children(hand) == [1]
    assert ended(hand) == ["the approval expired"]


def test_where_each_slice_has_its_own_stop_the_first_one_filled_ends_the_entry() -> None:
    hand = Hand(rules=VenueRules(amends_stops=False, exit_collars=()))
    hand.propose(sliced())
    take(hand, 1)
    hand.seconds(10)
    take(hand, 1)
    first, second = hand.bracket.stop_orders
    assert first != second
    hand.step(f.OrderFilled(hand.now_ns, fill_of(hand.state.orders[first].request, 1, 95, "s", hand.now_ns)))
    assert len(ended(hand)) == 1
    hand.seconds(10)
    assert children(hand) == [1, 1]


# icebergs


def test_an_iceberg_shows_one_part_at_a_time_until_all_is_in() -> None:
    hand = begun(Iceberg(D("1.5")), 4, order_type=EntryType.LIMIT)
    for quantity in ("1.5", "1.5", "1"):
        assert hand.order(ENTRY).quantity == D(quantity)
        assert hand.order(ENTRY).request.order_type is OrderType.LIMIT
        take(hand, quantity)
    assert hand.bracket.entered == 4
    assert ended(hand) == ["all of it was asked for, or too little is left to be an order"]


def test_an_icebergs_rest_that_is_too_small_goes_with_the_part_before_it() -> None:
    hand = begun(Iceberg(D(2)), "4.01", order_type=EntryType.LIMIT)
    take(hand, 2)
    assert hand.order(ENTRY).quantity == D("2.01")


def test_an_icebergs_part_that_fills_little_by_little_is_not_added_to() -> None:
    hand = begun(Iceberg(D(2)), 4, order_type=EntryType.LIMIT)
    take(hand, "0.5")
    hand.seconds(20)
    assert children(hand) == [2]


def test_an_iceberg_that_the_venue_takes_away_is_tried_again_a_little_later_but_not_for_ever() -> None:
    hand = begun(Iceberg(D(2)), 4, order_type=EntryType.LIMIT)
    for attempt in range(1, 4):
        assert len(children(hand)) == attempt
        hand.rejected(ENTRY)
        hand.wait(4_999)
        assert len(children(hand)) == attempt
        hand.wait(1)
    assert hand.closed.reason is f.CloseReason.NO_ENTRY


def test_the_part_of_an_iceberg_that_rests_does_not_count_as_taken_away() -> None:
    hand = begun(Iceberg(D(2)), 4, order_type=EntryType.LIMIT)
    for _ in range(2):
        hand.rejected(ENTRY)
        hand.wait(5_000)
    take(hand, 1)
    assert ended(hand) == []
    take_more(hand)
    assert children(hand)[-1] == 2
    assert hand.bracket.entered == 2


def take_more(hand: Hand) -> None:
    """The rest of a part is filled and guarded."""
    hand.fill(ENTRY, hand.order(ENTRY).remaining, 100)
    guard(hand)


# what is refused


@pytest.mark.parametrize(
    ("execution", "more", "reason"),
    [
        (FOUR, {"order_type": EntryType.STOP}, "a stop entry cannot be sliced"),
        (Twap(1, 30 * S), {}, "too few or too many slices"),
        (Twap(501, 3000 * S), {}, "too few or too many slices"),
        (Twap(31, 29 * S), {}, "the slices lie too close together"),
        (Twap(4, -30 * S), {}, "the slices lie too close together"),
        (Twap(4, 3601 * S), {}, "the entry expires before its last slice"),
        (Vwap((D(1),), 30 * S), {}, "too few or too many slices"),
        (Vwap((D(1), D(-1), D(2)), 30 * S), {}, "the profile's weights say no volume"),
        (Vwap((D(0), D(0)), 30 * S), {}, "the profile's weights say no volume"),
        (Vwap((D("NaN"), D(1)), 30 * S), {}, "the profile's weights say no volume"),
        (Iceberg(D(1)), {}, "an iceberg rests limit orders"),
        (Iceberg(D(0)), {"order_type": EntryType.LIMIT}, "the quantity shown is none"),
        (Iceberg(D("Infinity")), {"order_type": EntryType.LIMIT}, "the quantity shown is none"),
        (
            Iceberg(D("0.01")),
            {"order_type": EntryType.LIMIT},
            "the quantity shown is below the venue's minimum",
        ),
        (
            Iceberg(D("0.1")),
            {"order_type": EntryType.LIMIT, "quantity": 60},
            "the quantity shown makes too many orders",
        ),
    ],
)
def test_a_cut_that_cannot_be_carried_out_is_refused(
    execution: Execution, more: dict[str, object], reason: str
) -> None:
    hand = Hand()
    step = hand.step(e.IntentArrived(sliced(execution, **more), T0))  # type: ignore[arg-type]
    judged = next(fact for fact in step.facts if isinstance(fact, f.IntentJudged))
    assert not judged.approved
    assert (judged.envelope, judged.quantity) == (None, D(0))
    assert [layer.reason for layer in judged.layers if layer.verdict.blocks] == [reason]
    assert hand.state.brackets == {}


def test_a_rest_that_the_venue_just_takes_is_a_part_of_its_own() -> None:
    hand = begun(Iceberg(D("0.1")), "0.153", order_type=EntryType.LIMIT)
    assert smallest_child(hand.bracket.intent, PERP) == D("0.053")
    take(hand, "0.1")
    assert children(hand) == [D("0.1"), D("0.053")]


def test_exactly_five_hundred_parts_are_not_too_many() -> None:
    proposal = sliced(Iceberg(D("0.1")), 50, order_type=EntryType.LIMIT)
    report = execution_report(proposal, PERP, D(50))
    assert report is not None
    assert not report.verdict.blocks
    more = execution_report(proposal, PERP, D("50.001"))
    assert more is not None
    assert more.verdict.blocks


def test_of_a_part_that_could_not_be_found_only_what_it_did_not_fill_is_given_up() -> None:
    hand = begun(Iceberg(D(10)), 30, order_type=EntryType.LIMIT)
    take(hand, 4)
    hand.not_found(ENTRY)
    hand.seconds(3)
    hand.not_found(ENTRY)
    hand.seconds(5)
    take(hand, 10)
    assert children(hand) == [10, 10, 10]
