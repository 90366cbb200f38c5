"""The charts of a report: equity with its drawdown, results of trades, and how far prices went on the way."""

from collections.abc import Sequence

import numpy as np

from neuratrade.research.columns import Columns, Floats, Times
from neuratrade.research.report.downsample import drawdown, kept
from neuratrade.research.report.drawing import (
    WIDTH,
    Scale,
    dates,
    dots,
    field,
    levels,
    line,
    picture,
    scale_over,
    shape,
    uprights,
)
from neuratrade.research.report.markup import Html, fill, number, percent
from neuratrade.research.result import BacktestResult, TradeDone

POINTS = 2400
"""Points of the equity line in the page: more than a screen is wide."""
_EQUITY, _GAP, _DRAWDOWN, _FEET = 260.0, 26.0, 90.0, 22.0
_BINS = 41
_FITS = 4.0
"""A holder's line that reaches more than so many times further is drawn to a scale of its own, and says so:
on the same scale it would flatten the equity to a straight line.
"""
_APART = (
    '<text class="name" x="100%" text-anchor="end" y="252">'
    "holding ({} at the end) has a scale of its own</text>"
)


def holding(columns: dict[str, Columns], at_ns: Times, cash: float) -> Floats:
    """What the cash would have become, split evenly over the instruments at the first instant and held.

    No costs. An instrument counts from its own first bar on; with no price above zero it stays cash.
    """
    shares = [np.full(len(at_ns), cash)] if not columns else []
    for bars in columns.values():
        last = np.searchsorted(bars.close_ns, at_ns, side="right") - 1
        closes = np.where(last >= 0, bars.close[np.maximum(last, 0)], np.nan)
        known = closes[np.isfinite(closes) & (closes > 0)]
        first = known[0] if len(known) else 1.0
        shares.append(cash * np.where(np.isfinite(closes) & (closes > 0), closes, first) / first)
    mean: Floats = np.mean(shares, axis=0)
    return mean


def equity_chart(result: BacktestResult) -> tuple[Html, dict[str, object]]:
    """Equity over drawdown, the holder's line beside it; and the points, for a script to read off."""
    at_ns, value = result.equity.at_ns, result.equity.value
    if not len(at_ns):
        return Html('<p class="empty">There is no equity to draw: no bar closed.</p>'), {}
    hold = holding(result.columns, at_ns, float(result.plan.cash))
    fall = drawdown(value)
    keep = kept((value, fall, hold), POINTS)
    across = Scale(float(at_ns[0]), float(at_ns[-1]), WIDTH)
    xs = across.at(at_ns[keep].astype(np.float64))
    shared = not _reach(value) or _reach(hold) <= _FITS * _reach(value)
    money = scale_over((value, hold) if shared else (value,), _EQUITY, falls=True)
    held = money if shared else scale_over((hold,), _EQUITY, falls=True)
    depth = Scale(float(fall.min()) * 1.1 or -0.01, 0.0, _DRAWDOWN, True)
    below = _EQUITY + _GAP
    lines, words = levels(money, 0, lambda v: number(v, 0 if money.high - money.low > 20 else 2))
    more_lines, more_words = levels(depth, below, lambda v: percent(v, 1), 2)
    start = float(money.at(np.array([float(result.plan.cash)]))[0])
    top = [
        *lines,
        shape("cash", f"M0 {start:.1f}H1000"),
        shape("hold" if shared else "hold apart", line(xs, held.at(hold[keep]))),
        shape("equity", line(xs, money.at(value[keep]))),
    ]
    if not shared:
        words.append(fill(_APART, percent(hold[-1] / hold[0] - 1, signed=True)))
    path = line(xs, depth.at(fall[keep]))
    bottom = [*more_lines, shape("fall", path + f"L{xs[-1]:.1f} 0L{xs[0]:.1f} 0Z")]
    parts = [
        field(0, _EQUITY, top),
        field(below, _DRAWDOWN, bottom),
        *words,
        *more_words,
        fill('<text class="name" x="100%" text-anchor="end" y="{}">drawdown</text>', f"{below - 6:g}"),
        *dates(at_ns, below + _DRAWDOWN + 16),
    ]
    ends = f"Equity from {number(float(value[0]))} to {number(float(value[-1]))}"
    title = f"{ends}, largest drawdown {percent(float(-fall.min()))}"
    data: dict[str, object] = {
        "ms": (at_ns[keep] // 1_000_000).tolist(),
        "equity": _plain(value[keep], 2),
        "hold": _plain(hold[keep], 2),
        "fall": _plain(fall[keep], 5),
    }
    return picture("equity", below + _DRAWDOWN + _FEET, title, parts), data


def _reach(values: Floats) -> float:
    return float(values.max() - values.min())


def _plain(values: Floats, places: int) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in np.round(values, places).tolist()]


