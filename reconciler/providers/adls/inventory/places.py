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
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reconciler.providers.adls.inventory.estate import NOBODY, Landmark, above

Hashes: TypeAlias = npt.NDArray[np.uint64]
Numbers: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]

LOAD = 0.5
"""The share of slots that may be taken: a fuller table is searched longer, a larger one misses caches."""
SMALLEST, ROOMY = 1 << 14, 1 << 20
"""Slots of a table at first: as many as will do for sixteen directories in each landmark, within these."""
PART = 1 << 13
"""Rows whose bytes fit into a core's own cache, as they are gone through several times."""
WIDE = 64
"""Bytes of a name that are mixed in one go: most directories' names are shorter."""
TAIL = 32
"""Bytes at the end of a name in which its last slash is looked for first."""
MIXERS = 61
"""Multipliers that take turns, one for each eight bytes."""
SHIFT = np.uint64(29)
SLASH = 0x2F
SPOT, DECLARED, LEADS, KNOWN = 1, 2, 4, 8
"""Marks of landmarks: judged by itself; a folder begins here; landmarks lie directly in it; is one."""
BITS = 4
"""How many bits marks take."""
EVERY_OTHER = pa.py_buffer(np.full(PART // 4 + 1, 0x55, dtype=np.uint8))
"""Validity of a column of which each second value counts."""


class Texts:
    """The bytes of many names, where they lie."""

    def __init__(self, names: pa.Array) -> None:
        names = names.cast(pa.string())
        self.names = names.fill_null("") if names.null_count else names
        held = np.frombuffer(self.names.buffers()[1] or bytes(4), dtype=np.int32)
        self.offsets: Numbers = held[names.offset : names.offset + len(names) + 1].astype(np.int64)
        self.starts: Numbers = self.offsets[:-1]
        self.lengths: Numbers = self.offsets[1:] - self.starts

    def parents(self) -> Numbers:
        """How many bytes of each name are its directory's: what is before the last slash."""
        found = np.empty(len(self.starts), dtype=np.int64)
        for at in range(0, len(found), PART):
            ends = self.offsets[at + 1 : at + PART + 1]
            tails = self.cut(np.maximum(self.starts[at : at + PART], ends - TAIL), ends, TAIL, pc.ascii_lpad)
            slashes = np.packbits(tails == SLASH, axis=1, bitorder="little").view("<u4")[:, 0]
            # Of 32 bits a float keeps each, so that its exponent is the place of the highest.
            found[at : at + PART] = np.frexp(slashes.astype(np.float64))[1]
        far = np.flatnonzero(found == 0)
        found += self.lengths - (TAIL + 1)
        if len(far):
            rest = self.names.take(pa.array(far)).cast(pa.binary())
            behind = pc.find_substring(pc.binary_reverse(rest), pattern=b"/").to_numpy()
            found[far] = np.where(behind < 0, 0, self.lengths[far] - behind - 1)
        return found

    def cut(self, begins: Numbers, ends: Numbers, wide: int, pad: Any) -> npt.NDArray[np.uint8]:
        """A matrix of so many bytes for each row, filled up with zeros; begins and ends come in order."""
        # What lies between the pieces makes pieces of its own, which do not count.
        borders = np.empty(2 * len(begins), dtype=np.int32)
        borders[0::2], borders[1::2] = begins, ends
        rows = max(2 * len(begins) - 1, 0)
        pieces = pa.StringArray.from_buffers(
            rows, pa.py_buffer(borders), self.names.buffers()[2], EVERY_OTHER, null_count=rows // 2
        )
        padded = pad(pieces, wide, "\0").buffers()[2]
        return np.frombuffer(padded, dtype=np.uint8, count=wide * len(begins)).reshape(-1, wide)

    def slashes(self) -> Numbers:
        """Where all slashes are, and -1 before them."""
        first, last = int(self.offsets[0]), int(self.offsets[-1])
        data = np.frombuffer(self.names.buffers()[2] or b"", dtype=np.uint8)[first:last]
        return np.concatenate([[-1], np.flatnonzero(data == SLASH) + first])


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
        self._round(texts, starts, np.minimum(lengths, WIDE), found, 0)
        done = WIDE
        while len(rows := np.flatnonzero(lengths > done)):
            rest = found[rows]
            self._round(texts, starts[rows] + done, np.minimum(lengths[rows] - done, WIDE), rest, done)
            found[rows] = rest
            done += WIDE

    def _round(self, texts: Texts, starts: Numbers, lengths: Numbers, found: Hashes, done: int) -> None:
        if not len(found):
            return
        words = texts.cut(starts, starts + lengths, WIDE, pc.ascii_rpad).view("<u8")
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
        self._make(min(max(SMALLEST, 1 << (16 * len(known)).bit_length()), ROOMY))
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
        self.keys = np.zeros(size, dtype=np.uint64)
        self.held = np.full(size, NOBODY << BITS, dtype=np.int32)
        """The home, and the marks in its last bits: what is fetched of far memory is fetched once."""
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
            self.held[slots] = self.held[upper] >> BITS << BITS
            self.needed[upper] = self.needed[slots] = True
        return slots

    def _upwards(self, texts: Texts, rows: Numbers, lengths: Numbers) -> Iterator[tuple[Hashes, Numbers]]:
        """The directories above these, with their slots; then those above the ones that are not here."""
        if 4 * len(rows) < len(texts.starts):
            texts, rows = Texts(texts.names.take(pa.array(rows))), np.arange(len(rows))
        starts = texts.starts[rows]
        slashes = texts.slashes()
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
