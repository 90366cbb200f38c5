"""The reconciler and orders: adopted where the venue proves them, asked about where not, never invented."""

from dataclasses import replace

import msgspec
import pytest

from neuratrade.core.engine.engine import Engine, Step
from neuratrade.core.engine.judging import unknown_orders
from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import EntryType
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole, OrderStatus
from tests.simulation.hand import Hand
from tests.simulation.snapshots import begun, listed, look, look_twice, strange_fill, strange_order
from tests.simulation.world import ACCOUNT, PERP, SPOT, D, desk_engine, fill_of, intent, run_started

ENTRY, STOP, TARGET = OrderRole.ENTRY, OrderRole.STOP, OrderRole.TARGET


def resting() -> Hand:
    """A desk whose entry rests at the venue."""
    hand = begun()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.seconds(10)
    return hand


def holding() -> Hand:
    """A desk that holds one unit under a working stop, for a while already."""
    hand = begun()
    hand.enter(intent())
    hand.seconds(10)
    return hand


def kinds(step: Step) -> list[type]:
    return [type(fact) for fact in step.facts]


def looked_up(step: Step) -> list[str]:
    return [item.client_order_id for item in step.commands if isinstance(item, c.LookUpOrder)]


def cancelled(step: Step) -> list[str]:
    return [item.client_order_id for item in step.commands if isinstance(item, c.CancelOrder)]


# executions


def test_an_execution_we_missed_is_booked_like_any_other() -> None:
    hand = resting()
    fill = fill_of(hand.order(ENTRY).request, 1, 99, "missed", hand.now_ns)
    step = look(hand, fills=(fill,), without=(hand.coid(ENTRY),))
    assert f.OrderFilled in kinds(step)
    assert hand.bracket.held == 1
    assert hand.order(STOP).status is OrderStatus.PLANNED, "what it bought is guarded at once"


def test_an_execution_we_have_changes_nothing() -> None:
    hand = holding()
    (done,) = [fact for fact in hand.facts if isinstance(fact, f.OrderFilled)]
    step = look(hand, fills=(done.fill,))
    assert kinds(step) == []
    assert hand.bracket.held == 1


def test_an_execution_of_a_bracket_that_closed_a_while_ago_opens_it_again() -> None:
    hand = resting()
    request = hand.order(ENTRY).request
    hand.step(f.OrderCancelled(hand.now_ns, request.client_order_id, "asked", D(0)))
    assert not hand.state.brackets
    hand.seconds(60)
    late = fill_of(request, "0.4", 99, "late", hand.now_ns - 50_000_000_000)
    step = look(hand, fills=(late,), positions={PERP.key: "0.4"})
    assert kinds(step)[:2] == [f.BracketReopened, f.OrderFilled]
    assert hand.bracket.held == D("0.4")
    assert not hand.state.accounts["paper"].foreign


def test_executions_are_booked_in_the_order_they_happened() -> None:
    hand = resting()
    request = hand.order(ENTRY).request
    first = fill_of(request, "0.3", 99, "a", hand.now_ns - 2)
    second = fill_of(request, "0.7", 98, "b", hand.now_ns - 1)
    step = look(hand, fills=(second, first), without=(hand.coid(ENTRY),))
    booked = [fact.fill.trade_id for fact in step.facts if isinstance(fact, f.OrderFilled)]
    assert booked == ["a", "b"]


def test_an_execution_of_no_order_of_ours_is_quarantined_once_and_never_booked() -> None:
    hand = begun()
    before = dict(hand.state.accounts["paper"].balances)
    fill = strange_fill("x", hand.now_ns)
    step = look(hand, fills=(fill,))
    assert kinds(step) == [f.Quarantined, f.Reconciled]
    assert kinds(look(hand, fills=(fill,))) == []
    assert hand.state.accounts["paper"].balances == before
    assert not hand.state.accounts["paper"].positions


