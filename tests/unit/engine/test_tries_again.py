"""What is not done at the first attempt: how long until the next one, and what is still wanted then."""

import pytest

from neuratrade.core.model import commands as c
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import EntryType
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole
from tests.simulation.hand import Hand
from tests.simulation.world import PERP, D, intent

ENTRY, STOP, TARGET, EXIT = OrderRole.ENTRY, OrderRole.STOP, OrderRole.TARGET, OrderRole.EXIT


def exit_missed(hand: Hand) -> float:
    """The exit under way gets nothing; seconds until it is tried again."""
    hand.cancelled(STOP)
    hand.expired(EXIT)
    hand.accept(STOP)
    (due_ns,) = [due for name, due in hand.state.timers.items() if name.startswith("exit-")]
    return (due_ns - hand.now_ns) / NS_PER_SECOND


def test_an_exit_that_gets_nothing_is_tried_ever_less_often_up_to_half_a_minute() -> None:
    hand = Hand()
    hand.enter(intent(hold_s=60))
    hand.seconds(60)
    waits = []
    for _ in range(8):
        waits.append(exit_missed(hand))
        hand.seconds(waits[-1])
        assert hand.leaving()
    assert waits == [1, 2, 4, 8, 16, 32, 32, 32]


def test_the_last_rung_leaves_all_that_is_held_also_what_its_share_rounds_away() -> None:
    hand = Hand()
    hand.enter(intent(targets=((105, "0.5"), (110, "0.5")), quantity="0.063"))
    hand.quote(105)
    hand.cancelled(STOP)
    assert hand.order(TARGET).request.quantity == D("0.031")
    hand.fill(TARGET, "0.031", 105)
    hand.accept(STOP)
    hand.quote(110)
    hand.cancelled(STOP)
    assert hand.order(TARGET).request.quantity == D("0.032")
    hand.fill(TARGET, "0.032", 110)
    assert hand.closed.reason is f.CloseReason.TP


def test_the_last_rung_of_a_ladder_that_keeps_a_part_leaves_its_share_only() -> None:
    hand = Hand()
    hand.enter(intent(targets=((105, "0.5"), (110, "0.25"))))
    for price, share in ((105, "0.5"), (110, "0.25")):
        hand.quote(price)
        hand.cancelled(STOP)
        assert hand.order(TARGET).request.quantity == D(share)
        hand.fill(TARGET, share, price)
        hand.accept(STOP)
    assert hand.bracket.held == D("0.25")
    hand.quote(111)
    assert not hand.leaving(), "no rung is left to be armed again"


def test_a_rung_that_is_less_than_a_lot_leaves_all() -> None:
    hand = Hand({"order_usd": "1000000000"})
    hand.enter(intent(targets=((105, "0.01"), (110, "0.5")), quantity="0.05"))
    hand.quote(105)
    hand.cancelled(STOP)
    assert hand.order(TARGET).request.quantity == D("0.05"), "half a thousandth is no order"


@pytest.mark.parametrize("missed", ["0.5", "0.001"])
def test_a_rung_that_was_missed_by_any_part_is_armed_again(missed: str) -> None:
    hand = Hand()
    hand.enter(intent(targets=((105, "0.5"), (110, "0.25"))))
    hand.quote(105)
    hand.cancelled(STOP)
    if D(missed) < D("0.5"):
        hand.fill(TARGET, D("0.5") - D(missed), 105)
    hand.expired(TARGET)
    hand.accept(STOP)
    hand.quote(105)
    assert hand.leaving()
    assert hand.bracket.rungs_done == 1


def test_a_rung_that_was_done_is_not_done_twice() -> None:
    hand = Hand()
    hand.enter(intent(targets=((105, "0.5"), (110, "0.25"))))
    hand.quote(105)
    hand.cancelled(STOP)
    hand.fill(TARGET, "0.5", 105)
    hand.accept(STOP)
    hand.quote("109.9")
    assert not hand.leaving()


