"""Charts as SVG that needs no script: they print, they scale, and a reader without JavaScript sees them.

Lines are drawn in a field of 1000 by its height that stretches to any width; words stand outside that field,
at a share of the width, so they stay readable on a phone. Colours are classes of the style sheet.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from math import ceil, floor, isfinite, log10
from typing import NamedTuple

import numpy as np

from neuratrade.core.model.market import NS_PER_DAY, NS_PER_SECOND
from neuratrade.research.columns import Floats, Times
from neuratrade.research.report.markup import Html, fill, join, text

WIDTH = 1000.0
Label = Callable[[float], str]


class Scale(NamedTuple):
    """Values from `low` to `high` over `size`, growing with the value, or shrinking where `falls`."""

    low: float
    high: float
    size: float
    falls: bool = False

    def at(self, values: Floats) -> Floats:
        """Where values stand, 0 to size."""
        share = (values - self.low) / ((self.high - self.low) or 1.0)
        placed: Floats = np.nan_to_num((1.0 - share if self.falls else share) * self.size)
        return placed


def scale_over(parts: Iterable[Floats], size: float, *, falls: bool = False, pad: float = 0.06) -> Scale:
    """A scale wide enough for all values, with room at both ends; of nothing, or of one value, still one."""
    ends = [(float(part.min()), float(part.max())) for part in parts if len(part)]
    ends = [pair for pair in ends if isfinite(pair[0]) and isfinite(pair[1])]
    low = min((pair[0] for pair in ends), default=0.0)
    high = max((pair[1] for pair in ends), default=1.0)
    room = (high - low) * pad or abs(high) * 0.01 or 1.0
    return Scale(low - room, high + room, size, falls)


def ticks(scale: Scale, wanted: int = 5) -> list[float]:
    """About `wanted` round values within a scale."""
    width = scale.high - scale.low
    if not (isfinite(width) and width > 0):
        return []
    power = 10.0 ** floor(log10(width / wanted))
    step = next(power * n for n in (1, 2, 2.5, 5, 10) if power * n * wanted >= width)
    return [n * step for n in range(ceil(scale.low / step), floor(scale.high / step) + 1)]


def line(xs: Floats, ys: Floats) -> str:
    """The path through points."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(xs.tolist(), ys.tolist(), strict=True))


def dots(xs: Floats, ys: Floats) -> str:
    """A path of nothing but points, round where the line's ends are."""
    return "".join(f"M{x:.1f} {y:.1f}h0" for x, y in zip(xs.tolist(), ys.tolist(), strict=True))


def field(top: float, height: float, shapes: Sequence[Html]) -> Html:
    """A part of a picture that stretches with its width."""
    head = fill(
        '<svg x="0" y="{}" width="100%" height="{}" viewBox="0 0 1000 {}" preserveAspectRatio="none">',
        f"{top:g}", f"{height:g}", f"{height:g}",
    )  # fmt: skip
    return Html(head + join(shapes) + "</svg>")


def shape(kind: str, path: str) -> Html:
    """One path. kind: the class that colours it."""
    return fill('<path class="{}" d="{}"/>', kind, path)


def levels(scale: Scale, top: float, label: Label, wanted: int = 5) -> tuple[list[Html], list[Html]]:
    """Lines across at round values (for a field), and their words (outside it)."""
    values = ticks(scale, wanted)
    places = scale.at(np.array(values)).tolist()
    lines = [shape("grid", f"M0 {y:.1f}H1000") for y in places]
    words = [
        fill('<text class="tick" x="4" y="{}">{}</text>', f"{top + y - 4:.1f}", label(value))
        for y, value in zip(places, values, strict=True)
        if 12 < y < scale.size - 4
    ]
    return lines, words


def uprights(scale: Scale, bottom: float, label: Label, wanted: int = 6) -> list[Html]:
    """Words below, at round values of a scale across."""
    values = ticks(scale, wanted)
    return [
        _below(x / 10, bottom, label(v))
        for v, x in zip(values, scale.at(np.array(values)).tolist(), strict=True)
    ]


def dates(at_ns: Times, bottom: float, wanted: int = 5) -> list[Html]:
    """Days, or times of a day, below a chart over `at_ns`, evenly apart."""
    if not len(at_ns):
        return []
    first, last = int(at_ns[0]), int(at_ns[-1])
    if last <= first:
        return [_below(50, bottom, moment(first))]
    words = []
    for n in range(wanted):
        share = (n + 0.5) / wanted
        at = int(first + (last - first) * share)
        words.append(_below(share * 100, bottom, _date(at, last - first)))
    return words


def _date(at_ns: int, length_ns: int) -> str:
    when = datetime.fromtimestamp(at_ns / NS_PER_SECOND, tz=UTC)
    if length_ns > 500 * NS_PER_DAY:
        return f"{when:%b %Y}"
    return f"{when.day} {when:%b}" if length_ns > 4 * NS_PER_DAY else f"{when.day} {when:%b %H:%M}"


def _below(share: float, bottom: float, words: str) -> Html:
    anchor = "start" if share < 6 else "end" if share > 94 else "middle"
    return fill(
        '<text class="tick" text-anchor="{}" x="{}%" y="{}">{}</text>', anchor, f"{share:.2f}", bottom, words
    )


def picture(name: str, height: float, title: str, parts: Iterable[Html]) -> Html:
    """A whole chart. title: what it shows, in words, for those who cannot see it."""
    head = fill(
        '<svg class="chart" id="{}" role="img" aria-label="{}" width="100%" height="{}">',
        name, title, f"{height:g}",
    )  # fmt: skip
    return Html(head + join(parts) + "</svg>")


def moment(at_ns: int) -> Html:
    """An instant as people read it, UTC, to the minute."""
    try:
        when = datetime.fromtimestamp(at_ns // NS_PER_SECOND, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return text(f"{at_ns} ns")
    return Html(f"{when:%Y-%m-%d %H:%M}")
