"""From the facts of a run to trades, refusals and an equity curve: read off, never reckoned apart.

Equity is rebuilt from fills and closes, bar by bar, so that it can be drawn; the account's own books stay the
authority, and the last value is held to them by a test.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from neuratrade.core.model import facts as f
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import OpenIntent, Stop
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import Fill
from neuratrade.core.risk.gate import took_the_size
from neuratrade.core.risk.intake import entry_rest_ns
from neuratrade.research.columns import Columns, Floats, Times
from neuratrade.research.result import Equity, Refused, TradeDone


class Records(NamedTuple):
    """What the facts of one run say."""

    trades: tuple[TradeDone, ...]
    refused: tuple[Refused, ...]
    fills: tuple[Fill, ...]
    moved: tuple[f.CashMoved, ...]
    intents: int


class FactReader:
    """A recorder that reads each fact as it is made and keeps what a result needs: years fit in memory.

    columns: bars by instrument key.
    """

    def __init__(self, columns: Mapping[str, Columns]) -> None:
        self._columns = columns
        self._approved: dict[str, OpenIntent] = {}
        self._trades: list[TradeDone] = []
        self._refused: list[Refused] = []
        self._fills: list[Fill] = []
        self._moved: list[f.CashMoved] = []
        self._intents = 0

    @property
    def records(self) -> Records:
        """Trades, refusals, fills and cash movements so far, in order of time."""
        return Records(
            tuple(self._trades), tuple(self._refused), tuple(self._fills), tuple(self._moved), self._intents
        )

    @property
    def pressing(self) -> bool:
        """Never: nothing waits."""
        return False

    def flush(self) -> None:
        """Nothing to do."""

    def record(self, facts: Sequence[f.Fact]) -> None:
        """Reads facts in order."""
        for fact in facts:
            match fact:
                case f.IntentJudged(intent=OpenIntent() as intent):
                    self._judged(fact, intent)
                case f.OrderFilled(fill=fill):
                    self._fills.append(fill)
                case f.CashMoved():
                    self._moved.append(fact)
                case f.BracketClosed() if fact.entered > 0:
                    intent = self._approved[fact.bracket_id]
                    self._trades.append(_trade(fact, intent, self._columns[intent.instrument]))
                case _:
                    pass

    def _judged(self, fact: f.IntentJudged, intent: OpenIntent) -> None:
        self._intents += 1
        if fact.approved:
            self._approved[intent.intent_id] = intent
        else:
            self._refused.append(_refused(fact, intent, self._columns[intent.instrument].instrument))


def _refused(fact: f.IntentJudged, intent: OpenIntent, contract: Instrument) -> Refused:
    blocking = [layer for layer in fact.layers if layer.verdict.blocks]
    # A size that was cut to nothing was refused by what cut it, though the last layer has to say so.
    cut = took_the_size(fact.layers, contract, intent.trigger_price)
    return Refused(
        intent_id=intent.intent_id,
        at_ns=fact.at_ns,
        instrument=intent.instrument,
        strategy=intent.strategy_ref,
        direction=intent.direction.value,
        trigger_price=intent.trigger_price,
        stop_price=intent.stop_price,
        target_price=intent.take_profits[0].price if intent.take_profits else None,
        refused_by=tuple(cut if cut and layer.name == "lot" else layer.name for layer in blocking),
        reasons=tuple(layer.reason for layer in blocking),
        order_type=intent.order_type.value,
        ladder=tuple((rung.price, rung.fraction) for rung in intent.take_profits),
        trail_fraction=intent.protection.trail_fraction if isinstance(intent.protection, Stop) else None,
        entry_rest_ns=entry_rest_ns(intent),
        max_hold_ns=intent.max_hold_ns,
        sliced=intent.execution is not None,
    )


def _trade(closed: f.BracketClosed, intent: OpenIntent, bars: Columns) -> TradeDone:
    rate = closed.rate if closed.rate is not None else ZERO
    multiplier = bars.instrument.multiplier
    invested = closed.entered * closed.entry_price * multiplier
    stop = intent.stop_price
    risk = ZERO if stop is None else abs(closed.entry_price - stop) * closed.entered * multiplier
    first, last = _place(bars, closed.opened_ns), _place(bars, closed.at_ns)
    adverse, favourable = _excursions(bars, intent, closed, first, last)
    return TradeDone(
        intent_id=intent.intent_id,
        instrument=intent.instrument,
        strategy=intent.strategy_ref,
        lane=closed.lane,
        direction=intent.direction.value,
        quantity=closed.entered,
        entry_ns=closed.opened_ns,
        entry_price=closed.entry_price,
        exit_ns=closed.at_ns,
        exit_price=closed.exit_price,
        stop_price=stop,
        targets=tuple(rung.price for rung in intent.take_profits),
        pnl=closed.pnl * rate,
        fees=closed.fees * rate,
        return_fraction=float(closed.pnl / invested) if invested else 0.0,
        risk=risk * rate,
        r_multiple=float(closed.pnl / risk) if risk else 0.0,
        adverse_fraction=adverse,
        favourable_fraction=favourable,
        reason=closed.reason.value,
        bars_held=last - first,
    )


def _place(bars: Columns, at_ns: int) -> int:
    """The bar during which a time lies."""
    return max(int(np.searchsorted(bars.ts, at_ns, side="right")) - 1, 0)


def _excursions(
    bars: Columns, intent: OpenIntent, closed: f.BracketClosed, first: int, last: int
) -> tuple[float, float]:
    """Furthest against and for the position, fractions of the entry price.

    A bar that was entered in its middle, and the one that was left in, count only with what surely was seen.
    """
    entry, end, sign = float(closed.entry_price), float(closed.exit_price), intent.direction.sign
    if entry <= 0:
        return 0.0, 0.0
    at_open = closed.opened_ns <= bars.ts[first] + NS_PER_SECOND
    begin = first if at_open else first + 1
    lows, highs = [end], [end]
    if begin < last:
        lows.append(float(bars.low[begin:last].min()))
        highs.append(float(bars.high[begin:last].max()))
    worst, best = (min(lows), max(highs)) if sign > 0 else (max(highs), min(lows))
    return max((entry - worst) * sign / entry, 0.0), max((best - entry) * sign / entry, 0.0)


def equity_curve(
    columns: Mapping[str, Columns], records: Records, cash: Decimal, after_ns: int, until_ns: int
) -> Equity:
    """Equity at every instant in (after_ns, until_ns] at which bars closed."""
    ends = [bars.close_ns for bars in columns.values()]
    at_ns: Times = np.unique(np.concatenate(ends)) if len(ends) > 1 else ends[0]
    at_ns = at_ns[(at_ns > after_ns) & (at_ns <= until_ns)]
    value: Floats = np.full(len(at_ns), float(cash))
    invested: Floats = np.zeros(len(at_ns))
    for key, bars in columns.items():
        mine = [fill for fill in records.fills if fill.instrument == key]
        if mine:
            _add_holding(at_ns, value, invested, bars, mine)
    for item in records.moved:
        value[np.searchsorted(at_ns, item.at_ns) :] += float(item.amount)
    return Equity(at_ns, value, invested)


def _add_holding(at_ns: Times, value: Floats, invested: Floats, bars: Columns, fills: list[Fill]) -> None:
    """Adds what the fills of one instrument are worth at each instant: their cash, and what they hold."""
    multiplier, base = float(bars.instrument.multiplier), bars.instrument.base
    times = np.array([fill.at_ns for fill in fills], dtype=np.int64)
    units = np.empty(len(fills))
    paid = np.empty(len(fills))
    for place, fill in enumerate(fills):
        in_base = fill.fee_currency == base and not bars.instrument.is_derivative
        signed = float(fill.quantity) * fill.side.sign
        units[place] = signed - (float(fill.fee) if in_base else 0.0)
        paid[place] = signed * float(fill.price) * multiplier + (0.0 if in_base else float(fill.fee))
    known = np.searchsorted(times, at_ns, side="right")
    held = np.concatenate(([0.0], np.cumsum(units)))[known]
    spent = np.concatenate(([0.0], np.cumsum(paid)))[known]
    last = np.maximum(np.searchsorted(bars.close_ns, at_ns, side="right") - 1, 0)
    worth = held * bars.close[last] * multiplier
    # What is left of sums of floats is no holding.
    flat = np.abs(held) < float(bars.instrument.lot) / 2
    worth[flat] = 0.0
    value += worth - spent
    invested += np.abs(worth)


def turnover_of(fills: Sequence[Fill], columns: Mapping[str, Columns]) -> Decimal:
    """Notional of all fills, quote currency."""
    total = ZERO
    for fill in fills:
        total += columns[fill.instrument].instrument.notional(fill.quantity, fill.price)
    return total
