"""A position moves into the next contract through the gate, whole or not at all, and never twice."""

from decimal import Decimal

import pytest

from neuratrade.core.engine.state import DeskState
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import CancelIntent, CloseIntent, Direction, EntryType, Intent, OpenIntent
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Quote
from neuratrade.core.model.orders import OrderRole
from neuratrade.core.rolls import WITHIN_NS, Roll, due
from tests.simulation.hand import Hand
from tests.simulation.world import PERP, SPOT, T0, D, intent

ENTRY, STOP, TARGET, EXIT = OrderRole.ENTRY, OrderRole.STOP, OrderRole.TARGET, OrderRole.EXIT
FROM_NS = T0 + NS_PER_MINUTE
ROLLS = {PERP.key: Roll(SPOT.key, FROM_NS)}
PRICES = {PERP.key: D(100), SPOT.key: D("102.5")}


def proposed(hand: Hand, prices: dict[str, Decimal] | None = None) -> list[Intent]:
    return due(hand.state, ROLLS, (PRICES if prices is None else prices).get, hand.now_ns)


def taken(hand: Hand) -> None:
    for item in proposed(hand):
        hand.step(e.IntentArrived(item, hand.now_ns))


def successor_trades(hand: Hand) -> None:
    at_ns = hand.now_ns
    hand.step(Quote(SPOT.key, at_ns, D("102.49"), D("102.51"), D(100), D(100)))
    hand.quote(100)


def end_stop(hand: Hand, filled: int = 0) -> None:
    hand.step(f.OrderCancelled(hand.now_ns, hand.coid(STOP), "leaving", D(filled)))


def rolled_out(entry: OpenIntent) -> Hand:
    """Its old contract was just left whole."""
    hand = Hand()
    hand.enter(entry)
    hand.now_ns = FROM_NS
    successor_trades(hand)
    taken(hand)
    end_stop(hand)
    hand.fill(EXIT, 4, 100)
    return hand


def test_before_its_day_nothing_is_rolled() -> None:
    hand = Hand()
    hand.enter(intent(quantity=4))
    hand.now_ns = FROM_NS - 1
    assert proposed(hand) == []


def test_it_leaves_the_old_contract_once() -> None:
    hand = Hand()
    hand.enter(intent(quantity=4))
    hand.now_ns = FROM_NS
    (word,) = proposed(hand)
    assert isinstance(word, CloseIntent)
    taken(hand)
    assert hand.leaving()
    assert proposed(hand) == []


def test_an_entry_that_rests_in_the_old_contract_is_cancelled() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT, trigger=99))
    hand.now_ns = FROM_NS
    (word,) = proposed(hand)
    assert isinstance(word, CancelIntent)
    taken(hand)
    assert proposed(hand) == []


@pytest.mark.parametrize("missing", [PERP.key, SPOT.key])
def test_it_waits_until_both_contracts_have_a_price_and_trade(missing: str) -> None:
    hand = Hand()
    hand.enter(intent(quantity=4))
    hand.now_ns = FROM_NS
    assert proposed(hand, {key: price for key, price in PRICES.items() if key != missing}) == []
    hand.step(f.SessionMoved(hand.now_ns, missing, is_open=False))
    assert proposed(hand) == []


def test_a_desk_that_may_open_nothing_does_not_begin_a_roll() -> None:
    hand = Hand()
    hand.enter(intent(quantity=4))
    hand.now_ns = FROM_NS
    hand.step(e.Halt(hand.now_ns, "op", "enough", f.KillPolicy.CANCEL_ENTRIES))
    assert proposed(hand) == []


def test_the_way_in_has_the_old_levels_at_the_new_prices() -> None:
    hand = rolled_out(intent(quantity=4, stop=95, targets=((110, 1),), hold_s=600, trail="0.02"))
    (word,) = proposed(hand)
    assert isinstance(word, OpenIntent)
    assert (word.instrument, word.direction) == (SPOT.key, Direction.LONG)
    assert word.stop_price == D("97.5")
    assert [(rung.price, rung.fraction) for rung in word.take_profits] == [(D("112.5"), D(1))]
    assert word.quantity == 4
    assert word.max_hold_ns == 600 * NS_PER_SECOND - NS_PER_MINUTE
    assert word.tags["rolled_from"] == "a"


def test_the_gate_judges_the_way_in_and_it_is_asked_once() -> None:
    hand = rolled_out(intent(quantity=4))
    taken(hand)
    judged = [fact for fact in hand.facts if isinstance(fact, f.IntentJudged)][-1]
    assert judged.approved, [layer for layer in judged.layers if layer.verdict.blocks]
    assert hand.bracket.intent.instrument == SPOT.key
    assert proposed(hand) == []


def test_only_what_was_left_by_the_roll_goes_into_the_next_contract() -> None:
    hand = Hand()
    hand.enter(intent(quantity=4, targets=((105, "0.25"), (120, "0.75"))))
    hand.quote(105)
    end_stop(hand)
    hand.fill(TARGET, 1, 105)
    hand.accept(STOP)
    hand.now_ns = FROM_NS
    successor_trades(hand)
    taken(hand)
    end_stop(hand)
    hand.fill(EXIT, 3, 100)
    (word,) = proposed(hand)
    assert isinstance(word, OpenIntent)
    assert word.quantity == 3
    assert [(rung.price, rung.fraction) for rung in word.take_profits] == [(D("122.5"), D(1))]


def test_what_its_stop_left_meanwhile_is_not_entered_again() -> None:
    hand = Hand()
    hand.enter(intent(quantity=4))
    hand.now_ns = FROM_NS
    successor_trades(hand)
    taken(hand)
    hand.fill(STOP, 4, 95)
    assert proposed(hand) == []


def test_a_crash_between_the_halves_forgets_and_repeats_nothing() -> None:
    hand = rolled_out(intent(quantity=4))
    hand.crash_after(f.BracketClosed)
    assert len(proposed(hand)) == 1
    taken(hand)
    again = DeskState()
    assert due(again, ROLLS, PRICES.get, hand.now_ns) == []
    assert proposed(hand) == []


def test_a_way_in_that_comes_too_late_is_another_trade_and_not_made() -> None:
    hand = rolled_out(intent(quantity=4))
    hand.now_ns += WITHIN_NS + 1
    assert proposed(hand) == []


def test_a_position_that_a_person_closed_is_not_entered_again() -> None:
    hand = Hand()
    hand.enter(intent(quantity=4))
    hand.now_ns = FROM_NS
    hand.step(e.IntentArrived(CloseIntent("mine", "paper", "op", "a", "enough", hand.now_ns), hand.now_ns))
    end_stop(hand)
    hand.fill(EXIT, 4, 100)
    assert proposed(hand) == []
