"""A lake's inventory as it might be: directories, declared folders, lists in two spellings, planted drift.

Everything follows from the sizes, so that the same sizes make the same rows; rows are made by columns and in
chunks, so that a hundred million need no more memory than one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from reconciler.core.model import Address, Attribute, Identity, Presence, Source, Wanted
from reconciler.providers.adls.documents import ACCESS, DEFAULT, FOLDER, PROVIDER
from reconciler.providers.adls.expectation import Expectation, expect
from reconciler.providers.adls.ground import Tract
from reconciler.providers.adls.inventory.estate import Ground, ground

Numbers: TypeAlias = npt.NDArray[np.int64]

CONTAINER = "curated"
SHAPES = 150
"""Sets of grants; each has a list for files and one for directories, and each of those has two spellings."""
WORDS = (
    "raw",
    "curated",
    "orders",
    "events",
    "year",
    "month",
    "sales",
    "clicks",
    "tmp",
    "delta",
    "export",
    "eu",
)
DEEPEST = 8
DECLARED_TO = 6
OUTSIDE = 20
"""One in so many trees belongs to nobody."""
CHUNK = 1_000_000
GROUP_ROWS = 500_000
SCHEMA = pa.schema(
    [
        ("Name", pa.string()),
        ("hdi_isfolder", pa.bool_()),
        ("Acl", pa.dictionary(pa.int32(), pa.string())),
        ("Group", pa.dictionary(pa.int32(), pa.string())),
    ]
)
PLAIN = pa.schema([(name, kind if name == "hdi_isfolder" else pa.string())
                   for name, kind in zip(SCHEMA.names, SCHEMA.types, strict=True)])  # fmt: skip
"""The same for CSV, which has no dictionaries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a lake is."""

    rows: int
    directories: int = 640_000
    declared: int = 40_000
    trees: int = 200
    """Documents, each with a tree of its own at the top of the container."""
    drifted: float = 0.001
    clustered: bool = False
    """Whether rows come directory by directory, as the service scans, or in no order at all."""


class Estate:
    """The directories of a lake, and what is declared of them."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.chance = np.random.default_rng(20261123)
        self._grow()
        self._declare()

    def _grow(self) -> None:
        size, chance = self.size, self.chance
        trees = size.trees + max(size.trees // OUTSIDE, 1)
        paths = [f"team{number:03}" for number in range(trees)]
        depths, parents, children = [1] * trees, [-1] * trees, [0] * trees
        picks = chance.random(2 * size.directories)
        for pick in picks.tolist():
            if len(paths) >= size.directories:
                break
            # Early directories get most of the others: trees are broad near their tops.
            at = int(pick * pick * len(paths))
            for _ in range(1 + int(pick * 7919) % 24 if depths[at] < DEEPEST else 0):
                paths.append(f"{paths[at]}/{WORDS[len(paths) % len(WORDS)]}{children[at]}")
                depths.append(depths[at] + 1)
                parents.append(at)
                children[at] += 1
                children.append(0)
        self.paths = paths[: size.directories]
        self.depths = np.array(depths[: size.directories])
        self.parents = np.array(parents[: size.directories])
        weights = chance.lognormal(0, 1, len(self.paths))
        self.until = np.cumsum(weights / weights.sum())
        self.column = pa.array(self.paths, pa.string())

    def _declare(self) -> None:
        size = self.size
        tops = np.arange(size.trees)
        others = np.flatnonzero((self.depths > 1) & (self.depths <= DECLARED_TO))
        trees = size.trees + max(size.trees // OUTSIDE, 1)
        nobodys = tuple(path + "/" for path in self.paths[size.trees : trees])
        inside = others[np.array([not self.paths[at].startswith(nobodys) for at in others.tolist()])]
        chosen = self.chance.choice(inside, size.declared - len(tops), replace=False)
        self.declared = np.sort(np.concatenate([tops, chosen]))
        homes = np.full(len(self.paths), -1)
        homes[self.declared] = self.declared
        for at, parent in enumerate(self.parents.tolist()):
            # Parents come first, so that theirs is known.
            if homes[at] < 0 <= parent:
                homes[at] = homes[parent]
        self.homes = homes

    @cached_property
    def ground(self) -> Ground:
        """What is wanted of the container."""
        above: dict[int, list[str]] = {int(at): [] for at in self.declared}
        for at in self.declared.tolist():
            parent = int(self.parents[at])
            if parent >= 0 and self.homes[parent] >= 0:
                above[int(self.homes[parent])].append(self.paths[at])
        return ground((self._expectation(at, above[at]) for at in self.declared.tolist()), key=20261123)

    def _expectation(self, at: int, deeper: Sequence[str]) -> Expectation:
        address = Address(PROVIDER, "datalake", FOLDER, f"{CONTAINER}/{self.paths[at]}")
        reader, writer = people(shape_of(at))
        want = Wanted(
            address=address,
            tenant="t",
            source=Source("tenants.d/t/lake.yaml", 1),
            grants={Attribute(role, who): right for role in (ACCESS, DEFAULT)
                    for who, right in ((reader, "r-x"), (writer, "rwx"))},
            adopted=True,
        )  # fmt: skip
        tract = Tract(
            address=address, want=want, container=CONTAINER, path=self.paths[at],
            deeper=frozenset(deeper), passages={}, enforce_file_masks=False,
        )  # fmt: skip
        return expect(tract, PEOPLE)

    def chunks(self, part: int = 0, parts: int = 1) -> Iterator[tuple[pa.Table, pa.Array]]:
        """The rows of one of several parts, each chunk with the names of those that drifted."""
        rows, directories = self._share(part, parts)
        chance = np.random.default_rng([20261123, part])
        files = len(rows)
        if self.size.clustered:
            rows = np.sort(rows)
        else:
            directories = chance.permutation(directories)
        for start in range(0, max(files, 1), CHUNK):
            share = slice(
                len(directories) * start // files, len(directories) * min(start + CHUNK, files) // files
            )
            first = part + parts * start
            yield self._chunk(rows[start : start + CHUNK], directories[share], first, chance)

    def _share(self, part: int, parts: int) -> tuple[Numbers, Numbers]:
        """The directories of a part's files, and a part's own directories."""
        chance = np.random.default_rng([1, part])
        directories = np.arange(len(self.paths) * part // parts, len(self.paths) * (part + 1) // parts)
        count = (self.size.rows - len(self.paths)) * (part + 1) // parts
        count -= (self.size.rows - len(self.paths)) * part // parts
        where = chance.random(count, dtype=np.float32).astype(np.float64)
        if self.size.clustered:
            low, high = (self.until[at - 1] if at else 0.0 for at in (directories[0], directories[-1] + 1))
            where = low + where * (high - low)
        found = np.searchsorted(self.until, where)
        return np.minimum(found, len(self.paths) - 1).astype(np.int32), directories

    def _chunk(self, files: Numbers, own: Numbers, first: int, chance: Any) -> tuple[pa.Table, pa.Array]:
        numbers = pc.cast(pa.array(np.arange(first, first + len(files))), pa.string())
        leaves = pc.binary_join_element_wise("part-", numbers, ".parquet", "")
        names = pa.concat_arrays(
            [self.column.take(pa.array(own)),
             pc.binary_join_element_wise(self.column.take(pa.array(files)), leaves, "/")]
        )  # fmt: skip
        places = np.concatenate([own, files])
        directories = np.arange(len(places)) < len(own)
        clustered = self.size.clustered
        order = np.argsort(places, kind="stable") if clustered else chance.permutation(len(places))
        names, places, directories = names.take(pa.array(order)), places[order], directories[order]
        homes = self.homes[places]
        drifted = (chance.random(len(places)) < self.size.drifted) & (homes >= 0)
        # What drifted holds the list of another shape: nobody whom it names is wanted there.
        shapes = (shape_of(homes) + drifted) % SHAPES
        lists = 4 * shapes + 2 * directories + chance.integers(0, 2, len(places))
        table = pa.table(
            [names, pa.array(directories),
             pa.DictionaryArray.from_arrays(pa.array(lists.astype(np.int32)), LISTS),
             pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(places), np.int32)), ["$superuser"])],
            schema=SCHEMA,
        )  # fmt: skip
        return table, names.filter(pa.array(drifted))

    def write(self, folder: Path, part: int, parts: int, form: str = "parquet") -> int:
        """Write one part as a file, and beside it what drifted in it; gives the number of rows."""
        rows = 0
        planted: list[pa.Array] = []
        file = str(folder / f"nightly_{part}.{form}")
        with _Writer(file, form) as writer:
            for table, drifted in self.chunks(part, parts):
                writer.write(table)
                planted.append(drifted)
                rows += len(table)
        pq.write_table(pa.table({"path": pa.chunked_array(planted, pa.string())}), folder / f"planted_{part}")
        return rows


