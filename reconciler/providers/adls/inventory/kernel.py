"""Judge an inventory by columns: batches of rows in, sums and the rows worth looking at out.

Its law: every row gets the verdict that `Expectation` gives it in its nearest declared folder, as `ground`
would find it path by path, in whatever order and by however many workers rows are read.

`judge` is a function of an iterator of record batches and may be handed to Spark's `mapInArrow` as it is.
What several of them give is put together by `merging`.  Memory grows with the directories and the distinct
lists that a worker meets, never with its rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reconciler.providers.adls.expectation import Verdict
from reconciler.providers.adls.inventory.estate import NOBODY, Ground
from reconciler.providers.adls.inventory.places import (
    BITS,
    DECLARED,
    LEADS,
    SPOT,
    Flags,
    Hasher,
    Numbers,
    Places,
    Texts,
)
from reconciler.providers.adls.inventory.verdicts import Codes, Sorts, Verdicts, Words

BLOCK = 1 << 16
"""Rows that are worked on at once: their columns fit into the processor's caches."""
TOGETHER = 1 << 13
"""Rows that stand by themselves and are given at once: a batch costs as much as some hundred rows."""


class Kind(IntEnum):
    """What a row of the output says."""

    SUM = 0
    """So many rows of one folder are alike; `path` is one of them.

    Of rows plainly in step there is no path, and `acl` is that of any one of them."""
    PATH = 1
    """One row by itself: drifted, unreadable, or a spot of its folder."""
    PLACE = 2
    """A directory of a folder by its hash: `count` is 1 where it has a row of its own, else 0."""
    OUTSIDE = 3
    """So many rows are in no declared folder that was asked about."""
    READ = 4
    """So many rows were read."""


