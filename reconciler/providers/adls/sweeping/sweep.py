"""Read every declared tree of one container with as few requests as the service's pages allow.

Its law: a tree is read whole or is a gap with its reason; what could not be read is never nothing.

Neighbouring folders are listed together as long as that costs no more than listing each by itself, and what
is large is read by several readers at once.  Where List Blobs is refused, or answers without lists, paths are
listed over the DFS endpoint instead.
"""

from __future__ import annotations

import asyncio
import os.path
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from reconciler.providers.adls.client import PAGE, Control, LakeReader, Refused
from reconciler.providers.adls.ground import Plots, Sink, Tally, Tract
from reconciler.providers.adls.listing import Listed, PageError
from reconciler.providers.adls.sweeping.asking import Asker, Counts, Lanes, Unlisted
from reconciler.providers.adls.sweeping.asking import Unread as Unread
from reconciler.providers.adls.sweeping.catch import Catch, Disorder, places_of, together
from reconciler.providers.adls.sweeping.region import BARE_LIMIT, Region
from reconciler.providers.adls.sweeping.resuming import NOWHERE, Keeping, Unkept
from reconciler.providers.adls.sweeping.saving import DoneState, LeftState, unpack
from reconciler.providers.adls.sweeping.stretch import Sprawl
from reconciler.providers.adls.sweeping.walk import Walk
from reconciler.providers.transport import Lost, Unreachable

TOGETHER = 4
"""Folders from which on listing them together is tried."""


@dataclass(slots=True, kw_only=True)
class Reading:
    """What was read of one container."""

    sinks: dict[str, Sink] = field(default_factory=dict)
    """By path of the folder; folders that do not exist are in none of these."""
    unread: dict[str, Unread] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=dict)
    """Access control lists of the ways that were asked for and exist."""
    unread_ways: dict[str, Unread] = field(default_factory=dict)
    siblings: set[str] = field(default_factory=set)
    unread_parents: dict[str, Unread] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    whys: set[str] = field(default_factory=set)
    """Why not all of it came from List Blobs, or why one reader alone had to read."""


