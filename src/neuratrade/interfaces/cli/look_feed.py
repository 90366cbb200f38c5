"""The live feed of a desk that runs in another process, as it counted itself a moment ago."""

from typing import NamedTuple

from neuratrade.app.looking import Look
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.feeds.clock import WALL
from neuratrade.feeds.live.statistics import ConnectionReading, SymbolReading, read_reading
from neuratrade.interfaces.cli.output import console, table

STALE_S = 10.0
"""A desk writes every two seconds; what is older was left behind, or its desk hangs."""


class Feed(NamedTuple):
    """What was read. running: whether a desk runs there. problem: why it could not be."""

    reading: ConnectionReading | None
    running: bool
    problem: str = ""

    @property
    def age_s(self) -> float:
        """Since it was written."""
        return 0.0 if self.reading is None else _seconds(WALL.now_ns() - self.reading.written_ns)

    @property
    def is_current(self) -> bool:
        """Whether it is of a moment ago, and a desk runs."""
        return self.reading is not None and self.running and self.age_s <= STALE_S


def read_feed(look: Look) -> Feed:
    """What a desk left in its home."""
    try:
        return Feed(read_reading(look.home.feed_statistics), look.running)
    except UsageError as error:
        return Feed(None, look.running, str(error))


def feed_document(feed: Feed) -> dict[str, object] | None:
    """The statistics for programs, None where no live market is or was followed here.

    age_s: since they were written; `is_current` where that is a moment ago and a desk runs. Ages of symbols
    are seconds since their newest piece, as of then; None where nothing was heard.
    """
    reading = feed.reading
    if reading is None:
        return {"problem": feed.problem, "is_current": False} if feed.problem else None
    return {
        "venue": reading.venue,
        "written_ns": reading.written_ns,
        "age_s": feed.age_s,
        "is_current": feed.is_current,
        "is_open": reading.is_open,
        "ended": reading.ended,
        "messages": reading.pieces,
        "gaps": reading.gaps,
        "reconnects": reading.reconnects,
        "lost": reading.lost,
        "late": reading.late,
        "unreadable": reading.unreadable,
        "symbols": {item.instrument: _symbol(item, reading) for item in reading.symbols},
    }


def _symbol(item: SymbolReading, reading: ConnectionReading) -> dict[str, object]:
    return {
        "messages": item.pieces,
        "late": item.late,
        "gaps": item.gaps,
        "age_s": _age_s(item, reading),
        "is_stalled": item.is_stalled,
        "delayed": item.delayed,
        "delay_minutes": item.delay_minutes,
    }


def _age_s(item: SymbolReading, reading: ConnectionReading) -> float | None:
    return None if item.heard_ns is None else _seconds(reading.written_ns - item.heard_ns)


def _seconds(span_ns: int) -> float:
    return round(max(0, span_ns) / NS_PER_SECOND, 3)


def print_feed(feed: Feed) -> None:
    """For people. Prints nothing where there is nothing."""
    reading = feed.reading
    if reading is None:
        if feed.problem:
            console().print(feed.problem)
        return
    state = "open" if reading.is_open else "ended" if reading.is_over else "lost"
    written = f"as of {feed.age_s:.0f} s ago" + ("" if feed.is_current else "; nobody tells more")
    head = table("live feed", "what", "value")
    head.add_row("connection", f"{reading.venue}: {state}, {written}")
    if reading.is_over:
        head.add_row("ended for good", reading.ended)
    head.add_row("messages", str(reading.pieces))
    head.add_row("gaps", str(reading.gaps))
    head.add_row("reconnects", str(reading.reconnects))
    head.add_row("late", str(reading.late))
    unreadable = (f"{kind}: {count}" for kind, count in reading.unreadable.items())
    head.add_row("unreadable", ", ".join(unreadable) or "0")
    console().print(head)
    right = ("messages", "late", "gaps", "age")
    listed = table("symbols", "instrument", *right, "prices", right=right)
    for item in reading.symbols:
        age_s = _age_s(item, reading)
        age = "never" if age_s is None else f"{age_s:.1f} s"
        listed.add_row(item.instrument, str(item.pieces), str(item.late), str(item.gaps), age, _prices(item))
    console().print(listed)


def _prices(item: SymbolReading) -> str:
    match item.delay_minutes:
        case None:
            return "none yet"
        case 0:
            return "stalled" if item.is_stalled else "present"
        case -1:
            return "delayed"
        case minutes:
            return f"delayed by {minutes} min"