def test_an_execution_a_person_settled_is_not_quarantined_again() -> None:
    hand = begun()
    fill = strange_fill("x", hand.now_ns)
    look(hand, fills=(fill,))
    (reference,) = hand.state.quarantine
    hand.step(e.LiftQuarantine(hand.now_ns, "ana", "paper", reference, "mine"))
    look(hand, fills=(fill,))
    assert not hand.state.quarantine
    other = strange_fill("y", hand.now_ns)
    look(hand, fills=(fill, other))
    assert list(hand.state.quarantine) == [f"{PERP.key}:y"]


def test_old_executions_of_brackets_long_forgotten_are_not_taken_for_a_stranger_s() -> None:
    hand = begun()
    hand.seconds(3600)
    old = strange_fill("old", hand.now_ns - 1200 * 1_000_000_000)
    assert kinds(look(hand, fills=(old,))) == []
    new = strange_fill("new", hand.now_ns - 60 * 1_000_000_000)
    assert f.Quarantined in kinds(look(hand, fills=(old, new)))


@pytest.mark.parametrize(("minutes", "said"), [(9, True), (11, False), (14, False)])
def test_executions_of_the_last_ten_minutes_are_asked_about_and_older_ones_are_not(
    minutes: int, said: bool
) -> None:
    hand = begun()
    hand.seconds(3600)
    fill = strange_fill("x", hand.now_ns - minutes * 60 * 1_000_000_000)
    assert (f.Quarantined in kinds(look(hand, fills=(fill,)))) is said


def test_an_order_in_doubt_that_is_not_listed_is_left_to_its_own_look_ups() -> None:
    hand = resting()
    hand.unknown(ENTRY)
    hand.now_ns += 10 * 1_000_000_000
    look(hand, without=(hand.coid(ENTRY),))
    assert hand.commands == []


def test_what_strangers_traded_before_the_desk_began_is_not_asked_about() -> None:
    hand = Hand()
    assert kinds(look(hand, fills=(strange_fill("before", hand.now_ns - 1),))) == []


def test_an_execution_of_another_account_is_not_this_one_s() -> None:
    hand = resting()
    fill = fill_of(hand.order(ENTRY).request, 1, 99, "t", hand.now_ns)
    moved = msgspec.structs.replace(fill, account_id="b")
    assert f.OrderFilled not in kinds(look(hand, fills=(moved,)))
    assert hand.bracket.held == 0


# orders


@pytest.mark.parametrize("doubtful", [False, True], ids=["planned", "unknown"])
def test_an_order_in_doubt_that_is_listed_is_adopted(doubtful: bool) -> None:
    hand = begun()
    hand.propose(intent(order_type=EntryType.LIMIT))
    if doubtful:
        hand.unknown(ENTRY)
    hand.seconds(1)
    step = look(hand)
    assert f.OrderAccepted in kinds(step)
    assert hand.order(ENTRY).status is OrderStatus.WORKING
    assert hand.order(ENTRY).venue_order_id


def test_an_order_in_doubt_counts_as_unknown_until_the_venue_proves_it() -> None:
    hand = begun()
    hand.propose(intent(order_type=EntryType.LIMIT))
    assert unknown_orders(hand.state, "paper", PERP.key, hand.now_ns) == 0, "an answer takes its time"
    hand.seconds(5)
    assert unknown_orders(hand.state, "paper", PERP.key, hand.now_ns) == 1
    assert unknown_orders(hand.state, "paper", "ETH/USDT@test", hand.now_ns) == 0
    assert unknown_orders(hand.state, "other", PERP.key, hand.now_ns) == 0
    hand.seconds(1)
    look(hand)
    assert unknown_orders(hand.state, "paper", PERP.key, hand.now_ns) == 0


def test_a_list_from_before_a_look_up_missed_an_order_does_not_adopt_it() -> None:
    hand = begun()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.seconds(1)
    hand.not_found(ENTRY)
    step = look(hand, asked_ms_ago=500)
    assert f.OrderAccepted not in kinds(step)
    assert looked_up(step) == [hand.coid(ENTRY)]
    hand.wait(1)
    assert f.OrderAccepted in kinds(look(hand))


