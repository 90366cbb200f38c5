"""The rows of one table that a batch of facts touches: read once, changed in memory, written once.

Folding thousands of facts row by row through SQL would take a statement for each; this takes a read for
each row that an earlier batch wrote, and two statements a table at the end.
"""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, bindparam, delete, insert, select

Row = dict[str, Any]
Key = tuple[object, ...]


class WorkingRows:
    """Rows by the columns they are looked up with; of several, the one written last counts."""

    def __init__(
        self, connection: Connection, table: Table, *lookup: str, only: ColumnElement[bool] | None = None
    ) -> None:
        """Works inside the transaction of `connection`. only: which rows of the table can be found."""
        self._connection = connection
        self._table = table
        self._lookup = lookup
        self._only = [] if only is None else [only]
        self._primary = [column.name for column in table.primary_key]
        self._found: dict[Key, Row | None] = {}
        self._new: dict[int, Row] = {}
        self._changed: dict[int, Row] = {}
        self._gone: dict[int, Row] = {}

    def find(self, *key: object) -> Row | None:
        """The row of a key, to read; None when there is none."""
        if key not in self._found:
            matches = [self._table.c[name] == value for name, value in zip(self._lookup, key, strict=True)]
            newest = [self._table.c[name].desc() for name in self._primary]
            query = select(self._table).where(*matches, *self._only).order_by(*newest).limit(1)
            row = self._connection.execute(query).mappings().first()
            self._found[key] = None if row is None else dict(row)
        return self._found[key]

    def add(self, row: Row, *, findable: bool = True) -> Row:
        """A row that the table does not have; returns it."""
        if findable:
            self._found[tuple(row[name] for name in self._lookup)] = row
        self._new[id(row)] = row
        return row

    def change(self, row: Row, **values: object) -> None:
        """New values for a row that `find` or `add` gave; never for its keys."""
        row.update(values)
        if id(row) not in self._new:
            self._changed[id(row)] = row

    def remove(self, row: Row) -> None:
        """Takes away a row that `find` or `add` gave."""
        self._found[tuple(row[name] for name in self._lookup)] = None
        self._changed.pop(id(row), None)
        if self._new.pop(id(row), None) is None:
            self._gone[id(row)] = row

    def flush(self) -> None:
        """Writes all of it; afterwards every row is read anew."""
        old = (*self._changed.values(), *self._gone.values())
        if old:
            matches = [self._table.c[name] == bindparam(f"old_{name}") for name in self._primary]
            keys = [{f"old_{name}": row[name] for name in self._primary} for row in old]
            self._connection.execute(delete(self._table).where(*matches), keys)
        written = [_clean(row) for row in (*self._new.values(), *self._changed.values())]
        if written:
            self._connection.execute(insert(self._table), written)
        self._found, self._new, self._changed, self._gone = {}, {}, {}, {}


def _clean(row: Row) -> Row:
    """A venue may send a NUL, which PostgreSQL cannot keep as text; the journal has the original."""
    return {k: v.replace("\0", "\ufffd") if isinstance(v, str) and "\0" in v else v for k, v in row.items()}
