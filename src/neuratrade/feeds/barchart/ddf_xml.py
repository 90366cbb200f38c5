"""Snapshots of Barchart's DDF: an instrument, its book, its volume by price, each as one XML element.

Prices are coded as in the messages, by the `basecode` beside them. Text with a document type is refused: it
could grow without end. Extended hours of stocks (sessions with a T) are not merged into the day.
"""

from collections.abc import Iterable
from decimal import Decimal
from xml.etree import ElementTree as ET

from msgspec import UNSET

from neuratrade.feeds.barchart.ddf_messages import (
    Depth,
    Level,
    Message,
    Profile,
    Snapshot,
    Unreadable,
    Value,
)
from neuratrade.feeds.barchart.ddf_prices import price, size
from neuratrade.feeds.barchart.ddf_times import fourteen_digits

BROKEN_XML = "snapshots that are no XML"
UNKNOWN_XML = "snapshots of unknown kind"
INCOMPLETE = "snapshots that lack what they need"

Attributes = dict[str, str]


def read_xml(text: str) -> Message:
    """The message of an element. Raises Unreadable."""
    if "<!" in text or "<?" in text:
        raise Unreadable(BROKEN_XML)
    try:
        element = ET.fromstring(text)  # noqa: S314 - no document types, as checked above
    except (ET.ParseError, ValueError):
        raise Unreadable(BROKEN_XML) from None
    told = element.attrib
    if element.tag not in ("QUOTE", "BOOK", "CV"):
        raise Unreadable(UNKNOWN_XML)
    if not told.get("symbol") or "basecode" not in told:
        raise Unreadable(INCOMPLETE)
    if element.tag == "BOOK":
        return Depth(told["symbol"], _side(told, "bid"), _side(told, "ask"))
    if element.tag == "CV":
        return _profile(told)
    sessions = {part.get("id", ""): part.attrib for part in element if part.tag == "SESSION"}
    return _snapshot(told, sessions)


def _snapshot(told: Attributes, sessions: dict[str, Attributes]) -> Snapshot:
    combined, previous = sessions.get("combined", {}), sessions.get("previous", {})
    unit = told["basecode"]

    def value(attributes: Attributes, name: str) -> Value:
        return price(attributes.get(name, ""), unit)

    is_premarket = value(combined, "last") is UNSET
    day = previous if is_premarket else combined
    before = _first(UNSET if is_premarket else value(combined, "previous"), value(previous, "previous"))
    return Snapshot(
        symbol=told["symbol"],
        exchange=told.get("ddfexchange", ""),
        mode=told.get("mode", ""),
        flag=told.get("flag", "p" if is_premarket else ""),
        day=day.get("day", ""),
        is_premarket=is_premarket,
        bid=value(told, "bid"),
        bid_size=size(told.get("bidsize", "")),
        ask=value(told, "ask"),
        ask_size=size(told.get("asksize", "")),
        open=value(day, "open"),
        high=value(day, "high"),
        low=value(day, "low"),
        last=value(day, "last"),
        previous=before,
        settlement=value(day, "settlement"),
        volume=size(day.get("volume", "")),
        open_interest=_first(
            UNSET if is_premarket else size(previous.get("openinterest", "")),
            size(day.get("openinterest", "")),
        ),
        trade_size=size(day.get("tradesize", "")),
        updated_local_ns=_time(told, "lastupdate"),
        trade_local_ns=_time(day, "tradetime"),
    )


def _first(*values: Value) -> Value:
    """The first that is told and is more than nothing, else the last."""
    return next((value for value in values if value), values[-1])


def _time(attributes: Attributes, name: str) -> int | None:
    text = attributes.get(name, "")
    return fourteen_digits(text) if text else None


def _side(told: Attributes, side: str) -> tuple[Level, ...]:
    prices, sizes = told.get(f"{side}prices", ""), told.get(f"{side}sizes", "")
    if not prices and not sizes:
        return ()
    if prices.count(",") != sizes.count(","):
        raise Unreadable(INCOMPLETE)
    return _levels(zip(prices.split(","), sizes.split(","), strict=True), told["basecode"])


def _levels(rows: Iterable[tuple[str, str]], unit: str) -> tuple[Level, ...]:
    found = []
    for coded, amount in rows:
        at, there = price(coded, unit), size(amount)
        if not isinstance(at, Decimal) or not isinstance(there, Decimal):
            raise Unreadable(INCOMPLETE)
        found.append(Level(at, there))
    return tuple(found)


def _profile(told: Attributes) -> Profile:
    data = told.get("data", "")
    parts = [part.partition(",") for part in data.split(":")] if data else []
    rows = [(coded, amount) for coded, _, amount in parts]
    levels = sorted(_levels(rows, told["basecode"]), key=lambda level: level.price)
    return Profile(told["symbol"], price(told.get("tickincrement", ""), told["basecode"]), tuple(levels))
