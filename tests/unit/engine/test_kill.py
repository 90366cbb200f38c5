"""A kill stands until somebody resumes: what it did not reach when it came is left when it turns up."""

import pytest

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import EntryType
from neuratrade.core.model.orders import OrderRole
from tests.simulation.hand import Hand
from tests.simulation.snapshots import look
from tests.simulation.world import PERP, SPOT, D, desk_engine, fill_of, intent, run_started

ENTRY, STOP, EXIT = OrderRole.ENTRY, OrderRole.STOP, OrderRole.EXIT
FLATTEN, PERPS = f.KillPolicy.FLATTEN_ALL, f.KillPolicy.CLOSE_PERPS


def halt(hand: Hand, policy: f.KillPolicy) -> None:
    hand.step(e.Halt(hand.now_ns, "op", "enough", policy))


def fill_late(hand: Hand) -> None:
    """An entry that a kill found in doubt, and two look-ups did not find, fills half a minute later."""
    (kept,) = hand.state.closed.values()
    (order,) = kept.orders.values()
    hand.seconds(30)
    hand.step(f.OrderFilled(hand.now_ns, fill_of(order.request, 1, 100, "late", hand.now_ns)))
    hand.accept(STOP)
    hand.tick()


def killed_in_doubt(policy: f.KillPolicy) -> Hand:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT, targets=()))
    hand.unknown(ENTRY)
    halt(hand, policy)
    hand.gone(ENTRY)
    assert hand.state.brackets == {}
    return hand


def test_an_entry_that_fills_after_all_was_flattened_is_left() -> None:
    hand = killed_in_doubt(FLATTEN)
    fill_late(hand)
    hand.cancelled(STOP)
    hand.fill(EXIT, 1, 99)
    assert hand.closed.reason is f.CloseReason.KILL
    assert hand.state.accounts["paper"].positions[PERP.key].quantity == 0


def test_it_is_left_too_when_a_milder_halt_came_after() -> None:
    hand = killed_in_doubt(FLATTEN)
    halt(hand, f.KillPolicy.CANCEL_ENTRIES)
    fill_late(hand)
    assert hand.leaving()


def test_a_halt_that_keeps_positions_keeps_it_guarded() -> None:
    hand = killed_in_doubt(f.KillPolicy.CANCEL_ENTRIES)
    fill_late(hand)
    assert not hand.leaving()
    assert hand.bracket.protected


def test_after_somebody_resumed_it_is_guarded_and_kept() -> None:
    hand = killed_in_doubt(FLATTEN)
    hand.step(e.Resume(hand.now_ns, "op", "fine"))
    fill_late(hand)
    assert not hand.leaving()


@pytest.mark.parametrize("last", [f.OperatorActed, f.TradingStateMoved])
def test_a_kill_that_a_crash_cut_short_is_carried_out_after_the_restart(last: type[f.Fact]) -> None:
    hand = Hand()
    hand.enter(intent(targets=()))
    halt(hand, FLATTEN)
    hand.crash_after(last)
    hand.recover()
    hand.tick()
    assert hand.leaving()


def test_closing_perpetuals_leaves_other_positions_alone() -> None:
    hand = Hand()
    hand.enter(intent(instrument=SPOT, targets=()))
    halt(hand, PERPS)
    hand.tick()
    assert not hand.leaving()


def test_what_a_person_adopts_after_a_kill_is_held() -> None:
    hand = Hand()
    halt(hand, FLATTEN)
    hand.seconds(1)
    look(hand, positions={PERP.key: 1})
    hand.step(e.AdoptForeign(hand.now_ns, "op", "paper", PERP.key, D(95), "mine"))
    hand.accept(STOP)
    hand.tick()
    assert not hand.leaving()


def test_a_person_who_halts_a_halted_desk_holds_it_also_when_it_starts_over() -> None:
    hand = Hand(checked=False)
    hand.enter(intent())
    hand.fill(STOP, 3, 95)
    assert hand.state.governor == "reconcile"
    halt(hand, f.KillPolicy.CANCEL_ENTRIES)
    hand.step(run_started())
    assert hand.state.trading_state is f.TradingState.HALTED
    assert hand.state.latched


def test_a_way_out_that_was_tried_a_moment_ago_is_not_hurried_by_every_tick() -> None:
    hand = Hand()
    hand.enter(intent(targets=()))
    halt(hand, FLATTEN)
    hand.cancelled(STOP)
    hand.expired(EXIT)
    hand.accept(STOP)
    tried = sum(isinstance(fact, f.TriggerFired) for fact in hand.facts)
    hand.wait(999)
    assert not [fact for fact in hand.tick().facts if isinstance(fact, f.TriggerFired)]
    hand.wait(1)
    assert sum(isinstance(fact, f.TriggerFired) for fact in hand.facts) == tried + 1


def cold(hand: Hand) -> None:
    """The desk started anew and saw no price yet."""
    hand.engine = desk_engine(hand.state)


@pytest.mark.parametrize(("blind", "level"), [(False, "98.05"), (True, "95")])
def test_a_kill_leaves_at_the_last_price_and_where_none_is_known_at_the_stop(blind: bool, level: str) -> None:
    hand = Hand()
    hand.enter(intent(targets=()))
    hand.quote(98)
    if blind:
        cold(hand)
    halt(hand, FLATTEN)
    (fired,) = [fact for fact in hand.facts if isinstance(fact, f.TriggerFired)]
    assert (fired.level, fired.seen) == (D(level), D(level))


@pytest.mark.parametrize(("blind", "level"), [(False, "98.05"), (True, "95")])
def test_so_does_a_kill_that_is_made_up_for(blind: bool, level: str) -> None:
    hand = Hand()
    hand.enter(intent(targets=()))
    halt(hand, FLATTEN)
    hand.crash_after(f.OperatorActed)
    hand.quote(98)
    if blind:
        cold(hand)
    hand.tick()
    (fired,) = [fact for fact in hand.facts if isinstance(fact, f.TriggerFired)]
    assert fired.level == D(level)


@pytest.mark.parametrize(("blind", "level"), [(False, "98.05"), (True, "95")])
def test_and_a_time_exit(blind: bool, level: str) -> None:
    hand = Hand()
    hand.enter(intent(targets=(), hold_s=60))
    hand.quote(98)
    if blind:
        cold(hand)
    hand.seconds(60)
    (fired,) = [fact for fact in hand.facts if isinstance(fact, f.TriggerFired)]
    assert (fired.reason, fired.level) == (f.CloseReason.TIME, D(level))
