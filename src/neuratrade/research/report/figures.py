"""The figures of `research.metrics` as cards: in plain words, with what each tells and what it hides."""

from collections.abc import Callable, Iterator

from neuratrade.core.model.market import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE
from neuratrade.research.metrics import Confidence, Metrics
from neuratrade.research.metrics.bootstrap import Interval
from neuratrade.research.metrics.deals import Excursion
from neuratrade.research.report.judged import Figure, Judged
from neuratrade.research.report.markup import NOTHING, number, percent

MEANINGS = {
    "Total return": "Equity at the end over the cash at the start, less one. Net of all costs.",
    "Annual return": "The yearly growth that compounds to the total. Of a short run it means little.",
    "Sharpe ratio": "Mean of the daily returns over their spread, made annual. Above 1 is good; above 3 "
    "is mostly too good to be true.",
    "Sortino ratio": "As Sharpe, but only days that lost count as risk.",
    "Calmar ratio": "Annual return over the largest drawdown: what a year brought for the worst of it.",
    "Largest drawdown": "Deepest fall below the best equity so far, bar by bar; its range: of daily closes.",
    "It lasted": "From the best equity before the largest drawdown until it was reached again.",
    "Longest drawdown": "Longest time without a new best equity.",
    "Tail loss": "Mean of the worst twentieth of days: what a bad day costs.",
    "Profit factor": "Sum of the gains over the sum of the losses: above 1 it earned.",
    "Win rate": "Share of trades that gained. High rates often hide rare large losses.",
    "Expectancy": "Mean result of a trade, net.",
    "Expectancy in R": "Mean result as a multiple of what the stop put at risk.",
    "Average trade": "Mean result of what was put into a trade.",
    "Gain, loss": "Mean trade that gained and mean trade that lost, in the account's currency.",
    "MAE": "Median of how far prices went against a trade: tighter stops would have been hit.",
    "MFE": "Median of how far prices went for a trade: what was there to be taken.",
    "Exposure": "Share of bars at whose close something was held.",
    "Turnover": "Notional of all fills over the mean equity, a year: what fees are paid on.",
    "Sharpe above zero": "Probability that the true Sharpe ratio is above zero, for a single try.",
    "Deflated Sharpe": "Probability that the Sharpe ratio is above what the best of so many tries would "
    "show by luck alone. Below 95 % it may be luck.",
}


def judged_of(
    metrics: Metrics, sure: Confidence | None, currency: str, deflated: float | None = None, trials: int = 1
) -> Judged:
    """Metrics ready to be read. deflated: probability, counting `trials` that were tried."""
    told = [
        *_of_money(metrics, sure),
        *_of_trades(metrics, sure, currency),
        *_of_luck(metrics, deflated, trials),
    ]
    figures = [Figure(label, value, MEANINGS[label], beside) for label, value, beside in told]
    interval = sure.sharpe if sure is not None else None
    return Judged(
        figures=figures,
        sharpe=metrics.sharpe,
        sharpe_interval=None if interval is None else (interval.low, interval.high),
        probability=metrics.probabilistic_sharpe if deflated is None else deflated,
        trials=trials,
        months=[(item.year, item.month, item.return_fraction) for item in metrics.months],
    )


def _of_money(m: Metrics, sure: Confidence | None) -> Iterator[tuple[str, str, str]]:
    """Label, value, and what stands below it."""
    yield "Total return", percent(m.total_return, signed=True), ""
    yield "Annual return", percent(m.annual_return, signed=True), _range(sure and sure.annual_return, percent)
    yield "Sharpe ratio", number(m.sharpe), _range(sure and sure.sharpe, number)
    yield "Sortino ratio", number(m.sortino), ""
    yield "Calmar ratio", number(m.calmar), ""
    yield "Largest drawdown", percent(m.max_drawdown), _range(sure and sure.max_drawdown, percent)
    open_end = bool(m.max_drawdown) and not m.max_drawdown_recovered
    yield "It lasted", _length(m.max_drawdown_length_ns), "not recovered at the end" if open_end else ""
    yield "Longest drawdown", _length(m.longest_drawdown_ns), ""
    yield "Tail loss", percent(m.expected_shortfall, signed=True), _days(m)
    yield "Exposure", percent(m.exposure, 1), ""
    yield "Turnover", NOTHING if m.turnover_per_year is None else f"{number(m.turnover_per_year, 1)}×", ""


def _of_trades(m: Metrics, sure: Confidence | None, currency: str) -> Iterator[tuple[str, str, str]]:
    money = NOTHING if m.expectancy is None else f"{number(m.expectancy, signed=True)} {currency}"
    streak, span = m.longest_losing_streak, f"{percent(m.worst_trade)} to {percent(m.best_trade)}"
    both = NOTHING
    if m.average_win is not None or m.average_loss is not None:
        both = f"{number(m.average_win)}, {number(m.average_loss)}"
    yield "Profit factor", number(m.profit_factor), ""
    yield "Win rate", percent(m.win_rate, 1), f"at most {streak} losses in a row" if streak else ""
    yield "Expectancy", money, _range(sure and sure.mean_trade, number)
    yield "Expectancy in R", number(m.expectancy_r), ""
    yield "Average trade", percent(m.average_trade, 3, signed=True), span if m.trades else ""
    yield "Gain, loss", both, ""
    yield "MAE", _median(m.adverse), _largest(m.adverse)
    yield "MFE", _median(m.favourable), _largest(m.favourable)


def _of_luck(m: Metrics, deflated: float | None, trials: int) -> Iterator[tuple[str, str, str]]:
    days = m.minimum_track_record_days
    needed = "" if days is None else f"95 % would take {number(days, 0)} days"
    yield "Sharpe above zero", percent(m.probabilistic_sharpe, 1), needed
    if deflated is not None:
        yield "Deflated Sharpe", percent(deflated, 1), f"{trials:,} tried"


def _range(interval: Interval | Confidence | None, told: Callable[[float], str]) -> str:
    return f"{told(interval.low)} to {told(interval.high)}" if isinstance(interval, Interval) else ""


def _days(m: Metrics) -> str:
    known = m.worst_day is not None and m.best_day is not None
    return f"days {percent(m.worst_day)} to {percent(m.best_day, signed=True)}" if known else ""


def _median(found: Excursion | None) -> str:
    return NOTHING if found is None else percent(found.median)


def _largest(found: Excursion | None) -> str:
    return "" if found is None else f"largest {percent(found.largest)}"


def _length(length_ns: int) -> str:
    """A duration in a unit that suits it."""
    if length_ns >= 2 * NS_PER_DAY:
        return f"{length_ns / NS_PER_DAY:,.0f} days"
    if length_ns >= 2 * NS_PER_HOUR:
        return f"{length_ns / NS_PER_HOUR:.0f} hours"
    return f"{length_ns / NS_PER_MINUTE:.0f} minutes" if length_ns > 0 else NOTHING
