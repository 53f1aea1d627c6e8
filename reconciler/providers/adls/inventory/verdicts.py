"""How rows stand to what is wanted, from a table: the real expectation is asked once for all rows alike.

Its law: no verdict is worked out here; each is that of `Expectation.verdict` for a row like it.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reconciler.providers.adls.canonical import SUPERUSER
from reconciler.providers.adls.expectation import from_document
from reconciler.providers.adls.ground import Key
from reconciler.providers.adls.inventory.estate import Ground

Codes: TypeAlias = npt.NDArray[np.int32]

UNKNOWN = 255
SORTS = 4
"""File or directory, with or without an owning group that is somebody."""


class Words:
    """Numbers for the distinct texts of a column, the same in every batch, whatever dictionary it brings."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.texts: list[str] = []

    def of(self, column: pa.Array) -> Codes:
        """The number of each row's text; no value counts as ""."""
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        numbers = [self.number(text or "") for text in column.dictionary.to_pylist()]
        indices = column.indices
        if column.null_count:
            # A row without a value has no index; a value of the dictionary may be none, too.
            numbers.append(self.number(""))
            indices = indices.fill_null(len(numbers) - 1)
        table = np.array(numbers or [0], dtype=np.int32)
        return table[indices.to_numpy(zero_copy_only=False)]

    def number(self, text: str) -> int:
        """The number of one text."""
        known = self.numbers.get(text)
        if known is None:
            known = self.numbers[text] = len(self.texts)
            self.texts.append(text)
        return known


class Verdicts:
    """The table of verdicts by shape of the folder, list and sort of the row: filled as rows ask."""

    def __init__(self, ground: Ground, lists: Words, groups: Words) -> None:
        self.ground, self.lists, self.groups = ground, lists, groups
        self.shapes = np.array(ground.shapes, dtype=np.int64)
        self.examples = [from_document(example) for example in ground.examples]
        self.table = np.zeros((len(self.examples), 0), dtype=np.uint8)
        self.spots: dict[tuple[int, int, int, bool, bool], int] = {}

    def of(
        self, homes: npt.NDArray[np.int32], lists: Codes, sorts: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.uint8]:
        """The verdicts of rows that are no spots, by their folders, their lists and their sorts."""
        self._widen()
        codes = self.shapes[homes] * self.table.shape[1]
        codes += lists.astype(np.int64) * SORTS
        codes += sorts
        found = self.table.reshape(-1)[codes]
        unknown = np.flatnonzero(found == UNKNOWN)
        if len(unknown):
            for code in np.unique(codes[unknown]).tolist():
                shape, rest = divmod(code, self.table.shape[1])
                text, sort = divmod(rest, SORTS)
                self.table[shape, rest] = self.examples[shape].verdict(self._key(text, sort, spot=""))
            found[unknown] = self.table.reshape(-1)[codes[unknown]]
        return found

    def of_spot(self, home: int, path: str, text: int, sort: int) -> int:
        """The verdict of a spot of a folder."""
        own, passage = path == self.ground.paths[home], path in self.ground.passages.get(home, ())
        # Which spot it is does not matter beyond this: folders have few shapes, and each has spots.
        alike = int(self.shapes[home]), text, sort, own, passage
        found = self.spots.get(alike)
        if found is None:
            expectation = self.ground.expectation(home)
            found = self.spots[alike] = expectation.verdict(self._key(text, sort, spot=path))
        return found

    def _key(self, text: int, sort: int, spot: str) -> Key:
        return Key(self.lists.texts[text], bool(sort & 1), spot, SOMEBODY if sort & 2 else "")

    def _widen(self) -> None:
        """Have a column for every list that was met."""
        wide = SORTS * len(self.lists.texts)
        have = self.table.shape[1]
        if wide > have:
            more = np.full((len(self.table), max(wide, 2 * have) - have), UNKNOWN, dtype=np.uint8)
            self.table = np.concatenate([self.table, more], axis=1)

    def sorts(self, directories: npt.NDArray[np.bool_], groups: Codes) -> npt.NDArray[np.uint8]:
        """The sorts of rows."""
        somebody = np.array([text not in ("", SUPERUSER) for text in self.groups.texts] or [False])
        found = somebody[groups].astype(np.uint8)
        found <<= 1
        found |= directories
        return found


SOMEBODY = "somebody"
"""Stands for every owning group that is one: a verdict asks no more of it."""
