"""Opening a data file and reading its rows in bounded pieces, as the file has them.

Parquet, Feather (Arrow IPC) and CSV with commas. Which one it is, its first bytes say, not its name, and a
file that only looks like one (cut off in the middle, packed, another separator) is refused by what is wrong
with it. Nothing here judges a value: CSV cells stay text until `feeds.rows` reads them, so that a bad cell
can be named by its line and what stands in it.
"""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from neuratrade.core.model.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

CHUNK_ROWS = 8_192
"""Rows held as Python objects at one time: some megabytes, whatever the size of the file."""

READ_ROWS = 16 * CHUNK_ROWS
"""Rows held as columns at one time."""

HEADER_BYTES = 65_536
_PARQUET = b"PAR1"
_FEATHER = b"ARROW1"
_UTF8_MARK = b"\xef\xbb\xbf"
_OTHER_BEGINNINGS = {
    b"\x1f\x8b": "is gzip-compressed; unpack it first",
    b"PK\x03\x04": "is a zip archive; unpack it first",
    b"\x28\xb5\x2f\xfd": "is zstd-compressed; unpack it first",
    b"\xff\xfe": "is UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text; save it as UTF-8",
}


class BadFile(UsageError):
    """A file that cannot be read as what it was given for; the message names the file and the remedy."""


class Table(msgspec.Struct, frozen=True):
    """A file that can be opened: its path, form, column names, and remarks about it that are no errors.

    form: csv, parquet or feather. remarks: for example that a byte order mark was skipped.
    """

    path: Path
    form: str
    header: list[str]
    remarks: list[str] = []

    def place(self, row: int) -> str:
        """Where row number `row` (from 1) stands: a line of a text file, counting the header, or a row."""
        return f"line {row + 1}" if self.form == "csv" else f"row {row}"


def open_table(path: Path) -> Table:
    """Look at the head of a file. Raises BadFile when it is no table that can be read."""
    try:
        if path.is_dir():
            raise BadFile(f"{path}: is a folder; name one file in it")
        with path.open("rb") as file:
            beginning = file.read(8)
            if not beginning:
                raise BadFile(f"{path}: is empty")
            for mark, remedy in _OTHER_BEGINNINGS.items():
                if beginning.startswith(mark):
                    raise BadFile(f"{path}: {remedy}")
            if beginning.startswith(_PARQUET):
                return _open_parquet(path, file)
            if beginning.startswith(_FEATHER):
                return _open_feather(path)
            if path.suffix.lower() in (".parquet", ".pq"):
                raise BadFile(f"{path}: is not a Parquet file (it begins with {beginning[:4]!r})")
            if path.suffix.lower() in (".feather", ".arrow", ".ipc"):
                raise BadFile(f"{path}: is not a Feather file (it begins with {beginning[:6]!r})")
            file.seek(0)
            return _open_csv(path, file)
    except OSError as error:
        raise BadFile(f"{path}: cannot be read: {error.strerror or error}") from error


def read_frames(table: Table) -> Iterator["pl.DataFrame"]:
    """The rows of a table in order, at most READ_ROWS at a time.

    Raises BadFile with the line where it breaks.
    """
    if table.form == "csv":
        return _read_csv(table)
    return _read_columnar(table)


def _open_parquet(path: Path, file: BinaryIO) -> Table:
    size = file.seek(0, 2)
    file.seek(max(size - len(_PARQUET), 0))
    if size < 12 or file.read() != _PARQUET:
        raise BadFile(f"{path}: is cut off (a Parquet file must end with its footer); copy it again")
    try:
        return Table(path, "parquet", _scan(path, "parquet").collect_schema().names())
    except _failures() as error:
        raise BadFile(f"{path}: is a damaged Parquet file ({_first_line(error)}); copy it again") from error


def _open_feather(path: Path) -> Table:
    try:
        return Table(path, "feather", _scan(path, "feather").collect_schema().names())
    except _failures() as error:
        raise BadFile(f"{path}: is a damaged Feather file ({_first_line(error)}); copy it again") from error


