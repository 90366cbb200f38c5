"""Contracts of Tradovate: what is traded in a play, and the months that follow, which have no market there.

A name is root, letter of the month and last digit of the year: `ESZ6`. Expiry and first intent day come from
the rules of the exchange without its holidays.
"""

import calendar
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from neuratrade.core.model.decimals import is_multiple
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.rehearsal.tradovate_words import CHICAGO, USD, Said

MONTHS = "FGHJKMNQUVXZ"
CYCLES = {"GC": "GJMQVZ"}
QUARTERS = "HMUZ"
MOST_MONTHS = 4
"""How many contracts of a product are listed."""
FIRST_CONTRACT, FIRST_MATURITY, FIRST_PRODUCT = 3_000_000, 60_000, 700
DESCRIPTIONS = {"ES": "E-Mini S&P 500", "NQ": "E-Mini NASDAQ-100", "GC": "Gold"}


class Listed(NamedTuple):
    """One contract. instrument: what is traded in the play, None where it has no market."""

    number: int
    name: str
    root: str
    year: int
    month: int
    instrument: Instrument | None

    @property
    def is_delivered(self) -> bool:
        """Whether who holds it to the end is delivered to."""
        return self.root not in ("ES", "NQ")

    @property
    def expires(self) -> date:
        """Third Friday where it settles in cash, else the third last weekday of its month."""
        if self.is_delivered:
            return _weekday_before(_last(self.year, self.month) + timedelta(days=1), 3)
        first = date(self.year, self.month, 1)
        return first + timedelta(days=(4 - first.weekday()) % 7 + 14)

    @property
    def first_intent(self) -> date | None:
        """The day before the month of delivery, where there is one."""
        return _weekday_before(date(self.year, self.month, 1), 1) if self.is_delivered else None


class Contracts:
    """The list. year: of the play, for names have one digit of it."""

    def __init__(self, traded: Iterable[Instrument], year: int) -> None:
        self.listed: dict[int, Listed] = {}
        self.roots: list[str] = []
        self._instruments: dict[str, Instrument] = {}
        for instrument in traded:
            self._list(instrument, year)

    def _list(self, instrument: Instrument, year: int) -> None:
        root, month, year = _parts(instrument.asset, year)
        self._instruments.setdefault(root, instrument)
        if root not in self.roots:
            self.roots.append(root)
        letters = CYCLES.get(root, QUARTERS)
        for _ in range(MOST_MONTHS):
            name = f"{root}{MONTHS[month - 1]}{year % 10}"
            known = self.find(name)
            here = instrument if name == instrument.asset else known.instrument if known else None
            number = known.number if known else FIRST_CONTRACT + len(self.listed) + 1
            self.listed[number] = Listed(number, name, root, year, month, here)
            month += 1
            while MONTHS[(month - 1) % 12] not in letters:
                month += 1
            month, year = (month - 1) % 12 + 1, year + (month > 12)

    def find(self, name: str) -> Listed | None:
        """A contract by its name."""
        return next((item for item in self.listed.values() if item.name == name), None)

    def instrument_of(self, root: str) -> Instrument:
        """What of a product is traded in the play."""
        return self._instruments[root]

    def roll(self, name: str, *, forward: bool, if_expired: bool, today: date) -> Said | None:
        """The contract after or before one, None where there is none."""
        here = self.find(name)
        if here is None:
            return None
        if if_expired and here.expires >= today:
            return contract_row(here)
        chain = [item for item in self.listed.values() if item.root == here.root]
        chain.sort(key=lambda item: item.expires)
        place = chain.index(here) + (1 if forward else -1)
        return contract_row(chain[place]) if 0 <= place < len(chain) else None

    def rows(self) -> list[Said]:
        """Entities `contract`."""
        return [contract_row(item) for item in self.listed.values()]

    def maturities(self, now_ns: int) -> list[Said]:
        """Entities `contractMaturity`."""
        today = datetime.fromtimestamp(now_ns // NS_PER_SECOND, CHICAGO).date()
        return [self._maturity(item, today) for item in self.listed.values()]

    def products(self) -> list[Said]:
        """Entities `product`."""
        return [self._product(place, root) for place, root in enumerate(self.roots)]

    def _maturity(self, item: Listed, today: date) -> Said:
        alive = [one for one in self.listed.values() if one.root == item.root and one.expires >= today]
        front = min(alive, key=lambda one: one.expires, default=None)
        row: Said = {
            "id": item.number - FIRST_CONTRACT + FIRST_MATURITY,
            "productId": FIRST_PRODUCT + self.roots.index(item.root),
            "expirationMonth": item.year * 100 + item.month,
            "expirationDate": f"{item.expires}T21:00Z",
            "isFront": item is front,
        }
        if item.first_intent is not None:
            row["firstIntentDate"] = f"{item.first_intent}T21:00Z"
        return row

    def _product(self, place: int, root: str) -> Said:
        contract = self._instruments[root]
        digits = next(count for count in range(10) if is_multiple(contract.tick, Decimal(1).scaleb(-count)))
        return {
            "id": FIRST_PRODUCT + place,
            "name": root,
            "currencyId": USD,
            "productType": "Futures",
            "description": DESCRIPTIONS.get(root, root),
            "exchangeId": 1,
            "contractGroupId": 1,
            "status": "Verified",
            "valuePerPoint": contract.multiplier,
            "priceFormatType": "Decimal",
            "priceFormat": digits,
            "tickSize": contract.tick,
        }


def contract_row(item: Listed) -> Said:
    """An entity `contract`."""
    return {
        "id": item.number,
        "name": item.name,
        "contractMaturityId": item.number - FIRST_CONTRACT + FIRST_MATURITY,
        "timestamp": f"{item.year - 2}-01-01T00:00:00.000Z",
    }


def _parts(name: str, year: int) -> tuple[str, int, int]:
    """Root, month and year of a name, the next such year from `year` on."""
    root, letter, digit = name[:-2], name[-2], int(name[-1])
    return root, MONTHS.index(letter) + 1, year + (digit - year) % 10


def _last(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


def _weekday_before(day: date, count: int) -> date:
    while count:
        day -= timedelta(days=1)
        count -= day.weekday() < 5
    return day
