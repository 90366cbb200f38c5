"""Numbers that judge a backtest: worked by hand, at their edges, and beside an independent library."""

import warnings
from pathlib import Path

import empyrical  # type: ignore[import-untyped]
import msgspec
import numpy as np
import polars as pl
import pytest

from neuratrade.core.model.market import NS_PER_DAY, NS_PER_HOUR
from neuratrade.research.columns import Floats
from neuratrade.research.metrics import drawdowns, measure, returns
from tests.unit.research.results import at, of_days, result, trade

NOTHING_TO_TELL = (
    "annual_return", "sharpe", "sortino", "calmar", "profit_factor", "win_rate", "expectancy",
    "average_trade", "expected_shortfall", "best_day", "adverse", "exposure",
    "turnover_per_year", "probabilistic_sharpe",
)  # fmt: skip


def random_days(seed: int, count: int = 300) -> Floats:
    days: Floats = np.random.default_rng(seed).normal(0.0005, 0.02, count)
    return days


def real_days(folder: Path) -> Floats:
    """Daily returns of Bitcoin over two years, by this code."""
    frame = pl.read_parquet(folder / "ohlcv" / "binance_BTCUSDT_1h_2017-2024.parquet").tail(24 * 730)
    at_ns = frame["ts"].to_numpy() * 1_000_000 + NS_PER_HOUR
    return returns.daily_returns(at_ns, frame["close"].to_numpy(), float(frame["open"][0])).fraction


def agrees_with_empyrical(daily: Floats, days_per_year: int) -> None:
    total = float(np.prod(1 + daily) - 1)
    year = {"annualization": days_per_year}
    ours_and_theirs = {
        "annual": (
            returns.annual_return(total, len(daily), days_per_year),
            empyrical.annual_return(daily, **year),
        ),
        "sharpe": (
            returns.annualised(returns.sharpe(daily), days_per_year),
            empyrical.sharpe_ratio(daily, **year),
        ),
        "sortino": (
            returns.annualised(returns.sortino(daily), days_per_year),
            empyrical.sortino_ratio(daily, **year),
        ),
        "shortfall": (returns.expected_shortfall(daily), empyrical.conditional_value_at_risk(daily, 0.05)),
        "drawdown": (
            drawdowns.drawdown_curve(np.cumprod(1 + daily, dtype=np.float64), 1.0).max(),
            -empyrical.max_drawdown(daily),
        ),
    }
    for name, (ours, theirs) in ours_and_theirs.items():
        assert ours == pytest.approx(theirs, rel=1e-10), name
    measured = measure(of_days(list(1000 * np.cumprod(1 + daily))), days_per_year=days_per_year)
    assert measured.calmar == pytest.approx(empyrical.calmar_ratio(daily, **year), rel=1e-9)
    assert measured.total_return == pytest.approx(empyrical.cum_returns_final(daily), rel=1e-9)


@pytest.mark.parametrize("days_per_year", [252, 365])
@pytest.mark.parametrize("seed", range(5))
def test_random_returns_come_to_what_empyrical_says(seed: int, days_per_year: int) -> None:
    agrees_with_empyrical(random_days(seed), days_per_year)


@pytest.mark.shared
def test_real_returns_come_to_what_empyrical_says(shared_data: Path) -> None:
    daily = real_days(shared_data)
    assert len(daily) >= 730
    agrees_with_empyrical(daily, 365)


