"""What Alpaca's list of assets says of a contract, as an instrument of ours.

Fees are those of the lowest tier of its crypto schedule, as published in November 2026; stocks have none.
Without keys the list is closed: the price step is then as fine as the prices seen, the quantity step the
finest that the venue takes, both for practice only, since no order can be sent without keys.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import Instrument, InstrumentKind

NAME = "alpaca"
MAKER_BPS, TAKER_BPS = Decimal(15), Decimal(25)
LEAST_ORDER = Decimal(1)
"""Quote currency."""
FINEST = Decimal("1e-9")
CENT = Decimal("0.01")
"""Price step of stocks from one dollar on; cheaper ones have a finer one, which is not used."""


class WireAsset(msgspec.Struct, frozen=True, rename={"kind": "class"}):
    """An asset. The three amounts are told for crypto alone, what is lent for stocks."""

    symbol: str
    kind: str
    status: str = "active"
    tradable: bool = True
    shortable: bool = False
    easy_to_borrow: bool = False
    min_order_size: Decimal | None = None
    min_trade_increment: Decimal | None = None
    price_increment: Decimal | None = None


def is_crypto(symbol: str) -> bool:
    """Whether a symbol is that of a pair, as Alpaca writes them."""
    return "/" in symbol


def instrument_of(asset: WireAsset, seen: Iterable[Decimal] = ()) -> Instrument:
    """The instrument. seen: prices that tell the step where the asset does not.

    Raises UsageError for a kind of asset that the desk cannot value, or steps that are none.
    """
    if asset.kind == "us_equity":
        one = Decimal(1)
        return Instrument(
            asset.symbol, NAME, InstrumentKind.EQUITY, asset.symbol, "USD",
            tick=CENT, lot=one, min_quantity=one, min_notional=LEAST_ORDER,
        )  # fmt: skip
    base, _, quote = asset.symbol.partition("/")
    if asset.kind != "crypto" or not (base and quote):
        raise UsageError(
            f"{asset.symbol} is of class {asset.kind!r} at Alpaca: stocks and crypto are known here"
        )
    lot = asset.min_trade_increment or FINEST
    tick = asset.price_increment or _step(seen)
    least = asset.min_order_size or lot
    if not all(value.is_finite() and value > 0 for value in (lot, tick, least)):
        raise UsageError(f"{asset.symbol}: Alpaca states steps that are none: {lot}, {tick}, {least}")
    return Instrument(
        asset.symbol, NAME, InstrumentKind.SPOT, base, quote,
        tick=tick, lot=lot, min_quantity=least, min_notional=LEAST_ORDER,
        maker_fee_bps=MAKER_BPS, taker_fee_bps=TAKER_BPS, fee_in_base=True,
    )  # fmt: skip


def _step(prices: Iterable[Decimal]) -> Decimal:
    """The coarsest step of tens that has all prices on its grid, at most a cent."""
    exponents = [price.normalize().as_tuple().exponent for price in prices if price.is_finite() and price > 0]
    finest = min([exponent for exponent in exponents if isinstance(exponent, int)] + [-2])
    return Decimal(1).scaleb(max(finest, -12))
