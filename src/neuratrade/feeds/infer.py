"""What can be told about an instrument from its data alone: the grids of its prices and volumes, and no more.

Kind and fees cannot be seen in prices. They are assumed on the dear side (spot, no leverage, 10 basis
points), so that a result on inferred terms errs against the strategy, and the import says so.
"""

from decimal import Decimal
from typing import TYPE_CHECKING

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.feeds.layout import AMOUNTS, PRICES, SeriesKind

if TYPE_CHECKING:
    import polars as pl

ASSUMED_FEE_BPS = Decimal(10)
_ROWS_LOOKED_AT = 20_000


def infer_instrument(
    asset: str, venue: str, rows: "pl.DataFrame", kind: SeriesKind = SeriesKind.BARS
) -> Instrument:
    """An instrument from rows in normal form: tick and lot are the finest power of ten that occurs."""
    pair, _, _settlement = asset.partition(":")
    base, _, quote = pair.partition("/")
    lot = _grid(rows, AMOUNTS[kind])
    return Instrument(
        asset=asset,
        venue=venue,
        kind=InstrumentKind.SPOT if quote else InstrumentKind.EQUITY,
        base=base,
        quote=quote or "USD",
        tick=_grid(rows, PRICES[kind]),
        lot=lot,
        min_quantity=lot,
        min_notional=ZERO,
        maker_fee_bps=ASSUMED_FEE_BPS,
        taker_fee_bps=ASSUMED_FEE_BPS,
    )


def _grid(rows: "pl.DataFrame", fields: tuple[str, ...]) -> Decimal:
    """10 to the power of minus the most decimals any value has, of rows spread over the whole."""
    import polars as pl

    looked_at = rows.gather_every(max(rows.height // _ROWS_LOOKED_AT, 1))
    finest = 0
    for field in fields:
        text = looked_at[field].drop_nulls().unique().cast(pl.String).to_frame("text")
        parts = text.select(
            decimals=pl.col("text")
            .str.extract(r"\.(\d+)")
            .str.strip_chars_end("0")
            .str.len_chars()
            .fill_null(0),
            exponent=pl.col("text").str.extract(r"e(-?\d+)").cast(pl.Int64).fill_null(0),
        )
        most = parts.select((pl.col("decimals").cast(pl.Int64) - pl.col("exponent")).max()).item()
        finest = max(finest, most or 0)
    return Decimal(1).scaleb(-finest)
