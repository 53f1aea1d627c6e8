"""What one stretch of a listing brings in: every path handed to the declared folder that it belongs to.

Its law: memory follows what was declared and how deep the tree is, never how many paths or directories there
are.  That rests on the order of listings, so an entry out of order is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from reconciler.providers.adls.ground import Plots, Sink, Tally, Tract, in_order
from reconciler.providers.adls.listing import Listed

REMEMBERED = 50_000
"""Directories of which it is remembered whose they are; beyond that it is found out again."""


class Disorder(Exception):
    """A listing is in no order that is known: what is a part of it cannot be told."""


@dataclass(slots=True)
class Home:
    """Whose the paths directly in one directory are."""

    path: str | None
    """The declared folder that governs them; None where nobody declared them."""
    sink: Sink | None
    """None as well for the tree of a folder that was not asked about."""
    watched: bool
    """Whether declared folders, or ways to them, may be among them."""


@dataclass(slots=True, kw_only=True)
class Catch:
    """The paths of one stretch of a listing, met in its order."""

    plots: Plots
    make: Callable[[Tract], Sink]
    ways: frozenset[str] = frozenset()
    """Directories on the way to declared folders whose own lists are asked for."""
    parents: frozenset[str] = frozenset()
    """Directories whose undeclared subdirectories are looked for."""
    places: frozenset[str] = frozenset()
    """Directories in which plots or ways are; see `places_of`."""
    remember: bool = False
    """Keep every directory that was met: needed where listings are in no known order."""
    sinks: dict[str, Sink] = field(default_factory=dict)
    """By the path of the tract."""
    lists: dict[str, str] = field(default_factory=dict)
    """Access control lists of ways."""
    siblings: list[str] = field(default_factory=list)
    bare: list[Listed] = field(default_factory=list)
    """Paths of which the service did not say all."""
    met: set[str] = field(default_factory=set)
    """Declared folders whose own entries were met."""
    owed: set[str] = field(default_factory=set)
    """Directories of tracts of which only something inside was met: their own entries come elsewhere."""
    open: list[str] = field(default_factory=list)
    """Directories met that the next entry may still lie in, the outermost first."""
    passed: set[str] = field(default_factory=set)
    """Directories met that earlier or other stretches may owe."""
    declared: int = 0
    """Paths of tracts."""
    last: str = ""
    """The entry up to which order was looked at: the first one of each run of siblings."""
    _parent: str | None = None
    _home: Home | None = None
    _homes: dict[str, Home] = field(default_factory=dict)

    def take(self, entries: Iterable[Listed]) -> None:
        """Hand every path to the tract that it belongs to; raises Disorder."""
        parent, home = self._parent, self._home
        for entry in entries:
            name, acl, directory, _ = entry
            cut = name.rfind("/")
            above = name[:cut] if cut > 0 else ""
            if home is None or above != parent:
                home = self._enter(name, above)
                parent = above
            if directory:
                self._pass(name)
            if home.watched:
                self._watched(entry, home)
            elif home.sink is None:
                if directory and home.path is None and above in self.parents:
                    self.siblings.append(name)
            elif acl is None or directory is None:
                self.declared += 1
                self.bare.append(entry)
            else:
                self.declared += 1
                home.sink.note(entry, acl)
        self._parent, self._home = parent, home

    def add(self, entries: Iterable[Listed]) -> None:
        """Hand over paths that were not met in a listing's order: those that were asked for one by one.

        What is kept as samples is the same as if they had been.
        """
        other = Catch(
            plots=self.plots, make=self.make, ways=self.ways, parents=self.parents, places=self.places
        )
        other._add(sorted(entries, key=lambda entry: in_order(entry.name)))
        self.absorb(other)

    def _add(self, entries: Iterable[Listed]) -> None:
        for entry in entries:
            self._watched(entry, self._find(above_of(entry.name)))
            if entry.directory:
                self.passed.add(entry.name)

    def without(self, directory: str) -> Catch:
        """The same, but for a directory whose own entry comes from elsewhere."""
        self.passed.add(directory)
        return self

    def missing(self) -> list[str]:
        """Directories of tracts of which only the children were met, and tracts that were not met at all."""
        asked = self.owed | {path for path, tract in self.plots.items() if tract is not None}
        return sorted(asked - self.passed - self.met - set(self.open) - {entry.name for entry in self.bare})

    def absorb(self, other: Catch) -> None:
        """Take over what another stretch of the same listing brought in.

        Sinks that are no tallies have to share what they hold.
        """
        for path, sink in other.sinks.items():
            mine = self.sinks.setdefault(path, sink)
            if mine is not sink and isinstance(mine, Tally) and isinstance(sink, Tally):
                mine.absorb(sink)
        self.lists.update(other.lists)
        self.siblings += other.siblings
        self.bare += other.bare
        self.met |= other.met
        self.owed |= other.owed
        self.passed |= other.passed
        self.passed.update(other.open)
        self.declared += other.declared

    def _watched(self, entry: Listed, home: Home) -> None:
        """One path that may be a declared folder or a way, or that is nobody's."""
        name, acl, directory, _ = entry
        sink, path = home.sink, home.path
        if name in self.plots:
            tract = self.plots[name]
            path, sink = name, None if tract is None else self._sink(name, tract)
            self.met.add(name)
        if acl is not None and name in self.ways and (sink is not None or directory):
            self.lists[name] = acl
        if sink is not None:
            self.declared += 1
            if acl is None or directory is None:
                self.bare.append(entry)
            else:
                sink.note(entry, acl)
        elif path is None and directory and name not in self.ways and above_of(name) in self.parents:
            self.siblings.append(name)

    def _enter(self, name: str, parent: str) -> Home:
        """Go on in another directory; raises Disorder where the listing jumps back."""
        if not self.remember:
            if name < self.last and in_order(name) < in_order(self.last):
                raise Disorder(f"{name!r} comes after {self.last!r}")
            self.last = name
            self._shut(name)
        home = self._find(parent)
        if home.sink is not None and not self._was_met(parent):
            self.owed.add(parent)
        return home

    def _was_met(self, parent: str) -> bool:
        return parent in (self.passed if self.remember else self.open)

    def _pass(self, name: str) -> None:
        if self.remember:
            self.passed.add(name)
            self.owed.discard(name)
            return
        if name < self.last and in_order(name) < in_order(self.last):
            raise Disorder(f"{name!r} comes after {self.last!r}")
        self.last = name
        self._shut(name)
        self.open.append(name)

    def _shut(self, name: str) -> None:
        """Forget directories that the listing has left: nothing of them follows, in either known order."""
        stack = self.open
        while stack and not name.startswith(stack[-1]):
            stack.pop()

    def _find(self, parent: str) -> Home:
        home = self._homes.get(parent)
        if home is None:
            if len(self._homes) > REMEMBERED:
                self._homes.clear()
            path = parent
            while path and path not in self.plots:
                path = path[: max(path.rfind("/"), 0)]
            tract = self.plots.get(path) if path else None
            home = Home(path or None, self._sink(path, tract) if tract else None, parent in self.places)
            self._homes[parent] = home
        return home

    def _sink(self, path: str, tract: Tract) -> Sink:
        sink = self.sinks.get(path)
        if sink is None:
            sink = self.sinks[path] = self.make(tract)
        return sink


def above_of(path: str) -> str:
    """The directory that a path is in."""
    return path.rpartition("/")[0]


def places_of(paths: Iterable[str]) -> frozenset[str]:
    """The directories in which these paths are."""
    return frozenset(map(above_of, paths))


def together(catches: Sequence[Catch]) -> int:
    """How many tracts these stretches have met, one that several met counted for each."""
    return sum(len(catch.sinks) for catch in catches)