def test_an_order_known_to_work_is_not_accepted_again() -> None:
    assert kinds(look(resting())) == []


def test_an_order_is_known_by_the_venue_s_id_where_no_other_is_listed() -> None:
    hand = resting()
    item = listed(hand.order(ENTRY), client_order_id="")
    assert kinds(look(hand, plain=(item,))) == []
    assert not hand.state.quarantine


def test_an_order_with_our_id_on_another_instrument_is_not_ours() -> None:
    hand = resting()
    item = listed(hand.order(ENTRY), instrument="ETH/USDT@test")
    look(hand, plain=(item, listed(hand.order(ENTRY))))
    assert list(hand.state.quarantine) == [hand.coid(ENTRY)]


def test_more_filled_at_the_venue_than_here_is_looked_up_not_made_up() -> None:
    hand = resting()
    item = listed(hand.order(ENTRY), filled=D("0.4"))
    for _ in range(3):
        step = look(hand, plain=(item,), positions={PERP.key: "0.4"})
        assert looked_up(step) == [hand.coid(ENTRY)]
        assert kinds(step) == [], "neither a fill nor something foreign is concluded from it"
        hand.seconds(10)


def test_less_filled_at_the_venue_is_only_an_older_look() -> None:
    hand = resting()
    hand.fill(ENTRY, "0.4", 100)
    hand.accept(STOP)
    hand.seconds(10)
    item = listed(hand.order(ENTRY), filled=D(0))
    step = look(hand, plain=(item,), positions={PERP.key: 0})
    assert kinds(step) == []
    assert looked_up(step) == []


@pytest.mark.parametrize("filled", ["NaN", "Infinity"])
def test_a_filled_quantity_that_is_no_number_is_asked_about(filled: str) -> None:
    hand = resting()
    item = listed(hand.order(ENTRY), filled=D(filled))
    assert looked_up(look(hand, plain=(item,))) == [hand.coid(ENTRY)]


def test_a_stop_that_rests_with_other_terms_is_looked_up() -> None:
    hand = holding()
    item = listed(hand.order(STOP), stop_price=D(90))
    assert looked_up(look(hand, conditional=(item,))) == [hand.coid(STOP)]


def test_a_snapshot_during_an_amend_concludes_nothing_and_amends_nothing_twice() -> None:
    hand = begun()
    hand.enter(intent(trail="0.05", targets=()))
    hand.seconds(10)
    hand.quote(120)
    order = hand.order(STOP)
    assert order.asked == "amend"
    step = look(hand, asked_ms_ago=100)
    assert kinds(step) == []
    assert step.commands == []
    hand.amended(STOP, 1, 114)
    step = look(hand, asked_ms_ago=100, conditional=(listed(order, stop_price=D(95)),))
    assert looked_up(step) == [], "the old terms are those from before our own amend"


def test_an_order_that_is_gone_from_its_list_is_looked_up_and_nothing_is_concluded() -> None:
    hand = holding()
    step = look(hand, without=(hand.coid(STOP),))
    assert looked_up(step) == [hand.coid(STOP)]
    assert kinds(step) == []
    assert hand.bracket.protected


def test_a_stop_that_two_look_ups_miss_is_placed_again() -> None:
    hand = holding()
    lost = hand.coid(STOP)
    look(hand, without=(lost,))
    hand.gone(STOP)
    assert hand.coid(STOP) != lost
    assert hand.order(STOP).status is OrderStatus.PLANNED


@pytest.mark.parametrize("role", [ENTRY, STOP])
def test_a_list_that_could_not_be_had_proves_nothing(role: OrderRole) -> None:
    hand = resting() if role is ENTRY else holding()
    missing = {"plain": None} if role is ENTRY else {"conditional": None}
    step = look(hand, **missing)
    assert looked_up(step) == []
    assert kinds(step) == []


