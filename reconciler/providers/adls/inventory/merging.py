"""Put together what several workers judged: a tally for each folder, and the rows that stand by themselves.

Its law: a path that an inventory names twice is one path.  Of rows that stand by themselves the first one
counts; sums may count a path twice, since who is plainly in step is not remembered by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reconciler.core.errors import ReconcilerError
from reconciler.providers.adls.expectation import Verdict
from reconciler.providers.adls.ground import SAMPLES, Key, Tally, in_order
from reconciler.providers.adls.inventory.estate import Ground
from reconciler.providers.adls.inventory.kernel import OUTPUT, Kind, alike
from reconciler.providers.adls.inventory.places import Hasher, Places, Texts
from reconciler.providers.adls.inventory.verdicts import Words

PATHS = pa.schema(
    [OUTPUT.field(name) for name in ("home", "path", "directory", "acl", "group", "spot", "verdict")]
)
"""Rows that stand by themselves, once each: drifted, unreadable, and folders' spots whatever they hold."""
Spool = Callable[[pa.RecordBatch], None]


@dataclass(slots=True, kw_only=True)
class Judged:
    """What an inventory says of one container."""

    ground: Ground
    tallies: dict[str, Tally] = field(default_factory=dict)
    """By path of the folder; what was not met at all is not here.

    A tally has a key for each spot that was met, the folder's own among them unless the inventory lacks it.
    Paths plainly in step are all counted under one list that one of them holds.
    """
    missing: dict[str, int] = field(default_factory=dict)
    """By path of the folder: directories that have something in them and no row themselves, so that nobody
    knows their lists."""
    rows: int = 0
    """All rows that were read."""
    outside: int = 0
    """Rows in no folder that was asked about."""
    inside: int = 0
    drifted: int = 0
    unreadable: int = 0
    repeated: int = 0
    """Rows left out since their path was there already."""

    def exists(self, path: str) -> bool:
        """Whether the folder has a row of its own."""
        tally = self.tallies.get(path)
        return tally is not None and any(key.spot == path for key in tally.counts)


class MergeError(ReconcilerError):
    """Output that tells of more rows, or of fewer, than it was made of."""


def merge(outputs: Iterable[pa.RecordBatch], ground: Ground, spool: Spool) -> Judged:
    """Put together what workers judged of one inventory; rows by themselves go to the spool, in `PATHS`.

    Raises MergeError where a part of what a worker gave is missing.
    """
    merger = Merger(ground, spool)
    for batch in outputs:
        merger.take(batch)
    return merger.finish()


