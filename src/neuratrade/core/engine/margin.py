"""Margin: what positions tie up, what the venue wants kept, and the price at which it would close them.

With isolated margin a position answers with its own margin alone; with cross margin with the whole account.
"""

from collections.abc import Mapping
from decimal import Decimal

from neuratrade.core.engine.ledger import equity_of
from neuratrade.core.engine.state import AccountState, instrument_of_position
from neuratrade.core.model.account import MarginMode
from neuratrade.core.model.decimals import ONE, ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction, OpenIntent
from neuratrade.core.risk.margin import liquidation_price
from neuratrade.core.risk.view import AccountView


def maintenance_needed(
    account: AccountState,
    instruments: Mapping[str, Instrument],
    prices: Mapping[str, Decimal],
    rates: Mapping[str, Decimal],
) -> Decimal | None:
    """What the venue wants kept for all positions, account currency; None: a price is missing.

    prices: by position key or instrument key. rates: account currency per unit of a currency.
    """
    total = ZERO
    for key, position in account.positions.items():
        name = instrument_of_position(key)
        contract = instruments.get(name)
        if contract is None or contract.maintenance_margin is None or not position.quantity:
            continue
        price, rate = prices.get(key, prices.get(name)), _rate(account, contract, rates)
        if price is None or rate is None:
            return None
        total += contract.notional(position.quantity, price) * contract.maintenance_margin * rate
    return total


def liquidation_of_position(
    account: AccountState,
    instruments: Mapping[str, Instrument],
    key: str,
    prices: Mapping[str, Decimal] | None = None,
    rates: Mapping[str, Decimal] | None = None,
) -> Decimal | None:
    """Price at which the venue would close the position under `key`, quote currency per unit; None: nowhere.

    All other prices stay where they are; a position without a price is taken at its cost. With cross margin:
    equity + q m r (P - P0) = others' maintenance + k |q| m r P, solved for P; q signed units, m multiplier,
    r rate, k maintenance margin.
    """
    position, contract = account.positions.get(key), instruments.get(instrument_of_position(key))
    if position is None or contract is None or contract.maintenance_margin is None or not position.quantity:
        return None
    known, margin = rates or {}, contract.maintenance_margin
    if account.account.margin is MarginMode.ISOLATED:
        direction = Direction.LONG if position.quantity > 0 else Direction.SHORT
        return liquidation_price(position.cost, direction, contract.initial_margin, margin)
    at = {name: item.cost for name, item in account.positions.items() if item.quantity} | dict(prices or {})
    equity = equity_of(account, instruments, at, known)
    needed = maintenance_needed(account, instruments, at, known)
    rate = _rate(account, contract, known)
    if equity is None or needed is None or rate is None:
        return None
    quantity = position.quantity * contract.multiplier * rate
    others = needed - abs(quantity) * at[key] * margin
    price = (quantity * at[key] - equity + others) / (quantity - margin * abs(quantity))
    return price if price > ZERO else None


def liquidation_of_entry(
    intent: OpenIntent, contract: Instrument, account: AccountView, rate: Decimal, leverage: Decimal
) -> Decimal | None:
    """Where an entry would be liquidated if it filled whole; None: nowhere, or nothing is known of equity.

    Of cross margin it knows that the account as a whole answers for all it holds: the margin is what equity
    is of the notional, at most `leverage` times equity where no quantity is named. rate: account currency
    per unit of quote currency.
    """
    if contract.maintenance_margin is None:
        return None
    margin = contract.initial_margin
    if account.account.margin is MarginMode.CROSS:
        if account.equity is None or account.equity <= ZERO:
            return None
        most = account.equity * leverage
        named = intent.quantity
        wanted = most if named is None else contract.notional(named, intent.trigger_price) * rate
        total = min(account.gross_notional + wanted, max(most, account.gross_notional))
        margin = ONE if total <= account.equity else account.equity / total
    return liquidation_price(intent.trigger_price, intent.direction, margin, contract.maintenance_margin)


def _rate(account: AccountState, contract: Instrument, rates: Mapping[str, Decimal]) -> Decimal | None:
    return ONE if contract.quote == account.account.currency else rates.get(contract.quote)
