"""Hand out what lies below the later children of a directory, where a listing cannot begin at a name.

Its law: whatever is handed out is read by nobody else, and the reader that was there ends where it begins.

One request lists the children of a directory with those of their names that are directories.  Many small ones
are read together, by what their names begin with: prefixes need not end at a slash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.providers.adls import cutting
from reconciler.providers.adls.client import PAGE, Refused
from reconciler.providers.adls.cutting import Child, Part
from reconciler.providers.adls.listing import Listed
from reconciler.providers.adls.stretch import WORTH, Stretch

if TYPE_CHECKING:
    from reconciler.providers.adls.region import Region

LEVEL_PAGES = 8
"""Pages of a level that are read at most: a directory with more children than fit is read on as it is."""
FEW = 0.02
"""Share of directories among the children below which they are no help."""
PARTS = 16
"""Parts that a directory is handed out in at once; each may be handed out further."""


async def hand_out(region: Region, stretch: Stretch, prefix: str) -> None:
    """Begin stretches for the children behind the one that is being read; nothing where it does not pay."""
    above = prefix[: prefix.rfind("/") + 1]
    entries = await _children(region, prefix)
    if entries is None or stretch.done or not stretch.last.startswith(above):
        region.misses += 1
        return
    ordered = sorted(entries)
    children = [Child(name[len(above) :], bool(entries[name].directory)) for name in ordered]
    present = stretch.last[len(above) :].partition("/")[0]
    at = cutting.clean_cut(children, present)
    tail, left = children[at:], _left(stretch, children, at, above)
    chosen = _chosen(tail, [child.name for child in children[:at]] + [present], left)
    if chosen is None:
        region.misses += 1
        return
    found, loose = chosen
    stretch.end = above + tail[0].name
    region.catch.add([entries[above + child.name] for child in loose])
    region.paths += len(loose)
    region.asker.met(len(loose))
    region.begin([_stretch(region, part, above, entries) for part in found])


async def _children(region: Region, prefix: str) -> dict[str, Listed] | None:
    """Everything directly in a directory by its path; None where that is no help."""
    found: dict[str, Listed] = {}
    marker = ""
    for _ in range(LEVEL_PAGES):
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
    return None


def _left(stretch: Stretch, children: list[Child], at: int, above: str) -> float:
    """Pages that the children from one on hold, if they are like those that were just read."""
    low = stretch.low[len(above) :].partition("/")[0] if stretch.low.startswith(above) else ""
    last = stretch.last[len(above) :].partition("/")[0]
    passed = sum(low <= child.name < last for child in children[:at])
    directories = sum(child.directory for child in children[at:])
    return directories * stretch.count / max(1, passed) / PAGE


def _chosen(tail: list[Child], kept: list[str], left: float) -> tuple[list[Part], list[Child]] | None:
    """The parts in which to hand children out, each worth a page at least; None where it does not pay."""
    if left < WORTH:
        return None
    size = max(1, round(len(tail) / max(2, min(PARTS, left / 2))))
    while size <= 2 * len(tail):
        found, loose = cutting.parts(tail, kept, size)
        if len(found) <= max(2, left) and len(loose) <= len(tail) / 2:
            return found, loose
        size *= 2
    return None


def _stretch(region: Region, part: Part, above: str, entries: dict[str, Listed]) -> Stretch:
    own = entries[above + part.stem.rstrip("/")] if part.single else None
    return Stretch(prefix=above + part.stem, catch=region.make(), own=own)
