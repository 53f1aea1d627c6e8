"""Cut the files of a run into units that processes can read side by side.

Its law: every row is in exactly one unit.

A Parquet file is cut between row groups.  A CSV file is cut at ends of rows, which are told from line breaks
within quotes by counting quotes from the beginning: an even number of them lies before the end of a row, as
a quote within a quoted field is doubled (RFC 4180).  The count costs one pass at the speed of memory.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from reconciler.providers.adls.inventory.faults import Flaw, InventoryFault
from reconciler.providers.adls.inventory.manifest import NEEDED
from reconciler.providers.adls.inventory.source import LocalFile

ROWS = 2_000_000
"""Rows of one unit of Parquet, as far as row groups allow."""
BYTES = 256 << 20
"""Bytes of one unit of CSV."""
CHUNK = 8 << 20
LONGEST_HEADER = 1 << 16
MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A part of a file that one process reads by itself."""

    path: str
    name: str
    form: str
    """`csv` or `parquet`."""
    start: int
    """The first row group, or the first byte after the header."""
    stop: int
    """The row group, or the byte, after the last one."""
    rows: int | None
    """How many rows it has; None where only reading tells."""
    size: int
    """Bytes to be read, about: what work is shared out by."""
    header: tuple[str, ...] = ()
    """The columns of a CSV file, whose first row is in no unit."""

    @property
    def place(self) -> str:
        """The file and the part, as messages name them."""
        if self.form == "parquet":
            return f"{self.name}, row groups {self.start} to {self.stop - 1}"
        return f"{self.name}, bytes {self.start:,} to {self.stop:,}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The units of all files that could be opened, and the faults of the others."""

    units: tuple[Unit, ...]
    faults: tuple[InventoryFault, ...]

    @property
    def rows(self) -> int | None:
        """Rows of all units; None where only reading tells."""
        rows = [unit.rows for unit in self.units]
        return None if None in rows else sum(row for row in rows if row is not None)


def cut(files: Sequence[LocalFile], form: str, *, rows: int = ROWS, size: int = BYTES) -> Cut:
    """Cut files of one form, `csv` or `parquet`, into units: largest first, so that the last are small."""
    units: list[Unit] = []
    faults: list[InventoryFault] = []
    for file in files:
        try:
            units += _parquet(file, rows) if form == "parquet" else _csv(file, size)
        except InventoryFault as fault:
            faults.append(fault)
        except OSError as error:
            faults.append(unreadable(file.name, str(error)))
    units.sort(key=lambda unit: -unit.size)
    return Cut(units=tuple(units), faults=tuple(faults))


def unreadable(place: str, reason: str) -> InventoryFault:
    """A file, or a part of one, that does not open or breaks off."""
    text = f"it cannot be read: {reason}; fetch it anew, or wait for the next run"
    return InventoryFault(Flaw.FILE, place, text)


def _parquet(file: LocalFile, rows: int) -> Iterator[Unit]:
    try:
        with pq.ParquetFile(file.path) as opened:
            metadata = opened.metadata
            check_fields(file.name, opened.schema_arrow.names)
            groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
            weights = [(group.num_rows, group.total_byte_size) for group in groups]
    except (pa.ArrowException, OSError) as error:
        raise unreadable(file.name, f"no whole Parquet file ({_first_line(error)})") from None
    start = count = size = 0
    for number, (group_rows, group_size) in enumerate(weights, 1):
        count, size = count + group_rows, size + group_size
        if count >= rows or number == len(weights):
            yield Unit(
                path=file.path,
                name=file.name,
                form="parquet",
                start=start,
                stop=number,
                rows=count,
                size=size,
            )
            start, count, size = number, 0, 0


def _csv(file: LocalFile, size: int) -> Iterator[Unit]:
    with Path(file.path).open("rb") as opened:
        begin, header = _header(file, opened)
        check_fields(file.name, header)
        for start, stop in _ranges(file, opened, begin, size):
            yield Unit(
                path=file.path,
                name=file.name,
                form="csv",
                start=start,
                stop=stop,
                rows=None,
                size=stop - start,
                header=header,
            )


def _header(file: LocalFile, opened: BinaryIO) -> tuple[int, tuple[str, ...]]:
    """Where rows begin, and the names of the columns."""
    head = opened.read(LONGEST_HEADER)
    if not head:
        raise unreadable(file.name, "it is empty, without even a first row that names the columns")
    mark = len(MARK) if head.startswith(MARK) else 0
    end = head.find(b"\n")
    if end < 0:
        raise unreadable(file.name, f"no row ends within its first {len(head):,} bytes")
    try:
        text = head[mark:end].decode().rstrip("\r")
    except UnicodeDecodeError:
        raise unreadable(file.name, "its first row is no UTF-8") from None
    try:
        return end + 1, tuple(next(csv.reader(io.StringIO(text)), ()))
    except csv.Error as error:
        raise unreadable(file.name, f"its first row is no CSV ({error})") from None


def _ranges(file: LocalFile, opened: BinaryIO, begin: int, size: int) -> Iterator[tuple[int, int]]:
    """Where to begin and to end, so that each range holds whole rows."""
    opened.seek(begin)
    start = at = begin
    quotes = 0
    while chunk := opened.read(CHUNK):
        if at + len(chunk) - start >= size:
            stop = _end_of_row(chunk, quotes)
            if stop:
                yield start, at + stop
                start = at + stop
        quotes += chunk.count(b'"')
        at += len(chunk)
    if quotes % 2:
        raise unreadable(file.name, f"it breaks off within quotes, after {at:,} bytes")
    if start < at:
        yield start, at


def _end_of_row(chunk: bytes, quotes: int) -> int:
    """Behind the last line break of a chunk that is the end of a row; 0 where there is none."""
    total = quotes + chunk.count(b'"')
    stop = len(chunk)
    while (found := chunk.rfind(b"\n", 0, stop)) >= 0:
        total -= chunk.count(b'"', found, stop)
        if total % 2 == 0:
            return found + 1
        stop = found
    return 0


def check_fields(name: str, fields: Sequence[str]) -> None:
    """See that a file has the columns that are needed, each once; raises InventoryFault."""
    missing = [field for field in NEEDED if field not in fields]
    if missing:
        raise InventoryFault(
            Flaw.SCHEMA,
            name,
            f"it has {len(fields)} columns without {', '.join(missing)}: add to the rule's schemaFields",
        )
    twice = [field for field in (*NEEDED, "Group") if list(fields).count(field) > 1]
    if twice:
        raise InventoryFault(Flaw.SCHEMA, name, f"it has the column {twice[0]} twice; wait for the next run")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
