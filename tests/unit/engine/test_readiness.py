"""Until everything the gate judges by is known, nothing new is opened; what is assumed is stated."""

from dataclasses import replace

import msgspec
import pytest

from neuratrade.core.bars.sessions import DaySessions
from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.engine import Engine
from neuratrade.core.engine.judging import gate_view
from neuratrade.core.model import events as e
from neuratrade.core.model.market import NS_PER_MINUTE
from neuratrade.core.model.regime import Regime
from tests.simulation.world import CALM, PERP, T0, D, bar, desk_engine, intent, run_started


def fed(bars: int, regime_window: int) -> Engine:
    engine = Engine(replace(desk_engine().config, regime=msgspec.structs.replace(CALM, window=regime_window)))
    engine.step(run_started())
    for place in range(-bars, 0):
        shown = bar(place, 100, "100.5", "99.5", 100)
        engine.step(e.BarClosed(shown, shown.close_ns, warm_up=True))
    return engine


@pytest.mark.parametrize(
    ("bars", "window", "warm"),
    [(0, 10, False), (13, 10, False), (20, 10, True), (20, 40, False), (60, 40, True)],
)
def test_the_gate_is_warm_once_both_its_true_range_and_the_regime_are_known(
    bars: int, window: int, warm: bool
) -> None:
    engine = fed(bars, window)
    view = engine.views[PERP.key]
    seen = gate_view(engine.state, intent(), engine.config, engine.markets, T0)
    assert seen.warm is warm
    assert warm is (view.atr is not None and view.regime is not Regime.UNKNOWN)


def test_the_gate_judges_stops_by_quarter_hours_and_assumes_a_small_spread_unless_told_otherwise() -> None:
    given = desk_engine().config
    plain = EngineConfig(
        given.account_id,
        given.operator_id,
        given.instruments,
        given.strategies,
        given.dna,
        given.provider,
        given.signer,
    )
    assert (plain.base_span_ns, plain.gate_span_ns) == (NS_PER_MINUTE, 15 * NS_PER_MINUTE)
    assert plain.assumed_spread_fraction == D("0.0002")
    assert plain.days == DaySessions()
    assert plain.reconcile_every_ns == 0
    assert plain.balance_tolerance_fraction == 0
