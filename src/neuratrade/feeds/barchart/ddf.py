"""Messages of Barchart's DDF, read exactly: trades, tops of books, values of the day, books, the clock.

One text in, one message out, or `Unreadable` with the kind of what is wrong with it: nothing is guessed, so a
broken message is never a price. Which message tells what: lib/utilities/parse/ddf/message.js of the vendor's
marketdata-api-js, whose parser this one is held to.
"""

import re
from collections.abc import Callable
from decimal import Decimal

from msgspec import UNSET

from neuratrade.feeds.barchart.ddf_messages import (
    Clock,
    Depth,
    Element,
    Kind,
    Level,
    Message,
    Range,
    Top,
    Trade,
    Unreadable,
    Value,
)
from neuratrade.feeds.barchart.ddf_prices import price, size
from neuratrade.feeds.barchart.ddf_times import fourteen_digits, nine_bytes
from neuratrade.feeds.barchart.ddf_xml import read_xml

KINDS = {
    "A": Kind.OPEN, "5": Kind.HIGH, "6": Kind.LOW, "C1": Kind.OPEN_INTEREST, "D0": Kind.SETTLEMENT,
    "d0": Kind.SETTLEMENT, "V0": Kind.VWAP, "00": Kind.TRADE, "71": Kind.VOLUME_YESTERDAY, "76": Kind.VOLUME,
}  # fmt: skip
"""By element and modifier; by element alone where every modifier means the same."""
SESSIONS = frozenset(" @0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""Codes of sessions and sale conditions: DDF_Session of the vendor's barchart-feed-ddf."""

UNKNOWN_RECORD = "records of unknown kind"
UNKNOWN_ELEMENT = "elements of unknown kind"
UNKNOWN_SESSION = "session codes that are unknown"
BAD_FIELDS = "messages with too few or too many fields"
BAD_HEADER = "messages with a broken head"
BAD_LEVEL = "books with a broken level"

_QUOTE = re.compile(
    # Symbol, kind, unit, exchange, delay; then fields; then the time where there is one.
    r"\x01([2C])([!-+\--~]{1,40}),(.)[\x02 ](.)(.)([0-9]{2})([^\x03]*)(?:\x03(.*))?",
    re.DOTALL,
)
_BOOK = re.compile(
    r"\x013([!-+\--~]{1,40}),B[\x02 ](.)(.)([0-9A])([0-9A])(?:,([^\x03]*))?(?:\x03.*)?", re.DOTALL
)
_LEVEL = re.compile(r"([-.0-9]{1,20})([A-Z])([0-9]{1,15})")
_LAST_ASK = "J"
_FIELDS_OF_RANGE = 15


def parse(text: str) -> Message:
    """The message of a text, as `Splitter` cuts it. Raises Unreadable."""
    match = _QUOTE.fullmatch(text)
    if match is not None:
        record, symbol, sub, unit, exchange, delay, body, time = match.groups()
        read = _READERS.get(sub)
        if read is None or (sub == "6" and record == "C"):
            raise Unreadable(UNKNOWN_RECORD)
        return read(symbol, exchange, unit, int(delay), body, nine_bytes(time) if time else None)
    if text.startswith("%"):
        return read_xml(text[1:])
    if text.startswith("\x01#"):
        return Clock(fourteen_digits(text[2:].rstrip("\x03")))
    if text.startswith("\x013"):
        return _book(text)
    raise Unreadable(BAD_HEADER if text[1:2] in ("2", "C") else UNKNOWN_RECORD)


def _trade(
    symbol: str,
    exchange: str,
    unit: str,
    delay: int,
    body: str,
    local_ns: int | None,
    in_sequence: bool = True,
) -> Trade:
    fields = body.split(",")
    if len(fields) != 3:
        raise Unreadable(BAD_FIELDS)
    day, session = _when(fields[2])
    return Trade(
        symbol=symbol,
        exchange=exchange,
        delay_minutes=delay,
        local_ns=local_ns,
        day=day,
        session=session,
        price=price(fields[0], unit),
        size=size(fields[1]),
        in_sequence=in_sequence,
    )


def _late_trade(symbol: str, exchange: str, unit: str, delay: int, body: str, local_ns: int | None) -> Trade:
    return _trade(symbol, exchange, unit, delay, body, local_ns, in_sequence=False)


def _top(symbol: str, exchange: str, unit: str, delay: int, body: str, local_ns: int | None) -> Top:
    fields = body.split(",")
    if len(fields) != 5:
        raise Unreadable(BAD_FIELDS)
    day, session = _when(fields[4])
    return Top(
        symbol=symbol,
        exchange=exchange,
        delay_minutes=delay,
        local_ns=local_ns,
        day=day,
        session=session,
        bid=price(fields[0], unit),
        bid_size=size(fields[1]),
        ask=price(fields[2], unit),
        ask_size=size(fields[3]),
    )


def _element(symbol: str, exchange: str, unit: str, delay: int, body: str, local_ns: int | None) -> Element:
    fields = body.split(",")
    if len(fields) != 2 or len(fields[1]) < 2:
        raise Unreadable(BAD_FIELDS)
    code = fields[1][:2]
    kind = KINDS.get(code) or KINDS.get(code[0])
    if kind is None:
        raise Unreadable(UNKNOWN_ELEMENT)
    day, session = _when(fields[1][2:])
    return Element(
        symbol=symbol,
        exchange=exchange,
        delay_minutes=delay,
        local_ns=local_ns,
        day=day,
        session=session,
        kind=kind,
        value=price(fields[0], unit),
    )


def _range(
    symbol: str,
    exchange: str,
    unit: str,
    delay: int,
    body: str,
    local_ns: int | None,
    is_refresh: bool = False,
) -> Range:
    # The head ends with a comma here, so the first field is empty.
    _, *fields = body.split(",")
    if len(fields) != _FIELDS_OF_RANGE:
        raise Unreadable(BAD_FIELDS)
    day, session = _when(fields[14])
    prices: list[Value] = [price(field, unit) for field in fields[:11]]
    rest = (prices[4], prices[5], prices[7], prices[10], size(fields[12]))
    bid, ask, previous, settlement, interest = rest if is_refresh else (UNSET,) * 5
    return Range(
        symbol=symbol,
        exchange=exchange,
        delay_minutes=delay,
        local_ns=local_ns,
        day=day,
        session=session,
        open=prices[0],
        high=prices[1],
        low=prices[2],
        last=prices[3],
        volume=size(fields[13]),
        is_refresh=is_refresh,
        bid=bid,
        ask=ask,
        previous=previous,
        settlement=settlement,
        open_interest=interest,
    )


def _refresh(symbol: str, exchange: str, unit: str, delay: int, body: str, local_ns: int | None) -> Range:
    return _range(symbol, exchange, unit, delay, body, local_ns, is_refresh=True)


_READERS: dict[str, Callable[[str, str, str, int, str, int | None], Message]] = {
    "7": _trade,
    "Z": _late_trade,
    "8": _top,
    "0": _element,
    "6": _range,
    **dict.fromkeys("1234", _refresh),
}


def _when(text: str) -> tuple[str, str]:
    """Day and session. Raises Unreadable for a session whose meaning is not known."""
    session = text[1:2]
    if session and session not in SESSIONS:
        raise Unreadable(UNKNOWN_SESSION)
    return text[:1], session


def _book(text: str) -> Depth:
    match = _BOOK.fullmatch(text)
    if match is None:
        raise Unreadable(BAD_HEADER if text.partition(",")[2][:1] == "B" else UNKNOWN_RECORD)
    symbol, unit, _, _, _, body = match.groups()
    bids: list[Level] = []
    asks: list[Level] = []
    for part in body.split(",") if body else ():
        level = _LEVEL.fullmatch(part)
        value = price(level[1], unit) if level else None
        amount = size(level[3]) if level else None
        if level is None or not isinstance(value, Decimal) or not isinstance(amount, Decimal):
            raise Unreadable(BAD_LEVEL)
        (asks if level[2] <= _LAST_ASK else bids).append(Level(value, amount))
    return Depth(symbol, tuple(bids), tuple(asks))
