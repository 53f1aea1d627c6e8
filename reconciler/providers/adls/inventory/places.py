"""Which declared folder the directories of a container belong to, for millions of rows at a time.

Its law: a directory belongs to its nearest declared folder, itself included, whatever order rows come in.

Rows come in any order, so that almost every row of a batch names another directory: strings would have to be
made, hashed and compared for each, which costs more than everything else together.  Here a directory is 64
bits of a keyed hash over all its bytes, worked out for a whole batch at once where the bytes lie.  Two of a
million directories are mistaken for one with a chance of 3 in 100 million, and the key is secret, so that
nobody can name a directory to be taken for another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reconciler.providers.adls.inventory.estate import NOBODY, Landmark, above

Hashes: TypeAlias = npt.NDArray[np.uint64]
Numbers: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]

WORD = 8
LOAD = 0.5
"""The share of slots that may be taken: a fuller table is searched longer, a larger one misses caches."""
PART = 1 << 13
"""Rows whose bytes fit into a core's own cache, as each is come back to for every word of it."""
MIXERS = 61
"""Multipliers that take turns; names of up to 488 bytes meet each once."""
SHIFT = np.uint64(29)
MASKS = np.array([(1 << (8 * size)) - 1 for size in range(WORD + 1)], dtype=np.uint64)
"""What is left of a word of which so many bytes count."""
SLASH = 0x2F
SPOT, DECLARED, LEADS, KNOWN = 1, 2, 4, 8
"""Marks of landmarks: judged by itself; a folder begins here; landmarks lie directly in it; is one."""


class Texts:
    """The bytes of many names, where they lie."""

    def __init__(self, names: pa.Array) -> None:
        names = names.cast(pa.binary()).fill_null(b"") if names.null_count else names.cast(pa.binary())
        held = np.frombuffer(names.buffers()[1], dtype=np.int32)
        offsets: Numbers = held[names.offset : names.offset + len(names) + 1].astype(np.int64)
        first, last = (int(offsets[0]), int(offsets[-1])) if len(names) else (0, 0)
        # Words are read whole, the last one beyond the end of its name.
        self.data = np.zeros(last - first + WORD, dtype=np.uint8)
        if last > first:
            self.data[:-WORD] = np.frombuffer(names.buffers()[2], dtype=np.uint8)[first:last]
        self.words = np.ndarray((last - first + 1,), dtype="<u8", buffer=self.data, strides=(1,))
        self.starts: Numbers = offsets[:-1] - first
        self.lengths: Numbers = offsets[1:] - offsets[:-1]
        self.names = names

    def parents(self) -> Numbers:
        """How many bytes of each name are its directory's: what is before the last slash."""
        # The last slash is the first one from behind, which is found ten times as fast.
        behind = pc.find_substring(pc.binary_reverse(self.names), pattern=b"/").to_numpy().astype(np.int64)
        return np.where(behind < 0, 0, self.lengths - behind - 1)


class Hasher:
    """Turns the beginnings of names into numbers that tell them apart."""

    def __init__(self, key: int) -> None:
        numbers = np.random.Generator(np.random.PCG64(key)).integers(0, 2**64, MIXERS + 1, dtype=np.uint64)
        self.mixers = numbers | np.uint64(1)

    def of(self, texts: Texts, starts: Numbers, lengths: Numbers) -> Hashes:
        """The hashes of as many bytes from each start; never 0, which stands for an empty place."""
        found = np.empty(len(starts), dtype=np.uint64)
        for begin in range(0, len(starts), PART):
            part = slice(begin, begin + PART)
            self._of(texts, starts[part], lengths[part], found[part])
        return found

    def _of(self, texts: Texts, starts: Numbers, lengths: Numbers, found: Hashes) -> None:
        words = (lengths + WORD - 1) // WORD
        longest = int(words.max(initial=0))
        # In the order of their lengths, those that go on are always the rest of the column.
        order = np.argsort(words.astype(np.uint8 if longest < 256 else np.int64), kind="stable")
        ends = np.searchsorted(words[order], np.arange(longest + 1), side="right").tolist()
        at, left = starts[order], lengths[order]
        mixed = left.astype(np.uint64) * self.mixers[MIXERS]
        for number in range(longest):
            begin, end = ends[number], ends[number + 1]
            word = texts.words[at[begin:] + WORD * number]
            word[: end - begin] &= MASKS[left[begin:end] - WORD * number]
            self._mix(mixed[begin:], word, number)
        found[order] = np.maximum(mixed, np.uint64(1))

    def _mix(self, found: Hashes, word: Hashes, number: int) -> None:
        found ^= word
        found *= self.mixers[number % MIXERS]
        found ^= found >> SHIFT

    def texts(self, texts: Sequence[str]) -> Hashes:
        """The hashes of whole texts."""
        held = Texts(pa.array(texts, pa.string()))
        return self.of(held, held.starts, held.lengths)


