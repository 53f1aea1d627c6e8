"""What an inventory was judged to be, in a folder: parts as workers wrote them, and a summary written last.

Its law: a folder without its summary is no result, and a result that is not whole says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from reconciler.core.errors import ReconcilerError
from reconciler.providers.adls.expectation import Verdict
from reconciler.providers.adls.inventory.estate import Ground, parse
from reconciler.providers.adls.inventory.kernel import OUTPUT, Kind
from reconciler.providers.adls.inventory.merging import Judged, Spool, merge

FORMAT = "reconciler/judged/v1"
SUMMARY = "summary.json"
GROUND = "ground.json"
PARTS = "parts"
"""The folder of what workers wrote; Spark fills it, too."""
DICTIONARIES = ["acl", "group"]
TOGETHER = 1 << 16
"""Rows that are written at once: rows by themselves come in dribs and drabs."""


class ResultError(ReconcilerError):
    """A folder that holds no whole result, or one of something else."""


class Writer:
    """Writes batches of one schema to one Parquet file, which is there under its name once it is whole."""

    def __init__(self, path: Path, schema: pa.Schema = OUTPUT) -> None:
        self.path, self.schema = path, schema
        self._beside = path.with_name(f".{path.name}.partial")
        # Hashes and counts shrink by neither, and millions of them are written.
        self._writer = pq.ParquetWriter(
            self._beside, schema, compression="lz4", use_dictionary=DICTIONARIES, write_statistics=False
        )
        self._held: list[pa.RecordBatch] = []
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Write rows, some time before the end."""
        self._held.append(batch)
        self._rows += batch.num_rows
        if self._rows >= TOGETHER:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held, self.schema))
        self._held, self._rows = [], 0

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, sort: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if sort is None:
            self._flush()
        self._writer.close()
        if sort is None:
            self._beside.replace(self.path)
        else:
            self._beside.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A judged inventory in its folder."""

    folder: Path
    ground: Ground
    engine: str
    """`local` or `spark`."""
    rows: int
    """Rows that were read."""
    faults: tuple[str, ...] = ()
    """What could not be read: no folder may be called in step while there is any."""
    origin: Mapping[str, Any] = field(default_factory=dict)
    """Which run it was, for evidence."""

    def merged(self, spool: Spool) -> Judged:
        """What all parts come to; raises ResultError where rows are missing in them."""
        judged = merge(batches(self.folder / PARTS), self.ground, spool)
        if judged.rows != self.rows:
            told = f"its parts tell of {judged.rows:,} rows, {self.rows:,} were read"
            raise ResultError(f"{self.folder}: {told}; judge the inventory anew")
        return judged

    def unreadable(self) -> Unreadable:
        """Rows whose lists do not parse, repeated ones as often as they are there."""
        rows, names = 0, list[str]()
        for batch in batches(self.folder / PARTS):
            verdicts, kinds = (batch.column(name).to_numpy() for name in ("verdict", "kind"))
            which = ((verdicts == Verdict.UNREADABLE) & (kinds == Kind.PATH)).nonzero()[0]
            rows += len(which)
            names = sorted({*names, *batch.column("path").take(pa.array(which)).to_pylist()})[:SHOWN]
        return Unreadable(rows=rows, names=tuple(names))


SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """Rows whose lists do not parse."""

    rows: int
    names: tuple[str, ...]
    """The first few of them."""


def batches(folder: Path) -> Iterator[pa.RecordBatch]:
    """What the parts in a folder hold; raises ResultError."""
    for path in sorted(folder.glob("*.parquet")):
        try:
            with pq.ParquetFile(path) as opened:
                for batch in opened.iter_batches(TOGETHER, use_threads=False):
                    yield batch.select(OUTPUT.names).cast(OUTPUT)
        except (pa.ArrowException, OSError, KeyError) as error:
            raise ResultError(f"{path}: it cannot be read: {error}; judge the inventory anew") from None


def begin(folder: Path, ground: Ground) -> Path:
    """Make room for a new result, and give the folder for its parts; raises ResultError where one is."""
    if (folder / SUMMARY).exists():
        raise ResultError(f"{folder} holds a result already; name another folder, or remove it")
    parts = folder / PARTS
    parts.mkdir(parents=True, exist_ok=True)
    for left in parts.iterdir():
        # Left by a run that was interrupted.
        left.unlink()
    write(folder / GROUND, ground.document())
    return parts


def finish(result: Result) -> None:
    """Write the summary: from now on the folder is a result."""
    document = {
        "format": FORMAT,
        "container": result.ground.container,
        "engine": result.engine,
        "rows": result.rows,
        "faults": list(result.faults),
        "origin": dict(result.origin),
    }
    write(result.folder / SUMMARY, json.dumps(document, indent=2, sort_keys=True) + "\n")


def load(folder: Path) -> Result:
    """The result in a folder; raises ResultError."""
    try:
        document = json.loads((folder / SUMMARY).read_text("utf-8"))
        if document["format"] != FORMAT:
            raise ResultError(
                f"{folder}: its format is {document['format']!r}, this version reads {FORMAT!r}"
            )
        return Result(
            folder=folder,
            ground=parse((folder / GROUND).read_text("utf-8")),
            engine=str(document["engine"]),
            rows=int(document["rows"]),
            faults=tuple(map(str, document["faults"])),
            origin=dict(document["origin"]),
        )
    except FileNotFoundError as error:
        lacks = f"{Path(error.filename).name} is missing"
        raise ResultError(f"{folder} holds no whole result ({lacks}); judge the inventory anew") from None
    except (OSError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ResultError(
            f"{folder}: its summary cannot be read: {error!r}; judge the inventory anew"
        ) from None


def write(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all."""
    beside = path.with_name(f".{path.name}.partial")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def write_part(outputs: Iterable[pa.RecordBatch], path: Path) -> None:
    """Write what one worker judged."""
    with Writer(path) as writer:
        for batch in outputs:
            writer.write(batch)
