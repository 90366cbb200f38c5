"""Bars on which nobody trades: what is touched there cannot be filled, and the run goes on."""

from decimal import Decimal

from neuratrade.core.model.intent import EntryType
from neuratrade.core.strategies.dna import Distance, ExitDna, Target
from neuratrade.research.backtest import run_backtest
from neuratrade.venues.paper.costs import PaperCosts
from tests.unit.research.refused_runs import LIFTED, PERPETUAL, invented, plan_of, settings

LADDER = ExitDna(
    Distance(pct=Decimal("0.012")),
    tuple(Target(Distance(pct=Decimal(reach) / 1000), Decimal("0.3")) for reach in (1, 2, 3)),
)


def test_a_rung_that_finds_nobody_is_not_tried_again_at_the_same_instant_for_ever() -> None:
    rule = settings("rsi_rule", order_type=EntryType.MARKET, exit=LADDER)
    bars = invented(5, 3600, still=0.3)
    result = run_backtest(plan_of(rule, bars, LIFTED, PaperCosts(latency_ms=0)), {PERPETUAL.key: bars})
    assert result.trades
