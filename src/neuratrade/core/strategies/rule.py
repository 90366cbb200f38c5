"""A rule strategy: one compiled entry rule, and a bracket at ATR or percent distances.

What differs between strategies (the rule, its indicators, what makes a signal strong) is a `Kind`, one
small file each. What must never differ is here: unknown values give no signal, levels lie on the right
side, and confidence grows with strength alone. A strategy that wrote its own bracket could put a stop on
the wrong side; none does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import msgspec
import numpy as np
from numpy.typing import NDArray

from neuratrade.core.indicators.kernel import kernel
from neuratrade.core.indicators.registry import indicator
from neuratrade.core.indicators.spec import IndicatorSpec
from neuratrade.core.model.decimals import ONE, ZERO, decimal_of
from neuratrade.core.model.intent import Direction, Lane, TakeProfit
from neuratrade.core.model.market import NS_PER_MINUTE, Bar
from neuratrade.core.model.regime import Regime
from neuratrade.core.strategies.dna import AssetDna, ExitDna, StrategyDna
from neuratrade.core.strategies.port import Proposal, Row

Signals = NDArray[np.int8]
"""+1 to go long, -1 to go short, 0 for nothing; one a bar."""

ATR = 0
"""Column of ATR(14) in the row of every rule strategy: distances are measured in it."""

CONFIDENCE_STEP = Decimal("0.0001")


class Parameter(msgspec.Struct, frozen=True):
    """One setting of a strategy: its default, and the closed range it must lie in.

    The name carries the unit (`_bars`, `_points`, `_ratio`). per_asset: an asset may have a value of its
    own; a parameter of an indicator may not, since all assets of a strategy share one set of indicators.
    """

    name: str
    default: Decimal
    low: Decimal
    high: Decimal
    meaning: str
    whole: bool = False
    per_asset: bool = True


Values = Mapping[str, Decimal]
"""The parameters of a strategy by name, complete."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What makes a strategy: everything about it except the settings of one desk.

    defaults: what applies where the DNA says nothing. indicators: specs that follow ATR(14) in the row, so
    the first output of the first spec is column 1. levels: the numbers the rule compares with, for one
    asset. rule(previous, current, close, levels) and scan(rows, closes, levels, signals): the same rule,
    once and looped. strength(signal, current, levels): 0 for a signal that just passes, 1 for the strongest
    that counts; monotone. describe: the values that decided, for people. vetoes: regimes in which it never
    opens. check: raises ValueError for parameters that are fine alone but not together.
    """

    defaults: StrategyDna
    parameters: tuple[Parameter, ...]
    indicators: Callable[[Values], tuple[IndicatorSpec, ...]]
    levels: Callable[[Values], tuple[float, ...]]
    rule: Callable[[Row, Row, float, Row], int]
    scan: Callable[[NDArray[np.float64], Row, Row, Signals], None]
    strength: Callable[[int, Row, Row], float]
    describe: Callable[[Row], str]
    vetoes: frozenset[Regime] = frozenset()
    check: Callable[[Values], None] = lambda values: None

    @property
    def name(self) -> str:
        """The name in the registry, in the DNA and in `strategy_ref`."""
        return self.defaults.name


@kernel
def known(previous: Row, current: Row) -> bool:
    """Whether every value of both rows is a number; no rule may speak before that."""
    for column in range(current.shape[0]):
        if np.isnan(previous[column]) or np.isnan(current[column]):
            return False
    return True


class RuleStrategy:
    """A `Kind` with the settings of one desk. Implements the `Strategy` port; holds no state.

    Raises ValueError for an asset list that is empty: a strategy without assets would look alive and never
    trade.
    """

    __slots__ = ("_allow_short", "_dna", "_hold_ns", "_kind", "_levels", "indicators")

    def __init__(self, kind: Kind, dna: StrategyDna, assets: tuple[AssetDna, ...]) -> None:
        if not assets:
            raise ValueError(f"strategy {kind.name!r} has no assets: name it under one of the entries")
        kind.check(dna.parameters)
        self._kind = kind
        self._dna = dna
        self.indicators = (indicator("atr", 14), *kind.indicators(dna.parameters))
        self._allow_short = {asset.asset: asset.allow_short for asset in assets}
        self._hold_ns = {asset.asset: _hold_ns(dna, asset) for asset in assets}
        self._levels: dict[str, Row] = {}
        for asset in assets:
            values = {**dna.parameters, **asset.thresholds.get(kind.name, {})}
            kind.check(values)
            self._levels[asset.asset] = np.array(kind.levels(values), dtype=np.float64)

    @property
    def name(self) -> str:
        return self._kind.name

    @property
    def lane(self) -> Lane:
        return self._dna.lane

    @property
    def assets(self) -> tuple[str, ...]:
        return tuple(self._levels)

    @property
    def span_ns(self) -> int:
        return self._dna.timeframe_minutes * NS_PER_MINUTE

    @property
    def while_flat(self) -> bool:
        return self._dna.while_flat

    def entry(self, previous: Row, current: Row, close: float, asset: str) -> int:
        """The rule on one bar. An asset it does not speak for gives 0."""
        levels = self._levels.get(asset)
        if levels is None:
            return 0
        signal = int(self._kind.rule(previous, current, close, levels))
        return 0 if signal < 0 and not self._allow_short[asset] else signal

    def entries(self, rows: NDArray[np.float64], closes: Row, asset: str) -> Signals:
        """The rule over whole arrays: `rows` (n, columns), `closes` (n,) -> n signals, the first always 0.

        signals[i] equals `entry(rows[i - 1], rows[i], closes[i], asset)`: both run the same compiled rule.
        """
        signals: Signals = np.zeros(len(closes), dtype=np.int8)
        levels = self._levels.get(asset)
        if levels is None:
            return signals
        self._kind.scan(np.ascontiguousarray(rows), np.ascontiguousarray(closes), levels, signals)
        if not self._allow_short[asset]:
            np.maximum(signals, 0, out=signals)
        return signals

    def confidence(self, signal: int, current: Row, asset: str) -> Decimal:
        """floor + (cap - floor) * strength, strength clamped to 0..1; four digits, half to even."""
        strength = self._kind.strength(signal, current, self._levels[asset])
        share = min(ONE, max(ZERO, decimal_of(strength)))
        spread = self._dna.confidence_cap - self._dna.confidence_floor
        return (self._dna.confidence_floor + spread * share).quantize(CONFIDENCE_STEP)

    def plan(self, signal: int, bar: Bar, current: Row, regime: Regime) -> Proposal | None:
        """The bracket at the close of `bar`; None for no signal, a vetoed regime, or a level at or below
        zero.
        """
        asset = bar.instrument.partition("@")[0]
        if signal == 0 or asset not in self._levels or regime in self._kind.vetoes:
            return None
        levels = bracket_levels(self._dna.exit, signal, bar.close, decimal_of(current[ATR]))
        if levels is None:
            return None
        stop_price, take_profits = levels
        expiry = self._dna.entry_expiry_minutes
        return Proposal(
            direction=Direction.LONG if signal > 0 else Direction.SHORT,
            trigger_price=bar.close,
            stop_price=stop_price,
            take_profits=take_profits,
            confidence=self.confidence(signal, current, asset),
            order_type=self._dna.order_type,
            trail_fraction=self._dna.exit.trailing_pct,
            max_hold_ns=self._hold_ns[asset],
            entry_expiry_ns=None if expiry is None else expiry * NS_PER_MINUTE,
            note=self._kind.describe(current),
        )


def bracket_levels(
    exit: ExitDna, signal: int, price: Decimal, atr: Decimal
) -> tuple[Decimal, tuple[TakeProfit, ...]] | None:
    """Stop and targets around `price` (quote per base, not yet on the tick grid), or None where one is
    not above zero.

    signal: +1 or -1. atr: quote per base. A distance of zero (an ATR of a dead market) is None too.
    """
    side = 1 if signal > 0 else -1
    stop_distance = exit.stop.of(price, atr)
    rungs = tuple((target.distance.of(price, atr), target.fraction) for target in exit.targets)
    stop_price = price - side * stop_distance
    take_profits = tuple(TakeProfit(price + side * distance, fraction) for distance, fraction in rungs)
    if stop_distance <= 0 or any(distance <= 0 for distance, _ in rungs):
        return None
    if stop_price <= 0 or any(rung.price <= 0 for rung in take_profits):
        return None
    return stop_price, take_profits


def _hold_ns(dna: StrategyDna, asset: AssetDna) -> int:
    minutes = asset.max_hold_time_minutes
    if dna.max_hold_time_minutes is not None:
        minutes = min(minutes, dna.max_hold_time_minutes)
    return minutes * NS_PER_MINUTE
