"""Which declared folder the directories of a container belong to, for millions of rows at a time.

Its law: a directory belongs to its nearest declared folder, itself included, whatever order rows come in.

Rows come in any order, so that almost every row of a batch names another directory: strings would have to be
made, hashed and compared for each, which costs more than everything else together.  Here a directory is 64
bits of a keyed hash over all its bytes, worked out for a whole batch at once where the bytes lie.  Two of a
million directories are mistaken for one with a chance of 3 in 100 million, and the key is random, so that
nobody can name a directory to be taken for another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reconciler.providers.adls.inventory.estate import NOBODY, Landmark, above

Hashes: TypeAlias = npt.NDArray[np.uint64]
Numbers: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]

LOAD = 0.5
"""The share of slots that may be taken: a fuller table is searched longer, a larger one misses caches."""
SMALLEST, ROOMY = 1 << 14, 1 << 21
"""Slots of a table at first: twice as many as sixteen directories in each landmark take, within these."""
PART = 1 << 13
"""Rows whose bytes fit into a core's own cache, as they are gone through several times."""
WIDE = 64
"""Bytes of a name that are mixed in one go: most directories' names are shorter."""
REACH = 32
"""Bytes before the end of a name in which its last slash is looked for at once."""
TAIL = np.dtype((np.void, REACH))
NONE = 1023 + REACH
"""How far back a slash would be of which no bit is set, by the bias of a float's exponent."""
MIXERS = 61
"""Multipliers that take turns, one for each eight bytes."""
SHIFT = np.uint64(29)
SLASH = 0x2F
SPOT, DECLARED, LEADS, KNOWN = 1, 2, 4, 8
"""Marks of landmarks: judged by itself; a folder begins here; landmarks lie directly in it; is one."""
BITS = 4
"""How many bits marks take."""
CELL = np.dtype((np.void, WIDE))
MASKS = (np.tri(WIDE + 1, WIDE, -1, dtype=np.uint8) * 255).reshape(-1).view(CELL)
"""For each number of bytes that count, which ones these are."""
SLOT = np.dtype(
    [("key", np.uint64), ("held", np.int32), ("needed", np.bool_), ("seen", np.bool_)], align=True
)
"""What is fetched of far memory is fetched once."""


