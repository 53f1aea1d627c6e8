"""The paths of one subtree in listing order, each with a small number, in a few bytes a path.

Its law: a strip is always in listing order, depth first and by code point, whatever order its paths came in.

A tree of ten million paths must not become ten million objects: names are kept a page at a time, joined and
compressed (neighbours share most of their names), and what is known of a path is one machine integer.
"""

from __future__ import annotations

import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby, pairwise

ROOM = 5_000
"""Paths of one page of a strip: those of one listing answer."""
SEAM = "\0"
"""Between the names of a page: no path holds it (Microsoft docs: naming containers and blobs)."""


def place(name: str) -> str:
    """What listing order goes by: `a`, `a/b`, `a-b`, as a slash comes before every other character."""
    return name.replace("/", SEAM)


def within(name: str, top: str) -> bool:
    """Whether a path is this directory or below it; "" is the container's root."""
    return not top or name == top or name.startswith(top + "/")


@dataclass(slots=True)
class Page:
    """Some neighbouring paths."""

    first: str
    last: str
    packed: bytes
    lots: array[int]
    """One number for each path, in the order of the names."""

    @staticmethod
    def of(names: list[str], lots: array[int]) -> Page:
        """Pack these names, which are in listing order and not none."""
        packed = zlib.compress(SEAM.join(names).encode("utf-8", "surrogatepass"), 1)
        return Page(names[0], names[-1], packed, lots)

    @property
    def names(self) -> list[str]:
        """The names, unpacked."""
        return zlib.decompress(self.packed).decode("utf-8", "surrogatepass").split(SEAM)


@dataclass(slots=True)
class Strip:
    """Paths with their lots; what a lot means is known to whoever made the strip."""

    pages: list[Page] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)
    _lots: array[int] = field(default_factory=lambda: array("i"))
    _last: str = ""

    def add(self, name: str, lot: int) -> None:
        """Take one path, in any order; `close` once all are there."""
        here = place(name)
        if here <= self._last or len(self._names) == ROOM:
            # Whoever reads in parallel brings stretches that are in order, each in its turn.
            self._cut()
        self._last = here
        self._names.append(name)
        self._lots.append(lot)

    def close(self) -> Strip:
        """Bring everything into order; of a path that came twice the later one counts."""
        self._cut()
        self.pages.sort(key=lambda page: place(page.first))
        if any(place(one.last) >= place(two.first) for one, two in pairwise(self.pages)):
            # Single paths that a listing left out, or no listing order at all: sort the whole of it.
            self._sort()
        return self

    def __len__(self) -> int:
        return sum(len(page.lots) for page in self.pages)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        for page in self.pages:
            yield from zip(page.names, page.lots, strict=True)

    def counts(self) -> Counter[int]:
        """How many paths are in each lot."""
        counted: Counter[int] = Counter()
        for page in self.pages:
            counted.update(page.lots)
        return counted

    def of_lots(self, wanted: Iterable[int]) -> Iterator[tuple[str, int]]:
        """The paths that are in these lots; pages without any are not unpacked."""
        chosen = frozenset(wanted)
        for page in self.pages:
            if not chosen.isdisjoint(page.lots):
                pairs = zip(page.names, page.lots, strict=True)
                yield from (pair for pair in pairs if pair[1] in chosen)

    def below(self, top: str) -> Strip:
        """A strip of its own of a directory and everything below it."""
        return Strip([page for part in self._parts(top) for page in part[1]])

    def splice(self, top: str, other: Strip) -> None:
        """Put another strip in place of everything that is at or below a directory."""
        kept: list[Page] = []
        for before, _, after in self._parts(top):
            kept += [*before, *after]
        self.pages = sorted([*kept, *other.pages], key=lambda page: place(page.first))

    def _parts(self, top: str) -> Iterator[tuple[list[Page], list[Page], list[Page]]]:
        """Each page in three: what comes before the subtree, what is in it, what comes after."""
        here = place(top)
        for page in self.pages:
            if within(page.first, top) and within(page.last, top):
                yield [], [page], []
            elif place(page.last) < here:
                yield [page], [], []
            elif place(page.first) > here and not within(page.first, top):
                yield [], [], [page]
            else:
                parts: tuple[list[Page], list[Page], list[Page]] = ([], [], [])
                pairs = zip(page.names, page.lots, strict=True)
                for at, group in groupby(pairs, lambda pair: _side(pair[0], top, here)):
                    names, lots = zip(*group, strict=True)
                    parts[at].append(Page.of(list(names), array("i", lots)))
                yield parts

    def follow(self, old: Strip, decide: Callable[[str, int | None, int], int]) -> None:
        """Give every path the lot that follows from its lot in another strip (None without) and its own."""
        rest = iter(old)
        ahead = next(rest, None)
        for page in self.pages:
            lots = page.lots
            for at, name in enumerate(page.names):
                if ahead is not None and ahead[0] != name:
                    here = place(name)
                    while ahead is not None and place(ahead[0]) < here:
                        ahead = next(rest, None)
                known = ahead is not None and ahead[0] == name
                lots[at] = decide(name, ahead[1] if ahead is not None and known else None, lots[at])
                if known:
                    ahead = next(rest, None)

    def find(self, names: Iterable[str]) -> dict[str, int]:
        """The lots of these paths, as far as they are there."""
        return {name: page.lots[at] for page, at, name in self._met(names)}

    def change(self, lots: Mapping[str, int]) -> None:
        """Give single paths other lots; paths that are not there are passed by."""
        for page, at, name in self._met(lots):
            page.lots[at] = lots[name]

    def _met(self, names: Iterable[str]) -> Iterator[tuple[Page, int, str]]:
        waiting = sorted(set(names), key=place)
        at = 0
        for page in self.pages:
            begin = at
            while at < len(waiting) and place(waiting[at]) <= place(page.last):
                at += 1
            here = frozenset(waiting[begin:at])
            if here:
                found = ((index, name) for index, name in enumerate(page.names) if name in here)
                yield from ((page, index, name) for index, name in found)

    def _cut(self) -> None:
        if self._names:
            self.pages.append(Page.of(self._names, self._lots))
            self._names, self._lots, self._last = [], array("i"), ""

    def _sort(self) -> None:
        whole = dict(self)
        self.pages = []
        for name in sorted(whole, key=place):
            self.add(name, whole[name])
        self._cut()


def _side(name: str, top: str, here: str) -> int:
    """0 before a subtree, 1 within, 2 after it."""
    if within(name, top):
        return 1
    return 0 if place(name) < here else 2
