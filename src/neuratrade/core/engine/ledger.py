"""The ledger: what a fill does to money and holdings, to the last decimal.

Owned things (spot, equities, outcomes) move both currencies; derivatives move only realised profit and
fees. Holdings are lots, first in, first out, so nothing is ever averaged and nothing rounded: equity is
always the sum of what happened.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

import msgspec

from neuratrade.core.engine.state import AccountState, instrument_of_position, position_key
from neuratrade.core.model.account import Lot, Position
from neuratrade.core.model.decimals import ONE, ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction
from neuratrade.core.model.orders import Fill


class Rates(Protocol):
    """What currencies are worth in an account's own."""

    def get(self, currency: str, /) -> Decimal | None:
        """Account currency per unit of a currency; None when it is not known."""
        ...


NO_RATES: Rates = dict[str, Decimal]()


def book_fill(account: AccountState, instrument: Instrument, fill: Fill, direction: Direction) -> None:
    """Books one execution into balances and the position. direction: of the bracket it belongs to."""
    key = position_key(account.account, fill.instrument, direction)
    position = account.positions.setdefault(key, Position(lots=[]))
    signed = fill.quantity * fill.side.sign
    realised = _move(position, signed, fill.price, fill.at_ns) * instrument.multiplier
    position.realised += realised
    if instrument.is_derivative:
        credit(account, instrument.quote, realised)
    else:
        credit(account, instrument.quote, -signed * fill.price * instrument.multiplier)
        credit(account, instrument.base, signed)
    if fill.fee:
        credit(account, fill.fee_currency, -fill.fee)
        if not instrument.is_derivative and fill.fee_currency == instrument.base:
            _take_newest(position, fill.fee)
    account.filled_ns = max(account.filled_ns, fill.at_ns)


def correct_fill(
    account: AccountState,
    instrument: Instrument,
    fill: Fill,
    direction: Direction,
    quantity: Decimal,
    price: Decimal,
    fee: Decimal,
) -> None:
    """Books what an execution turned out to be: it is undone, and what is true of it booked again."""
    undone = msgspec.structs.replace(fill, side=fill.side.opposite, fee=-fill.fee)
    book_fill(account, instrument, undone, direction)
    if quantity or fee:
        book_fill(
            account,
            instrument,
            msgspec.structs.replace(fill, quantity=quantity, price=price, fee=fee),
            direction,
        )


def credit(account: AccountState, currency: str, amount: Decimal) -> None:
    """Adds a signed amount to a balance."""
    account.balances[currency] = account.balances.get(currency, ZERO) + amount


def take_over(account: AccountState, instrument: Instrument, key: str, holding: Position) -> None:
    """Adds a whole holding to the one kept under `key`, lot by lot; opposite lots close each other."""
    kept = account.positions.get(key)
    if kept is None:
        account.positions[key] = holding
        return
    kept.realised += holding.realised
    for lot in holding.lots:
        realised = _move(kept, lot.quantity, lot.price, lot.opened_ns) * instrument.multiplier
        kept.realised += realised
        if instrument.is_derivative:
            credit(account, instrument.quote, realised)


def _move(position: Position, signed: Decimal, price: Decimal, at_ns: int) -> Decimal:
    """Moves a position by `signed` at `price`; returns the profit realised, a unit of multiplier."""
    position.quantity += signed
    lots, rest, realised = position.lots, signed, ZERO
    while rest and lots and (lots[0].quantity > 0) != (rest > 0):
        lot = lots[0]
        closed = min(abs(lot.quantity), abs(rest))
        sign = 1 if lot.quantity > 0 else -1
        realised += (price - lot.price) * closed * sign
        rest += closed * sign
        lot.quantity -= closed * sign
        if not lot.quantity:
            lots.pop(0)
    if rest:
        lots.append(Lot(rest, price, at_ns))
    return realised


def _take_newest(position: Position, units: Decimal) -> None:
    """A fee paid out of the holding itself: it comes off what was just bought."""
    position.quantity -= units
    rest, lots = units, position.lots
    while rest > 0 and lots and lots[-1].quantity > 0:
        taken = min(lots[-1].quantity, rest)
        rest -= taken
        lots[-1].quantity -= taken
        if not lots[-1].quantity:
            lots.pop()
    if rest:
        lots.append(Lot(-rest, ZERO))


def equity_of(
    account: AccountState,
    instruments: Mapping[str, Instrument],
    prices: Mapping[str, Decimal],
    rates: Rates = NO_RATES,
) -> Decimal | None:
    """Equity in the account's currency; None when a price or a rate is missing.

    prices: by instrument key, quote currency per unit. rates: asked only for what is needed.
    """
    home = account.account.currency
    if any(_rate(rates, currency, home) is None for currency in account.unrated):
        return None
    total = ZERO
    explained: dict[str, Decimal] = {}
    for key, position in account.positions.items():
        if not position.quantity:
            continue
        name = instrument_of_position(key)
        price, instrument = prices.get(key, prices.get(name)), instruments.get(name)
        rate = None if instrument is None else _rate(rates, instrument.quote, home)
        if price is None or instrument is None or rate is None:
            return None
        value = price * position.quantity
        if instrument.is_derivative:
            value -= sum((lot.quantity * lot.price for lot in position.lots), ZERO)
        else:
            explained[instrument.base] = explained.get(instrument.base, ZERO) + position.quantity
        total += value * instrument.multiplier * rate
    for currency, amount in account.balances.items():
        # Units held through a position were valued with it; what is left is cash, or a debt.
        cash = amount - explained[currency] if currency in explained else amount
        if cash:
            rate = _rate(rates, currency, home)
            if rate is None:
                return None
            total += cash * rate
    return total


def _rate(rates: Rates, currency: str, home: str) -> Decimal | None:
    return ONE if currency == home else rates.get(currency)
