"""Recorded frames as changes of a book, with no decoder of ours in between."""

import gzip
import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from neuratrade.feeds.live.book import BookChange, BookSnapshot, Level

D = Decimal
Best = tuple[Decimal, Decimal, Decimal, Decimal]


def levels(rows: Any) -> list[Level]:
    """Price and quantity of each row."""
    return [(D(str(row[0])), D(str(row[1]))) for row in rows]


class BinanceLog(NamedTuple):
    """One symbol's log. best: bid, its size, ask, its size by update number, as the venue told them."""

    messages: list[BookSnapshot | BookChange]
    numbers: list[int]
    best: list[Best]

    def best_at(self, number: int) -> Best | None:
        """What the venue called the best after an update."""
        place = bisect_right(self.numbers, number) - 1
        return self.best[place] if place >= 0 else None


def binance_log(*paths: Path) -> BinanceLog:
    """A log of combined streams with one depth snapshot in it."""
    messages: list[BookSnapshot | BookChange] = []
    best: dict[int, Best] = {}
    for path in paths:
        with gzip.open(path, "rt") as lines:
            for line in lines:
                told = json.loads(line.partition(" ")[2])
                data = told.get("data", told)
                if "lastUpdateId" in data:
                    shown = levels(data["bids"]), levels(data["asks"])
                    messages.append(BookSnapshot(0, *shown, last=data["lastUpdateId"], whole=False))
                elif "@bookTicker" in told["stream"]:
                    best[data["u"]] = (D(data["b"]), D(data["B"]), D(data["a"]), D(data["A"]))
                elif "@depth" in told["stream"]:
                    change = BookChange(
                        data["E"], levels(data["b"]), levels(data["a"]), data["U"], data["u"], data.get("pu")
                    )
                    messages.append(change)
    numbers = sorted(best)
    return BinanceLog(messages, numbers, [best[number] for number in numbers])


def kraken_messages(path: Path) -> Iterator[tuple[str, BookSnapshot | BookChange]]:
    """Frames of version 1 of Kraken's stream, whose checksum is that of version 2."""
    for told in _frames(path):
        if not isinstance(told, list):
            continue
        parts: dict[str, Any] = {key: value for part in told[1:-2] for key, value in part.items()}
        if "as" in parts:
            yield told[-1], BookSnapshot(0, levels(parts["bs"]), levels(parts["as"]))
        elif "c" in parts:
            bids, asks = levels(parts.get("b", ())), levels(parts.get("a", ()))
            yield told[-1], BookChange(0, bids, asks, checksum=int(parts["c"]))


def okx_messages(path: Path) -> Iterator[tuple[str, BookSnapshot | BookChange]]:
    """Frames of 2022: with checksums, from before messages were numbered; counted here instead."""
    numbers: dict[str, int] = {}
    for told in _frames(path):
        if not isinstance(told, dict) or told.get("arg", {}).get("channel") != "books" or "data" not in told:
            continue
        name, row = told["arg"]["instId"], told["data"][0]
        bids, asks, checksum = levels(row["bids"]), levels(row["asks"]), row["checksum"]
        number = numbers[name] = numbers.get(name, 0) + 1
        if told["action"] == "snapshot":
            yield name, BookSnapshot(0, bids, asks, last=number, checksum=checksum)
        else:
            yield (
                name,
                BookChange(0, bids, asks, last=number, before=number - 1, checksum=checksum),
            )


def _frames(path: Path) -> Iterator[Any]:
    with gzip.open(path, "rt") as lines:
        for line in lines:
            if re.match(r"\d+\.\d+: [\[{]", line):
                yield json.loads(line.partition(": ")[2])
