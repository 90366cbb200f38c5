"""The desk on the reference work of backtests, whose right answer is known without it."""

import pytest

from benchmarks import reference, reference_desk


def test_the_desk_makes_the_trades_and_the_profit_of_a_plain_loop() -> None:
    made = reference.series().first(12_000)
    desk = reference_desk.live_through(made).tally
    plain = reference.plain_loop(made, reference_desk.WARM_BARS)
    assert desk.trades == plain.trades > 50
    assert desk.pnl == pytest.approx(plain.pnl, abs=0.01)
