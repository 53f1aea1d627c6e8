"""Declared folders on the ground: which of them a path belongs to, and what was met in each.

Its law: a path is counted for its nearest declared folder and for no other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from reconciler.core.model import Address, Wanted
from reconciler.providers.adls.documents import FOLDER, PROVIDER
from reconciler.providers.adls.listing import Listed

SAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tract:
    """One declared folder with the tree that it governs."""

    address: Address
    want: Wanted
    container: str
    path: str
    deeper: frozenset[str]
    """Declared folders within it: their trees are theirs."""
    passages: Mapping[str, frozenset[str]]
    """Its directories that lead to deeper folders, with the principals who are to pass through each."""
    enforce_file_masks: bool

    @property
    def spots(self) -> frozenset[str]:
        """Paths to which more applies than to the rest of the tree."""
        return frozenset({self.path, *self.passages})


def tract(want: Wanted, locator: str = "") -> Tract:
    """The folder that this is wanted of; `locator` is its former one while it is looked for there."""
    container, _, path = (locator or want.address.locator).partition("/")
    moved = bool(locator)
    return Tract(
        address=Address(PROVIDER, want.address.installation, FOLDER, locator or want.address.locator),
        want=want,
        container=container,
        path=path,
        # What lies deeper is declared under the present name only.
        deeper=frozenset() if moved else frozenset(json.loads(want.details.get("deeper", "[]"))),
        passages={}
        if moved
        else {place: frozenset(who) for place, who in json.loads(want.details.get("passages", "{}")).items()},
        enforce_file_masks="enforce-file-masks" in want.details,
    )


class Key(NamedTuple):
    """What paths have in common that are judged alike."""

    acl: str
    directory: bool
    spot: str
    """The path itself where it is one of the tract's spots, else ""."""
    group: str = ""
    """The owning group's object id, as far as the service said."""


class Sink(Protocol):
    """What becomes of every path of a tract."""

    def note(self, entry: Listed, acl: str) -> None:
        """Take one path with its list."""
        ...


def in_order(path: str) -> list[str]:
    """What puts paths in the order of listings: depth first, parents before children, by code point."""
    return path.split("/")


@dataclass(slots=True)
class Tally:
    """How many paths of a tract are alike, by everything that matters: trees hold few distinct lists."""

    spots: frozenset[str]
    counts: dict[Key, int] = field(default_factory=dict)
    samples: dict[Key, list[str]] = field(default_factory=dict)
    """The first few paths of each sort, in the order of listings."""

    def note(self, entry: Listed, acl: str) -> None:
        """Count one path."""
        name, _, directory, group = entry
        spot = name if name in self.spots else ""
        # What `Key(…)` makes, at a third of its cost: this is done for every path.
        key = tuple.__new__(Key, (acl, bool(directory), spot, group))
        count = self.counts.get(key, 0)
        self.counts[key] = count + 1
        if count < SAMPLES:
            self.samples.setdefault(key, []).append(name)

    def absorb(self, other: Tally) -> None:
        """Count what another tally of the same tract counted; which of them came first does not matter."""
        for key, count in other.counts.items():
            self.counts[key] = self.counts.get(key, 0) + count
            met = self.samples.get(key, []) + other.samples[key]
            self.samples[key] = sorted(met, key=in_order)[:SAMPLES]

    def settle(self) -> None:
        """Put sorts of paths in the order in which one reader alone would have met them."""
        if len(self.counts) == 1:
            return
        first = sorted(self.counts, key=lambda key: in_order(self.samples[key][0]))
        self.counts = {key: self.counts[key] for key in first}


Plots = Mapping[str, Tract | None]
"""Declared folders of one container by path; None for those that were not asked about."""


def plots(tracts: Iterable[Tract]) -> dict[str, Tract | None]:
    """These tracts, and the gaps that deeper folders leave in them."""
    tracts = list(tracts)
    found: dict[str, Tract | None] = {path: None for each in tracts for path in each.deeper}
    found.update((each.path, each) for each in tracts)
    return found
