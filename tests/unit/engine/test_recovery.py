"""After a crash: what was asked is asked again, what was begun is ended, and no timer stays forgotten."""

import pytest

from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import CancelIntent, EntryType
from neuratrade.core.model.orders import OrderRole
from tests.simulation.hand import Hand
from tests.simulation.world import D, intent

ENTRY, STOP, TARGET, EXIT = OrderRole.ENTRY, OrderRole.STOP, OrderRole.TARGET, OrderRole.EXIT


def test_orders_in_doubt_are_looked_up_and_none_is_sent_again() -> None:
    hand = Hand()
    hand.propose(intent())
    hand.recover()
    assert [type(item) for item in hand.commands] == [c.LookUpOrder]
    hand.gone(ENTRY)
    assert hand.closed.reason is f.CloseReason.NO_ENTRY


def test_a_cancel_under_way_is_asked_again() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.quote(110)
    hand.crash_after(f.CancelPlanned)
    hand.recover()
    (command,) = hand.commands
    assert isinstance(command, c.CancelOrder)
    hand.cancelled(STOP)
    hand.fill(TARGET, 1, 110)
    assert hand.closed.reason is f.CloseReason.TP


def test_an_amend_under_way_is_asked_again() -> None:
    hand = Hand()
    hand.enter(intent(trail="0.05", targets=()))
    hand.quote(120)
    hand.crash_after(f.AmendPlanned)
    hand.recover()
    (command,) = hand.commands
    assert isinstance(command, c.AmendOrder)
    assert (command.quantity, command.stop_price) == (D(1), D(114))
    hand.amended(STOP, 1, 114)
    assert hand.recover().commands == []


def test_entries_are_cancelled_when_the_halt_was_known_but_not_carried_out() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.step(e.Halt(hand.now_ns, "op", "enough"))
    hand.crash_after(f.TradingStateMoved)
    hand.recover()
    (command,) = hand.commands
    assert isinstance(command, c.CancelOrder)


def test_the_hold_time_of_a_fill_is_not_forgotten() -> None:
    hand = Hand()
    hand.propose(intent(hold_s=60))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    hand.crash_after(f.OrderFilled)
    assert "hold:a" not in hand.state.timers
    hand.recover()
    hand.accept(STOP)
    hand.seconds(60)
    assert hand.bracket.exit_reason is f.CloseReason.TIME


def test_an_exit_that_was_decided_but_not_begun_begins() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.quote(110)
    hand.crash_after(f.TriggerFired)
    hand.recover()
    assert [type(item) for item in hand.commands] == [c.CancelOrder]


def test_an_exit_whose_stop_is_gone_is_sent_once() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.quote(110)
    hand.cancelled(STOP)
    hand.crash_after(f.OrderCancelled)
    hand.recover()
    (command,) = hand.commands
    assert isinstance(command, c.SubmitOrder)
    assert command.order.request.role is TARGET


def test_an_exit_that_was_filled_is_not_sent_again() -> None:
    hand = Hand()
    hand.enter(intent(targets=((105, "0.5"), (110, "0.5"))))
    hand.quote(105)
    hand.cancelled(STOP)
    hand.fill(TARGET, "0.5", 105)
    hand.crash_after(f.OrderFilled)
    hand.recover()
    (command,) = hand.commands
    assert isinstance(command, c.SubmitOrder)
    assert command.order.request.role is STOP
    assert command.order.request.quantity == D("0.5")


def test_a_bracket_that_was_approved_but_never_entered_is_closed() -> None:
    hand = Hand()
    hand.propose(intent())
    hand.crash_after(f.IntentJudged)
    hand.recover()
    assert hand.commands == []
    assert hand.closed.reason is f.CloseReason.NO_ENTRY


def test_a_position_found_unprotected_is_still_left_in_time() -> None:
    hand = Hand()
    hand.propose(intent())
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    hand.crash_after(f.ProtectionChanged)
    assert "protect:a" not in hand.state.timers
    hand.recover()
    hand.seconds(5)
    assert hand.bracket.exit_reason is f.CloseReason.KILL


@pytest.mark.parametrize("halted", [True, False])
def test_an_entry_whose_cancel_was_lost_in_doubt_is_cancelled_again(halted: bool) -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    if halted:
        hand.step(e.Halt(hand.now_ns, "op", "enough"))
    else:
        hand.step(e.IntentArrived(CancelIntent("c", "paper", "op", "a", "no", hand.now_ns), hand.now_ns))
    hand.unknown(ENTRY)
    hand.accept(ENTRY)
    assert [type(item) for item in hand.commands] == [c.CancelOrder]
    assert hand.order(ENTRY).asked == "cancel"
