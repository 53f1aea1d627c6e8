"""Declared folders on the ground: which of them a path belongs to, and what was met in each.

Its law: a path is counted for its nearest declared folder and for no other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
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


@dataclass(slots=True)
class Tally:
    """How many paths of a tract are alike, by everything that matters: trees hold few distinct lists."""

    spots: frozenset[str]
    counts: dict[Key, int] = field(default_factory=dict)
    samples: dict[Key, list[str]] = field(default_factory=dict)

    def note(self, entry: Listed, acl: str) -> None:
        """Count one path."""
        spot = entry.name if entry.name in self.spots else ""
        key = Key(acl, bool(entry.directory), spot, entry.group)
        count = self.counts.get(key, 0)
        self.counts[key] = count + 1
        if count < SAMPLES:
            self.samples.setdefault(key, []).append(entry.name)


Plots = Mapping[str, Tract | None]
"""Declared folders of one container by path; None for those that were not asked about."""


def plots(tracts: Iterable[Tract]) -> dict[str, Tract | None]:
    """These tracts, and the gaps that deeper folders leave in them."""
    tracts = list(tracts)
    found: dict[str, Tract | None] = {path: None for each in tracts for path in each.deeper}
    found.update((each.path, each) for each in tracts)
    return found


@dataclass(slots=True)
class Catch:
    """What one sweep over part of a container brought in."""

    plots: Plots
    make: Callable[[Tract], Sink]
    ways: frozenset[str]
    """Directories on the way to declared folders whose own lists are asked for."""
    parents: frozenset[str]
    """Directories whose undeclared subdirectories are looked for."""
    sinks: dict[str, Sink] = field(default_factory=dict)
    """By the path of the tract; a tract is here once its own directory was met."""
    lists: dict[str, str] = field(default_factory=dict)
    """Access control lists of ways."""
    siblings: list[str] = field(default_factory=list)
    bare: list[Listed] = field(default_factory=list)
    """Paths of which the service did not say all."""
    declared: int = 0
    _homes: dict[str, str | None] = field(default_factory=dict)
    _directories: set[str] = field(default_factory=set)

    def take(self, entries: Iterable[Listed]) -> None:
        """Hand every path to the tract that it belongs to."""
        plots, homes, directories = self.plots, self._homes, self._directories
        for entry in entries:
            name, acl, directory, _ = entry
            parent = name[: max(name.rfind("/"), 0)]
            if name in plots:
                home: str | None = name
            elif parent in homes:
                home = homes[parent]
            else:
                home = homes[parent] = self._home(parent)
            if directory:
                directories.add(name)
            if home is None:
                self._outside(entry, parent)
            elif plots[home] is not None:
                self.declared += 1
                if acl is None or directory is None:
                    self.bare.append(entry)
                else:
                    self._sink(home).note(entry, acl)
                if acl is not None and name in self.ways:
                    self.lists[name] = acl

    def missing(self) -> list[str]:
        """Directories of tracts of which only the children were met, and tracts that were not met at all."""
        asked = {parent for parent, home in self._homes.items() if home and self.plots[home] is not None}
        asked.update(path for path, tract in self.plots.items() if tract is not None)
        return sorted(asked - self._directories - {entry.name for entry in self.bare})

    def _home(self, path: str) -> str | None:
        while path:
            if path in self.plots:
                return path
            path = path[: max(path.rfind("/"), 0)]
        return None

    def _outside(self, entry: Listed, parent: str) -> None:
        if not entry.directory:
            return
        if entry.name in self.ways:
            if entry.acl is not None:
                self.lists[entry.name] = entry.acl
        elif parent in self.parents:
            self.siblings.append(entry.name)

    def _sink(self, home: str) -> Sink:
        sink = self.sinks.get(home)
        if sink is None:
            tract = self.plots[home]
            assert tract is not None
            sink = self.sinks[home] = self.make(tract)
        return sink
