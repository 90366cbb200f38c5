"""Does a strategy see what it could not have seen? Indicators, signals and decisions on truncated data.

Everything known at a bar is reckoned again from the bars up to it alone. A past value that changes was made
with the future, and is named with its indicator and its bar. Begun later, an indicator forgets its start
sooner or later: how many bars that takes is its true warm-up, and one that never settles is named too.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np

from neuratrade.core.indicators.choice import provider_of
from neuratrade.core.indicators.provider import IndicatorProvider
from neuratrade.core.indicators.registry import warm_up_of
from neuratrade.core.indicators.spec import IndicatorSpec
from neuratrade.core.strategies.port import Strategy
from neuratrade.core.strategies.registry import build_strategies
from neuratrade.research.backtest import check_timeframes
from neuratrade.research.columns import Columns, Floats
from neuratrade.research.plan import BacktestPlan
from neuratrade.research.readings import bar_table_of, grouped, signals_of

CUTS = 24
"""Places at which the data is cut, spread over it, beside those where the strategy speaks."""
SPOKEN_CUTS = 40
SETTLED = 1e-6
"""Relative difference from which on two histories count as the same."""
STARTS = (1, 2, 4, 8, 16, 32, 64)
"""How many times its warm-up an indicator is given before its value is held to the whole history's."""


class LookAhead(msgspec.Struct, frozen=True):
    """A value that changed once the future was cut off. bar_ns: its close. name: an indicator or `signal`."""

    instrument: str
    strategy: str
    name: str
    bar_ns: int
    with_future: float
    without: float


class WarmUp(msgspec.Struct, frozen=True):
    """How long an indicator remembers its beginning.

    declared_bars: before its first value. settled_bars: history after which its value is that of the whole
    history; None where it was not within the longest tried, or the data allows. worst_fraction: the largest
    relative difference with the declared history alone.
    """

    instrument: str
    strategy: str
    name: str
    declared_bars: int
    settled_bars: int | None
    worst_fraction: float


class Audit(msgspec.Struct, frozen=True):
    """What was found. checked: values held against each other."""

    look_ahead: tuple[LookAhead, ...]
    warm_up: tuple[WarmUp, ...]
    checked: int

    @property
    def clean(self) -> bool:
        """Whether nothing saw the future."""
        return not self.look_ahead