OUTPUT = pa.schema(
    [
        pa.field("kind", pa.int8(), nullable=False),
        pa.field("home", pa.int32(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("directory", pa.bool_(), nullable=False),
        pa.field("acl", pa.string(), nullable=False),
        pa.field("group", pa.string(), nullable=False),
        pa.field("spot", pa.bool_(), nullable=False),
        pa.field("verdict", pa.int8(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("place", pa.int64(), nullable=False),
    ]
)
"""What `judge` gives; what does not apply to a kind of row is empty, false or 0."""


def judge(batches: Iterable[pa.RecordBatch], ground: Ground) -> Iterator[pa.RecordBatch]:
    """Judge rows of one container: rows by themselves as they come, sums after the last one.

    Batches have the columns `Name` (without the container), `hdi_isfolder`, `Acl` and, if the inventory has
    it, `Group`; texts may be dictionaries, and dictionaries may differ from batch to batch.
    """
    worker = Worker(ground)
    for batch in batches:
        for start in range(0, batch.num_rows, BLOCK):
            found = worker.take(batch.slice(start, BLOCK))
            if found is not None:
                yield found
    yield from worker.finish()


@dataclass(slots=True)
class Rows:
    """One block of rows, as numbers."""

    names: pa.Array
    directories: Flags
    lists: Codes
    groups: Codes
    homes: Codes
    sorts: Sorts
    verdicts: Sorts
    spots: Numbers
    """Rows that are spots of their folders."""


class Worker:
    """One pass over rows, on one core."""

    def __init__(self, ground: Ground) -> None:
        self.places = Places(ground.landmarks(), Hasher(ground.key))
        self.lists, self.groups = Words(), Words()
        self.table = Verdicts(ground, self.lists, self.groups)
        self.sums = Sums(len(ground.paths))
        self.alone = Alone(self.lists, self.groups)

    def take(self, batch: pa.RecordBatch) -> pa.RecordBatch | None:
        """Judge one block; gives the rows that stand by themselves."""
        rows = self._rows(batch)
        self.sums.read += batch.num_rows
        inside = rows.homes != NOBODY
        self.sums.outside += len(inside) - int(np.count_nonzero(inside))
        alone = rows.verdicts >= Verdict.DRIFT
        alone[rows.spots] = True
        self._judge_spots(rows)
        self.sums.add(rows, inside & ~alone)
        return self.alone.add(rows, np.flatnonzero(alone))

    def _rows(self, batch: pa.RecordBatch) -> Rows:
        names, directories = batch.column("Name"), batch.column("hdi_isfolder")
        directories = directories.fill_null(False).to_numpy(zero_copy_only=False)
        lists = self.lists.of(batch.column("Acl"))
        if batch.schema.get_field_index("Group") >= 0:
            groups = self.groups.of(batch.column("Group"))
        else:
            groups = np.full(len(names), self.groups.number(""), dtype=np.int32)
        homes, spots = self._places(names, directories)
        sorts = self.table.sorts(directories, groups)
        return Rows(
            names=names,
            directories=directories,
            lists=lists,
            groups=groups,
            homes=homes,
            sorts=sorts,
            verdicts=self.table.of(homes, lists, sorts),
            spots=spots,
        )

    def _places(self, names: pa.Array, directories: Flags) -> tuple[Codes, Numbers]:
        """The folder of each row, and the rows that are spots of theirs."""
        places, texts = self.places, Texts(names)
        # A directory is looked up as itself, since it may be declared; a file where it lies.
        slots = places.slots(texts, np.where(directories, texts.lengths, texts.parents()))
        places.seen[slots[np.flatnonzero(directories)]] = True
        held = places.held[slots]
        homes, marks = held >> BITS, held & ((1 << BITS) - 1)
        known = np.flatnonzero(marks)
        if not len(known):
            return homes, known
        files = known[~directories[known]]
        places.needed[slots[files]] = True
        spots = known[directories[known] & ((marks[known] & SPOT) != 0)]
        # A file may be where a declared folder should be.
        beside = files[(marks[files] & LEADS) != 0]
        found = places.find(places.hasher.of(texts, texts.starts[beside], texts.lengths[beside]))
        beside, found = beside[found >= 0], found[found >= 0]
        there = places.held[found]
        own = (there & DECLARED) != 0
        homes[beside[own]] = there[own] >> BITS
        return homes, np.sort(np.concatenate([spots, beside[(there & SPOT) != 0]]))

    def _judge_spots(self, rows: Rows) -> None:
        spots = rows.spots
        if len(spots):
            names = rows.names.take(pa.array(spots))
            columns = rows.homes[spots], rows.lists[spots], rows.sorts[spots]
            rows.verdicts[spots] = self.table.of_spots(*columns, names)

    def finish(self) -> Iterator[pa.RecordBatch]:
        """What can only be said after the last row."""
        if self.alone.rows:
            yield self.alone.told()
        yield from self.sums.told(self.lists, self.groups)
        places = self.places
        places.settle()
        which = np.flatnonzero(
            (places.keys != 0) & (places.held >> BITS != NOBODY) & (places.needed | places.seen)
        )
        for start in range(0, len(which), BLOCK):
            part = which[start : start + BLOCK]
            yield output(
                Kind.PLACE,
                home=places.held[part] >> BITS,
                count=places.seen[part].astype(np.int64),
                place=places.keys[part].view(np.int64),
            )


@dataclass(slots=True)
class Alone:
    """Rows that stand by themselves, held until there are enough to make a batch of."""

    lists: Words
    groups: Words
    rows: int = 0
    _names: list[pa.Array] = field(default_factory=list)
    _columns: list[Sequence[npt.NDArray[Any]]] = field(default_factory=list)

    def add(self, rows: Rows, which: Numbers) -> pa.RecordBatch | None:
        """Take some of the rows; gives a batch once there are enough."""
        if not len(which):
            return None
        spots = np.zeros(len(rows.homes), dtype=np.bool_)
        spots[rows.spots] = True
        columns = (rows.homes, rows.directories, rows.lists, rows.groups, spots, rows.verdicts)
        self._names.append(rows.names.take(pa.array(which)))
        self._columns.append([column[which] for column in columns])
        self.rows += len(which)
        return self.told() if self.rows >= TOGETHER else None

    def told(self) -> pa.RecordBatch:
        """All of them, which are held no longer."""
        homes, directories, lists, groups, spots, verdicts = (
            np.concatenate(column) for column in zip(*self._columns, strict=True)
        )
        names = pa.concat_arrays(self._names)
        self.rows, self._names, self._columns = 0, [], []
        return output(
            Kind.PATH,
            home=homes,
            path=names,
            directory=directories,
            acl=spelled(self.lists, lists),
            group=spelled(self.groups, groups),
            spot=spots,
            verdict=verdicts.astype(np.int8),
            count=np.ones(len(homes), dtype=np.int64),
        )


Alike: TypeAlias = tuple[int, int, bool, int]
"""What rows in step have in common of which there is something to tell: folder, list, directory, group."""


@dataclass(slots=True)
class Sums:
    """How many rows of each folder are alike."""

    homes: int
    read: int = 0
    outside: int = 0
    plain: npt.NDArray[np.int64] = field(init=False)
    """Rows plainly in step, by folder and directory."""
    example: Codes = field(init=False)
    """The list of one of them."""
    noted: dict[Alike, int] = field(default_factory=dict)
    samples: dict[Alike, str] = field(default_factory=dict)
    """The first of these paths by its text: the same whoever read them, in whatever order."""

    def __post_init__(self) -> None:
        self.plain = np.zeros(2 * self.homes, dtype=np.int64)
        self.example = np.zeros(2 * self.homes, dtype=np.int32)

    def add(self, rows: Rows, which: Flags) -> None:
        """Count rows that are in step."""
        plain = which & (rows.verdicts == Verdict.PLAIN)
        alike = rows.homes << 1
        alike |= rows.directories
        alike = alike[plain]
        np.add.at(self.plain, alike, 1)
        self.example[alike] = rows.lists[plain]
        noted = which & (rows.verdicts == Verdict.NOTED)
        if noted.any():
            self._note(rows, np.flatnonzero(noted))

    def _note(self, rows: Rows, which: Numbers) -> None:
        homes, lists, groups = (column[which] for column in (rows.homes, rows.lists, rows.groups))
        directories = rows.directories[which]
        first, counts, sorts = alike(homes, lists, directories, groups)
        least = least_of(rows.names.take(pa.array(which)), sorts)
        columns = (column[first].tolist() for column in (homes, lists, directories, groups))
        for key, count, path in zip(zip(*columns, strict=True), counts.tolist(), least, strict=True):
            self.noted[key] = self.noted.get(key, 0) + count
            self.samples[key] = min(path, self.samples.get(key, path))

    def told(self, lists: Words, groups: Words) -> Iterator[pa.RecordBatch]:
        """The sums as output."""
        plain = np.flatnonzero(self.plain)
        yield output(
            Kind.SUM,
            home=(plain >> 1).astype(np.int32),
            directory=(plain & 1).astype(np.bool_),
            acl=spelled(lists, self.example[plain]),
            verdict=np.full(len(plain), Verdict.PLAIN, dtype=np.int8),
            count=self.plain[plain],
        )
        if self.noted:
            keys = list(self.noted)
            yield output(
                Kind.SUM,
                home=[home for home, _, _, _ in keys],
                acl=[lists.texts[acl] for _, acl, _, _ in keys],
                directory=[directory for _, _, directory, _ in keys],
                group=[groups.texts[group] for _, _, _, group in keys],
                path=[self.samples[key] for key in keys],
                verdict=[int(Verdict.NOTED)] * len(keys),
                count=[self.noted[key] for key in keys],
            )
        yield output(Kind.OUTSIDE, count=np.array([self.outside]))
        yield output(Kind.READ, count=np.array([self.read]))


def alike(*columns: npt.NDArray[Any]) -> tuple[Numbers, Numbers, Numbers]:
    """Sorts of rows that are equal in all these columns: a row of each, how many there are, each row's."""
    order = np.lexsort(columns[::-1])
    differs = np.zeros(len(order), dtype=np.bool_)
    differs[:1] = True
    for column in columns:
        differs[1:] |= column[order[1:]] != column[order[:-1]]
    begins = np.flatnonzero(differs)
    sorts = np.empty(len(order), dtype=np.int64)
    sorts[order] = np.cumsum(differs) - 1
    return order[begins], np.diff(begins, append=len(order)), sorts


def least_of(names: pa.Array, sorts: Numbers) -> list[str]:
    """The first name of each sort, by its text."""
    found = pa.table({"sort": sorts, "name": names}).group_by("sort", use_threads=False)
    return found.aggregate([("name", "min")]).sort_by("sort").column("name_min").to_pylist()


def spelled(words: Words, codes: npt.NDArray[Any]) -> pa.Array:
    """The texts of numbers."""
    distinct, places = np.unique(codes, return_inverse=True)
    texts = pa.array([words.texts[code] for code in distinct.tolist()], pa.string())
    return texts.take(pa.array(places))


EMPTY: dict[str, Any] = {
    "kind": 0, "home": NOBODY, "path": "", "directory": False, "acl": "", "group": "", "spot": False,
    "verdict": 0, "count": 0, "place": 0,
}  # fmt: skip


def output(kind: Kind, **columns: Any) -> pa.RecordBatch:
    """Rows of the output of one kind; columns that are not given are empty."""
    size = len(next(iter(columns.values())))
    held = {
        column.name: pa.array(columns[column.name], column.type)
        if column.name in columns
        else pa.repeat(pa.scalar(EMPTY[column.name], column.type), size)
        for column in OUTPUT
    }
    held["kind"] = pa.repeat(pa.scalar(int(kind), pa.int8()), size)
    return pa.RecordBatch.from_arrays(list(held.values()), schema=OUTPUT)