def test_without_the_list_of_an_order_nothing_is_said_about_its_position() -> None:
    hand = holding()
    hand.seconds(10)
    assert kinds(look_twice(hand, conditional=None, positions={PERP.key: 0})) == []
    assert f.Quarantined in kinds(look_twice(hand, positions={PERP.key: 0}))


def test_an_order_too_young_for_the_snapshot_is_not_missed() -> None:
    hand = begun()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.seconds(1)
    assert looked_up(look(hand, without=(hand.coid(ENTRY),))) == []
    hand.seconds(2)
    assert looked_up(look(hand, without=(hand.coid(ENTRY),))) == [hand.coid(ENTRY)]


def test_an_order_thought_absent_that_is_there_after_all_is_taken_back_and_cancelled() -> None:
    hand = begun()
    hand.propose(intent(order_type=EntryType.LIMIT))
    order = hand.order(ENTRY)
    coid = order.request.client_order_id
    hand.gone(ENTRY)
    assert not hand.state.brackets
    hand.seconds(1)
    step = look(hand, plain=(listed(order),))
    assert looked_up(step) == [coid], "one look may be older than the end: it is asked first"
    hand.seconds(10)
    step = look(hand, plain=(listed(order),))
    assert kinds(step)[:2] == [f.BracketReopened, f.OrderAccepted]
    assert cancelled(step) == [coid]
    assert hand.state.orders[coid].is_live


def test_an_order_that_is_over_but_still_works_is_cancelled_again_and_named() -> None:
    hand = resting()
    order = hand.order(ENTRY)
    coid = order.request.client_order_id
    hand.step(f.OrderCancelled(hand.now_ns, coid, "asked", D(0)))
    step = look(hand, plain=(listed(order),))
    assert cancelled(step) == []
    assert looked_up(step) == [coid]
    for _ in range(2):
        hand.seconds(10)
        step = look(hand, plain=(listed(order),))
        assert cancelled(step) == [coid]
    assert coid in hand.state.accounts["paper"].differences[0]
    step = look(hand)
    assert hand.state.accounts["paper"].differences == ()


def test_a_revenant_is_forgotten_when_one_look_does_not_list_it() -> None:
    hand = resting()
    order = hand.order(ENTRY)
    hand.step(f.OrderCancelled(hand.now_ns, hand.coid(ENTRY), "asked", D(0)))
    look(hand, plain=(listed(order),))
    look(hand)
    hand.seconds(10)
    assert cancelled(look(hand, plain=(listed(order),))) == []


# strangers


def test_an_unknown_order_is_quarantined_once_and_never_cancelled() -> None:
    hand = begun()
    step = look(hand, extra=(strange_order(),))
    assert kinds(step) == [f.Quarantined, f.Reconciled]
    for _ in range(3):
        hand.seconds(10)
        step = look(hand, extra=(strange_order(),))
        assert kinds(step) == []
        assert step.commands == []
    assert unknown_orders(hand.state, "paper", PERP.key, hand.now_ns) == 1
    assert unknown_orders(hand.state, "paper", "ETH/USDT@test", hand.now_ns) == 0
    assert unknown_orders(hand.state, "other", PERP.key, hand.now_ns) == 0


def test_an_unknown_order_that_is_gone_is_lifted_after_two_looks_at_both_lists() -> None:
    hand = begun()
    look(hand, extra=(strange_order(),))
    hand.seconds(10)
    for missing in ({"plain": None}, {"conditional": None}):
        look_twice(hand, **missing)
        assert hand.state.quarantine
        assert hand.state.accounts["paper"].differences
    assert f.QuarantineLifted not in kinds(look(hand))
    hand.seconds(10)
    (lifted,) = [fact for fact in look(hand).facts if isinstance(fact, f.QuarantineLifted)]
    assert lifted.operator_id == "reconciler"
    assert not hand.state.quarantine


