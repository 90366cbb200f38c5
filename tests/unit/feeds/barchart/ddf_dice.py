"""Lawful DDF of every kind, drawn from a seed: what the two parsers are compared on."""

import random
from decimal import Decimal
from zoneinfo import ZoneInfo

from neuratrade.rehearsal.jerq_words import DENOMINATORS, PLACES, clock, digits, element, stamp

SYMBOLS = ("ESZ6", "NQH7", "GCZ6", "ZNZ6", "^XAUUSD", "$VIX", "TSLA", "CLF7")
UNITS = (*DENOMINATORS, *PLACES)
ELEMENTS = ("A0", "A1", "50", "59", "60", "D0", "d0", "C1", "76", "71", "00", "V0", "92", "C9", "D3", "Y1")
BEGIN_NS, SPAN_S = 1_577_836_800 * 10**9, 400_000_000
UTC = ZoneInfo("UTC")


class Dice:
    """Draws messages. Times are wall clocks, written in UTC."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    def message(self) -> str:
        """One message as the splitter cuts it."""
        kind = self._dice.choice("77788888ZZ0000111623BBQQVK#")
        if kind == "#":
            return clock(self._at_ns()).decode().rstrip("\n")
        if kind in "QVK":
            told = {"Q": self._quote, "V": self._volumes, "K": self._book}[kind]()
            return told.decode("latin-1").rstrip("\n")
        return self._quoted(kind)

    def _at_ns(self) -> int:
        return BEGIN_NS + self._dice.randrange(SPAN_S) * 10**9 + self._dice.randrange(1000) * 10**6

    def _price(self, unit: str, empty: float = 0.04) -> str:
        dice = self._dice
        if dice.random() < empty:
            return dice.choice(("", "-"))
        if dice.random() < 0.03:
            return f"{dice.choice(('', '-'))}{dice.randrange(9999)}.{dice.randrange(1, 999)}"
        sign = "-" if dice.random() < 0.1 else ""
        if unit in PLACES:
            return f"{sign}{dice.randrange(10 ** dice.randint(1, 9))}"
        width, parts = DENOMINATORS[unit]
        whole = "" if dice.random() < 0.05 else str(dice.randrange(1, 9999))
        return f"{sign}{whole}{dice.randrange(parts):0{width}d}"

    def _size(self) -> str:
        return str(self._dice.randrange(10 ** self._dice.randint(1, 8)))

    def _when(self) -> str:
        return self._dice.choice("123456789ABCDKU") + self._dice.choice("GRT @I2")

    def _quoted(self, kind: str) -> str:
        dice, unit = self._dice, self._dice.choice(UNITS)
        fields = self._levels(unit) if kind == "B" else self._fields(kind, unit)
        symbol, code = dice.choice(SYMBOLS), dice.choice("MEQqIr$NB")
        ending = "" if dice.random() < 0.02 else stamp(self._at_ns(), UTC).decode("latin-1")
        while kind == "B" and "," in ending:
            # The vendor's parser takes a comma in the time of a book for one more level.
            ending = stamp(self._at_ns(), UTC).decode("latin-1")
        if kind == "B":
            depth = f"{dice.choice('0123456789A')}{dice.choice('0123456789A')}"
            return f"\x013{symbol},B\x02{unit}{code}{depth},{fields}\x03{ending}"
        record = dice.choice("222C") if kind != "6" else "2"
        delay = dice.choice(("00", "10", "15"))
        return f"\x01{record}{symbol},{kind}\x02{unit}{code}{delay}{fields}\x03{ending}"

    def _fields(self, kind: str, unit: str) -> str:
        when = self._when()
        if kind in "7Z":
            return f"{self._price(unit)},{self._size()},{when}"
        if kind == "8":
            return f"{self._price(unit)},{self._size()},{self._price(unit)},{self._size()},{when}"
        if kind == "0":
            return f"{self._price(unit)},{self._dice.choice(ELEMENTS)}{when}"
        prices = [self._price(unit, 0.3) for _ in range(12)]
        counts = [self._size() if self._dice.random() < 0.7 else "" for _ in range(2)]
        return "," + ",".join([*prices, *counts, when])

    def _levels(self, unit: str) -> str:
        counts = (self._dice.randint(1, 10), self._dice.randint(1, 10))
        letters = [*"KLMNOPQRST"[: counts[0]], *"JIHGFEDCBA"[: counts[1]]]
        return ",".join(f"{self._price(unit, 0)}{letter}{self._size()}" for letter in letters)

    def _book(self) -> bytes:
        unit, told = self._dice.choice(UNITS), dict[str, object]()
        told |= {"symbol": self._dice.choice(SYMBOLS), "basecode": unit}
        for side in ("ask", "bid"):
            count = self._dice.randint(0, 10)
            told[f"{side}count"] = count
            told[f"{side}prices"] = ",".join(self._price(unit, 0) for _ in range(count)) or None
            told[f"{side}sizes"] = ",".join(self._size() for _ in range(count)) or None
        return element("BOOK", told)

    def _volumes(self) -> bytes:
        unit, count = self._dice.choice([*PLACES]), self._dice.randint(0, 30)
        prices = self._dice.sample(range(10**6), count)
        data = ":".join(f"{price},{self._size()}" for price in prices)
        told = {"symbol": "ESZ6", "basecode": unit, "tickincrement": "25", "data": data or None}
        return element("CV", told)

    def _quote(self) -> bytes:
        dice, unit = self._dice, self._dice.choice(UNITS)

        def some(text: str) -> str | None:
            return text if text not in ("", "-") and dice.random() < 0.85 else None

        told = {
            "symbol": dice.choice(SYMBOLS),
            "name": 'Müller & <Söhne> "x"',
            "exchange": "CME",
            "basecode": unit,
            "pointvalue": str(Decimal(dice.randrange(1, 500)) / 10),
            "tickincrement": "25",
            "ddfexchange": dice.choice("MEQ$"),
            "flag": some(dice.choice(("s", "p", "c"))),
            "lastupdate": some(digits(self._at_ns(), UTC)),
            "bid": some(self._price(unit)),
            "bidsize": some(self._size()),
            "ask": some(self._price(unit)),
            "asksize": some(self._size()),
            "mode": dice.choice("RI"),
        }
        parts = [self._session(unit, name, some(self._price(unit))) for name in ("combined", "previous")]
        return element("QUOTE", told, "".join(parts))

    def _session(self, unit: str, name: str, last: str | None) -> str:
        dice = self._dice

        def some(text: str) -> str | None:
            return text if text not in ("", "-") and dice.random() < 0.8 else None

        prices = ("open", "high", "low", "previous", "settlement")
        told: dict[str, object] = {"day": dice.choice("123ABK"), "session": "G", "last": last}
        told |= {field: some(self._price(unit)) for field in prices}
        told |= {field: some(self._size()) for field in ("tradesize", "volume", "openinterest")}
        told |= {field: some(digits(self._at_ns(), UTC)) for field in ("timestamp", "tradetime")}
        return element("SESSION", {**told, "id": name})[1:].decode().rstrip("\n")
