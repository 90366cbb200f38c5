"""The prices a page carries: the whole run in candles, and each trade's own stretch as finely as fits.

Numbers travel as little-endian arrays in base64, which the page's script reads without parsing. A year of
minutes with thousands of trades has to fit: the more trades, the fewer candles and the fewer bytes each gets.
"""

import base64
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neuratrade.research.columns import Columns, Floats
from neuratrade.research.report.downsample import Stretches, candles, stretches
from neuratrade.research.result import BacktestResult, TradeDone

OVERVIEW_CANDLES = 6_000
"""Candles of the whole run, over all instruments."""
FINE_CANDLES = 100_000
"""Candles around trades, over all trades: 4 bytes each, or 8 where trades are few."""
LARGEST_STRETCH = 480
SMALLEST_STRETCH = 12
PRECISE = 40_000
"""Up to this many candles around trades are kept to one part in 65,535 of their range; beyond it, in 255."""


def price_data(result: BacktestResult) -> list[dict[str, object]]:
    """For each instrument: its candles, and the stretch of each of its trades, in the order of the trades."""
    found = []
    shown = {key: _of_the_run(result, bars) for key, bars in result.columns.items()}
    shown = {key: bars for key, bars in shown.items() if len(bars)}
    each = max(OVERVIEW_CANDLES // max(len(shown), 1), 200)
    around = min(max(FINE_CANDLES // max(len(result.trades), 1), SMALLEST_STRETCH), LARGEST_STRETCH)
    for key, bars in shown.items():
        whole = candles(bars, each)
        mine = [trade for trade in result.trades if trade.instrument == key]
        tick = bars.instrument.tick.normalize()
        found.append(
            {
                "key": key,
                "asset": bars.instrument.asset,
                "quote": bars.instrument.quote,
                "places": min(max(-int(tick.as_tuple().exponent), 0), 9),
                "span": whole.span_ns // 1_000_000,
                "bar": bars.span_ns / 1_000_000,
                "at": _packed(whole.ts / 1e6, "<f8"),
                "prices": _packed(_shown(whole.prices), "<f4"),
                "fine": _fine(bars, mine, around) if mine else None,
            }
        )
    return found


def _of_the_run(result: BacktestResult, bars: Columns) -> Columns:
    """The bars that were judged on, without the history before them."""
    at_ns = result.equity.at_ns
    if not len(at_ns):
        return bars
    return bars.part(max(bars.closed_by(int(at_ns[0])) - 1, 0), bars.closed_by(int(at_ns[-1])))


def _shown(prices: Floats) -> Floats:
    return np.nan_to_num(prices, nan=0.0, posinf=0.0, neginf=0.0)


def _fine(bars: Columns, trades: Sequence[TradeDone], most: int) -> dict[str, object]:
    entered = np.array([trade.entry_ns for trade in trades], dtype=np.int64)
    left = np.array([trade.exit_ns for trade in trades], dtype=np.int64)
    found = stretches(bars, entered, left, most)
    low, high, levels = _ranges(found)
    wide = len(found.ts) <= PRECISE
    top = 65_535 if wide else 255
    each = np.repeat(np.maximum(high - low, 1e-12), found.counts)
    places = np.rint((levels - np.repeat(low, found.counts)[:, None]) / each[:, None] * top)
    return {
        "top": top,
        "levels": _packed(places.clip(0, top), "<u2" if wide else "u1"),
        "start": _packed(found.start_ns / 1e6, "<f8"),
        "bars": _packed(found.bars, "<u4"),
        "counts": _packed(found.counts, "<u2"),
        "low": _packed(low, "<f4"),
        "high": _packed(high, "<f4"),
        "after": _packed(_after(found, bars.span_ns), "<u4") if _has_gaps(found, bars.span_ns) else None,
    }


def _ranges(found: Stretches) -> tuple[Floats, Floats, Floats]:
    prices = _shown(found.prices)
    begins = np.cumsum(found.counts) - found.counts
    return np.minimum.reduceat(prices[:, 2], begins), np.maximum.reduceat(prices[:, 1], begins), prices


def _after(found: Stretches, span_ns: int) -> NDArray[np.int64]:
    """How many spans after the start of its stretch each candle opens."""
    return (found.ts - np.repeat(found.start_ns, found.counts)) // span_ns


def _has_gaps(found: Stretches, span_ns: int) -> bool:
    begins = np.cumsum(found.counts) - found.counts
    regular = (np.arange(len(found.ts)) - np.repeat(begins, found.counts)) * np.repeat(
        found.bars, found.counts
    )
    return bool((_after(found, span_ns) != regular).any())


def _packed(values: NDArray[np.float64] | NDArray[np.int64], kind: str) -> str:
    return base64.b64encode(values.astype(kind).tobytes()).decode("ascii")
