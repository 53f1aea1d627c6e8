"""Open units of an inventory as record batches: four columns, names without their container.

Its law: a row that is given is what the file says; a unit that cannot be read to its end raises a fault, and
never ends early.

Batches are `SCHEMA`.  Names are the paths from the container's root, valid UTF-8, without a slash at the end;
rows of other containers are left out and counted.  A missing `Acl` or `Group` is null or "".
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from reconciler.providers.adls.inventory.faults import Flaw, InventoryFault
from reconciler.providers.adls.inventory.units import Unit, unreadable

WORDS = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        pa.field("Name", pa.string(), nullable=False),
        pa.field("hdi_isfolder", pa.bool_(), nullable=False),
        pa.field("Acl", WORDS),
        pa.field("Group", WORDS),
    ]
)
BATCH = 1 << 16
"""Rows of a batch of Parquet."""
BLOCK = 2 << 20
"""Bytes of a batch of CSV; no row may be longer."""
FOLDER = {"": False, "false": False, "true": True}
"""How a directory is marked, in any case; no value marks a file."""
SLASH = 0x2F


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One container of a run, and how its names are written there."""

    container: str
    qualified: bool
    """Names begin with their container."""
    encoded: bool = False
    """Names are percent-encoded."""
    alone: bool = False
    """The rule lists no other container: a name of another one is a contradiction."""


