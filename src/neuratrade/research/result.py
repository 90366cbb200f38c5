"""What a backtest came to: every trade, every refusal, the equity at each bar, and what it was made of.

A result holds no opinion: numbers that judge it are reckoned from it, in `research.metrics`.
"""

from dataclasses import dataclass
from decimal import Decimal

import msgspec

from neuratrade.core.model.decimals import ZERO
from neuratrade.research.columns import Columns, Floats, Times
from neuratrade.research.plan import BacktestPlan


class TradeDone(msgspec.Struct, frozen=True):
    """One closed bracket.

    direction: LONG or SHORT. quantity: units entered. entry_price, exit_price: averages, quote currency per
    unit. stop_price: the first one; targets: prices of the ladder. pnl: net of fees, account currency. fees:
    account currency. return_fraction: pnl of what was entered. risk: what the stop would have cost with
    costs left out, account currency; r_multiple: pnl of it. adverse_fraction, favourable_fraction: the
    furthest the price went against and for it, of the entry price, over the bars wholly lived through and
    the exit itself (MAE, MFE), both zero or above. reason: TP, SL, TRAIL, TIME, KILL, LIQUIDATED, MANUAL.
    """

    intent_id: str
    instrument: str
    strategy: str
    lane: str
    direction: str
    quantity: Decimal
    entry_ns: int
    entry_price: Decimal
    exit_ns: int
    exit_price: Decimal
    stop_price: Decimal | None
    targets: tuple[Decimal, ...]
    pnl: Decimal
    fees: Decimal
    return_fraction: float
    risk: Decimal
    r_multiple: float
    adverse_fraction: float
    favourable_fraction: float
    reason: str
    bars_held: int


class Refused(msgspec.Struct, frozen=True):
    """A proposal the gate kept out, and what its bracket would have come to at the same costs.

    refused_by: names of the layers that blocked it. reasons: in words, in the same order. outcome_fraction:
    net result of one unit, of its entry price; None where its entry would not have filled, or the data ended
    first. outcome_reason: how it would have ended (TP, SL, TRAIL, TIME), empty for None.

    What its bracket was: order_type of the entry (market, limit, stop). ladder: price and share of the
    position of each rung. trail_fraction: distance of the trail, None without one. entry_rest_ns: how long
    the entry might have rested. max_hold_ns: time exit after the fill, None without one. sliced: the entry
    was to be cut into child orders.
    """

    intent_id: str
    at_ns: int
    instrument: str
    strategy: str
    direction: str
    trigger_price: Decimal
    stop_price: Decimal | None
    target_price: Decimal | None
    refused_by: tuple[str, ...]
    reasons: tuple[str, ...]
    outcome_fraction: float | None = None
    outcome_reason: str = ""
    order_type: str = "limit"
    ladder: tuple[tuple[Decimal, Decimal], ...] = ()
    trail_fraction: Decimal | None = None
    entry_rest_ns: int = 0
    max_hold_ns: int | None = None
    sliced: bool = False


@dataclass(frozen=True, slots=True)
class Equity:
    """Equity of the account at every instant at which bars closed, in its currency, marked at their closes.

    at_ns: rising. value: account currency. invested: gross notional held then.
    """

    at_ns: Times
    value: Floats
    invested: Floats


class Leaving(msgspec.Struct, frozen=True):
    """What it would cost to leave all that is still held at the last close, account currency. fees: the
    taker's. prices: what spread, slippage and impact take. notional: what would be traded.
    """

    fees: Decimal = ZERO
    prices: Decimal = ZERO
    notional: Decimal = ZERO


NOTHING_HELD = Leaving()


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """One finished backtest.

    columns: the bars it ran over, by instrument key (history before the start included). refused_by: how
    often each layer blocked. carry: funding and borrow, signed, account currency. turnover: notional of all
    fills. bars: bars of the run; stepped: instants at which the engine was asked. run_s: seconds from the
    first bar to the last, without reading the data. skipped: whether uneventful bars were skipped. halted:
    why the desk stood still at the end, or empty. notes: what a reader has to know of it. leaving: what
    leaving all that is still held would cost; final_equity is without it.
    """

    plan: BacktestPlan
    columns: dict[str, Columns]
    trades: tuple[TradeDone, ...]
    refused: tuple[Refused, ...]
    refused_by: dict[str, int]
    intents: int
    equity: Equity
    final_equity: Decimal
    fees: Decimal
    carry: Decimal
    turnover: Decimal
    bars: int
    stepped: int
    unprotected_ms_max: int
    halted: str
    run_s: float
    skipped: bool
    notes: tuple[str, ...] = ()
    leaving: Leaving = NOTHING_HELD
