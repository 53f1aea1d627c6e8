"""Keep every path that is not in step while it is read, and tell afterwards which actions are about it.

Its law: a path is told for an action exactly where the plan counted it: by the same lens, for the same right.

Paths lie in a temporary file, some ten thousand rows at a time, however many there are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reconciler.core.model import Address, Identity, Value, Wanted
from reconciler.core.plan import Action
from reconciler.providers.adls.acl import Entry
from reconciler.providers.adls.canonical import Lens, parsed, passing
from reconciler.providers.adls.documents import ACCESS, DEFAULT, TRAVERSE
from reconciler.providers.adls.expectation import Expectation, Verdict, expect
from reconciler.providers.adls.ground import Key, Tally, Tract
from reconciler.providers.adls.listing import Listed
from reconciler.providers.adls.reading import Answer
from reconciler.providers.adls.reporting import lens_of
from reconciler.providers.adls.sweeping.sweep import Reading

TOGETHER = 50_000
"""Rows that are in memory at once."""
WORDS = pa.dictionary(pa.int32(), pa.string())
KEPT = pa.schema(
    [
        pa.field("address", WORDS),
        pa.field("path", pa.string()),
        pa.field("directory", pa.bool_()),
        pa.field("acl", WORDS),
        pa.field("part", pa.int32()),
    ]
)
"""A part is what one sink took: where reading began anew, parts of no reading are left in the file."""
TOLD = pa.schema(
    [
        pa.field("action", pa.string()),
        pa.field("address", pa.string()),
        pa.field("principal", pa.string()),
        pa.field("role", pa.string()),
        pa.field("path", pa.string()),
        pa.field("directory", pa.bool_()),
        pa.field("before", pa.string()),
        pa.field("after", pa.string()),
        pa.field("acl", pa.string()),
    ]
)
"""One row for each path of each action; `before` and `after` are null for no right."""


@dataclass(slots=True)
class Shelf:
    """The paths of one reading; it belongs to the thread that reads, and then to whoever tells."""

    identities: Mapping[str, Identity]
    folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="reconciler-paths-")
    )
    parts: set[int] = field(default_factory=lambda: {0})
    """The parts that came into the reading; 0 is what needs no second look."""
    _last: int = 0
    _writer: pq.ParquetWriter | None = None
    _rows: tuple[list[Any], ...] = field(default_factory=lambda: ([], [], [], [], []))

    @property
    def file(self) -> Path:
        """Where the paths are."""
        return Path(self.folder.name) / "paths.parquet"

    def sink(self, tract: Tract) -> Tally:
        """What counts a folder's paths, and keeps those that a plan may be about."""
        self._last += 1
        expectation = expect(tract, self.identities)
        return Keeping(tract.spots, shelf=self, expectation=expectation, part=self._last)

    def keep(self, address: Address, path: str, directory: bool, acl: str, part: int = 0) -> None:
        """Keep one path."""
        for column, value in zip(self._rows, (str(address), path, directory, acl, part), strict=True):
            column.append(value)
        if len(self._rows[0]) >= TOGETHER:
            self._flush()

    def spool(self, tracts: Sequence[Tract]) -> Callable[[pa.RecordBatch], None]:
        """What keeps the rows of an inventory that stand by themselves, given the folders by number."""
        addresses = pa.array([str(tract.address) for tract in tracts], pa.string())

        def take(batch: pa.RecordBatch) -> None:
            homes = pa.DictionaryArray.from_arrays(batch.column("home"), addresses)
            columns = [homes.cast(WORDS), batch.column("path"), batch.column("directory")]
            lists = batch.column("acl").dictionary_encode().cast(WORDS)
            parts = pa.repeat(pa.scalar(0, pa.int32()), batch.num_rows)
            self._write(pa.Table.from_arrays([*columns, lists, parts], schema=KEPT))

        return take

    def settle(self, answer: Answer) -> None:
        """Keep what came into the answer of one container, and the ways there."""
        for reading in (answer.main, answer.aside):
            sinks = reading.sinks.values() if isinstance(reading, Reading) else ()
            for sink in sinks:
                if isinstance(sink, Keeping):
                    self.parts |= {sink.part, *sink.others}
        if isinstance(answer.main, Reading):
            for path, want in answer.ask.ways.items():
                if path in answer.main.lists:
                    self.keep(want.address, path, True, answer.main.lists[path])

    def _flush(self) -> None:
        if self._rows[0]:
            texts = {0, 3}
            columns = [
                pa.array(column, pa.string()).dictionary_encode()
                if at in texts
                else pa.array(column, of.type)
                for at, (column, of) in enumerate(zip(self._rows, KEPT, strict=True))
            ]
            self._write(pa.Table.from_arrays(columns, schema=KEPT))
            for column in self._rows:
                column.clear()

    def _write(self, table: pa.Table) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self.file, KEPT, compression="zstd")
        self._writer.write_table(table)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Everything that was kept and came into the reading; nothing more can be kept afterwards."""
        self._flush()
        if self._writer is not None:
            self._writer.close()
            with pq.ParquetFile(self.file, read_dictionary=["address", "acl"]) as opened:
                for batch in opened.iter_batches(TOGETHER, use_threads=False):
                    known = np.isin(batch.column("part").to_numpy(), list(self.parts))
                    if known.any():
                        yield batch.filter(pa.array(known))

    def close(self) -> None:
        """Remove it all."""
        if self._writer is not None and self._writer.is_open:
            self._writer.close()
        self.folder.cleanup()


@dataclass(slots=True, kw_only=True)
class Keeping(Tally):
    """A tally that keeps paths which are not plainly in step."""

    shelf: Shelf
    expectation: Expectation
    part: int
    others: set[int] = field(default_factory=set)
    """Parts of the tallies that this one has absorbed."""
    _plain: dict[Key, bool] = field(default_factory=dict)

    def note(self, entry: Listed, acl: str) -> None:
        """Count one path, and keep it where there is something to it."""
        Tally.note(self, entry, acl)
        directory = bool(entry.directory)
        key = Key(acl, directory, entry.name if entry.name in self.spots else "", entry.group)
        plain = self._plain.get(key)
        if plain is None:
            plain = self._plain[key] = self.expectation.verdict(key) is not Verdict.DRIFT
        if not plain:
            self.shelf.keep(self.expectation.tract.address, entry.name, directory, acl, self.part)

    def absorb(self, other: Tally) -> None:
        """Count what another tally counted, and stand by what it kept."""
        Tally.absorb(self, other)
        if isinstance(other, Keeping):
            self.others |= {other.part, *other.others}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """The actions on one thing, and how its paths are looked at."""

    want: Wanted
    lens: Lens | None
    """None for a way to folders."""
    actions: Sequence[Action]


def write(
    shelf: Shelf,
    asks: Mapping[str, Ask],
    entries: Callable[[str], Iterable[Entry]],
    file: Path,
) -> int:
    """Write the paths of these actions, by address; gives the number of rows.  Raises OSError."""
    count = 0
    with pq.ParquetWriter(file, TOLD, compression="zstd") as writer:
        teller = Teller(asks=asks, entries=entries)
        for batch in shelf.batches():
            for table in teller.told(batch):
                writer.write_table(table)
                count += table.num_rows
    return count


Told = tuple[Action, Value | None]


@dataclass(slots=True, kw_only=True)
class Teller:
    """Finds the actions that rows are about: once for all rows that are alike."""

    asks: Mapping[str, Ask]
    entries: Callable[[str], Iterable[Entry]]
    _known: dict[tuple[str, str, bool, str], list[Told]] = field(default_factory=dict)

    def told(self, batch: pa.RecordBatch) -> Iterator[pa.Table]:
        """The rows of the file for some paths that were kept."""
        addresses, lists = batch.column("address"), batch.column("acl")
        directories = batch.column("directory").to_numpy(zero_copy_only=False)
        names, texts = addresses.dictionary.to_pylist(), lists.dictionary.to_pylist()
        spots = self._spots(batch, names)
        columns = (
            addresses.indices.to_numpy(),
            lists.indices.to_numpy(),
            directories.astype(np.int64),
            spots,
        )
        alike: dict[tuple[int, ...], list[int]] = {}
        order = np.lexsort(columns)
        for row in order.tolist():
            alike.setdefault(tuple(int(column[row]) for column in columns), []).append(row)
        for (name, text, directory, spot), rows in alike.items():
            path = batch.column("path")[rows[0]].as_py() if spot else ""
            found = self._about(names[name], texts[text], bool(directory), path)
            for action, value in found:
                yield _rows(batch.take(pa.array(rows)), action, value)

    def _spots(self, batch: pa.RecordBatch, names: Sequence[str]) -> Any:
        """A number of its own for every row to which more applies than to the rest of its tree."""
        known = set[str]()
        for name in names:
            ask = self.asks.get(name)
            known |= ask.lens.tract.spots if ask and ask.lens else set()
        paths = batch.column("path").to_pylist()
        return np.array([at + 1 if path in known else 0 for at, path in enumerate(paths)])

    def _about(self, address: str, acl: str, directory: bool, spot: str) -> list[Told]:
        key = address, acl, directory, spot
        if key not in self._known:
            ask = self.asks.get(address)
            self._known[key] = list(self._found(ask, acl, directory, spot)) if ask else []
        return self._known[key]

    def _found(self, ask: Ask, acl: str, directory: bool, spot: str) -> Iterator[Told]:
        for action in ask.actions:
            if action.attribute.role not in (ACCESS, DEFAULT):
                continue
            held = list(self.entries(action.attribute.principal))
            if ask.lens is None:
                value = passing(parsed(acl), held, action.attribute in ask.want.grants)
            else:
                own = spot if spot in ask.lens.tract.spots else ""
                value = ask.lens.value(Key(acl, directory, own), action.attribute, held)
            if value in action.before:
                yield action, value


def _rows(batch: pa.RecordBatch, action: Action, value: Value | None) -> pa.Table:
    size = batch.num_rows

    def same(text: str | None) -> pa.Array:
        return pa.nulls(size, pa.string()) if text is None else pa.repeat(pa.scalar(text, pa.string()), size)

    return pa.Table.from_arrays(
        [
            same(action.id),
            same(str(action.address)),
            same(action.attribute.principal),
            same(action.attribute.role),
            batch.column("path"),
            batch.column("directory"),
            same(value),
            same(action.after),
            batch.column("acl").cast(pa.string()),
        ],
        schema=TOLD,
    )


def asked(
    wanted: Mapping[Address, Wanted], tracts: Callable[[Wanted], Tract], actions: Iterable[Action]
) -> dict[str, Ask]:
    """The actions by the thing that they are about."""
    grouped: dict[Address, list[Action]] = {}
    for action in actions:
        grouped.setdefault(action.address, []).append(action)
    found = {}
    for address, held in grouped.items():
        want = wanted.get(address)
        if want is None:
            continue
        lens = None if address.kind == TRAVERSE else lens_of(tracts(want))
        found[str(address)] = Ask(want=want, lens=lens, actions=held)
    return found