@dataclass(slots=True)
class Rows:
    """The rows of one unit, once: a stream of batches that counts."""

    unit: Unit
    view: View
    met: int = 0
    """Rows read so far, of whatever container."""
    kept: int = 0
    """Of these, rows of the container."""
    _names: _Names = field(init=False)

    def __post_init__(self) -> None:
        self._names = _Names(self.unit, self.view)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The batches; raises InventoryFault, after which nothing more comes."""
        try:
            for raw in _parquet(self.unit) if self.unit.form == "parquet" else _csv(self.unit):
                batch = self.take(raw)
                self.met += raw.num_rows
                self.kept += batch.num_rows
                if batch.num_rows:
                    yield batch
        except (pa.ArrowException, OSError) as error:
            place = f"{self.unit.place}, after {self.met:,} rows"
            raise unreadable(place, _said(error)) from None

    def take(self, raw: pa.RecordBatch) -> pa.RecordBatch:
        """One batch as it is written, in the form in which rows are judged; raises InventoryFault."""
        names = raw.column("Name")
        folders = self._folders(raw.column("hdi_isfolder"))
        lists = _words(raw.column("Acl"))
        at = raw.schema.get_field_index("Group")
        groups = _words(raw.column(at)) if at >= 0 else _nothing(raw.num_rows)
        names, mask = self._names.of(names, self.met)
        columns = [folders, lists, groups]
        if mask is not None:
            columns = [column.filter(mask) for column in columns]
        return pa.record_batch([self._names.bare(names, self.met), *columns], schema=SCHEMA)

    def _folders(self, column: pa.Array) -> pa.Array:
        if pa.types.is_boolean(column.type):
            return column.fill_null(False)
        if pa.types.is_integer(column.type):
            column = column.cast(pa.string())
        column = _words(column)
        said = column.dictionary.to_pylist()
        strange = [each for each in said if (each or "").lower() not in FOLDER]
        if strange:
            text = f"hdi_isfolder is {strange[0]!r}, neither true nor false; wait for the next run"
            raise InventoryFault(Flaw.FILE, f"{self.unit.place}, after {self.met:,} rows", text)
        meant = np.array([*(FOLDER[(each or "").lower()] for each in said), False])
        # No index stands for no value, which is the last one here.
        return pa.array(meant[column.indices.fill_null(len(said)).to_numpy(zero_copy_only=False)])


@dataclass(slots=True)
class _Names:
    """From names as they are written to paths of the container."""

    unit: Unit
    view: View
    base: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.base = f"{self.view.container}/".encode()

    def of(self, names: pa.Array, met: int) -> tuple[pa.Array, pa.Array | None]:
        """The names of the container, as bytes, and which ones they are; None for all."""
        if pa.types.is_dictionary(names.type):
            names = names.dictionary_decode()
        if names.null_count:
            raise self._fault(met, f"{names.null_count:,} rows have no Name")
        names = names.cast(pa.binary())
        if self.view.encoded:
            names = self._decoded(names, met)
        if not self.view.qualified:
            return names, None
        mask = pc.starts_with(names, self.base)
        # The container itself, with a slash behind it, is no path in it.
        if (short := _lengths(names) <= len(self.base)).any():
            mask = pc.and_not(mask, pa.array(short))
        if pc.all(mask).as_py() is not False:
            return _cut(names, len(self.base)), None
        if self.view.alone:
            self._judge_others(names.filter(pc.invert(mask)), met)
        return _cut(names.filter(mask), len(self.base)), mask

    def _judge_others(self, others: pa.Array, met: int) -> None:
        for other in others.unique().to_pylist():
            if other not in (self.base, self.base[:-1]):
                text = (
                    f"the rule lists container {self.view.container!r} alone, and a row is of {_shown(other)}"
                )
                raise self._fault(met, f"{text}: set the inventory's `names`")

    def bare(self, names: pa.Array, met: int) -> pa.Array:
        """Names as text, without the slash that a directory may end with."""
        if not len(names):
            return pa.array([], pa.string())
        if not _lengths(names).all():
            raise self._fault(met, "a row has an empty Name")
        offsets, data = _offsets(names), np.frombuffer(names.buffers()[2], dtype=np.uint8)
        if data[offsets[0] : offsets[-1]].max() < 0x80:
            names = names.view(pa.string())
        else:
            try:
                # From bytes to text each name is looked at.
                names = names.cast(pa.string())
            except pa.ArrowInvalid:
                raise self._fault(met, "a Name is no UTF-8") from None
        ended = data[offsets[1:] - 1] == SLASH
        return pc.ascii_rtrim(names, "/") if ended.any() else names

    def _decoded(self, names: pa.Array, met: int) -> pa.Array:
        offsets, data = _offsets(names), names.buffers()[2]
        if data is not None:
            written = np.frombuffer(data, dtype=np.uint8)[offsets[0] : offsets[-1]]
            if ((written <= 0x20) | (written >= 0x7F)).any():
                text = "a Name has characters that no percent-encoded one has: set `percent-encoded: false`"
                raise self._fault(met, text)
        mask = pc.match_substring(names, b"%")
        if not pc.any(mask).as_py():
            return names
        found = [unquote_to_bytes(each) for each in names.filter(mask).to_pylist()]
        return pc.replace_with_mask(names, mask, pa.array(found, pa.binary()))

    def _fault(self, met: int, text: str) -> InventoryFault:
        return InventoryFault(Flaw.NAMES, f"{self.unit.place}, after {met:,} rows", text)


def _parquet(unit: Unit) -> Iterator[pa.RecordBatch]:
    fields = pq.read_schema(unit.path).names
    words = [name for name in ("hdi_isfolder", "Acl", "Group") if name in fields]
    with pq.ParquetFile(
        unit.path, read_dictionary=words, buffer_size=1 << 20, page_checksum_verification=True
    ) as opened:
        columns = ["Name", *words]
        groups = list(range(unit.start, unit.stop))
        met = 0
        for batch in opened.iter_batches(BATCH, row_groups=groups, columns=columns, use_threads=False):
            met += batch.num_rows
            yield batch
    if unit.rows is not None and met != unit.rows:
        raise unreadable(unit.place, f"{met:,} rows came of {unit.rows:,}")


def _csv(unit: Unit) -> Iterator[pa.RecordBatch]:
    words = dict.fromkeys(("hdi_isfolder", "Acl", "Group"), WORDS)
    columns = [name for name in SCHEMA.names if name in unit.header]
    reader = pyarrow.csv.open_csv(
        pa.PythonFile(_Range(unit), mode="r"),
        read_options=pyarrow.csv.ReadOptions(
            use_threads=False, block_size=BLOCK, column_names=list(unit.header)
        ),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=pyarrow.csv.ConvertOptions(
            include_columns=columns,
            column_types={"Name": pa.binary(), **words},
            strings_can_be_null=False,
        ),
    )
    yield from reader


class _Range(io.RawIOBase):
    """A part of a file, as a file."""

    def __init__(self, unit: Unit) -> None:
        self._file = Path(unit.path).open("rb")  # noqa: SIM115 - closed with this
        self._file.seek(unit.start)
        self._left = unit.stop - unit.start

    def readable(self) -> bool:
        """It is read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """As many bytes as are asked for, fewer at the end."""
        size = self._left if size < 0 else min(size, self._left)
        found = self._file.read(size)
        self._left -= len(found)
        return found

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
        super().close()


def _words(column: pa.Array) -> pa.Array:
    """A column of few distinct texts, checked."""
    if not column.type.equals(WORDS):
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        column = column.cast(WORDS)
    column.dictionary.validate(full=True)
    return column


def _nothing(rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.nulls(rows, pa.int32()), pa.array([], pa.string()))


def _offsets(names: pa.Array) -> Any:
    return np.frombuffer(names.buffers()[1], dtype=np.int32)[names.offset :][: len(names) + 1]


def _lengths(names: pa.Array) -> Any:
    return np.diff(_offsets(names))


def _cut(names: pa.Array, length: int) -> pa.Array:
    return pc.binary_slice(names, length, 1 << 30)


def _shown(name: bytes) -> str:
    return repr(name[:80].decode(errors="replace"))


def _said(error: Any) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
