"""A desk that holds nothing looks no further at a tick, and misses nothing by that."""

import dataclasses
import random

import pytest
from msgspec.structs import replace

from neuratrade.core.bars.sessions import DaySessions
from neuratrade.core.engine import governors
from neuratrade.core.engine.engine import Engine
from neuratrade.core.engine.state import state_bytes
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.market import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE
from neuratrade.core.model.orders import OrderRole
from neuratrade.core.risk.limits import CEILING_NAMES, CEILINGS
from tests.simulation.hand import Hand
from tests.simulation.world import T0, D, desk_engine, intent, warm_up

MINUTE_MS, HOUR_MS = 60_000, 3_600_000


def at_rest() -> Hand:
    """A desk that was marked, and had a tick with nothing to do."""
    hand = Hand()
    for _ in range(3):
        hand.wait(MINUTE_MS)
        hand.tick()
    assert hand.tick().facts == []
    return hand


def marked(hand: Hand, after_ms: int = MINUTE_MS) -> list[f.Marked]:
    hand.wait(after_ms)
    return [fact for fact in hand.tick().facts if isinstance(fact, f.Marked)]


def test_nothing_is_marked_while_nothing_happens_within_the_hour() -> None:
    assert marked(at_rest()) == []


def test_the_turn_of_the_hour_is_marked_at_rest() -> None:
    hand = at_rest()
    hand.now_ns = T0 - T0 % NS_PER_HOUR + NS_PER_HOUR
    assert len(marked(hand, 0)) == 1


def test_a_new_day_is_rolled_at_rest() -> None:
    hand = at_rest()
    hand.now_ns += NS_PER_DAY
    assert [fact for fact in hand.tick().facts if isinstance(fact, f.DayRolled)]


@pytest.mark.parametrize("currency", ["USDT", "EUR"])
def test_money_that_comes_or_goes_is_marked_at_the_next_minute(currency: str) -> None:
    hand = at_rest()
    hand.step(e.RateSeen("EUR", "USDT", hand.now_ns, D("1.25"), "bank"))
    hand.step(f.CashMoved(hand.now_ns, "paper", currency, D(-40), "funding"))
    (mark,) = marked(hand)
    assert mark.equity == hand.engine.equity("paper")


def test_what_is_too_little_to_be_marked_at_once_is_marked_when_a_minute_has_passed() -> None:
    hand = at_rest()
    hand.step(f.CashMoved(hand.now_ns, "paper", "USDT", D(-40), "funding"))
    assert len(marked(hand)) == 1
    hand.step(f.CashMoved(hand.now_ns, "paper", "USDT", D(-1), "funding"))
    assert marked(hand, 10_000) == []
    assert len(marked(hand)) == 1


def test_a_day_that_begins_within_an_hour_is_rolled_at_rest() -> None:
    hand = Hand()
    half_past = DaySessions(30 * NS_PER_MINUTE)
    hand.engine = Engine(dataclasses.replace(hand.engine.config, days=half_past), hand.state)
    hand.now_ns = T0 - T0 % NS_PER_DAY + NS_PER_DAY + 29 * NS_PER_MINUTE
    hand.tick()
    assert hand.tick().facts == []
    hand.wait(MINUTE_MS)
    assert [fact for fact in hand.tick().facts if isinstance(fact, f.DayRolled)]


def test_a_rate_moves_the_equity_of_a_desk_that_has_foreign_money_and_holds_nothing() -> None:
    hand = at_rest()
    hand.step(e.RateSeen("EUR", "USDT", hand.now_ns, D("1.25"), "bank"))
    hand.step(f.CashMoved(hand.now_ns, "paper", "EUR", D(1000)))
    for _ in range(3):
        marked(hand)
    hand.step(e.RateSeen("EUR", "USDT", hand.now_ns, D("1.5"), "bank"))
    assert len(marked(hand)) == 1


def test_a_limit_that_is_tightened_below_the_fall_of_the_day_is_applied_at_rest() -> None:
    ceilings = {name: str(getattr(CEILINGS, name)) for name in CEILING_NAMES}
    hand = Hand(ceilings | {"daily_loss_fraction": "0.5"})
    marked(hand)
    hand.step(f.CashMoved(hand.now_ns, "paper", "USDT", D(-3000), "funding"))
    for _ in range(3):
        marked(hand)
    hand.step(e.SetLimit(hand.now_ns, "op", "daily_loss_fraction", "0.01", "more careful"))
    marked(hand)
    marked(hand)
    assert hand.state.trading_state is f.TradingState.REDUCING


def test_a_desk_that_was_given_another_state_looks_at_it() -> None:
    hand, other = at_rest(), Hand()
    hand.engine.state = other.state
    assert hand.engine.step(e.ClockTick(hand.now_ns)).facts


def _enter(hand: Hand, name: str) -> None:
    hand.quote(100, 100)
    proposal = replace(intent(name, quantity=5, stop=90, targets=()), created_ns=hand.now_ns)
    hand.step(e.IntentArrived(proposal, hand.now_ns))
    if hand.state.brackets:
        hand.accept(OrderRole.ENTRY)
        hand.fill(OrderRole.ENTRY, hand.bracket.quantity, 100)
        hand.accept(OrderRole.STOP)


def _lived(seed: int) -> Hand:
    draws, hand = random.Random(seed), Hand({"daily_loss_fraction": "0.005"})
    for number in range(200):
        match draws.randrange(20):
            case 0:
                currency = draws.choice(("USDT", "EUR") if seed % 2 else ("USDT",))
                amount = D(draws.randrange(-300, 300))
                hand.step(f.CashMoved(hand.now_ns, "paper", currency, amount, "funding"))
            case 1:
                rate = D(draws.randrange(100, 130)) / 100
                hand.step(e.RateSeen("EUR", "USDT", hand.now_ns, rate, "bank"))
            case 2 if hand.state.brackets:
                hand.fill(OrderRole.STOP, hand.bracket.held, 90)
            case 3:
                hand.step(e.Resume(hand.now_ns, "op", "drawn"))
            case 4:
                level = draws.randrange(97, 104)
                hand.quote(level, level)
            case 5 if not hand.state.brackets and hand.state.trading_state is f.TradingState.RUNNING:
                _enter(hand, f"i{number}")
            case _:
                hand.wait(draws.choice((500, 1000, 1000, MINUTE_MS, 7 * MINUTE_MS, HOUR_MS)))
        hand.tick()
    return hand


@pytest.mark.parametrize("seed", range(25))
def test_a_desk_that_rests_says_what_one_says_that_looks_at_every_tick(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rested = _lived(seed)
    monkeypatch.setattr(governors, "_is_at_rest", lambda _: False)
    watchful = _lived(seed)
    assert rested.facts == watchful.facts
    assert state_bytes(rested.state) == state_bytes(watchful.state)


def test_after_a_restart_the_first_tick_looks_at_everything() -> None:
    hand = at_rest()
    hand.step(f.CashMoved(hand.now_ns, "paper", "USDT", D(-40), "funding"))
    hand.engine = desk_engine(hand.state)
    warm_up(hand.engine)
    hand.recover()
    assert len(marked(hand)) == 1