class Places:
    """Every directory met so far, with the folder that it belongs to: a table that grows with directories.

    A slot holds a hash; beside it lie what is known of the directory.  Landmarks are here from the start.
    """

    def __init__(self, landmarks: Iterable[Landmark], hasher: Hasher) -> None:
        self.hasher = hasher
        self._make(1 << 14)
        known = list(landmarks)
        leads = {above(path) for path, _, declared, spot in known if declared or spot}
        marks = [
            KNOWN | SPOT * spot | DECLARED * declared | LEADS * (path in leads)
            for path, _, declared, spot in known
        ]
        self.landmarks = hasher.texts([each.path for each in known])
        self.above = hasher.texts([above(each.path) for each in known])
        self._make_room(len(known))
        slots = self._claim(self.landmarks)
        self.homes[slots] = [each.home for each in known]
        self.marks[slots] = marks

    def _make(self, size: int) -> None:
        self.used = 0
        """How many slots are taken, at most."""
        self.shift = np.uint64(65 - size.bit_length())
        self.keys = np.zeros(size, dtype=np.uint64)
        self.homes = np.full(size, NOBODY, dtype=np.int32)
        self.marks = np.zeros(size, dtype=np.uint8)
        self.needed = np.zeros(size, dtype=np.bool_)
        """Something was met in it, so that it has to be there itself."""
        self.seen = np.zeros(size, dtype=np.bool_)
        """It was met itself, as a directory."""

    def find(self, hashes: Hashes) -> Numbers:
        """The slots of these hashes; -1 for those that are not here."""
        slots = (hashes >> self.shift).view(np.int64)
        rows = np.flatnonzero(self.keys[slots] != hashes)
        at, wanted = slots[rows], hashes[rows]
        while len(rows):
            key = self.keys[at]
            slots[rows[key == wanted]] = at[key == wanted]
            slots[rows[key == 0]] = -1
            going = np.flatnonzero((key != wanted) & (key != 0))
            rows, wanted = rows[going], wanted[going]
            at = (at[going] + 1) & (len(self.keys) - 1)
        return slots

    def settle(self) -> None:
        """Mark what landmarks lie in as needed, once all rows were met: of others that was done at once."""
        slots, upper = self.find(self.landmarks), self.find(self.above)
        while True:
            there = upper[self.seen[slots] | self.needed[slots]]
            if self.needed[there].all():
                return
            self.needed[there] = True

    def first(self, hashes: Hashes) -> Numbers:
        """Which of these were not here, each where it comes first; they are from now on."""
        new = np.flatnonzero(self.find(hashes) < 0)
        _, first = np.unique(hashes[new], return_index=True)
        new = np.sort(new[first])
        self._make_room(len(new))
        self._claim(hashes[new])
        return new

    def slots(self, texts: Texts, lengths: Numbers) -> Numbers:
        """The slots of the directories that names begin with; those not met before are added."""
        hashes = self.hasher.of(texts, texts.starts, lengths)
        slots = self.find(hashes)
        new = np.flatnonzero(slots < 0)
        if not len(new):
            return slots
        size = len(self.keys)
        found = self._learn(texts, new, lengths[new], hashes[new])
        if len(self.keys) != size:
            return self.find(hashes)
        slots[new] = found
        return slots

    def _learn(self, texts: Texts, rows: Numbers, lengths: Numbers, hashes: Hashes) -> Numbers:
        """Add directories, and all those on the way up to one that is known; gives their slots."""
        levels: list[tuple[Hashes, Hashes, Numbers]] = []
        for parents, upper in self._upwards(texts, rows, lengths):
            levels.append((hashes, parents, upper))
            hashes = parents[upper < 0]
        grown = self._make_room(sum(len(level[0]) for level in levels))
        slots = np.zeros(0, dtype=np.int64)
        for number, (hashes, parents, upper) in enumerate(reversed(levels)):
            # Only the topmost level was found whole, and where slots have moved not even that.
            upper = self.find(parents) if grown or number else upper
            slots = self._claim(hashes)
            self.homes[slots] = self.homes[upper]
            self.needed[upper] = self.needed[slots] = True
        return slots

    def _upwards(self, texts: Texts, rows: Numbers, lengths: Numbers) -> Iterator[tuple[Hashes, Numbers]]:
        """The directories above these, with their slots; then those above the ones that are not here."""
        if 4 * len(rows) < len(texts.starts):
            texts, rows = Texts(texts.names.take(pa.array(rows))), np.arange(len(rows))
        starts = texts.starts[rows]
        slashes = np.concatenate([[-1], np.flatnonzero(texts.data[:-WORD] == SLASH)])
        last = np.searchsorted(slashes, starts + lengths) - 1
        while len(starts):
            parents = self.hasher.of(texts, starts, np.maximum(slashes[last] - starts, 0))
            slots = self.find(parents)
            yield parents, slots
            unknown = np.flatnonzero(slots < 0)
            starts, last = starts[unknown], last[unknown] - 1

    def _make_room(self, count: int) -> bool:
        """Have free slots for so many more; says whether all slots have moved."""
        size = len(self.keys)
        if self.used + count > LOAD * size:
            # Some came twice: count before taking more memory.
            self.used = int(np.count_nonzero(self.keys))
        while self.used + count > LOAD * size:
            size *= 2
        if size == len(self.keys):
            return False
        full = np.flatnonzero(self.keys)
        keys, homes, marks = self.keys[full], self.homes[full], self.marks[full]
        needed, seen = self.needed[full], self.seen[full]
        self._make(size)
        slots = self._claim(keys)
        self.homes[slots], self.marks[slots] = homes, marks
        self.needed[slots], self.seen[slots] = needed, seen
        return True

    def _claim(self, hashes: Hashes) -> Numbers:
        """The slots of these hashes, which may be here already and may come twice."""
        slots = (hashes >> self.shift).view(np.int64)
        rows = np.arange(len(hashes))
        while len(rows):
            at = slots[rows]
            free = np.flatnonzero(self.keys[at] == 0)
            # Of different ones that want the same free slot, one gets it.
            self.keys[at[free]] = hashes[rows[free]]
            lost = np.flatnonzero(self.keys[at] != hashes[rows])
            rows = rows[lost]
            slots[rows] = (at[lost] + 1) & (len(self.keys) - 1)
        self.used += len(hashes)
        return slots
