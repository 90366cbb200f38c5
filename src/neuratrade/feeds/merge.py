"""Two recordings of one market: do they agree where both speak, and what do both say together.

Bars are known by their opening. Of ticks several may share one instant, so a tick is known by its time and
its place among those of that time. A recording may begin in the middle of such a group: where it then is the
end of the other's group, both are counted from the end.
"""

from typing import TYPE_CHECKING

import msgspec

from neuratrade.feeds.layout import SeriesKind
from neuratrade.feeds.rules import iso_of

if TYPE_CHECKING:
    import polars as pl

_PLACE = "place"


class Merged(msgspec.Struct, frozen=True):
    """Both recordings in one. added: rows that only the new one had."""

    frame: "pl.DataFrame"
    added: int


def merge(present: "pl.DataFrame | None", new: "pl.DataFrame", kind: SeriesKind) -> Merged | str:
    """Both recordings (normal form, in order) in one, or in words the first row in which they disagree."""
    import polars as pl

    if present is None or not present.height:
        return Merged(new, new.height)
    keys = ["ts"]
    if kind is not SeriesKind.BARS:
        keys = ["ts", _PLACE]
        begun = [at for at in {present["ts"][0], new["ts"][0]} if _begun_inside(present, new, at)]
        present, new = _placed(present, begun), _placed(new, begun)
    difference = _first_difference(present, new, keys)
    if difference:
        return difference
    added = new.join(present, on=keys, how="anti")
    if not added.height:
        return Merged(present.drop(_PLACE, strict=False), 0)
    together = pl.concat([present, added]).sort(keys).drop(_PLACE, strict=False)
    return Merged(together, added.height)


def by_month(frame: "pl.DataFrame") -> dict[str, "pl.DataFrame"]:
    """The rows of each calendar month (UTC), by its name such as `2025-03`, in order."""
    import polars as pl

    month = pl.from_epoch("ts", time_unit="ns").dt.strftime("%Y-%m").alias("month")
    parts = frame.with_columns(month).partition_by("month", as_dict=True, include_key=False)
    return {str(key[0]): part for key, part in parts.items()}


def _begun_inside(present: "pl.DataFrame", new: "pl.DataFrame", at_ns: int) -> bool:
    """Whether the ticks one has at an instant are not the first but the last of those the other has."""
    groups = (frame.filter(frame["ts"] == at_ns).rows() for frame in (present, new))
    shorter, longer = sorted(groups, key=len)
    return longer[: len(shorter)] != shorter


def _placed(frame: "pl.DataFrame", begun: list[int]) -> "pl.DataFrame":
    import polars as pl

    place = pl.int_range(pl.len(), dtype=pl.Int64).over("ts")
    from_the_end = place - pl.len().over("ts").cast(pl.Int64)
    return frame.with_columns(
        pl.when(pl.col("ts").is_in(begun)).then(from_the_end).otherwise(place).alias(_PLACE)
    )


def _first_difference(present: "pl.DataFrame", new: "pl.DataFrame", keys: list[str]) -> str:
    import polars as pl

    fields = [name for name in new.columns if name not in keys]
    both = new.join(present, on=keys, how="inner", suffix="_present", maintain_order="left")
    differs = both.filter(
        pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_present")) for name in fields)
    ).head(1)
    if not differs.height:
        return ""
    row = differs.row(0, named=True)
    field = next(name for name in fields if row[name] != row[f"{name}_present"])
    return f"{field}: {row[field]} at {iso_of(row['ts'])}, where the catalogue has {row[f'{field}_present']}"