def test_an_unknown_order_that_shows_again_in_between_is_not_lifted() -> None:
    hand = begun()
    look(hand, extra=(strange_order(),))
    for _ in range(3):
        hand.seconds(10)
        look(hand)
        hand.seconds(3)
        look(hand, extra=(strange_order(),))
    assert hand.state.quarantine


def test_an_unknown_order_a_person_settled_stays_settled_while_it_is_there() -> None:
    hand = begun()
    look(hand, extra=(strange_order(),))
    hand.step(e.LiftQuarantine(hand.now_ns, "ana", "paper", "mine", "my own"))
    hand.seconds(10)
    look(hand, extra=(strange_order(),))
    assert not hand.state.quarantine
    look(hand, extra=(strange_order(), strange_order("other")))
    assert list(hand.state.quarantine) == ["other"]


def test_orders_with_names_that_do_not_print_are_named_by_something_that_does() -> None:
    hand = begun()
    look(hand, extra=(strange_order("a\nb\x1b[2J" + "x" * 500), strange_order(PERP.key)))
    assert len(hand.state.quarantine) == 2
    assert all(name.isprintable() and len(name) <= 128 for name in hand.state.quarantine)
    look(hand, extra=(strange_order("a\nb"),))
    assert r"a\nb" in hand.state.quarantine


# whole snapshots


def test_an_older_look_that_comes_after_a_newer_one_only_brings_executions() -> None:
    hand = resting()
    look(hand)
    older = hand.now_ns - 5_000_000_000
    fill = fill_of(hand.order(ENTRY).request, 1, 99, "t", older)
    told = (hand.coid(ENTRY),)
    wrong = {PERP.key: 7}
    step = look(hand, asked_ns=older, fills=(fill,), extra=(strange_order(),), positions=wrong, without=told)
    assert f.OrderFilled in kinds(step)
    assert not hand.state.quarantine
    assert not hand.state.accounts["paper"].foreign


def test_a_snapshot_of_an_account_nobody_knows_changes_nothing() -> None:
    hand = begun()
    assert look(hand, account_id="other", positions={PERP.key: 5}).facts == []
    assert hand.engine.strays == 1


def test_lists_that_agree_change_nothing_and_nothing_is_recorded() -> None:
    hand = holding()
    for _ in range(3):
        hand.seconds(10)
        step = look(hand)
        assert step.facts == []
        assert step.commands == []


def test_a_bare_holding_is_guarded_after_every_look() -> None:
    hand = begun()
    hand.propose(intent())
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    hand.crash_after(f.OrderFilled)
    assert not hand.bracket.stop_orders
    hand.seconds(4)
    step = look(hand)
    assert f.OrderPlanned in kinds(step)
    assert hand.order(STOP).quantity == 1


def snapshots_asked(step: Step) -> int:
    return sum(isinstance(item, c.TakeSnapshot) for item in step.commands)


def test_a_snapshot_is_asked_for_at_a_fresh_start_and_after_a_reconnect() -> None:
    assert snapshots_asked(desk_engine().step(run_started())) == 1
    hand = begun()
    assert snapshots_asked(hand.step(e.ConnectionChanged("paper", hand.now_ns, False))) == 0
    assert snapshots_asked(hand.step(e.ConnectionChanged("paper", hand.now_ns, True))) == 1
    hand.crash_after(f.RunStarted)
    assert snapshots_asked(hand.step(run_started(fresh=False))) == 0, "what goes on is recovered"
    assert snapshots_asked(hand.engine.recover(hand.now_ns)) == 1


def test_a_difference_seen_once_is_asked_about_again_soon_and_not_at_once() -> None:
    hand = begun()
    hand.tick()
    look(hand, positions={PERP.key: 5})
    hand.seconds(4)
    assert snapshots_asked(hand.tick()) == 0
    hand.seconds(1)
    assert snapshots_asked(hand.tick()) == 1
    assert snapshots_asked(hand.tick()) == 0


