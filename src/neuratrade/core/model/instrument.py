"""Instruments: what is traded, on which grid, at which venue.

A venue's symbol alone never identifies an instrument here, since the same words mean different
contracts at two venues: the key is `ASSET@venue`.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from neuratrade.core.model.decimals import ONE, ZERO, floor_to, nearest


class InstrumentKind(StrEnum):
    """The kinds of contract the ledger and the gate know how to value."""

    SPOT = "spot"
    PERPETUAL = "perpetual"
    FUTURE = "future"
    EQUITY = "equity"
    BINARY = "binary"


DERIVATIVES = (InstrumentKind.PERPETUAL, InstrumentKind.FUTURE)

EXIT_SLACK = Decimal("0.95")
"""Of its level, what a stop or an exit may be limited to: an order there is worth that much less."""


class Instrument(msgspec.Struct, frozen=True):
    """One contract at one venue.

    asset: the pair or ticker as people write it, for example `BTC/USDT`.
    tick: price step, quote currency per unit of base. lot: quantity step, units of base or contracts.
    min_notional: smallest order value in the quote currency.
    multiplier: quote currency per contract and point (futures: tick value / tick); 1 for the others.
    maker_fee_bps, taker_fee_bps: basis points of notional. commission: quote currency per unit or contract
    traded, each way, beside them. fee_in_base: buys pay their basis points in base.
    initial_margin: fraction of notional a derivative position ties up. maintenance_margin: fraction below
    which the venue closes it; None where it never does.
    price_floor, price_ceiling: bounds a price must keep (binary outcomes: 0 and 1). flat_by_ns: when
    nothing of it may be held any more, since it expires or is delivered; None where it does not end.
    """

    asset: str
    venue: str
    kind: InstrumentKind
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    min_quantity: Decimal
    min_notional: Decimal
    multiplier: Decimal = ONE
    maker_fee_bps: Decimal = ZERO
    taker_fee_bps: Decimal = ZERO
    fee_in_base: bool = False
    commission: Decimal = ZERO
    initial_margin: Decimal = ONE
    maintenance_margin: Decimal | None = None
    price_floor: Decimal = ZERO
    price_ceiling: Decimal | None = None
    flat_by_ns: int | None = None

    @property
    def key(self) -> str:
        """`ASSET@venue`, the name used in events, orders and rows."""
        return f"{self.asset}@{self.venue}"

    @property
    def tick_value(self) -> Decimal:
        """What one tick of one contract is worth, quote currency."""
        return self.tick * self.multiplier

    @property
    def is_derivative(self) -> bool:
        """Whether a position is margin plus unrealised profit rather than an owned holding."""
        return self.kind in DERIVATIVES

    def notional(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Value of `quantity` at `price`, quote currency, never negative."""
        return abs(quantity * price) * self.multiplier

    def round_price(self, price: Decimal) -> Decimal:
        """`price` on the tick grid, nearest tick."""
        return nearest(price, self.tick)

    def round_quantity(self, quantity: Decimal) -> Decimal:
        """`quantity` on the lot grid, never more than asked."""
        return floor_to(quantity, self.lot)

    def is_dust(self, quantity: Decimal, level: Decimal) -> bool:
        """Whether a holding is too little to be left by an order at `level`, quote per base.

        Of a derivative only what is below a lot is: venues take any order that only reduces it.
        """
        lots = self.round_quantity(quantity)
        if not lots or self.is_derivative:
            return not lots
        return lots < self.min_quantity or self.notional(lots, level * EXIT_SLACK) < self.min_notional

    def admits_price(self, price: Decimal) -> bool:
        """Whether a price lies inside the contract's bounds (above the floor, below any ceiling)."""
        return price > self.price_floor and (self.price_ceiling is None or price < self.price_ceiling)


def instrument_key(asset: str, venue: str) -> str:
    """The key of an instrument from its parts."""
    return f"{asset}@{venue}"