def _open_csv(path: Path, file: BinaryIO) -> Table:
    line = file.readline(HEADER_BYTES)
    remarks = []
    if line.startswith(_UTF8_MARK):
        line = line[len(_UTF8_MARK) :]
        remarks.append("line 1: a byte order mark was skipped")
    if b"\0" in line or (len(line) == HEADER_BYTES and not line.endswith(b"\n")):
        raise BadFile(f"{path}: is neither Parquet, Feather nor CSV text")
    try:
        text = line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise BadFile(f"{path}: line 1: is not UTF-8 text; save it as UTF-8") from error
    for separator, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if separator in text and "," not in text:
            raise BadFile(
                f"{path}: line 1: columns are separated by {word}; save it with commas and decimal points"
            )
    header = [name.strip() for name in next(csv.reader([text]), [])]
    if not any(header):
        raise BadFile(f"{path}: line 1: holds no column names")
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise BadFile(f"{path}: line 1: column {twice[0]!r} stands twice; rename or remove one")
    if all(name.replace(".", "", 1).replace("-", "", 1).isdigit() for name in header if name):
        raise BadFile(
            f"{path}: line 1: holds numbers, not column names; add a line ts,open,high,low,close,volume"
        )
    return Table(path, "csv", header, remarks)


def _read_columnar(table: Table) -> Iterator["pl.DataFrame"]:
    scan = _scan(table.path, table.form)
    offset = 0
    while True:
        try:
            frame = scan.slice(offset, READ_ROWS).collect()
        except _failures() as error:
            raise BadFile(
                f"{table.path}: cannot be read after row {offset} ({_first_line(error)}); copy it again"
            ) from error
        if frame.height:
            yield frame
        if frame.height < READ_ROWS:
            return
        offset += frame.height


def _read_csv(table: Table) -> Iterator["pl.DataFrame"]:
    import polars as pl

    schema = {f"{number}:{name}": pl.String for number, name in enumerate(table.header)}
    row = 1
    with table.path.open("rb") as file:
        file.readline(HEADER_BYTES)
        while lines := list(islice(file, READ_ROWS)):
            lines = _without_blank_end(table, file, lines, row)
            if not lines:
                return
            try:
                frame = pl.read_csv(b"".join(lines), has_header=False, schema=schema)
            except _failures() as error:
                raise _explain_csv(table, lines, row, error) from error
            if frame.height != len(lines):
                raise _explain_csv(table, lines, row, None)
            yield frame.rename(dict(zip(schema, table.header, strict=True)))
            row += len(lines)


def _without_blank_end(table: Table, file: BinaryIO, lines: list[bytes], row: int) -> list[bytes]:
    """Blank lines at the very end are nothing; one in the middle may be a lost row, and is refused."""
    blank = next((index for index, line in enumerate(lines) if not line.strip()), None)
    if blank is None:
        return lines
    if any(line.strip() for line in lines[blank:]) or any(line.strip() for line in file):
        raise BadFile(f"{table.path}: {table.place(row + blank)}: is empty; remove it or restore its row")
    return lines[:blank]


def _explain_csv(table: Table, lines: list[bytes], row: int, error: BaseException | None) -> BadFile:
    for index, line in enumerate(lines):
        place = f"{table.path}: {table.place(row + index)}"
        try:
            cells = next(csv.reader([line.decode("utf-8")]), [])
        except (UnicodeDecodeError, csv.Error):
            return BadFile(f"{place}: is not UTF-8 text")
        if len(cells) > len(table.header):
            return BadFile(
                f"{place}: has {len(cells)} cells where the header names {len(table.header)} columns"
            )
        if line.count(b'"') % 2:
            return BadFile(f"{place}: a quotation mark is not closed")
    last = table.place(row + len(lines) - 1)
    return BadFile(
        f"{table.path}: {table.place(row)} to {last}: cannot be read "
        f"({_first_line(error) if error else 'rows lost'})"
    )


def _scan(path: Path, form: str) -> "pl.LazyFrame":
    import polars as pl

    # A path is one file, also when its name holds what a shell would expand.
    return pl.scan_parquet(path, glob=False) if form == "parquet" else pl.scan_ipc(path, glob=False)


def _failures() -> tuple[type[BaseException], ...]:
    """What reading a damaged file may raise; the reader below polars panics on some, outside of Exception."""
    import polars as pl

    return (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, UnicodeDecodeError)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