class _Writer:
    def __init__(self, file: str, form: str) -> None:
        self.form = form
        self.writer: Any = (
            pq.ParquetWriter(file, SCHEMA, compression="snappy")
            if form == "parquet"
            else pyarrow.csv.CSVWriter(file, PLAIN)
        )

    def write(self, table: pa.Table) -> None:
        if self.form == "parquet":
            self.writer.write_table(table, row_group_size=GROUP_ROWS)
        else:
            self.writer.write_table(table.cast(PLAIN))

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *told: object) -> None:
        self.writer.close()


def shape_of(at: Any) -> Any:
    """The shape of a declared folder, by the number of its directory."""
    return (at * 7919) % SHAPES


def people(shape: int) -> tuple[str, str]:
    """Who may read and who may write where a folder has this shape."""
    return f"group:readers-{shape}", f"group:writers-{shape}"


def _id(shape: int, sort: str) -> str:
    return f"{shape:08x}-0000-4000-8000-00000000000{sort}"


PEOPLE = {
    name: Identity(principal=name, presence=Presence.KNOWN, object_id=_id(shape, sort))
    for shape in range(SHAPES)
    for name, sort in zip(people(shape), "ab", strict=True)
}


def _spellings(shape: int) -> Iterator[str]:
    """Two spellings for a file's list, then two for a directory's."""
    reader, writer = (f"group:{_id(shape, sort)}" for sort in "ab")
    usual = ["user::rwx", "group::r-x", f"{reader}:r-x", f"{writer}:rwx", "mask::rwx", "other::---"]
    files = ["user::rw-", "group::r--", f"{reader}:r--", f"{writer}:rw-", "mask::rw-", "other::---"]
    for access, default in ((files, []), (usual, usual)):
        entries = [*access, *(f"default:{entry}" for entry in default)]
        yield ",".join(entries)
        yield ",".join(reversed(entries)).replace("00a:", "00A:")


LISTS = pa.array([text for shape in range(SHAPES) for text in _spellings(shape)], pa.string())