def results_chart(trades: Sequence[TradeDone]) -> Html:
    """How many trades ended with which result, of what was put in."""
    gains = np.array([trade.return_fraction for trade in trades])
    gains = gains[np.isfinite(gains)]
    if not len(gains):
        return Html('<p class="empty">No trade, no results.</p>')
    # The outermost hundredth is heaped up in the last bins, so that one trade does not flatten all others.
    reach = float(np.quantile(np.abs(gains), 0.99)) * 1.02 or 0.001
    edges = np.linspace(-reach, reach, _BINS + 1)
    counts, _ = np.histogram(np.clip(gains, edges[0], edges[-1]), edges)
    height = 220.0
    tall = Scale(0.0, float(counts.max()) * 1.08, height, True)
    across = Scale(-reach, reach, WIDTH)
    lines, words = levels(tall, 0, lambda v: number(v, 0), 4)
    middle = _BINS // 2
    groups = (("bar loss", range(middle)), ("bar flat", (middle,)), ("bar gain", range(middle + 1, _BINS)))
    step = WIDTH / _BINS
    tops = tall.at(counts.astype(np.float64)).tolist()
    bars = [
        shape(kind, "".join(_bar(n * step, step, tops[n], height) for n in places if counts[n]))
        for kind, places in groups
    ]
    mean = float(across.at(np.clip(np.array([gains.mean()]), -reach, reach))[0])
    parts = [
        field(0, height, [*lines, *bars, shape("mean", f"M{mean:.1f} 0V{height:g}")]),
        *words,
        *uprights(across, height + 16, lambda v: percent(v, _places(reach), signed=True)),
    ]
    centre = f"mean {percent(float(gains.mean()), 3)}, median {percent(float(np.median(gains)), 3)}"
    title = f"Results of {len(gains)} trades: {centre}"
    return picture("results", height + _FEET, title, parts)


def _bar(x: float, width: float, top: float, bottom: float) -> str:
    return f"M{x + 1:.1f} {bottom:g}V{top:.1f}h{width - 2:.1f}V{bottom:g}Z"


def _places(reach: float) -> int:
    return 0 if reach > 0.05 else 1 if reach > 0.005 else 2


def excursions_chart(trades: Sequence[TradeDone]) -> tuple[Html, dict[str, object]]:
    """Each trade by how far the price went against it (across) and for it (up); and the two scales."""
    if not trades:
        return Html('<p class="empty">No trade, no way that prices went.</p>'), {}
    against = _finite([trade.adverse_fraction for trade in trades])
    along = _finite([trade.favourable_fraction for trade in trades])
    won = np.array([trade.pnl > 0 for trade in trades])
    height = 220.0
    across = Scale(0.0, max(float(against.max()), 1e-6) * 1.04, WIDTH)
    up = Scale(0.0, max(float(along.max()), 1e-6) * 1.06, height, True)
    lines, words = levels(up, 0, lambda v: percent(v, _places(up.high)), 4)
    kind = "few" if len(trades) < 400 else "many"
    shapes = [
        shape(f"dot {kind} {name}", dots(across.at(against[side]), up.at(along[side])))
        for name, side in (("loss", ~won), ("gain", won))
    ]
    parts = [
        field(0, height, [*lines, *shapes]),
        *words,
        *uprights(across, height + 16, lambda v: percent(v, _places(across.high))),
    ]
    title = f"{len(trades)} trades by the furthest move against them (across) and for them (up)"
    drawn = picture("excursions", height + _FEET, title, parts)
    return drawn, {"across": across.high, "up": up.high, "height": height}


def _finite(values: list[float]) -> Floats:
    return np.nan_to_num(np.array(values, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