def test_an_amend_lost_in_a_crash_is_asked_for_again_also_when_what_it_wanted_is_not_wanted_any_more() -> (
    None
):
    """The venue may have made the stop two large: nothing but a further amend makes it one again for sure."""
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT, quantity=2, targets=()))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    hand.accept(STOP)
    hand.fill(ENTRY, 1, 100)
    assert [type(item) for item in hand.commands] == [c.AmendOrder]
    hand.step(
        f.FillCorrected(hand.now_ns, hand.coid(ENTRY), "t2", D(0), D(100), D(0)),
    )
    assert hand.bracket.held == 1
    hand.crash_after(f.FillCorrected)
    hand.recover()
    amends = [item for item in hand.commands if isinstance(item, c.AmendOrder)]
    assert [(item.quantity, item.stop_price) for item in amends] == [(D(1), D(95))]


def test_a_stop_that_fits_is_left_alone_after_a_restart() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.crash_after(f.OrderAccepted)
    hand.recover()
    assert hand.commands == []


def protect_due(hand: Hand) -> float:
    return (hand.state.timers["protect:a"] - hand.now_ns) / NS_PER_SECOND


def test_a_position_still_bare_while_it_leaves_is_looked_at_again_until_it_is_over() -> None:
    hand = Hand()
    hand.propose(intent())
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    assert protect_due(hand) == 5
    hand.seconds(5)
    assert hand.leaving()
    assert protect_due(hand) == 5
    hand.seconds(5)
    assert protect_due(hand) == 60
    lookups = [item.client_order_id for item in hand.commands if isinstance(item, c.LookUpOrder)]
    assert hand.coid(STOP) in lookups
    hand.seconds(60)
    assert protect_due(hand) == 60


def test_a_position_bare_in_a_closed_market_is_looked_at_again_every_five_seconds() -> None:
    hand = Hand()
    hand.propose(intent())
    hand.accept(ENTRY)
    hand.step(f.SessionMoved(hand.now_ns, PERP.key, False))
    hand.fill(ENTRY, 1, 100)
    for _ in range(3):
        assert protect_due(hand) == 5
        hand.seconds(5)
        assert not hand.leaving()
        assert hand.commands == []


def test_a_stop_that_was_reached_and_stays_unfilled_is_left_as_a_stop_not_as_a_kill() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.fill(STOP, "0.5", 95)
    hand.seconds(5)
    assert hand.leaving()
    hand.cancelled(STOP)
    hand.fill(EXIT, "0.5", 94)
    assert hand.closed.reason is f.CloseReason.SL


def test_an_order_of_unknown_fate_is_looked_up_every_other_second_until_it_is_known() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.unknown(ENTRY)
    asked = []
    for _ in range(3):
        hand.seconds(2)
        asked += [item for item in hand.commands if isinstance(item, c.LookUpOrder)]
    assert [item.client_order_id for item in asked] == [hand.coid(ENTRY)] * 3
    hand.accept(ENTRY)
    hand.seconds(2)
    assert hand.commands == []
    assert not any(name.startswith("lookup:") for name in hand.state.timers)


def test_a_cancel_of_unknown_fate_is_asked_for_again_with_each_look() -> None:
    hand = Hand()
    hand.enter(intent(hold_s=60))
    hand.seconds(60)
    hand.unknown(STOP)
    hand.seconds(2)
    assert [type(item) for item in hand.commands] == [c.CancelOrder, c.LookUpOrder]


def looked_up(hand: Hand) -> int:
    """Look-ups that a tick asks for."""
    return sum(isinstance(item, c.LookUpOrder) for item in hand.tick().commands)


def test_an_order_in_doubt_once_more_is_asked_about_without_waiting_for_the_last_time() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.now_ns += 6 * NS_PER_SECOND
    assert looked_up(hand) == 1
    hand.accept(ENTRY)
    assert looked_up(hand) == 0
    hand.now_ns += NS_PER_SECOND
    hand.unknown(ENTRY)
    assert looked_up(hand) == 1
    hand.now_ns += 4 * NS_PER_SECOND
    assert looked_up(hand) == 0, "once in five seconds"
    hand.now_ns += NS_PER_SECOND
    assert looked_up(hand) == 1
