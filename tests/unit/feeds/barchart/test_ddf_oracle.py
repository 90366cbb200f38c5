"""Our parser equals the vendor's own, value by value: on the recorded log, on 20,000 made messages."""

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from neuratrade.feeds.barchart.ddf import UNKNOWN_ELEMENT, parse
from neuratrade.feeds.barchart.ddf_messages import (
    Clock,
    Depth,
    Element,
    Header,
    Kind,
    Message,
    Profile,
    Range,
    Snapshot,
    Top,
    Trade,
    Unreadable,
)
from neuratrade.feeds.barchart.ddf_split import Splitter
from tests.node import packages
from tests.unit.feeds.barchart.ddf_dice import Dice

PACKAGE = "@barchart/marketdata-api-js"
GENERATED = 20_000
NAMES = {
    Kind.OPEN: "OPEN", Kind.HIGH: "HIGH", Kind.LOW: "LOW", Kind.OPEN_INTEREST: "OPEN_INTEREST",
    Kind.SETTLEMENT: "SETTLEMENT", Kind.VWAP: "VWAP", Kind.TRADE: "TRADE",
    Kind.VOLUME_YESTERDAY: "VOLUME_YESTERDAY", Kind.VOLUME: "VOLUME",
}  # fmt: skip
MS = 10**6


def number(value: object) -> object:
    """As JavaScript has it; what was not told is absent there."""
    return float(value) if isinstance(value, Decimal) else value


def told(**fields: object) -> dict[str, object]:
    return {name: number(value) for name, value in fields.items() if value is not UNSET}


def nonzero(**fields: object) -> dict[str, object]:
    """As the vendor copies the values of a snapshot's session: only those that are more than nothing."""
    return {name: value for name, value in told(**fields).items() if value}


def ours(text: str) -> dict[str, object] | None:
    """What we read, in the vendor's words; None where it is of no kind that is known."""
    try:
        message = parse(text)
    except Unreadable as error:
        if error.kind != UNKNOWN_ELEMENT:
            raise
        return None
    return {"symbol": getattr(message, "symbol", None), **_head(message), **_words(message)}


def _head(message: Message) -> dict[str, object]:
    if not isinstance(message, Header):
        return {}
    time = {} if isinstance(message, Range) and not message.is_refresh else {"time": _ms(message.local_ns)}
    head = {"exchange": message.exchange, "delay": message.delay_minutes}
    return {**head, "day": message.day, "session": message.session, **time}


def _ms(local_ns: int | None) -> int | None:
    return None if local_ns is None else local_ns // MS


def _words(message: Message) -> dict[str, object]:
    match message:
        case Clock():
            return {"type": "TIMESTAMP", "timestamp": _ms(message.local_ns)}
        case Trade():
            kind = "TRADE" if message.in_sequence else "TRADE_OUT_OF_SEQUENCE"
            return {"type": kind, **told(tradePrice=message.price, tradeSize=message.size)}
        case Top():
            sizes = told(bidSize=message.bid_size, askSize=message.ask_size)
            return {"type": "TOB", **told(bidPrice=message.bid, askPrice=message.ask), **sizes}
        case Element():
            again = told(tradePrice=message.value) if message.kind is Kind.TRADE else {}
            return {"type": NAMES[message.kind], **told(value=message.value), **again}
        case Range():
            return {
                "type": "REFRESH_DDF" if message.is_refresh else "OHLC",
                **told(
                    openPrice=message.open,
                    highPrice=message.high,
                    lowPrice=message.low,
                    lastPrice=message.last,
                    volume=message.volume,
                    bidPrice=message.bid,
                    askPrice=message.ask,
                    previousPrice=message.previous,
                    settlementPrice=message.settlement,
                    openInterest=message.open_interest,
                ),
            }
        case Depth():
            return {"type": "BOOK", "bids": _levels(message.bids), "asks": _levels(message.asks)}
        case Profile():
            levels = [{"price": float(item.price), "volume": float(item.size)} for item in message.levels]
            return {
                "type": "REFRESH_CUMULATIVE_VOLUME",
                "priceLevels": levels,
                **told(tickIncrement=message.tick),
            }
        case Snapshot():
            return _snapshot(message)


