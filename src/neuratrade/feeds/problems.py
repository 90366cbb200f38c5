"""What is wrong with the rows of a file: each broken rule with its row, field and words, listed and
counted.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import polars as pl

LISTED_PER_RULE = 20
"""Rows named one by one for each rule and piece of a file; the others are only counted."""


class Problem(msgspec.Struct, frozen=True):
    """One broken rule: the row (from 1), the field, and what is wrong with it."""

    row: int
    field: str
    message: str


class Problems:
    """Collects broken rules: `count` is all of them, `listed` the first of each rule."""

    def __init__(self) -> None:
        self.listed: list[Problem] = []
        self.count = 0

    def add_where(self, bad: "pl.Series", first_row: int, field: str, describe: Callable[[int], str]) -> None:
        """A problem for each true element of `bad` (null is not true); `describe` is given its index."""
        if not bad.any():
            return
        where = bad.fill_null(value=False).arg_true()
        self.listed += [
            Problem(first_row + index, field, describe(index))
            for index in where.head(LISTED_PER_RULE).to_list()
        ]
        self.count += where.len()