class Texts:
    """The bytes of many names, where they lie."""

    def __init__(self, names: pa.Array) -> None:
        names = names.cast(pa.string())
        self.names = names.fill_null("") if names.null_count else names
        held = np.frombuffer(self.names.buffers()[1] or bytes(4), dtype=np.int32)
        self.data = np.frombuffer(self.names.buffers()[2] or b"", dtype=np.uint8)
        self.offsets: Numbers = held[names.offset : names.offset + len(names) + 1].astype(np.int64)
        self.starts: Numbers = self.offsets[:-1]
        self.lengths: Numbers = self.offsets[1:] - self.starts

    def parents(self) -> Numbers:
        """How many bytes of each name are its directory's: what is before the last slash."""
        return self.above(self.starts, self.lengths)

    def above(self, starts: Numbers, lengths: Numbers) -> Numbers:
        """How many of so many bytes from each start are before the last slash; 0 where there is none."""
        found = np.empty(len(starts), dtype=np.int64)
        for at in range(0, len(found), PART):
            part = slice(at, at + PART)
            self._above(starts[part], lengths[part], found[part])
        return found

    def _above(self, starts: Numbers, lengths: Numbers, found: Numbers) -> None:
        ends = starts + lengths
        back = self._back(ends)
        np.maximum(lengths - back, 0, out=found)
        rows = np.flatnonzero((back == NONE) & (lengths > REACH))
        ends, lengths = ends[rows], lengths[rows]
        while len(rows):
            ends, lengths = ends - REACH, lengths - REACH
            back = self._back(ends)
            found[rows] = np.maximum(lengths - back, 0)
            going = np.flatnonzero((back == NONE) & (lengths > REACH))
            rows, ends, lengths = rows[going], ends[going], lengths[going]

    def _back(self, ends: Numbers) -> Numbers:
        """How far before each of these the last slash is; `NONE` where it is not among `REACH` bytes.

        Ends come in ascending order.
        """
        early = int(np.searchsorted(ends, REACH))
        tails = windows(self.data, TAIL)[ends[early:] - REACH]
        if early:
            front = np.concatenate([np.zeros(REACH, dtype=np.uint8), self.data[:REACH]])
            tails = np.concatenate([windows(front, TAIL)[ends[:early]], tails])
        slashes = np.packbits(tails.view(np.uint8) == SLASH, bitorder="little").view("<u4")
        # A float keeps each of 32 bits, so that its exponent is the place of the highest.
        exponents = slashes.astype(np.float64).view(np.int64)
        exponents >>= 52
        return np.subtract(NONE, exponents, out=exponents)

    def words(self, begins: Numbers, lengths: Numbers) -> Hashes:
        """So many bytes from each begin, at most `WIDE`, as rows of eight words, filled up with zeros.

        Begins come in ascending order.
        """
        safe = int(np.searchsorted(begins, len(self.data) - WIDE, side="right"))
        cells = windows(self.data, CELL)[begins[:safe]]
        if safe < len(begins):
            # Bytes behind the last name are nobody's to read.
            first = int(begins[safe])
            rest = np.concatenate([self.data[first:], np.zeros(WIDE, dtype=np.uint8)])
            cells = np.concatenate([cells, windows(rest, CELL)[begins[safe:] - first]])
        words = cells.view(np.uint64)
        words &= MASKS[np.minimum(lengths, WIDE)].view(np.uint64)
        return words.reshape(-1, WIDE // 8)


def windows(data: npt.NDArray[np.uint8], size: np.dtype[np.void]) -> npt.NDArray[np.void]:
    """As many bytes from each byte on, without a copy of any."""
    return np.ndarray(max(len(data) - size.itemsize + 1, 0), dtype=size, buffer=data, strides=(1,))


class Hasher:
    """Turns the beginnings of names into numbers that tell them apart."""

    def __init__(self, key: int) -> None:
        numbers = np.random.Generator(np.random.PCG64(key)).integers(0, 2**64, MIXERS + 1, dtype=np.uint64)
        self.mixers = numbers | np.uint64(1)

    def of(self, texts: Texts, starts: Numbers, lengths: Numbers) -> Hashes:
        """The hashes of as many bytes from each start, in the order of the names; never 0, an empty slot."""
        found = (lengths + 1).astype(np.uint64) * self.mixers[MIXERS]
        for at in range(0, len(found), PART):
            part = slice(at, at + PART)
            self._mix(texts, starts[part], lengths[part], found[part])
        return np.maximum(found, np.uint64(1))

    def _mix(self, texts: Texts, starts: Numbers, lengths: Numbers, found: Hashes) -> None:
        self._round(texts, starts, lengths, found, 0)
        done = WIDE
        longest = int(lengths.max(initial=0))
        while done < longest:
            rows = np.flatnonzero(lengths > done)
            rest = found[rows]
            self._round(texts, starts[rows] + done, lengths[rows] - done, rest, done)
            found[rows] = rest
            done += WIDE

    def _round(self, texts: Texts, starts: Numbers, lengths: Numbers, found: Hashes, done: int) -> None:
        if not len(found):
            return
        words = texts.words(starts, lengths)
        high = np.empty_like(found)
        for number in range(words.shape[1]):
            found ^= words[:, number]
            found *= self.mixers[(done // 8 + number) % MIXERS]
            np.right_shift(found, SHIFT, out=high)
            found ^= high

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
        # The way up ends at the root, whoever is asked about.
        known = [Landmark("", NOBODY, False, False), *(each for each in landmarks if each.path)]
        self._make(min(max(SMALLEST, 1 << (32 * len(known)).bit_length()), ROOMY))
        leads = {above(path) for path, _, declared, spot in known if declared or spot}
        marks = [
            KNOWN | SPOT * spot | DECLARED * declared | LEADS * (path in leads)
            for path, _, declared, spot in known
        ]
        self.landmarks = hasher.texts([each.path for each in known])
        self.above = hasher.texts([above(each.path) for each in known])
        self._make_room(len(known))
        slots = self._claim(self.landmarks)
        self.held[slots] = [home << BITS | mark for (_, home, _, _), mark in zip(known, marks, strict=True)]

    def _make(self, size: int) -> None:
        self.used = 0
        """How many slots are taken, at most."""
        self.shift = np.uint64(65 - size.bit_length())
        table = np.zeros(size, dtype=SLOT)
        self.keys: Hashes = table["key"]
        self.held: npt.NDArray[np.int32] = table["held"]
        """The home, and the marks in its last bits."""
        self.needed: Flags = table["needed"]
        """Something was met in it, so that it has to be there itself."""
        self.seen: Flags = table["seen"]
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
        """Mark what landmarks lie in as needed, once all rows were met; of others that was done at once."""
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
        first = np.concatenate([[0], np.flatnonzero(hashes[1:] != hashes[:-1]) + 1])
        if 2 * len(first) > len(hashes):
            return self._slots(texts, texts.starts, lengths, hashes)
        # Directory by directory, as a service comes by them.
        slots = self._slots(texts, texts.starts[first], lengths[first], hashes[first])
        return np.repeat(slots, np.diff(first, append=len(hashes)))

    def _slots(self, texts: Texts, starts: Numbers, lengths: Numbers, hashes: Hashes) -> Numbers:
        slots = self.find(hashes)
        new = np.flatnonzero(slots < 0)
        if not len(new):
            return slots
        size = len(self.keys)
        found = self._learn(texts, starts[new], lengths[new], hashes[new])
        if len(self.keys) != size:
            return self.find(hashes)
        slots[new] = found
        return slots

    def _learn(self, texts: Texts, starts: Numbers, lengths: Numbers, hashes: Hashes) -> Numbers:
        """Add directories, and all those on the way up to one that is known; gives their slots."""
        levels: list[tuple[Hashes, Hashes, Numbers]] = []
        for parents, upper in self._upwards(texts, starts, lengths):
            levels.append((hashes, parents, upper))
            hashes = parents[upper < 0]
        grown = self._make_room(sum(len(level[0]) for level in levels))
        slots = np.zeros(0, dtype=np.int64)
        for number, (hashes, parents, upper) in enumerate(reversed(levels)):
            # Only the topmost level was found whole, and where slots have moved not even that.
            upper = self.find(parents) if grown or number else upper
            slots = self._claim(hashes)
            self.held[slots] = self.held[upper] >> BITS << BITS
            self.needed[upper] = self.needed[slots] = True
        return slots

    def _upwards(self, texts: Texts, starts: Numbers, lengths: Numbers) -> Iterator[tuple[Hashes, Numbers]]:
        """The directories above these, with their slots; then those above the ones that are not here."""
        while len(starts):
            lengths = texts.above(starts, lengths)
            parents = self.hasher.of(texts, starts, lengths)
            slots = self.find(parents)
            yield parents, slots
            unknown = np.flatnonzero(slots < 0)
            starts, lengths = starts[unknown], lengths[unknown]

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
        keys, held, needed, seen = self.keys[full], self.held[full], self.needed[full], self.seen[full]
        self._make(size)
        slots = self._claim(keys)
        self.held[slots], self.needed[slots], self.seen[slots] = held, needed, seen
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
