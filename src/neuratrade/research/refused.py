"""What refused trades would have earned, and so whether a rule of the gate earned its place.

Each refused proposal is lived alone through the bars that followed, at the costs of its run, by the rules of
the desk (`bracket_path`): as if nothing else had been held, and the desk had gone on. No bar after the end
of the run is looked at, so what was held out stays unseen.

What it does not tell: proposals refused one after the other while one move lasted are one opinion said many
times, not many trades. It says nothing of entries cut into slices, and knows neither sizes a bar would fill
only in part, nor funding, liquidation, governors or the seeded rejects of the venue.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec
import numpy as np
from msgspec.structs import replace

from neuratrade.core.model.decimals import BASIS_POINTS
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction, EntryType
from neuratrade.core.model.market import NS_PER_MS
from neuratrade.research.bracket_path import (
    LIMIT,
    MARKET,
    NONE,
    STOP,
    STOPPED,
    TARGET,
    TIME,
    TRAILED,
    Order,
    Tape,
    live,
)
from neuratrade.research.columns import Columns
from neuratrade.research.result import BacktestResult, Refused
from neuratrade.venues.paper.costs import PaperCosts

_KINDS = {EntryType.MARKET.value: MARKET, EntryType.LIMIT.value: LIMIT, EntryType.STOP.value: STOP}
_REASONS = {NONE: "", STOPPED: "SL", TARGET: "TP", TIME: "TIME", TRAILED: "TRAIL"}


class LayerWorth(msgspec.Struct, frozen=True):
    """What one layer of the gate kept out.

    blocked: proposals it refused, alone or with others. alone: those that no other layer refused, so that
    without it they would have been traded. known: those of `alone` whose outcome is known; the others would
    not have filled, or the data ended first. sum_fraction, mean_fraction: of the outcomes of `known`, net,
    each a fraction of its entry's notional; win_rate: share of them above zero; None without any.
    """

    layer: str
    blocked: int
    alone: int
    known: int
    sum_fraction: float
    mean_fraction: float | None
    win_rate: float | None

    @property
    def earned_its_place(self) -> bool | None:
        """Whether what it alone kept out would have lost in sum; None where nothing is known of that."""
        return self.sum_fraction < 0 if self.known else None


def refused_outcomes(result: BacktestResult) -> tuple[Refused, ...]:
    """The refusals of a result with their outcomes filled in, in the same order."""
    plan = result.plan
    return live_refused(result.refused, result.columns, plan.costs, plan.end_ns)


def live_refused(
    refused: Sequence[Refused], columns: Mapping[str, Columns], costs: PaperCosts, end_ns: int | None = None
) -> tuple[Refused, ...]:
    """Lives each bracket through the bars of its instrument that close by `end_ns` (None: all).

    Raises KeyError where the columns of an instrument are missing.
    """
    tapes: dict[str, Tape] = {}
    lived = []
    for item in refused:
        bars = columns[item.instrument]
        if item.instrument not in tapes:
            tapes[item.instrument] = _tape(bars, costs, end_ns)
        order = _order(item, bars.instrument)
        reason, fraction = (NONE, 0.0) if order is None else live(tapes[item.instrument], order)
        known = None if reason == NONE else float(fraction)
        lived.append(replace(item, outcome_fraction=known, outcome_reason=_REASONS[reason]))
    return tuple(lived)


def worth_of_layers(refused: Sequence[Refused]) -> tuple[LayerWorth, ...]:
    """What each layer that blocked anything kept out, the most often blocking one first."""
    names = {name for item in refused for name in item.refused_by}
    found = [_worth(name, refused) for name in names]
    return tuple(sorted(found, key=lambda item: (-item.blocked, item.layer)))


def _worth(name: str, refused: Sequence[Refused]) -> LayerWorth:
    alone = [item for item in refused if set(item.refused_by) == {name}]
    known = [item.outcome_fraction for item in alone if item.outcome_fraction is not None]
    total = float(sum(known))
    return LayerWorth(
        layer=name,
        blocked=sum(name in item.refused_by for item in refused),
        alone=len(alone),
        known=len(known),
        sum_fraction=total,
        mean_fraction=total / len(known) if known else None,
        win_rate=sum(one > 0 for one in known) / len(known) if known else None,
    )


def _tape(bars: Columns, costs: PaperCosts, end_ns: int | None) -> Tape:
    seen = bars if end_ns is None else bars.part(0, bars.closed_by(end_ns))
    contract = bars.instrument
    lots = np.asarray(seen.volume, dtype=np.float64) * float(costs.participation_fraction / contract.lot)
    return Tape(
        ts=np.ascontiguousarray(seen.ts, dtype=np.int64),
        open=np.ascontiguousarray(seen.open, dtype=np.float64),
        high=np.ascontiguousarray(seen.high, dtype=np.float64),
        low=np.ascontiguousarray(seen.low, dtype=np.float64),
        close=np.ascontiguousarray(seen.close, dtype=np.float64),
        takes=lots >= 1.0 - 1e-9,
        span_ns=bars.span_ns,
        tick=float(contract.tick),
        scale=10.0 ** _places(contract.tick),
        worse=float(costs.slippage_bps / BASIS_POINTS + costs.spread_fraction / 2),
        maker=float(contract.maker_fee_bps / BASIS_POINTS),
        taker=float(contract.taker_fee_bps / BASIS_POINTS),
        commission=float(contract.commission / contract.multiplier),
        fee_in_base=contract.fee_in_base and not contract.is_derivative,
        through=costs.through,
        half_ns=costs.latency_ms * NS_PER_MS // 2,
    )


def _order(item: Refused, contract: Instrument) -> Order | None:
    """The bracket as numbers; None where it is sliced, over before it begins, or names what is no price."""
    levels = [item.trigger_price, *(price for price, _ in item.ladder)]
    if item.stop_price is not None:
        levels.append(item.stop_price)
    if item.sliced or item.entry_rest_ns < 0 or not all(_is_price(level) for level in levels):
        return None
    prices = [contract.round_price(price) for price, _ in item.ladder]
    return Order(
        sign=float(Direction(item.direction).sign),
        kind=_KINDS[item.order_type],
        level=float(contract.round_price(item.trigger_price)),
        stop=float("nan") if item.stop_price is None else float(item.stop_price),
        trail=float("nan") if item.trail_fraction is None else float(item.trail_fraction),
        touches=np.array([float(price) for price, _ in item.ladder], dtype=np.float64),
        prices=np.array([float(price) for price in prices], dtype=np.float64),
        shares=np.array([float(share) for _, share in item.ladder], dtype=np.float64),
        at_ns=item.at_ns,
        rest_ns=item.entry_rest_ns,
        hold_ns=-1 if item.max_hold_ns is None else item.max_hold_ns,
    )


def _places(step: Decimal) -> int:
    exponent = step.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def _is_price(level: Decimal) -> bool:
    """Whether it is finite, above zero, and no further off than any market is."""
    return level.is_finite() and level > 0 and abs(level.adjusted()) <= 18
