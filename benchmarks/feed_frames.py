"""Public frames as quotes, trades and books: decoded, judged, mirrored, proven, in messages a second.

The floor is the same frames decoded to plain objects and thrown away, in the same run and by turns. Binance
as it was recorded. Kraken's frames were recorded in version 1 and are worded as version 2 here, with the
checksums they came with, as deep as they were; OKX's are from 2022 and get the numbers they have today.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.book_mirror import DATA, LEVELS_ASKED, by_turns
from benchmarks.book_mirror import frames as logged
from benchmarks.parts import Row
from neuratrade.feeds.live.book import BookMirror, SyncRule
from neuratrade.feeds.live.book_rules import BinanceFuturesRule, BinanceSpotRule, KrakenRule, OkxRule
from neuratrade.feeds.live.frames.binance import BinanceDecoder
from neuratrade.feeds.live.frames.heard import Decoder
from neuratrade.feeds.live.frames.kraken import KrakenDecoder
from neuratrade.feeds.live.frames.okx import OkxDecoder
from neuratrade.feeds.live.frames.reader import FrameReader

FIXTURES = DATA.parents[1] / "fixtures"
KRAKEN_DEPTH = 1000
TARGET = 5_000


def captured(path: Path) -> Iterator[Any]:
    """Each frame of a capture, its numbers as text."""
    with gzip.open(path, "rt") as lines:
        for line in lines:
            if match := re.match(r"\d+\.\d+: ([\[{].*)", line):
                yield json.loads(match[1], parse_float=str)


def kraken_frames() -> tuple[list[bytes], set[str]]:
    """Books of ten pairs, worded as version 2."""
    made, symbols = list[bytes](), set[str]()
    encoder = msgspec.json.Encoder(decimal_format="number")

    def side(rows: Any) -> list[dict[str, Decimal]]:
        return [{"price": Decimal(row[0]), "qty": Decimal(row[1])} for row in rows]

    for told in captured(FIXTURES / "kraken/cryptofeed/KRAKEN.ws.50.0.gz"):
        if not isinstance(told, list):
            continue
        parts: dict[str, Any] = {key: value for part in told[1:-2] for key, value in part.items()}
        begins = "as" in parts
        row: dict[str, Any] = {"symbol": told[-1], "checksum": int(parts.get("c", 0))}
        row |= {"bids": side(parts.get("bs" if begins else "b", ()))}
        row |= {"asks": side(parts.get("as" if begins else "a", ()))}
        if begins:
            symbols.add(told[-1])
            row["checksum"] = _checksum(row)
        frame = {"channel": "book", "type": "snapshot" if begins else "update", "data": [row]}
        made.append(encoder.encode(frame))
    return made, symbols


def _checksum(row: dict[str, Any]) -> int:
    """What version 2 sends with a snapshot, and version 1 did not."""
    rule = KrakenRule(KRAKEN_DEPTH)
    mirror = BookMirror("", rule)
    for side, rows in ((mirror.bids, row["bids"]), (mirror.asks, row["asks"])):
        side.fill([(level["price"], level["qty"]) for level in rows], whole=True)
    return rule.checksum(mirror) or 0


def okx_frames() -> tuple[list[bytes], set[str]]:
    """Books, trades and tickers of three instruments."""
    made, numbers = list[bytes](), dict[str, int]()
    for told in captured(FIXTURES / "okx/cryptofeed/OKX.ws.1.0.gz"):
        if told.get("arg", {}).get("channel") == "books" and "data" in told:
            symbol, row = told["arg"]["instId"], told["data"][0]
            row["prevSeqId"] = numbers.get(symbol, -1)
            row["seqId"] = numbers[symbol] = numbers.get(symbol, 0) + 1
        made.append(msgspec.json.encode(told))
    return made, set(numbers)


def binance_frames(file: str) -> tuple[list[bytes], set[str]]:
    """A log without its snapshot."""
    return [frame for frame in logged(DATA / file) if b'"stream"' in frame[:12]], {"BTCUSDT"}


def _snapshot(file: str) -> bytes:
    return next(frame for frame in logged(DATA / file) if frame.startswith(b'{"lastUpdateId"'))


def _reading(
    frames: list[bytes], symbols: set[str], decoder: Decoder, rule: SyncRule, snapshot: bytes | None
) -> Callable[[], None]:
    instruments = {symbol: symbol for symbol in symbols}

    def work() -> None:
        complaints: list[str] = []
        reader = FrameReader(decoder, instruments, lambda _: rule, complaints.append)
        if snapshot is not None and isinstance(decoder, BinanceDecoder):
            reader.take(decoder.snapshot(snapshot, "BTCUSDT", LEVELS_ASKED, 1))
        pieces = 0
        for frame in frames:
            pieces += len(reader.read(frame, 1))
        if complaints or not pieces:
            raise RuntimeError(f"{pieces} pieces, {complaints}")

    return work


def _decoding(frames: list[bytes]) -> Callable[[], None]:
    decode = msgspec.json.Decoder().decode

    def work() -> None:
        for frame in frames:
            decode(frame)

    return work


def run() -> dict[str, list[Row]]:
    """Messages a second by venue."""
    spot, usdm = (f"hftbacktest_{kind}_btcusdt_20240808.gz" for kind in ("spot", "usdm"))
    formats: dict[str, tuple[tuple[list[bytes], set[str]], Decoder, SyncRule, bytes | None]] = {
        "Binance spot": (binance_frames(spot), BinanceDecoder(), BinanceSpotRule(), _snapshot(spot)),
        "Binance USD-M": (binance_frames(usdm), BinanceDecoder(), BinanceFuturesRule(), _snapshot(usdm)),
        "Kraken v2, books": (kraken_frames(), KrakenDecoder(), KrakenRule(KRAKEN_DEPTH), None),
        "OKX v5": (okx_frames(), OkxDecoder(), OkxRule(), None),
    }
    rows: list[Row] = []
    for name, ((frames, symbols), decoder, rule, snapshot) in formats.items():
        ours, floor = by_turns([_reading(frames, symbols, decoder, rule, snapshot), _decoding(frames)])
        rows.append(
            {
                "name": f"{name}: frames to pieces, floor is decoding alone",
                "value": round(len(frames) / ours),
                "unit": "messages/s",
                "floor": round(len(frames) / floor),
                "target": TARGET,
                "better": "higher",
            }
        )
    return {"rows": rows}
