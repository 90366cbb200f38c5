"""What can be told about an instrument from its bars alone: the grids of its prices and volumes, and no more.

Kind and fees cannot be seen in prices. They are assumed on the dear side (spot, no leverage, 10 basis
points), so that a result on inferred terms errs against the strategy, and the import says so.
"""

from decimal import Decimal
from typing import TYPE_CHECKING

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument, InstrumentKind

if TYPE_CHECKING:
    import polars as pl

ASSUMED_FEE_BPS = Decimal(10)
_ROWS_LOOKED_AT = 20_000


def infer_instrument(asset: str, venue: str, bars: "pl.DataFrame") -> Instrument:
    """An instrument from bars in normal form: tick and lot are the finest power of ten that occurs."""
    pair, _, _settlement = asset.partition(":")
    base, _, quote = pair.partition("/")
    lot = _grid(bars, ("volume",))
    return Instrument(
        asset=asset,
        venue=venue,
        kind=InstrumentKind.SPOT if quote else InstrumentKind.EQUITY,
        base=base,
        quote=quote or "USD",
        tick=_grid(bars, ("open", "high", "low", "close")),
        lot=lot,
        min_quantity=lot,
        min_notional=ZERO,
        maker_fee_bps=ASSUMED_FEE_BPS,
        taker_fee_bps=ASSUMED_FEE_BPS,
    )


def _grid(bars: "pl.DataFrame", fields: tuple[str, ...]) -> Decimal:
    """10 to the power of minus the most decimals any value has."""
    import polars as pl

    finest = 0
    for field in fields:
        for text in bars[field].head(_ROWS_LOOKED_AT).unique().cast(pl.String).to_list():
            finest = min(finest, int(Decimal(text).normalize().as_tuple().exponent))
    return Decimal(1).scaleb(finest)