def _levels(levels: Any) -> list[dict[str, float]]:
    return [{"price": float(level.price), "size": float(level.size)} for level in levels]


def _snapshot(message: Snapshot) -> dict[str, object]:
    times = {"lastUpdate": _ms(message.updated_local_ns), "tradeTime": _ms(message.trade_local_ns)}
    words = {"flag": message.flag, "day": message.day, **times}
    return {
        "type": "REFRESH_QUOTE",
        "mode": message.mode,
        **{name: value for name, value in words.items() if value not in ("", None)},
        **told(
            bidPrice=message.bid, bidSize=message.bid_size, askPrice=message.ask, askSize=message.ask_size
        ),
        **nonzero(
            openPrice=message.open,
            highPrice=message.high,
            lowPrice=message.low,
            lastPrice=message.last,
            settlementPrice=message.settlement,
            volume=message.volume,
            openInterest=message.open_interest,
            tradeSize=message.trade_size,
        ),
        **told(previousPrice=message.previous),
    }


NOT_OURS = {
    # How it was written, what we do not read, and what it repeats in other words.
    "record", "subrecord", "unitcode", "unitCode", "element", "modifier", "name", "pointValue", "timeStamp",
    "askDepth", "bidDepth", "numberOfTrades", "lastPriceT", "sessionT", "blockTrade",
}  # fmt: skip


def theirs(read: dict[str, Any]) -> dict[str, object] | None:
    assert "error" not in read, read
    if read["type"] is None:
        return None
    found = {name: value for name, value in read.items() if name not in NOT_OURS}
    if read["type"] == "REFRESH_QUOTE":
        found = {name: value for name, value in found.items() if not name.startswith("previous")}
        found |= {"previousPrice": read["previousPrice"]} if "previousPrice" in read else {}
        del found["exchange"]
        if read.get("session"):
            del found["session"]
    if read["type"] in ("BOOK", "TIMESTAMP", "REFRESH_CUMULATIVE_VOLUME"):
        found.pop("exchange", None)
    if read["type"] == "REFRESH_CUMULATIVE_VOLUME":
        return found
    found.pop("tickIncrement", None)
    return found


async def compared(texts: list[str], folder: Path) -> Counter[str]:
    """How many messages of each type both read the same. Raises AssertionError at the first that differs."""
    file = folder / "messages.json"
    file.write_text(json.dumps(texts))
    answers = await packages.run("barchart_parse.js", str(file))
    assert len(answers) == len(texts)
    kinds: Counter[str] = Counter()
    for text, answer in zip(texts, answers, strict=True):
        mine, official = ours(text), theirs(answer)
        if mine is not None:
            mine = {name: value for name, value in mine.items() if name != "symbol" or value is not None}
        assert mine == official, text
        kinds[answer["type"] or "none"] += 1
    return kinds


@pytest.mark.node
@packages.needs(PACKAGE)
@pytest.mark.shared
async def test_the_recorded_log_is_read_as_the_vendor_reads_it(shared_data: Path, tmp_path: Path) -> None:
    raw = (shared_data / "fixtures/barchart/ddf/1624900329804.ddf").read_bytes().decode("latin-1")
    kinds = await compared([str(text) for text in Splitter().feed(raw)], tmp_path)
    assert kinds == {"REFRESH_QUOTE": 1, "TOB": 124, "TRADE": 4, "TRADE_OUT_OF_SEQUENCE": 74}


@pytest.mark.node
@packages.needs(PACKAGE)
async def test_generated_messages_of_every_kind_are_read_as_the_vendor_reads_them(tmp_path: Path) -> None:
    dice = Dice(7)
    kinds = await compared([dice.message() for _ in range(GENERATED)], tmp_path)
    assert sum(kinds.values()) == GENERATED
    assert min(kinds.values()) > 100, kinds
    assert len(kinds) == 18
