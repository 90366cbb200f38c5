"""What a report says of a run as a whole: the figures on its cards, the months, and the verdict.

The verdict is the sentence a reader keeps, so it never praises what the figures cannot carry: few trades
prove nothing, and a Sharpe ratio whose interval includes zero may be luck.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from neuratrade.research.report.markup import percent
from neuratrade.research.result import BacktestResult

FEWEST_TRADES = 30
"""Below this a report says that nothing is proven; the promotion gate asks for as many."""
PROBABLE = 0.95


@dataclass(frozen=True, slots=True)
class Figure:
    """One card. value: as read; range: its interval in words or empty; meaning: what it tells a reader."""

    label: str
    value: str
    meaning: str
    range: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """Figures of a run, ready to be read.

    sharpe, sharpe_interval: annual, the interval of 95 %. probability: that the Sharpe ratio is more than the
    best of `trials` would show by luck. months: (year, month, return as a fraction). Whatever is not known is
    None.
    """

    figures: Sequence[Figure] = ()
    sharpe: float | None = None
    sharpe_interval: tuple[float, float] | None = None
    probability: float | None = None
    trials: int = 1
    months: Sequence[tuple[int, int, float | None]] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """tone: good, bad or unsure. said: the sentence; more: what else has to be known beside it."""

    tone: str
    said: str
    more: Sequence[str]


def verdict(result: BacktestResult, judged: Judged, held_fraction: float | None) -> Verdict:
    """What to think of a run. held_fraction: what buying and holding returned, None where unknown."""
    count, net = len(result.trades), result.final_equity - result.plan.cash
    more: list[str] = []
    if result.halted:
        more.append(f"The desk stood still at the end ({result.halted}): later signals were not traded.")
    if not count:
        return Verdict("unsure", _untraded(result), more)
    before = net + result.fees - result.carry
    if held_fraction is not None:
        own = float(net / result.plan.cash) if result.plan.cash else 0.0
        than = "better" if own > held_fraction else "worse"
        more.append(
            f"Holding the same instruments returned {percent(held_fraction, signed=True)}; this did {than}."
        )
    if net <= 0:
        said = "Lost money after costs." if net < 0 else "Earned nothing after costs."
        if before > 0:
            said += " Before fees and carry it earned money: costs ate it."
        return Verdict("bad", said, [*_thin(count), *more])
    if count < FEWEST_TRADES:
        return Verdict("unsure", f"Made money, in {_trades(count)}: too few to prove anything.", more)
    interval = judged.sharpe_interval
    if interval is not None and interval[0] <= 0:
        return Verdict(
            "unsure", "Made money, but its Sharpe ratio cannot be told from zero: it may be luck.", more
        )
    if judged.probability is not None and judged.probability < PROBABLE:
        tries = "" if judged.trials < 2 else f", the best of {judged.trials:,} tries"
        sure = percent(judged.probability, 0)
        said = f"Made money, but it is only {sure} sure that this was not luck{tries}."
        return Verdict("unsure", said, more)
    if interval is None:
        return Verdict("unsure", "Made money after costs; how sure that is was not measured.", more)
    return Verdict("good", "Made money after costs, and more than chance explains over this period.", more)


def _untraded(result: BacktestResult) -> str:
    if result.intents:
        return f"No trade: the gate refused all {result.intents:,} proposals. Below is which rules, and why."
    return "No trade: the strategy proposed nothing in this period."


def _thin(count: int) -> list[str]:
    return (
        [f"Only {_trades(count)}: fewer than {FEWEST_TRADES} prove nothing."] if count < FEWEST_TRADES else []
    )


def _trades(count: int) -> str:
    return "one trade" if count == 1 else f"{count:,} trades"
