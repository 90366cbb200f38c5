"""What a venue would refuse: orders off the grid, below the minimum, or without the money. Pure functions.

Where the venue lends, what is sold and not there is borrowed while the account's equity covers the initial
margin of it beside all other margin. What such a sale brought in stays as security: with it, and the margin,
nothing can be bought.
"""

import hashlib
from collections.abc import Mapping
from decimal import Decimal

from neuratrade.core.engine.ledger import equity_of
from neuratrade.core.engine.state import AccountState, instrument_of_position
from neuratrade.core.model.decimals import ONE, ZERO, is_multiple
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.orders import OrderRequest, Side
from neuratrade.venues.paper.costs import PaperCosts


def objection(
    request: OrderRequest,
    account: AccountState,
    instruments: dict[str, Instrument],
    prices: dict[str, Decimal],
    costs: PaperCosts,
) -> str | None:
    """Why the venue does not take an order, or None. prices: last price by instrument, where there is one."""
    contract = instruments[request.instrument]
    for name, level in (("limit_price", request.limit_price), ("stop_price", request.stop_price)):
        if level is not None and not (is_multiple(level, contract.tick) and contract.admits_price(level)):
            return f"{name} {level} is not on the tick grid of {contract.tick} or out of bounds"
    if not is_multiple(request.quantity, contract.lot):
        return f"quantity {request.quantity} is not a multiple of the lot {contract.lot}"
    if request.role.reduces:
        return None
    if draws_reject(request.client_order_id, costs):
        return "refused by the seeded fault plan"
    price = request.limit_price or request.stop_price or prices.get(request.instrument)
    if price is None:
        return "no market: nothing was quoted yet"
    value = contract.notional(request.quantity, price)
    if request.quantity < contract.min_quantity or value < contract.min_notional:
        return f"order worth {value} is below the minimum of {contract.min_notional}"
    if contract.is_derivative:
        return _margin_shortage(value * contract.initial_margin, account, instruments, prices)
    if costs.lends:
        return _credit_shortage(request, contract, price, account, instruments, prices)
    return _cash_shortage(request, contract, value, account.balances)


def draws_reject(client_order_id: str, costs: PaperCosts) -> bool:
    """Whether the seeded fault plan refuses an entry: drawn from seed and id, so always the same."""
    if not costs.reject_fraction:
        return False
    digest = hashlib.sha256(f"{costs.seed}|{client_order_id}".encode()).digest()
    return Decimal(int.from_bytes(digest[:4], "big")) / Decimal(2**32) < costs.reject_fraction


def _margin_shortage(
    margin: Decimal, account: AccountState, instruments: dict[str, Instrument], prices: dict[str, Decimal]
) -> str | None:
    equity = equity_of(account, instruments, prices)
    held = _margin_held(account, instruments, prices)
    if equity is None or held + margin > equity:
        return f"a margin of {margin} beside {held} is more than the equity of {equity} allows"
    return None


def _margin_held(
    account: AccountState, instruments: Mapping[str, Instrument], prices: Mapping[str, Decimal]
) -> Decimal:
    held = ZERO
    for key, position in account.positions.items():
        name = instrument_of_position(key)
        contract, price = instruments[name], prices.get(name)
        if price is not None and (contract.is_derivative or position.quantity < 0):
            held += contract.notional(position.quantity, price) * contract.initial_margin
    return held


def _credit_shortage(
    request: OrderRequest,
    contract: Instrument,
    price: Decimal,
    account: AccountState,
    instruments: dict[str, Instrument],
    prices: dict[str, Decimal],
) -> str | None:
    if request.side is Side.BUY:
        bound = _bound_by_shorts(contract.quote, account, instruments, prices)
        free = {contract.quote: account.balances.get(contract.quote, ZERO) - bound}
        return _cash_shortage(request, contract, contract.notional(request.quantity, price), free)
    there = max(account.balances.get(contract.base, ZERO), ZERO)
    borrowed = max(request.quantity - there, ZERO)
    if not borrowed:
        return None
    margin = contract.notional(borrowed, price) * contract.initial_margin
    return _margin_shortage(margin, account, instruments, prices)


def _bound_by_shorts(
    currency: str, account: AccountState, instruments: Mapping[str, Instrument], prices: Mapping[str, Decimal]
) -> Decimal:
    """What has to stay of a currency to give back all that was borrowed for it, and the margin of that."""
    bound = ZERO
    for key, position in account.positions.items():
        name = instrument_of_position(key)
        contract, price = instruments[name], prices.get(name)
        borrowed = not contract.is_derivative and position.quantity < 0
        if borrowed and contract.quote == currency and price is not None:
            bound += contract.notional(position.quantity, price) * (ONE + contract.initial_margin)
    return bound


def _cash_shortage(
    request: OrderRequest, contract: Instrument, value: Decimal, balances: Mapping[str, Decimal]
) -> str | None:
    currency = contract.quote if request.side is Side.BUY else contract.base
    needed = value if request.side is Side.BUY else request.quantity
    free = balances.get(currency, ZERO)
    return f"needs {needed} {currency}, has {free}" if needed > free else None