@pytest.mark.shared
def test_months_of_a_real_market_are_those_empyrical_compounds(shared_data: Path) -> None:
    pd = pytest.importorskip("pandas")
    frame = pl.read_parquet(shared_data / "ohlcv" / "binance_BTCUSDT_1h_2017-2024.parquet").tail(24 * 400)
    at_ns = frame["ts"].to_numpy() * 1_000_000 + NS_PER_HOUR
    value, start = frame["close"].to_numpy(), float(frame["open"][0])
    daily = returns.daily_returns(at_ns, value, start)
    series = pd.Series(daily.fraction, index=pd.to_datetime(daily.day, unit="D"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = empyrical.aggregate_returns(series, "monthly")
    ours = returns.monthly_returns(at_ns, value, start)
    assert [(1970 + month // 12, month % 12 + 1) for month, _ in ours] == list(theirs.index)
    assert [fraction for _, fraction in ours] == pytest.approx(list(theirs), rel=1e-9)


def test_three_days_by_hand() -> None:
    found = measure(of_days([1100.0, 990.0, 1089.0]), days_per_year=365)
    assert found.days == 3
    assert found.total_return == pytest.approx(0.089)
    assert found.annual_return == pytest.approx(1.089 ** (365 / 3) - 1)
    # +10 %, -10 %, +10 %: mean 1/30, sample deviation sqrt(((1/15)^2 * 2 + (2/15)^2) / 2).
    deviation = (((1 / 15) ** 2 * 2 + (2 / 15) ** 2) / 2) ** 0.5
    assert found.sharpe == pytest.approx(1 / 30 / deviation * 365**0.5)
    assert found.sortino == pytest.approx(1 / 30 / (0.01 / 3) ** 0.5 * 365**0.5)
    assert found.max_drawdown == pytest.approx(0.1)
    assert found.max_drawdown_length_ns == 2 * NS_PER_DAY
    assert not found.max_drawdown_recovered
    assert (found.best_day, found.worst_day) == pytest.approx((0.1, -0.1))
    assert found.expected_shortfall == pytest.approx(-0.1)


def test_trades_by_hand() -> None:
    trades = [
        trade("-10", exit_ns=at("2024-02-03"), adverse=0.10),
        trade("30", exit_ns=at("2024-01-02"), favourable=0.40),
        trade("-5", exit_ns=at("2024-02-01"), adverse=0.06, risk="0"),
        trade("0", exit_ns=at("2024-02-02"), adverse=0.02),
    ]
    found = measure(of_days([1030.0, 1015.0], trades))
    assert found.trades == 4
    assert found.profit_factor == pytest.approx(2.0)
    assert found.win_rate == pytest.approx(0.25)
    assert found.expectancy == pytest.approx(3.75)
    assert found.expectancy_r == pytest.approx((3 - 1 + 0) / 3)
    assert found.average_trade == pytest.approx(0.0375)
    assert (found.average_win, found.average_loss) == pytest.approx((30, -7.5))
    assert (found.best_trade, found.worst_trade) == pytest.approx((0.3, -0.1))
    assert found.longest_losing_streak == 2
    assert found.adverse is not None
    assert (found.adverse.mean, found.adverse.median, found.adverse.largest) == pytest.approx(
        (0.045, 0.04, 0.1)
    )
    assert found.favourable is not None
    assert found.favourable.largest == pytest.approx(0.4)


def test_a_win_ends_a_losing_streak() -> None:
    days = [at(f"2024-01-0{day}") for day in range(1, 7)]
    pnl = ["-1", "-1", "1", "-1", "-1", "-1"]
    trades = [trade(one, exit_ns=day) for one, day in zip(pnl, days, strict=True)]
    assert measure(of_days([1000.0], trades)).longest_losing_streak == 3


def test_the_first_return_is_against_the_start_cash() -> None:
    assert measure(of_days([900.0])).total_return == pytest.approx(-0.1)
    assert measure(of_days([900.0])).worst_day == pytest.approx(-0.1)
    assert measure(of_days([900.0])).max_drawdown == pytest.approx(0.1)


def test_a_close_at_midnight_belongs_to_the_day_it_ends() -> None:
    times = [at("2024-01-01T23:00"), at("2024-01-02"), at("2024-01-02T01:00"), at("2024-01-03")]
    daily = returns.daily_returns(np.array(times), np.array([1.0, 1100.0, 5.0, 1210.0]), 1000.0)
    np.testing.assert_allclose(daily.fraction, [0.1, 0.1])


def test_days_without_a_bar_have_no_return_and_the_next_one_bridges_them() -> None:
    times = [at("2024-01-02"), at("2024-01-09"), at("2024-01-10")]
    daily = returns.daily_returns(np.array(times), np.array([1000.0, 1200.0, 1200.0]), 1000.0)
    np.testing.assert_allclose(daily.fraction, [0.0, 0.2, 0.0])
    assert list(np.diff(daily.day)) == [7, 1]


def test_the_deepest_drawdown_ends_where_equity_is_back_at_its_peak() -> None:
    found = measure(of_days([1100.0, 1045.0, 1100.0, 880.0, 1000.0, 1100.0, 1099.0, 1098.0, 1097.0, 1096.0]))
    assert found.max_drawdown == pytest.approx(0.2)
    assert found.max_drawdown_length_ns == 3 * NS_PER_DAY
    assert found.max_drawdown_recovered
    assert found.longest_drawdown_ns == 4 * NS_PER_DAY


def test_a_drawdown_inside_a_day_counts() -> None:
    times = [at("2024-01-01T12:00"), at("2024-01-02")]
    found = measure(result(times, [500.0, 1000.0]))
    assert found.max_drawdown == pytest.approx(0.5)
    assert found.max_drawdown_daily == 0.0
    assert found.worst_day == 0.0


def test_exposure_and_turnover_by_hand() -> None:
    times = [at("2024-01-01T12:00"), at("2024-01-02"), at("2024-01-02T12:00"), at("2024-01-03")]
    found = measure(
        result(times, [1000.0, 2000.0, 2000.0, 1000.0], invested=[0.0, 50.0, 0.0, 0.0], turnover="3000"),
        days_per_year=100,
    )
    assert found.exposure == pytest.approx(0.25)
    # Twice the mean equity of 1,500 in two days, fifty times as much in a year of a hundred.
    assert found.turnover_per_year == pytest.approx(100.0)


def test_a_month_counts_from_the_last_equity_before_it() -> None:
    times = [at("2024-01-31T10:00"), at("2024-02-01"), at("2024-02-10"), at("2024-04-05")]
    trades = [trade("1", exit_ns=at("2024-02-01")), trade("1", exit_ns=at("2024-02-05"))]
    months = measure(result(times, [1100.0, 1200.0, 600.0, 660.0], trades)).months
    assert [(one.year, one.month, one.trades) for one in months] == [(2024, 1, 1), (2024, 2, 1), (2024, 4, 0)]
    assert [one.return_fraction for one in months] == pytest.approx([0.2, -0.5, 0.1])


def test_without_bars_or_trades_nothing_is_told() -> None:
    found = measure(result([], []))
    assert all(getattr(found, name) is None for name in NOTHING_TO_TELL)
    assert (found.total_return, found.max_drawdown, found.trades, found.months) == (0.0, 0.0, 0, ())


def test_one_day_has_a_total_but_no_annual_figure() -> None:
    found = measure(of_days([1050.0]))
    assert found.total_return == pytest.approx(0.05)
    assert found.annual_return is found.sharpe is found.sortino is found.skewness is None


def test_constant_equity_has_no_ratio_and_no_drawdown() -> None:
    found = measure(of_days([1000.0] * 20))
    assert (found.total_return, found.annual_return, found.max_drawdown) == (0.0, 0.0, 0.0)
    assert found.sharpe is found.sortino is found.calmar is found.probabilistic_sharpe is None
    assert found.max_drawdown_recovered
    assert found.longest_drawdown_ns == 0


def test_equal_gains_every_day_have_no_sharpe_ratio_for_their_deviation_is_only_rounding() -> None:
    assert measure(of_days(list(1000 * 1.01 ** np.arange(1, 50)))).sharpe is None


def test_without_a_loss_there_is_no_profit_factor() -> None:
    found = measure(of_days([1010.0, 1030.0], [trade("10"), trade("20")]))
    assert found.profit_factor is None
    assert found.average_loss is None
    assert found.win_rate == 1.0
    assert found.longest_losing_streak == 0


@pytest.mark.parametrize("last", [0.0, -250.0])
def test_equity_at_or_below_zero_ends_the_returns_and_is_all_lost(last: float) -> None:
    found = measure(of_days([1100.0, last, 500.0, last]))
    assert found.days == 2
    assert found.annual_return == -1.0
    assert found.worst_day == pytest.approx(last / 1100 - 1)
    assert found.max_drawdown == pytest.approx(1 - last / 1100)
    assert not found.max_drawdown_recovered


def test_a_month_after_ruin_has_no_return() -> None:
    months = measure(result([at("2024-01-05"), at("2024-02-05")], [-10.0, 20.0])).months
    assert [one.return_fraction for one in months] == [pytest.approx(-1.01), None]


@pytest.mark.parametrize("value", [[], [1e300, 1e300], [1000.0, 0.0], [1e-300, 1e300], [-5.0, 3.0]])
def test_no_number_is_nan_or_infinite_in_json(value: list[float]) -> None:
    text = msgspec.json.encode(measure(of_days(value, [trade("0"), trade("-1")])))
    decoded = msgspec.json.decode(text)
    assert decoded["trades"] == 2
    assert b"nan" not in text.lower()
    assert b"Infinity" not in text
    for name in ("annual_return", "sharpe", "calmar", "turnover_per_year"):
        number = decoded[name]
        assert number is None or np.isfinite(number), name


@pytest.mark.parametrize("days_per_year", [0.0, -1.0, float("nan"), float("inf")])
def test_a_year_without_days_is_refused(days_per_year: float) -> None:
    with pytest.raises(ValueError, match="days_per_year is a number above zero"):
        measure(of_days([1000.0]), days_per_year=days_per_year)


@pytest.mark.parametrize("cash", [0.0, -1.0, float("nan")])
def test_a_start_without_cash_is_refused(cash: float) -> None:
    with pytest.raises(ValueError, match="a start above zero"):
        returns.daily_returns(np.array([1]), np.array([1.0]), cash)