class Merger:
    """Takes the output of workers in any order."""

    def __init__(self, ground: Ground, spool: Spool) -> None:
        self.ground, self.spool = ground, spool
        self.judged = Judged(ground=ground)
        self.met = Places((), Hasher(ground.key))
        self.lists, self.groups = Words(), Words()
        self.plain = np.zeros(2 * len(ground.paths), dtype=np.int64)
        self.example = np.zeros(2 * len(ground.paths), dtype=np.int32)
        self.places: list[tuple[npt.NDArray[Any], ...]] = []

    def take(self, batch: pa.RecordBatch) -> None:
        """Take one batch of what `judge` gives."""
        kinds = batch.column("kind").to_numpy()
        for kind in np.unique(kinds).tolist():
            which = np.flatnonzero(kinds == kind)
            part = batch if len(which) == batch.num_rows else batch.take(pa.array(which))
            match kind:
                case Kind.PATH:
                    self._paths(part)
                case Kind.SUM:
                    self._sums(part)
                case Kind.PLACE:
                    self._places(part)
                case Kind.READ:
                    self.judged.rows += int(part.column("count").to_numpy().sum())
                case Kind.OUTSIDE:
                    self.judged.outside += int(part.column("count").to_numpy().sum())

    def _paths(self, batch: pa.RecordBatch) -> None:
        texts = Texts(batch.column("path"))
        first = self.met.first(self.met.hasher.of(texts, texts.starts, texts.lengths))
        self.judged.repeated += batch.num_rows - len(first)
        if not len(first):
            return
        if len(first) < batch.num_rows:
            batch = batch.take(pa.array(first))
        self.spool(batch.select(PATHS.names))
        verdicts = batch.column("verdict").to_numpy()
        self.judged.inside += batch.num_rows
        self.judged.drifted += int((verdicts == Verdict.DRIFT).sum())
        self.judged.unreadable += int((verdicts == Verdict.UNREADABLE).sum())
        spots = batch.column("spot").to_numpy(zero_copy_only=False)
        self._spots(batch.take(pa.array(np.flatnonzero(spots))))
        self._alike(batch.take(pa.array(np.flatnonzero(~spots))))

    def _spots(self, batch: pa.RecordBatch) -> None:
        columns = (batch.column(name).to_pylist() for name in ("home", "path", "acl", "directory", "group"))
        for home, path, acl, directory, group in zip(*columns, strict=True):
            self._count(home, Key(acl, directory, path, group), 1, [path])

    def _alike(self, batch: pa.RecordBatch) -> None:
        """Count rows, many of which are alike but for their paths."""
        if not batch.num_rows:
            return
        homes = batch.column("home").to_numpy()
        lists, groups = self.lists.of(batch.column("acl")), self.groups.of(batch.column("group"))
        directories = batch.column("directory").to_numpy(zero_copy_only=False)
        # In the order of listings, so that the first of each sort are the same whoever read them.
        keys = pc.replace_substring(batch.column("path"), "/", "\0")
        order = pc.sort_indices(keys).to_numpy().astype(np.int64)
        first, counts, sorts = alike(homes[order], lists[order], directories[order], groups[order])
        members = np.argsort(sorts, kind="stable")
        begins = np.cumsum(counts) - counts
        for row, count, begin in zip(order[first].tolist(), counts.tolist(), begins.tolist(), strict=True):
            key = Key(
                self.lists.texts[lists[row]], bool(directories[row]), "", self.groups.texts[groups[row]]
            )
            samples = order[members[begin : begin + min(count, SAMPLES)]]
            paths = batch.column("path").take(pa.array(samples)).to_pylist()
            self._count(int(homes[row]), key, count, paths)

    def _sums(self, batch: pa.RecordBatch) -> None:
        self.judged.inside += int(batch.column("count").to_numpy().sum())
        noted = batch.column("verdict").to_numpy() == Verdict.NOTED
        self._plain(batch.filter(pa.array(~noted)))
        batch = batch.filter(pa.array(noted))
        columns = (batch.column(name).to_pylist() for name in ("home", "path", "acl", "directory", "group"))
        counts = batch.column("count").to_pylist()
        for home, path, acl, directory, group, count in zip(*columns, counts, strict=True):
            self._count(home, Key(acl, directory, "", group), count, [path])

    def _plain(self, batch: pa.RecordBatch) -> None:
        """Count rows plainly in step, under the list that some worker met first."""
        alike = batch.column("home").to_numpy().astype(np.int64) << 1
        alike |= batch.column("directory").to_numpy(zero_copy_only=False)
        lists = self.lists.of(batch.column("acl"))
        first = np.flatnonzero(self.plain[alike] == 0)
        self.example[alike[first]] = lists[first]
        np.add.at(self.plain, alike, batch.column("count").to_numpy())

    def _tell_plain(self) -> None:
        met = np.flatnonzero(self.plain)
        columns = (column.tolist() for column in (met, self.plain[met], self.example[met]))
        for sort, count, text in zip(*columns, strict=True):
            # Whoever looks at a folder in step is shown the folder.
            key = Key(self.lists.texts[text], bool(sort & 1), "", "")
            self._count(sort >> 1, key, count, [self.ground.paths[sort >> 1]])

    def _count(self, home: int, key: Key, count: int, samples: list[str]) -> None:
        path = self.ground.paths[home]
        tally = self.judged.tallies.get(path)
        if tally is None:
            tally = self.judged.tallies[path] = Tally(self.ground.spots(home))
        tally.counts[key] = tally.counts.get(key, 0) + count
        known = tally.samples.get(key)
        if known or len(samples) > 1:
            samples = sorted({*(known or ()), *samples}, key=in_order)[:SAMPLES]
        tally.samples[key] = samples

    def _places(self, batch: pa.RecordBatch) -> None:
        columns = (batch.column(name).to_numpy() for name in ("place", "home", "count"))
        self.places.append(tuple(columns))

    def finish(self) -> Judged:
        """Everything, once the last batch was taken; raises MergeError."""
        told = self.judged.inside + self.judged.outside + self.judged.repeated
        if told != self.judged.rows:
            text = f"workers read {self.judged.rows:,} rows and tell of {told:,}; judge the inventory anew"
            raise MergeError(text)
        self._tell_plain()
        if self.places:
            self.judged.missing = self._missing()
        for tally in self.judged.tallies.values():
            tally.settle()
        self.judged.tallies = dict(sorted(self.judged.tallies.items()))
        return self.judged

    def _missing(self) -> dict[str, int]:
        """Places that no worker saw itself, counted by folder."""
        places, homes, seen = (np.concatenate(column) for column in zip(*self.places, strict=True))
        order = np.argsort(places)
        places = places[order]
        first = np.flatnonzero(np.concatenate([[True], places[1:] != places[:-1]]))
        missing = order[first[np.maximum.reduceat(seen[order], first) == 0]]
        numbers, counts = np.unique(homes[missing], return_counts=True)
        return {
            self.ground.paths[home]: count
            for home, count in zip(numbers.tolist(), counts.tolist(), strict=True)
        }
