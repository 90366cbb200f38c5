"""Frames that venues really sent, through our decoders: each becomes what a reading of its text says."""

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from neuratrade.core.model.market import Quote, Trade
from neuratrade.feeds.live.book_rules import BinanceFuturesRule, BinanceSpotRule, OkxRule
from neuratrade.feeds.live.frames.binance import BinanceDecoder
from neuratrade.feeds.live.frames.okx import OkxDecoder
from neuratrade.feeds.live.frames.reader import FrameReader

pytestmark = pytest.mark.shared

D = Decimal
NOW_NS = 7


def reader_of(decoder: Any, symbols: set[str], rule: Any) -> tuple[FrameReader, list[str]]:
    """A reader of these symbols, each its own instrument, and what it complained of."""
    notes: list[str] = []
    return FrameReader(decoder, {name: name for name in symbols}, lambda _: rule, notes.append), notes


def frames(path: Path) -> Iterator[str]:
    """The text of each frame of a capture or a log."""
    with gzip.open(path, "rt") as lines:
        for line in lines:
            if match := re.match(r"\d+(?:\.\d+)?:? ([\[{].*)", line):
                yield match[1]


LOGS = {
    "hftbacktest_spot_btcusdt_20240808.gz": BinanceSpotRule(),
    "hftbacktest_usdm_btcusdt_20240808.gz": BinanceFuturesRule(),
}


@pytest.mark.parametrize("name", LOGS)
def test_the_recorded_streams_of_binance_are_read_whole(shared_data: Path, name: str) -> None:
    decoder = BinanceDecoder()
    reader, notes = reader_of(decoder, {"BTCUSDT"}, LOGS[name])
    wanted: list[tuple[str, Decimal, Decimal]] = []
    heard: list[tuple[str, Decimal, Decimal]] = []
    kinds: Counter[str] = Counter()
    for text in frames(shared_data / "book" / "raw" / name):
        told = json.loads(text, parse_float=str)
        if "lastUpdateId" in told:
            piece = reader.take(decoder.snapshot(text.encode(), "BTCUSDT", 1000, NOW_NS))
            assert isinstance(piece, Quote)
            continue
        kind, data = told["stream"].partition("@")[2], told["data"]
        pieces = reader.read(text, NOW_NS)
        kinds[kind] += len(pieces)
        if kind == "trade":
            wanted.append((str(data["T"]), D(data["p"]), D(data["q"])))
            heard += [
                (str(item.at_ns // 1_000_000), item.price, item.quantity)
                for item in pieces
                if isinstance(item, Trade)
            ]
            assert all(isinstance(item, Trade) and item.aggressor_buy is not data["m"] for item in pieces)
        elif kind == "bookTicker":
            (quote,) = pieces
            assert isinstance(quote, Quote)
            assert (quote.bid, quote.ask_size) == (D(data["b"]), D(data["A"]))
    assert heard == wanted
    assert len(wanted) > 1000
    assert kinds["bookTicker"] > 10_000
    assert not notes
    assert not reader.hostile


@pytest.mark.parametrize("name", ["BINANCE", "BINANCE_FUTURES"])
def test_other_captures_of_binance_hold_nothing_that_cannot_be_read(shared_data: Path, name: str) -> None:
    texts = list(frames(shared_data / "fixtures/binance/cryptofeed" / f"{name}.ws.1.0.gz"))
    symbols = {str(json.loads(text).get("data", {}).get("s")) for text in texts}
    reader, notes = reader_of(BinanceDecoder(), symbols, BinanceFuturesRule())
    pieces = [piece for text in texts for piece in reader.read(text, NOW_NS)]
    assert notes == []
    assert {type(piece) for piece in pieces} == {Quote, Trade}


def test_the_capture_of_okx_is_read_whole_with_numbers_as_they_are_sent_today(shared_data: Path) -> None:
    numbers: Counter[str] = Counter()
    texts = []
    for text in frames(shared_data / "fixtures/okx/cryptofeed/OKX.ws.1.0.gz"):
        told = json.loads(text)
        if told.get("arg", {}).get("channel") == "books" and "data" in told:
            symbol, row = told["arg"]["instId"], told["data"][0]
            row["prevSeqId"] = numbers[symbol] or -1
            numbers[symbol] += 1
            row["seqId"] = numbers[symbol]
        texts.append(json.dumps(told))
    reader, notes = reader_of(OkxDecoder(), {"BTC-USDT", "UNI-USD-SWAP", "BTC-USD-220527"}, OkxRule())
    found = Counter(type(piece) for text in texts for piece in reader.read(text, NOW_NS))
    assert notes == []
    assert reader.wanting == []
    assert found[Quote] > 290
    assert found[Trade] > 0
    assert sum(mirror.losses for mirror in reader.mirrors.values()) == 0
