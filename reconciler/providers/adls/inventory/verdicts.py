"""How rows stand to what is wanted, from a table: the real expectation is asked once for all rows alike.

Its law: no verdict is worked out here; each is that of `Expectation.verdict` for a row like it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reconciler.providers.adls.canonical import SUPERUSER
from reconciler.providers.adls.expectation import Verdict, from_document
from reconciler.providers.adls.ground import Key
from reconciler.providers.adls.inventory.estate import Ground

Codes: TypeAlias = npt.NDArray[np.int32]
Sorts: TypeAlias = npt.NDArray[np.uint8]

UNKNOWN = 255
SORTS = 4
"""File or directory, with or without an owning group that is somebody."""


class Words:
    """Numbers for the distinct texts of a column, the same in every batch, whatever dictionary it brings."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.texts: list[str] = []
        self._last: tuple[pa.Array, Codes] | None = None

    def of(self, column: pa.Array) -> Codes:
        """The number of each row's text; no value counts as ""."""
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        table, indices = self._table(column.dictionary), column.indices
        if len(table) == 1 and not column.null_count:
            return np.full(len(column), table[0], dtype=np.int32)
        if column.null_count:
            # A row without a value has no index; a value of the dictionary may be none, too.
            table = np.append(table, np.int32(self.number("")))
            indices = indices.fill_null(len(table) - 1)
        return table[indices.to_numpy(zero_copy_only=False)]

    def _table(self, texts: pa.Array) -> Codes:
        """The numbers of a dictionary, which is often that of the batch before."""
        if self._last is None or not self._last[0].equals(texts):
            numbers = [self.number(text or "") for text in texts.to_pylist()]
            self._last = texts, np.array(numbers or [0], dtype=np.int32)
        return self._last[1]

    def number(self, text: str) -> int:
        """The number of one text."""
        known = self.numbers.get(text)
        if known is None:
            known = self.numbers[text] = len(self.texts)
            self.texts.append(text)
        return known


class Verdicts:
    """How rows stand to what is wanted of their folders, by shape of the folder, list and sort of the row."""

    def __init__(self, ground: Ground, lists: Words, groups: Words) -> None:
        self.ground, self.lists, self.groups = ground, lists, groups
        # The last one is that of rows in no folder, whose number is -1.
        self.shapes = np.array([*ground.shapes, len(ground.examples)], dtype=np.int32)
        self.examples = [from_document(example) for example in ground.examples]
        self.passing = np.zeros(len(ground.paths), dtype=np.bool_)
        """Which folders have passages: their spots are not all alike."""
        self.passing[list(ground.passages)] = True
        self.inner = Table(len(self.examples) + 1, self._inner)
        self.own = Table(len(self.examples), self._own)
        """Of folders themselves, where they have no passages."""
        self.spots: dict[tuple[int, int, int, bool, bool], int] = {}

    def of(self, homes: Codes, lists: Codes, sorts: Sorts) -> Sorts:
        """The verdicts of rows that are no spots, by folder, list and sort; rows in no folder are `PLAIN`."""
        return self.inner.of(self.shapes[homes], lists, sorts, len(self.lists.texts))

    def of_spots(self, homes: Codes, lists: Codes, sorts: Sorts, names: pa.Array) -> Sorts:
        """The verdicts of spots of folders."""
        found = self.own.of(self.shapes[homes], lists, sorts, len(self.lists.texts))
        rows = np.flatnonzero(self.passing[homes])
        paths = names.take(pa.array(rows)).to_pylist()
        columns = (column[rows].tolist() for column in (homes, lists, sorts))
        found[rows] = [self._of_spot(*row) for row in zip(paths, *columns, strict=True)]
        return found

    def _of_spot(self, path: str, home: int, text: int, sort: int) -> int:
        own, passage = path == self.ground.paths[home], path in self.ground.passages.get(home, ())
        # Which spot it is does not matter beyond this: folders have few shapes, and each has spots.
        alike = int(self.shapes[home]), text, sort, own, passage
        found = self.spots.get(alike)
        if found is None:
            expectation = self.ground.expectation(home)
            found = self.spots[alike] = expectation.verdict(self._key(text, sort, spot=path))
        return found

    def _inner(self, shape: int, text: int, sort: int) -> int:
        if shape == len(self.examples):
            return Verdict.PLAIN
        return self.examples[shape].verdict(self._key(text, sort, spot=""))

    def _own(self, shape: int, text: int, sort: int) -> int:
        folder = from_document({**self.ground.examples[shape], "path": OWN})
        return folder.verdict(self._key(text, sort, spot=OWN))

    def _key(self, text: int, sort: int, spot: str) -> Key:
        return Key(self.lists.texts[text], bool(sort & 1), spot, SOMEBODY if sort & 2 else "")

    def sorts(self, directories: npt.NDArray[np.bool_], groups: Codes) -> Sorts:
        """The sorts of rows."""
        somebody = np.array([text not in ("", SUPERUSER) for text in self.groups.texts] or [False])
        if not somebody.any():
            return directories.view(np.uint8)
        found = somebody[groups].astype(np.uint8)
        found <<= 1
        found |= directories
        return found


class Table:
    """Verdicts by shape, list and sort: filled as rows ask."""

    def __init__(self, shapes: int, judge: Callable[[int, int, int], int]) -> None:
        self.judge = judge
        self.held = np.zeros((shapes, 0), dtype=np.uint8)

    def of(self, shapes: Codes, lists: Codes, sorts: Sorts, known: int) -> Sorts:
        """The verdicts of rows; so many lists are known by now."""
        self._widen(SORTS * known)
        # Shapes times lists may be more than 32 bits hold.
        codes = (np.arange(len(self.held)) * self.held.shape[1])[shapes]
        codes += lists * SORTS
        codes += sorts
        found = self.held.reshape(-1)[codes]
        unknown = np.flatnonzero(found == UNKNOWN)
        if len(unknown):
            for code in np.unique(codes[unknown]).tolist():
                shape, rest = divmod(code, self.held.shape[1])
                self.held[shape, rest] = self.judge(shape, *divmod(rest, SORTS))
            found[unknown] = self.held.reshape(-1)[codes[unknown]]
        return found

    def _widen(self, wide: int) -> None:
        """Have a column for every list that was met."""
        have = self.held.shape[1]
        if wide > have:
            more = np.full((len(self.held), max(wide, 2 * have) - have), UNKNOWN, dtype=np.uint8)
            self.held = np.concatenate([self.held, more], axis=1)


SOMEBODY = "somebody"
"""Stands for every owning group that is one: a verdict asks no more of it."""
OWN = "folder"
"""Stands for the path of every folder: a verdict asks only whether a path is it."""
