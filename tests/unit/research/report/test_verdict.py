"""The verdict never praises what the figures cannot carry."""

from decimal import Decimal

import pytest

from neuratrade.research.report.judged import Judged, verdict
from neuratrade.research.result import BacktestResult
from tests.unit.research.report.reported import refusal, result, trade, wandering

BARS = wandering(3_000)


def of(count: int, gain: str, halted: str = "") -> BacktestResult:
    closed = [trade(BARS, 10 + 20 * n, pnl=Decimal(gain)) for n in range(count)]
    return result([BARS], closed, halted=halted)


def test_no_trade_says_so_and_names_the_gate_where_it_was_the_gate() -> None:
    assert (
        verdict(of(0, "0"), Judged(), None).said == "No trade: the strategy proposed nothing in this period."
    )
    refused = result([BARS], refused=[refusal(BARS, 5)])
    assert "the gate refused all 1 proposals" in verdict(refused, Judged(), None).said


@pytest.mark.parametrize("count", [1, 29])
def test_few_trades_prove_nothing_however_good_they_are(count: int) -> None:
    told = verdict(of(count, "100"), Judged(sharpe_interval=(3.0, 9.0), probability=0.999), 0.1)
    assert told.tone == "unsure"
    assert "too few to prove anything" in told.said


def test_few_trades_that_lost_are_a_loss_and_still_prove_nothing() -> None:
    told = verdict(of(3, "-100"), Judged(), None)
    assert told.tone == "bad"
    assert "Only 3 trades: fewer than 30 prove nothing." in told.more


def test_costs_that_ate_the_gain_are_named() -> None:
    told = verdict(of(40, "-1"), Judged(), None)
    assert told.said == "Lost money after costs. Before fees and carry it earned money: costs ate it."
    assert verdict(of(40, "-10"), Judged(), None).said == "Lost money after costs."
    assert verdict(of(40, "0"), Judged(), None).said.startswith("Earned nothing after costs.")


def test_a_gain_that_may_be_luck_is_not_good() -> None:
    for judged in (
        Judged(sharpe_interval=(-0.1, 4.0), probability=0.99),
        Judged(sharpe_interval=(0.5, 4.0), probability=0.94),
        Judged(sharpe_interval=None, probability=0.99),
    ):
        assert verdict(of(40, "100"), judged, None).tone == "unsure"
    said = verdict(of(40, "100"), Judged(sharpe_interval=(0.5, 4.0), probability=0.2, trials=500), None).said
    assert "the best of 500 tries" in said


def test_a_gain_beyond_chance_is_good() -> None:
    told = verdict(of(40, "100"), Judged(sharpe_interval=(0.5, 4.0), probability=0.99), None)
    assert (told.tone, told.said) == (
        "good",
        "Made money after costs, and more than chance explains over this period.",
    )


def test_holding_and_a_desk_that_stood_still_are_mentioned() -> None:
    told = verdict(of(40, "100", halted="halted: five losses"), Judged(), 0.5)
    assert any("halted: five losses" in item for item in told.more)
    assert any("this did worse" in item for item in told.more)
    assert any("this did better" in item for item in verdict(of(40, "100"), Judged(), -0.5).more)
