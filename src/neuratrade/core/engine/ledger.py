"""The ledger: what a fill does to money and holdings, to the last decimal.

Owned things (spot, equities, outcomes) move both currencies; derivatives move only realised profit and
fees. Nothing is rounded here: equity is always the sum of what happened.
"""

from decimal import Decimal

from neuratrade.core.engine.state import AccountState
from neuratrade.core.model.account import Position
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.orders import Fill


def book_fill(account: AccountState, instrument: Instrument, fill: Fill) -> None:
    """Books one execution into balances and the position."""
    position = account.positions.setdefault(fill.instrument, Position())
    signed = fill.quantity * fill.side.sign
    realised = _move(position, signed, fill.price) * instrument.multiplier
    position.realised += realised
    if instrument.is_derivative:
        credit(account, instrument.quote, realised)
    else:
        credit(account, instrument.quote, -signed * fill.price * instrument.multiplier)
        credit(account, instrument.base, signed)
    if fill.fee:
        credit(account, fill.fee_currency, -fill.fee)
    if not instrument.is_derivative and fill.fee_currency == instrument.base:
        position.quantity -= fill.fee
    if position.quantity == 0:
        position.cost = ZERO


def credit(account: AccountState, currency: str, amount: Decimal) -> None:
    """Adds a signed amount to a balance."""
    account.balances[currency] = account.balances.get(currency, ZERO) + amount


def _move(position: Position, signed: Decimal, price: Decimal) -> Decimal:
    """Moves a net position by `signed` at `price`; returns the profit realised a unit of multiplier."""
    before = position.quantity
    after = before + signed
    realised = ZERO
    if before == 0 or (before > 0) == (signed > 0):
        position.cost = (position.cost * abs(before) + price * abs(signed)) / abs(after)
    else:
        closed = min(abs(before), abs(signed))
        realised = (price - position.cost) * closed * (1 if before > 0 else -1)
        if (after > 0) != (before > 0) and after != 0:
            position.cost = price
    position.quantity = after
    return realised


def equity_of(
    account: AccountState, instruments: dict[str, Instrument], prices: dict[str, Decimal]
) -> Decimal | None:
    """Equity in the account's currency at `prices` (by instrument key); None when a price is missing."""
    total = account.balances.get(account.account.currency, ZERO)
    for key, position in account.positions.items():
        if position.quantity == 0:
            continue
        price, instrument = prices.get(key), instruments.get(key)
        if price is None or instrument is None:
            return None
        if instrument.is_derivative:
            total += (price - position.cost) * position.quantity * instrument.multiplier
        else:
            total += price * position.quantity * instrument.multiplier
    return total
