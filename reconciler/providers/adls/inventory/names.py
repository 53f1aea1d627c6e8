"""How a run writes the names of paths: with their container in front, or without.

Its law: what the run itself shows decides, and a run that shows both is refused.

Microsoft's own queries take the container from the front of a name (docs: Calculate blob count and total size
per container); no recorded run shows it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from reconciler.providers.adls.inventory.columns import SCHEMA, Rows, View
from reconciler.providers.adls.inventory.faults import Flaw, InventoryFault
from reconciler.providers.adls.inventory.manifest import Manifest
from reconciler.providers.adls.inventory.units import Cut

SAMPLE = 1_000
"""Names of each file that are looked at."""


def view(
    place: str, manifest: Manifest, sample: Iterable[str], container: str, known: Collection[str], said: str,
    encoded: bool = False,
) -> View:  # fmt: skip
    """How to read one container of a run; raises InventoryFault where that cannot be told.

    Args:
        place: the run, as messages name it.
        sample: names as they are written, of every file.
        known: the lake's containers.
        said: `container` or `path` where somebody knows, `auto` where the run shall show it.
    """
    matched = manifest.matched
    firsts = [each.partition("/")[0] for each in matched]
    # A filter with a path names its container in full; one without may be the beginning of several names.
    alone = bool(matched) and all("/" in each for each in matched) and set(firsts) == {container}
    only = bool(matched) and set(firsts) == {container}
    only = only and not any(each != container and each.startswith(container) for each in known)
    qualified = said == "container" or (said == "auto" and _qualified(place, manifest, sample, container))
    if not qualified and not only:
        text = (
            f"its names do not begin with their container, and its rule lists {_filters(matched)}: give each "
            f"container a rule of its own, with prefixMatch {container}/"
        )
        raise InventoryFault(Flaw.NAMES, place, text)
    return View(container=container, qualified=qualified, encoded=encoded, alone=alone)


def _qualified(place: str, manifest: Manifest, sample: Iterable[str], container: str) -> bool:
    matched = manifest.matched
    if not matched:
        # Names of the whole account without their containers would be names of nothing.
        return True
    fits: list[str] = []
    fails: list[str] = []
    for name in sample:
        (fits if _may_begin(name, matched) else fails).append(name)
    if fits and fails:
        text = (
            f"its rule lists {_filters(matched)}; {len(fits):,} of {len(fits) + len(fails):,} names begin "
            f"so, as {fits[0][:80]!r}, and others do not, as {fails[0][:80]!r}: set the inventory's `names`"
        )
        raise InventoryFault(Flaw.NAMES, place, text)
    return not fails


def _may_begin(name: str, matched: Sequence[str]) -> bool:
    """Whether a name is one that the filters let through, if it begins with its container."""
    return any(name.startswith(each) or each.startswith(f"{name}/") for each in matched)


def _filters(matched: Sequence[str]) -> str:
    return ", ".join(matched) if matched else "the whole account"


def sample(cut: Cut, most: int = SAMPLE) -> list[str]:
    """The first names of each file, as they are written; files that do not open give none."""
    found: dict[str, list[str]] = {}
    for unit in sorted(cut.units, key=lambda unit: unit.start):
        if unit.name in found:
            continue
        names = found[unit.name] = []
        try:
            for batch in Rows(unit, View(container="", qualified=False)):
                names += batch.slice(0, most).column(SCHEMA.names[0]).to_pylist()
                break
        except InventoryFault:
            # Whoever reads the unit meets the same fault, and tells it.
            continue
    return [name for names in found.values() for name in names]