def audit(
    plan: BacktestPlan,
    columns: Mapping[str, Columns],
    *,
    provider: IndicatorProvider | None = None,
    strategies: Sequence[Strategy] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Audit:
    """Audits every strategy of a plan on every instrument it trades.

    provider: None takes the plan's. strategies: None takes those of the plan's DNA. Raises UsageError for
    bars too long for one of them.
    """
    strategies = build_strategies(plan.dna) if strategies is None else strategies
    if provider is None:
        provider = provider_of(plan.indicators, [spec for item in strategies for spec in item.indicators])
    for base in columns.values():
        check_timeframes(plan, base.span_ns)
    pairs = [
        (strategy, bars)
        for strategy in strategies
        for bars in columns.values()
        if bars.instrument.asset in strategy.assets
    ]
    ahead: list[LookAhead] = []
    warm: list[WarmUp] = []
    checked = 0
    for done, (strategy, base) in enumerate(pairs):
        bars = grouped(base, strategy.span_ns).bars
        found, count = _look_ahead(strategy, bars, provider)
        ahead += found
        checked += count
        warm += [_warm_up(strategy, spec, bars, provider) for spec in dict.fromkeys(strategy.indicators)]
        if progress is not None:
            progress(done + 1, len(pairs))
    return Audit(tuple(ahead), tuple(warm), checked)


def _rows(specs: Sequence[IndicatorSpec], bars: Columns, provider: IndicatorProvider) -> Floats:
    table = bar_table_of(bars)
    return np.hstack([provider.batch(spec, table) for spec in dict.fromkeys(specs)])


def _look_ahead(
    strategy: Strategy, bars: Columns, provider: IndicatorProvider
) -> tuple[list[LookAhead], int]:
    asset = bars.instrument.asset
    whole = _rows(strategy.indicators, bars, provider)
    spoken = signals_of(strategy, whole, bars.close, asset)
    names = _names(strategy, whole.shape[1], bars, provider)
    found: list[LookAhead] = []
    note = _Notes(found, strategy, bars)
    checked = 0
    for cut in _cuts(len(bars), np.flatnonzero(spoken).tolist()):
        part = bars.part(0, cut)
        rows = _rows(strategy.indicators, part, provider)
        same = (rows == whole[:cut]) | (np.isnan(rows) & np.isnan(whole[:cut]))
        checked += same.size
        for column in np.flatnonzero(~same.all(axis=0)).tolist():
            at = int(np.flatnonzero(~same[:, column])[0])
            note.first_of(names[column], at, whole[at, column], rows[at, column])
        signals = signals_of(strategy, rows, part.close, asset)
        for at in np.flatnonzero(signals != spoken[:cut])[:1].tolist():
            note.first_of("signal", at, float(spoken[at]), float(signals[at]))
        checked += len(signals)
    return found, checked


class _Notes:
    """The first of each name is enough: once the future leaks, every bar after it tells the same."""

    def __init__(self, found: list[LookAhead], strategy: Strategy, bars: Columns) -> None:
        self._found = found
        self._strategy = strategy
        self._bars = bars
        self._seen: set[str] = set()

    def first_of(self, name: str, at: int, with_future: float, without: float) -> None:
        """Notes a value that changed, at its bar."""
        if name in self._seen:
            return
        self._seen.add(name)
        bar_ns = int(self._bars.ts[at]) + self._bars.span_ns
        key, strategy = self._bars.instrument.key, self._strategy.name
        self._found.append(LookAhead(key, strategy, name, bar_ns, float(with_future), float(without)))


def _cuts(length: int, spoken: list[int]) -> list[int]:
    """Lengths the data is cut to: spread evenly, and just after bars on which the strategy speaks."""
    even = np.linspace(2, length, CUTS + 1).astype(int).tolist()
    step = max(len(spoken) // SPOKEN_CUTS, 1)
    after = [place + 1 for place in spoken[::step]]
    return sorted({cut for cut in (*even, *after) if 1 < cut <= length})


def _names(strategy: Strategy, width: int, bars: Columns, provider: IndicatorProvider) -> list[str]:
    """The indicator behind each column of a row."""
    names: list[str] = []
    table = bar_table_of(bars.part(0, min(len(bars), 2)))
    for spec in dict.fromkeys(strategy.indicators):
        outputs = provider.batch(spec, table).shape[1]
        names += [str(spec) if outputs == 1 else f"{spec} [{place}]" for place in range(outputs)]
    return names[:width]


def _warm_up(strategy: Strategy, spec: IndicatorSpec, bars: Columns, provider: IndicatorProvider) -> WarmUp:
    declared = warm_up_of(spec)
    whole = provider.batch(spec, bar_table_of(bars))
    settled, first_worst = None, 0.0
    for times in STARTS:
        history = declared * times + 1
        worst = _worst_after(spec, bars, whole, history, provider)
        if worst is None:
            break
        if times == STARTS[0]:
            first_worst = worst
        if worst <= SETTLED:
            settled = history
            break
    return WarmUp(bars.instrument.key, strategy.name, str(spec), declared, settled, first_worst)


def _worst_after(
    spec: IndicatorSpec, bars: Columns, whole: Floats, history: int, provider: IndicatorProvider
) -> float | None:
    """The largest relative difference of a value with only `history` bars before it; None where the data is
    too short to tell: what was never compared has not settled.
    """
    if history >= len(bars):
        return None
    worst = 0.0
    for last in np.linspace(history, len(bars) - 1, 12).astype(int).tolist():
        short = provider.batch(spec, bar_table_of(bars.part(last - history + 1, last + 1)))[-1]
        full = whole[last]
        known = ~np.isnan(full) & ~np.isnan(short)
        scale = np.maximum(np.abs(full), np.abs(bars.close[last]) * 1e-9)
        if known.any():
            worst = max(worst, float((np.abs(short - full) / scale)[known].max()))
        if (np.isnan(short) & ~np.isnan(full)).any():
            worst = max(worst, 1.0)
    return worst
