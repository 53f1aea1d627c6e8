"""Hand out what lies below the later children of a directory, where a listing cannot begin at a name.

Its law: whatever is handed out is read by nobody else, and the reader that was there ends where it begins.

One request lists the children of a directory with those of their names that are directories.  Many small ones
are read together, by what their names begin with: prefixes need not end at a slash.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from reconciler.providers.adls.client import PAGE, Refused
from reconciler.providers.adls.listing import Listed
from reconciler.providers.adls.sweeping import cutting
from reconciler.providers.adls.sweeping.asking import Asker
from reconciler.providers.adls.sweeping.catch import Catch
from reconciler.providers.adls.sweeping.cutting import Child, Part
from reconciler.providers.adls.sweeping.stretch import WORTH, Stretch

LEVEL_PAGES = 8
"""Pages of a level that are read at most: a directory with more children than fit is read on as it is.
Before many pages of its tree were read, half as many."""
FEW = 0.02
"""Share of directories among the children below which they are no help."""
PARTS = 16
"""Parts that a directory is handed out in at once; each may be handed out further."""


class Divided(Protocol):
    """A reading that others may take a part of."""

    asker: Asker
    catch: Catch
    pages: int
    paths: int
    misses: int
    """Requests that brought nothing."""

    @property
    def make(self) -> Callable[[], Catch]:
        """Makes what a stretch is taken into."""
        ...

    def begin(self, stretches: Sequence[Stretch]) -> None:
        """Read what was handed out."""
        ...


async def hand_out(region: Divided, stretch: Stretch) -> None:
    """Begin stretches for the children behind the one that is being read; nothing where it does not pay.

    From then on the reader that was there reads the rest of that one child, which may be looked into as well.
    """
    before = region.asker.counts.pages
    scope = stretch.scope
    assert scope is not None
    stretch.looked[scope] = float("inf")
    entries = await _children(region, stretch, scope)
    above = scope[: scope.rfind("/") + 1]
    if not entries or stretch.done or not stretch.last.startswith(above):
        region.misses += region.asker.counts.pages - before
        return
    level = _level(stretch, above, entries)
    tail = level.children[level.cut :]
    chosen = _parts(level, _left(stretch, level)) if tail else ([], [])
    if not tail or chosen is None:
        region.misses += region.asker.counts.pages - before
    if chosen is None:
        return
    # What is left before the cut is the rest of one child, unless another one cannot be told apart from it.
    alone = level.children[max(0, level.cut - 1)].name == level.present
    alone = alone and cutting.set_apart(level.children, level.present)
    stretch.scope = f"{above}{level.present}/" if alone else None
    if tail:
        stretch.end = above + tail[0].name
    found, loose = chosen
    region.catch.add([entries[above + child.name] for child in loose])
    region.paths += len(loose)
    region.asker.met(len(loose))
    region.begin([_stretch(region, above + part.stem, entries) for part in found])


def _stretch(region: Divided, prefix: str, entries: dict[str, Listed]) -> Stretch:
    own = entries[prefix.rstrip("/")] if prefix.endswith("/") else None
    return Stretch(prefix=prefix, scope=prefix, catch=region.make(), own=own)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Level:
    """The children of a directory, in order, and where to cut them."""

    above: str
    children: list[Child]
    present: str
    """The child that is being read."""
    cut: int
    """The first child that others may read."""


def _level(stretch: Stretch, above: str, entries: dict[str, Listed]) -> _Level:
    children = [Child(path[len(above) :], bool(entries[path].directory)) for path in sorted(entries)]
    present = stretch.last[len(above) :].partition("/")[0]
    cut = cutting.clean_cut(children, present)
    return _Level(above=above, children=children, present=present, cut=cut)


async def _children(region: Divided, stretch: Stretch, prefix: str) -> dict[str, Listed] | None:
    """Everything directly in a directory by its path; None where that is no help."""
    found: dict[str, Listed] = {}
    marker = ""
    for _ in range(max(1, min(LEVEL_PAGES, region.pages // 2))):
        try:
            page = await region.asker.page(prefix, marker, level=True)
        except Refused:
            # The listing in depth is what counts: it is told if that is refused as well.
            return None
        found.update((entry.name, entry) for entry in page.entries)
        marker = page.marker
        if not marker:
            return found
        if sum(bool(entry.directory) for entry in page.entries) < FEW * len(page.entries):
            return None
    stretch.looked[prefix] = 4.0 * region.pages
    return None


def _left(stretch: Stretch, level: _Level) -> float:
    """Pages that the children behind the cut hold, if they are like those that were read."""
    above = level.above
    first = stretch.first[len(above) :].partition("/")[0] if stretch.first.startswith(above) else ""
    passed = sum(first <= child.name < level.present for child in level.children[: level.cut])
    directories = sum(child.directory for child in level.children[level.cut :])
    return directories * stretch.paths / max(1, passed) / PAGE


def _parts(level: _Level, left: float) -> tuple[list[Part], list[Child]] | None:
    """The parts in which to hand children out, each worth a page at least, and files that are read by now.

    None where it does not pay: where there are several parts, and little in them.
    """
    tail = level.children[level.cut :]
    kept = [*(child.name for child in level.children[: level.cut]), level.present]
    size = max(1, round(len(tail) / max(2, min(PARTS, left / 2)))) if left >= WORTH else len(tail)
    while size <= 2 * len(tail):
        found, loose = cutting.parts(tail, kept, size)
        if len(found) <= max(2, left):
            return found, loose
        size *= 2
    return None