@dataclass(slots=True, kw_only=True)
class Sweep:
    """One reading of one container."""

    reader: LakeReader
    container: str
    plots: Plots
    make: Callable[[Tract], Sink]
    """Several are made for one tract: they are tallies, or share what they hold."""
    ways: frozenset[str] = frozenset()
    parents: frozenset[str] = frozenset()
    progress: Callable[[int], None] = lambda count: None
    """Called with the number of paths of every page; below zero where pages have to be read again."""
    lanes: Lanes = field(default_factory=Lanes)
    split: bool = False
    """Whether large trees are read by several readers at once, so that paths are met in no order."""
    keeping: Keeping | None = None
    """Where what was read is kept for the case of an interruption; such sinks have to be tallies."""
    reading: Reading = field(default_factory=Reading)
    _asker: Asker = field(init=False)
    _keeping: Keeping | Unkept = field(init=False)
    _ordered: list[str] = field(init=False)
    _places: frozenset[str] = field(init=False)
    _seen_parents: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._keeping = self.keeping or NOWHERE
        self._asker = Asker(
            reader=self.reader,
            container=self.container,
            lanes=self.lanes,
            progress=self.progress,
            step=self._keeping.step,
        )
        self.reading.counts = self._asker.counts
        self._ordered = sorted(self.plots)
        self._places = places_of([*self.plots, *self.ways])

    async def run(self) -> Reading:
        """Read everything; raises Unread where nothing of the container can be read."""
        await self._enter()
        await self._cover(self._topmost(path for path, tract in self.plots.items() if tract is not None))
        ways = [way for way in sorted(self.ways) if way not in self.reading.lists]
        await asyncio.gather(
            *(self._way(way) for way in ways if way not in self.reading.unread_ways),
            *(self._level(parent) for parent in sorted(self.parents - self._seen_parents)),
        )
        for sink in self.reading.sinks.values():
            if isinstance(sink, Tally):
                sink.settle()
        return self.reading

    async def _enter(self) -> None:
        """Ask for the root: it is in no listing, and tells a missing container or a dead line at once."""
        try:
            found = await self.reader.control(self.container, "")
        except Unreachable as error:
            raise Unread(str(error)) from error
        except Lost as error:
            self.reading.unread_ways[""] = Unread(str(error))
        except Refused as error:
            if error.status in (401, 404):
                hint = "create it, or correct the name" if error.status == 404 else "check the identity"
                raise Unread(f"container {self.container!r}: {error}; {hint}", error.short) from error
            self.reading.unread_ways[""] = Unread(str(error), error.short)
        else:
            self.reading.lists[""] = found.acl
            self._asker.counts.single += 1

    def _topmost(self, paths: Iterable[str]) -> list[str]:
        """Those of these folders that lie in none of the others."""
        chosen: list[str] = []
        for path in sorted(paths, key=lambda path: path.split("/")):
            if not (chosen and path.startswith(chosen[-1] + "/")):
                chosen.append(path)
        return chosen

    async def _cover(self, roots: Sequence[str]) -> None:
        """Read these folders, none of which lies in another, together or in smaller groups."""
        if not roots:
            return
        if len(roots) < TOGETHER:
            await asyncio.gather(*(self._alone(root) for root in roots))
            return
        above = os.path.commonpath(roots)
        if await self._together(above, roots):
            return
        groups: dict[str, list[str]] = {}
        for root in roots:
            rest = root[len(above) :].lstrip("/") if above else root
            groups.setdefault(rest.partition("/")[0], []).append(root)
        await asyncio.gather(*(self._cover(group) for group in groups.values()))

    def _catches(self, above: str, *, remember: bool = False) -> Callable[[], Catch]:
        """Makes what stretches of a listing of this directory are taken into."""
        here = {path: self.plots[path] for path in self._below(above)}
        if above in self.plots:
            here[above] = self.plots[above]
        return lambda: Catch(
            plots=here,
            make=self.make,
            ways=self.ways,
            parents=self.parents,
            places=self._places,
            remember=remember,
        )

    def _below(self, above: str) -> list[str]:
        """The plots within a directory."""
        if not above:
            return self._ordered
        # "0" is what follows "/".
        low, high = (bisect_left(self._ordered, above + char) for char in "/0")
        return self._ordered[low:high]

    async def _region(self, above: str, whole: Callable[[Region], bool] = lambda region: True) -> Catch:
        """Everything below a directory by List Blobs; raises Unread, Unlisted, Sprawl."""
        prefix, key = above + "/" if above else "", f"list {above}"
        make = self._catches(above)
        region = Region(asker=self._asker, prefix=prefix, make=make, split=self.split, whole=whole)
        taken = self._resume(key, region)
        if taken is not None:
            return taken
        self._keeping.begin(key, region)
        try:
            catch = await region.read()
        except Disorder as error:
            self._keeping.drop(key)
            self.reading.whys.add(f"read by one reader alone, as its order is not the known one: {error}")
            make = self._catches(above, remember=True)
            return await Region(asker=self._asker, prefix=prefix, make=make, split=False, whole=whole).read()
        except (Sprawl, Unlisted) as error:
            self._keeping.leave(key, str(error))
            raise
        except Unread:
            self._keeping.drop(key)
            raise
        self._keeping.end(key, region.paths, catch)
        return catch

    def _resume(self, key: str, work: Region | Walk) -> Catch | None:
        """Let a reading go on from where an interrupted one was; what that had read to its end, if it had.

        Raises Sprawl, Unlisted where that is what the interrupted one found.
        """
        state = self._keeping.saved(key)
        if state is None:
            return None
        if isinstance(state, LeftState):
            self._keeping.leave(key, state.why)
            raise Unlisted(state.why) if state.why else Sprawl
        try:
            paths = unpack(state, self._keeping.texts, work)
        except ValueError as error:
            self._keeping.reject(error)
            work.catch = work.make()
            return None
        self._asker.met(paths)
        self._asker.counts.resumed += paths
        if isinstance(work, Walk):
            self._asker.counts.walked += paths
        if isinstance(state, DoneState):
            self._keeping.end(key, paths, work.catch)
            return work.catch
        return None

    async def _together(self, above: str, roots: Sequence[str]) -> bool:
        """List a whole region; False where it holds too much that nobody declared, or may not be listed."""

        def worth_it(region: Region) -> bool:
            catches = [region.catch, *(each.catch for each in region.stretches)]
            declared = sum(catch.declared for catch in catches)
            # By itself each folder takes a page, and one more for every page that its paths fill.
            return region.pages <= 2 * (together(catches) + declared // PAGE) + 2

        try:
            catch = await self._region(above, worth_it)
            await self._complete(catch)
        except (Unread, Unlisted, Sprawl):
            return False
        self._keep(catch)
        self._seen_parents.update(
            parent
            for parent in self.parents
            if parent == above or parent.startswith(above + "/" if above else "")
        )
        return True

    async def _alone(self, root: str) -> None:
        """Read one folder's tree; where that fails, the declared folders within it each by itself."""
        try:
            found = await self._asker.control(root)
            if found is None:
                await self._within(root)
                return
            try:
                catch = await self._listed(root, found)
            except Unlisted as error:
                self.reading.whys.add(f"List Blobs does not serve: {error}")
                catch = await self._walked(root, found)
        except Unread as error:
            self.reading.unread[root] = error
            await self._within(root)
            return
        self._asker.met(1)
        self._keep(catch)

    async def _within(self, root: str) -> None:
        inner = (path for path in self._below(root) if self.plots[path] is not None)
        await asyncio.gather(*(self._alone(path) for path in self._topmost(inner)))

    async def _listed(self, root: str, found: Control) -> Catch:
        catch = await self._region(root)
        catch.add([Listed(root, found.acl, True, found.group)])
        await self._complete(catch)
        return catch

    async def _walked(self, root: str, found: Control) -> Catch:
        def walk(remember: bool) -> Walk:
            make = self._catches(root, remember=remember)
            # The root's own entry is in no listing of it, and is known already.
            return Walk(asker=self._asker, root=root, make=lambda: make().without(root))

        key, work = f"walk {root}", walk(False)
        catch = self._resume(key, work)
        if catch is None:
            self._keeping.begin(key, work)
            try:
                catch = await work.read()
                self._keeping.end(key, work.paths, catch)
            except Disorder:
                self._keeping.drop(key)
                catch = await walk(True).read()
            except Unread:
                self._keeping.drop(key)
                raise
        catch.add([Listed(root, found.acl, True, found.group)])
        return catch

    async def _complete(self, catch: Catch) -> None:
        """Ask one by one for what a listing left out; raises Unread, Unlisted."""
        if len(catch.bare) > BARE_LIMIT or any(entry.directory is None for entry in catch.bare):
            raise Unlisted(f"{len(catch.bare)} entries came without their lists")
        if catch.bare:
            self.reading.whys.add(
                f"entries without a list, {len(catch.bare)} of them, were asked for one by one"
            )
        asked = catch.bare + [Listed(name, None, True) for name in catch.missing()]
        catch.bare = []
        catch.add(await self._asker.controls(asked))

    async def _way(self, way: str) -> None:
        try:
            found = await self._asker.control(way)
        except Unread as error:
            self.reading.unread_ways[way] = error
        else:
            if found is not None:
                self.reading.lists[way] = found.acl

    async def _level(self, parent: str) -> None:
        """The directories directly below one, for those that nobody declared."""
        marker, met = "", set[str]()
        try:
            while True:
                page = await self._asker.directories(parent, marker)
                self.reading.siblings.update(
                    entry.name for entry in page.entries if entry.directory and entry.name not in self.plots
                )
                marker = page.marker
                if not marker:
                    return
                if marker in met:
                    raise PageError("the listing goes round in circles")
                met.add(marker)
        except (Refused, Unreachable, Lost, PageError) as error:
            self.reading.unread_parents[parent] = self._asker.unread(parent, error)

    def _keep(self, catch: Catch) -> None:
        self.reading.sinks.update(catch.sinks)
        self.reading.lists.update(catch.lists)
        self.reading.siblings.update(catch.siblings)