def test_books_and_venue_are_compared_every_so_often() -> None:
    every = 30 * NS_PER_SECOND
    hand = begun()
    hand.engine = Engine(replace(hand.engine.config, reconcile_every_ns=every))
    asked = [snapshots_asked(hand.step(run_started()))]
    for _ in range(4):
        look(hand)
        hand.now_ns += every // 2
        asked.append(snapshots_asked(hand.tick()))
    assert asked == [1, 0, 1, 0, 1]


def test_books_that_do_not_come_are_asked_for_again() -> None:
    hand = begun()
    hand.step(e.ConnectionChanged("paper", hand.now_ns, False))
    assert snapshots_asked(hand.step(e.ConnectionChanged("paper", hand.now_ns, True))) == 1
    for _ in range(3):
        hand.now_ns += 9 * NS_PER_SECOND
        assert snapshots_asked(hand.tick()) == 0
        hand.now_ns += NS_PER_SECOND
        assert snapshots_asked(hand.tick()) == 1
    look(hand)
    hand.now_ns += 11 * NS_PER_SECOND
    assert snapshots_asked(hand.tick()) == 0


def test_terms_of_an_earlier_amend_told_late_do_not_make_an_end_of_a_stop() -> None:
    hand = begun()
    hand.enter(intent(targets=()))
    hand.fill(STOP, "0.6", 95)
    for told in ("0.5", "0.6"):
        step = hand.step(f.OrderAmended(hand.now_ns, hand.coid(STOP), D(told), D(95)))
        assert step.facts == []
    assert (hand.order(STOP).quantity, hand.order(STOP).is_live) == (D(1), True)


def test_a_stop_that_is_listed_among_the_plain_orders_was_reached_and_is_looked_up() -> None:
    hand = begun()
    hand.enter(intent(targets=()))
    hand.seconds(4)
    coid = hand.coid(STOP)
    assert looked_up(look(hand)) == []
    rests = listed(hand.order(STOP))
    step = look(hand, plain=(rests,), conditional=())
    assert looked_up(step) == [coid]
    hand.step(f.OrderTriggered(hand.now_ns, coid))
    assert looked_up(look(hand, plain=(rests,), conditional=())) == [], "that is known by now"


def test_executions_that_are_booked_as_they_are_listed_are_not_asked_about() -> None:
    hand = holding()
    (done,) = [fact for fact in hand.facts if isinstance(fact, f.OrderFilled)]
    assert looked_up(look(hand, fills=(done.fill,))) == []


def with_another_account(hand: Hand) -> None:
    """The desk trades a second account at the same venue, beside the one there is."""
    for state in (hand.state, hand._twin):
        first = state.accounts["paper"]
        state.accounts["second"] = type(first)(msgspec.structs.replace(ACCOUNT, account_id="second"), {})


def test_a_look_at_one_account_says_nothing_about_orders_of_another() -> None:
    hand = holding()
    with_another_account(hand)
    empty: dict[str, object] = {"plain": (), "conditional": (), "positions": {}, "balances": {}}
    step = look(hand, account_id="second", **empty)
    assert looked_up(step) == []
    stop = listed(hand.order(STOP))
    step = look(hand, account_id="second", **(empty | {"conditional": (stop,)}))
    assert [fact.reference for fact in step.facts if isinstance(fact, f.Quarantined)] == [
        f"second:{stop.client_order_id}"
    ]


def test_an_order_without_any_name_is_quarantined_as_what_it_buys_or_sells() -> None:
    hand = begun()
    item = msgspec.structs.replace(strange_order(), client_order_id="", venue_order_id="")
    look(hand, extra=(item,))
    (kept,) = hand.state.quarantine.values()
    assert kept.reference == f"{PERP.key} buy"
    assert kept.detail.endswith("venue id unnamed")


@pytest.mark.parametrize(("after_ms", "missed"), [(1999, False), (2000, True)])
def test_an_order_is_missed_in_a_look_that_was_asked_for_two_seconds_after_it_was_sent(
    after_ms: int, missed: bool
) -> None:
    hand = begun()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.wait(after_ms)
    assert bool(looked_up(look(hand, without=(hand.coid(ENTRY),)))) is missed


