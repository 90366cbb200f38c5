"""Strategies: what one says on a completed bar becomes an intent that is judged, once, and not before."""

from dataclasses import dataclass
from decimal import Decimal

from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.engine import Engine, Step
from neuratrade.core.indicators.native import NativeProvider
from neuratrade.core.indicators.registry import indicator
from neuratrade.core.indicators.spec import IndicatorSpec
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import Direction, Lane, OpenIntent, TakeProfit
from neuratrade.core.model.market import NS_PER_MINUTE, Bar
from neuratrade.core.model.regime import Regime
from neuratrade.core.strategies.dna import Dna
from neuratrade.core.strategies.port import Proposal, Row
from tests.simulation.world import CALM, INSTRUMENTS, PERP, SPOT, D, bar, run_started, warm_up


@dataclass(frozen=True)
class AboveWatermark:
    """Goes long whenever a bar of its timeframe closes above 100; `vetoed`: its plan is always nothing."""

    span_ns: int = NS_PER_MINUTE
    vetoed: bool = False
    while_flat: bool = False
    assets: tuple[str, ...] = (PERP.asset,)
    name: str = "watermark"
    lane: Lane = Lane.MOMENTUM

    @property
    def indicators(self) -> tuple[IndicatorSpec, ...]:
        return (indicator("sma", 2),)

    def entry(self, previous: Row, current: Row, close: float, asset: str) -> int:
        return int(close > 100)

    def plan(self, signal: int, bar: Bar, current: Row, regime: Regime) -> Proposal | None:
        if self.vetoed:
            return None
        targets = (TakeProfit(bar.close + D("5.04"), D(1)),)
        return Proposal(Direction.LONG, bar.close, D("95.03"), targets, D(1), note="above")


def desk(*strategies: AboveWatermark) -> Engine:
    config = EngineConfig(
        "paper",
        "op",
        dict(INSTRUMENTS),
        strategies,
        Dna(1, 0, {}, {}),
        NativeProvider(),
        None,
        gate_span_ns=NS_PER_MINUTE,
        regime=CALM,
    )
    engine = Engine(config)
    engine.step(run_started())
    warm_up(engine)
    return engine


def close(engine: Engine, index: int, price: Decimal | int | str, item: str = PERP.key) -> Step:
    seen = bar(index, 100, max(D(price), D(100)), min(D(price), D(100)), price, instrument=INSTRUMENTS[item])
    return engine.step(e.BarClosed(seen, seen.close_ns))


def judged(step: Step) -> list[OpenIntent]:
    intents = [fact.intent for fact in step.facts if isinstance(fact, f.IntentJudged)]
    assert all(isinstance(intent, OpenIntent) for intent in intents)
    return [intent for intent in intents if isinstance(intent, OpenIntent)]


def test_what_a_strategy_says_on_a_completed_bar_is_judged_as_an_intent_of_its_lane() -> None:
    engine = desk(AboveWatermark())
    step = close(engine, 0, 101)
    (intent,) = judged(step)
    assert (intent.strategy_ref, intent.lane, intent.instrument) == ("watermark", Lane.MOMENTUM, PERP.key)
    assert (intent.trigger_price, intent.direction) == (D(101), Direction.LONG)
    assert intent.created_ns == engine.state.now_ns
    assert intent.tags == {"note": "above"}
    assert list(engine.state.brackets) == [intent.intent_id]


def test_its_levels_are_on_the_grid_and_its_stop_towards_the_entry() -> None:
    (intent,) = judged(close(desk(AboveWatermark()), 0, 101))
    assert (intent.stop_price, intent.take_profits[0].price) == (D("95.1"), D("106.0"))


def test_a_strategy_that_is_silent_leads_to_nothing() -> None:
    assert close(desk(AboveWatermark()), 0, 100).facts == []


def test_a_signal_that_its_own_plan_vetoes_is_no_intent() -> None:
    assert close(desk(AboveWatermark(vetoed=True)), 0, 101).facts == []


def test_a_strategy_speaks_only_for_its_own_assets() -> None:
    assert close(desk(AboveWatermark(assets=(SPOT.asset,))), 0, 101).facts == []


def test_history_is_learned_from_and_never_traded_on() -> None:
    engine = desk(AboveWatermark())
    seen = bar(0, 100, 101, 100, 101)
    assert engine.step(e.BarClosed(seen, seen.close_ns, warm_up=True)).facts == []
    assert not engine.state.seen


def test_a_strategy_of_five_minutes_speaks_when_its_own_bar_is_complete_and_not_before() -> None:
    engine = desk(AboveWatermark(span_ns=5 * NS_PER_MINUTE))
    for index in range(4):
        assert judged(close(engine, index, 101)) == []
    (intent,) = judged(close(engine, 4, 101))
    assert intent.strategy_ref == "watermark"


def test_each_bar_and_each_strategy_gives_an_intent_of_its_own_and_a_replay_the_same_ones() -> None:
    def names() -> list[str]:
        engine = desk(AboveWatermark(), AboveWatermark(name="other"))
        return [intent.intent_id for index in range(2) for intent in judged(close(engine, index, 101))]

    first = names()
    assert len(set(first)) == len(first) == 4
    assert names() == first


def test_one_that_speaks_while_flat_is_not_heard_where_it_is_entering_or_holds() -> None:
    engine = desk(AboveWatermark(while_flat=True), AboveWatermark(name="other"))
    first = judged(close(engine, 0, 101))
    assert [intent.strategy_ref for intent in first] == ["watermark", "other"]
    assert [intent.strategy_ref for intent in judged(close(engine, 1, 102))] == ["other"]