@pytest.mark.parametrize(("after_ms", "asked"), [(1999, False), (2000, True)])
def test_other_terms_of_a_stop_are_those_of_the_amend_before_until_two_seconds_after_it(
    after_ms: int, asked: bool
) -> None:
    hand = begun()
    hand.enter(intent(trail="0.05", targets=()))
    hand.seconds(10)
    hand.quote(120)
    hand.amended(STOP, 1, 114)
    hand.wait(after_ms)
    step = look(hand, conditional=(listed(hand.order(STOP), stop_price=D(95)),))
    assert bool(looked_up(step)) is asked


@pytest.mark.parametrize("terms", [{"quantity": D("0.7")}, {"quantity": D("NaN")}, {"stop_price": D("NaN")}])
def test_a_stop_that_rests_with_another_size_or_with_numbers_that_are_none_is_looked_up(
    terms: dict[str, D],
) -> None:
    hand = holding()
    step = look(hand, conditional=(listed(hand.order(STOP), **terms),))
    assert looked_up(step) == [hand.coid(STOP)]


def test_an_order_that_filled_more_or_less_than_here_leaves_its_position_unproven() -> None:
    for filled in ("0.4", "NaN"):
        hand = holding()
        item = listed(hand.order(STOP), filled=D(filled))
        look(hand, conditional=(item,), positions={PERP.key: "0.6"})
        hand.seconds(10)
        assert kinds(look(hand, conditional=(item,), positions={PERP.key: "0.6"})) == []


def test_of_an_order_in_doubt_its_position_stays_unproven() -> None:
    hand = holding()
    hand.unknown(STOP)
    step = look(hand, conditional=(listed(hand.order(STOP)),), positions={PERP.key: 5})
    assert hand.order(STOP).status is OrderStatus.WORKING, "listed: it works"
    assert f.ForeignSeen not in kinds(step)


def test_an_entry_that_rests_among_the_plain_orders_is_where_it_belongs() -> None:
    assert looked_up(look(resting())) == []


def test_a_stop_that_was_not_answered_yet_is_adopted_wherever_it_is_listed() -> None:
    hand = begun()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    hand.seconds(4)
    step = look(hand, conditional=(listed(hand.order(STOP)),), plain=())
    assert f.OrderAccepted in kinds(step)
    assert hand.bracket.protected


def test_an_unknown_order_is_described_with_what_it_asks_for() -> None:
    hand = begun()
    item = msgspec.structs.replace(strange_order(), filled=D("0.50"), stop_price=D("90.0"))
    look(hand, extra=(item,))
    (kept,) = hand.state.quarantine.values()
    assert kept.detail == "buy 3, filled 0.5, stop 90, venue id V-mine"


def test_an_order_without_our_name_is_known_by_the_venue_s_only_in_its_own_instrument() -> None:
    hand = resting()
    item = listed(hand.order(ENTRY), client_order_id="", venue_order_id="V-other")
    look(hand, extra=(item,))
    assert list(hand.state.quarantine) == ["V-other"]
    hand = resting()
    item = listed(hand.order(ENTRY), client_order_id="", instrument=SPOT.key)
    look(hand, extra=(item,))
    assert [kept.instrument for kept in hand.state.quarantine.values()] == [SPOT.key]


def test_an_execution_whose_numbers_are_none_is_not_booked_and_its_order_is_asked_about_once_booked() -> None:
    hand = holding()
    (done,) = [fact for fact in hand.facts if isinstance(fact, f.OrderFilled)]
    for change in ({"quantity": D("NaN")}, {"price": D(101)}, {"fee": D(1)}, {"quantity": D("0.9")}):
        step = look(hand, fills=(msgspec.structs.replace(done.fill, **change),))
        assert looked_up(step) == [done.fill.client_order_id]
        assert hand.bracket.entered == 1
