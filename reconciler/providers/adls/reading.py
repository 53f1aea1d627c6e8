"""Read lakes: which containers to sweep for what, and what the sweeps come to.

Its law: everything that was asked for comes back as found, as absent, or as a gap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Protocol

from reconciler.core import model
from reconciler.core.model import Wanted
from reconciler.core.vocabulary import Boundary
from reconciler.providers.adls.acl import AclError, Entry
from reconciler.providers.adls.canonical import SUPERUSER, parsed
from reconciler.providers.adls.client import STORAGE_SCOPE, LakeReader
from reconciler.providers.adls.documents import FOLDER, TRAVERSE
from reconciler.providers.adls.ground import Tally, Tract, plots, tract
from reconciler.providers.adls.roles import Roles, read_roles
from reconciler.providers.adls.sweeping.asking import Counts, Lanes
from reconciler.providers.adls.sweeping.resuming import Keeping, Scans, question_of
from reconciler.providers.adls.sweeping.sweep import Reading, Sweep, Unread
from reconciler.providers.transport import Unreachable

WHYS = 2
"""Reasons for not reading as usual that are told; a lake rarely has more, and trees may have one each."""


@dataclass(slots=True)
class Ask:
    """What is asked of one container."""

    tracts: list[Tract] = field(default_factory=list)
    aside: list[Tract] = field(default_factory=list)
    """Folders that govern nothing: looked at where they are, in whosever tree that is."""
    ways: dict[str, Wanted] = field(default_factory=dict)
    """Directories on the way to declared folders, by path."""
    parents: set[str] = field(default_factory=set)
    """Directories in which undeclared folders are looked for."""


def tally(tract: Tract) -> Tally:
    """What counts a folder's paths."""
    return Tally(tract.spots)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a lake is read, whatever is asked of it."""

    scans: Scans
    """Told of the paths of every page, and where what was read is kept."""
    lanes: Lanes
    make: Callable[[Tract], Tally] = tally


class Told(Protocol):
    """What the run of an inventory told of one container's folders."""

    tallies: dict[str, Tally]
    """By path; folders that do not exist are in none of these."""
    unread: dict[str, Unread]
    left: list[Tract]
    """Folders of which the run may not be asked: they are read as they are now."""
    why_left: str
    rows: int
    as_of: str
    """The run and its age, in words."""


class Inventory(Protocol):
    """An inventory of one lake."""

    async def told(self, container: str, tracts: Sequence[Tract]) -> Told:
        """What it says of these folders; raises Unread where it says nothing at all."""
        ...


@dataclass(slots=True)
class Answer:
    """What one container answered."""

    ask: Ask
    main: Reading | Unread
    aside: Reading | Unread
    question: str = ""
    """The fingerprint of what was asked of the service."""
    told: Told | None = None
    """What an inventory had told before anything was asked."""

    def readings(self, place: str) -> Iterator[model.Reading]:
        """How the container was read; nothing where nothing of it was."""
        if self.told is not None and self.told.rows:
            yield model.Reading(place=place, reader="inventory", paths=self.told.rows, as_of=self.told.as_of)
        found = [part for part in (self.main, self.aside) if isinstance(part, Reading)]
        total = Counts()
        for counts in {id(part): part.counts for part in found}.values():
            total.add(counts)
        if not found or (self.told is not None and not total.paths):
            return
        whys = {why for part in found for why in part.whys} | {self.told.why_left if self.told else ""}
        yield model.Reading(
            place=place,
            reader="path-listing" if total.walked > total.paths / 2 else "list-blobs",
            paths=total.paths,
            requests=total.pages + total.single,
            single=total.single,
            why="; ".join(sorted(whys - {""})[:WHYS]),
            resumed=total.resumed,
        )

    def tracts(self) -> Iterable[tuple[Tract, Reading | Unread]]:
        """Every folder that was asked for, with the reading that it is in."""
        yield from ((each, self.main) for each in self.ask.tracts)
        yield from ((each, self.aside) for each in self.ask.aside)


@dataclass(slots=True, kw_only=True)
class LakeAnswer:
    """What one lake answered."""

    lake: str
    containers: dict[str, Answer]
    roles: Roles
    dead: str = ""
    """Why nothing at all could be asked."""

    def entries(self) -> Iterable[Entry]:
        """Everybody who has an entry anywhere in what was read, and every group that owns something."""
        texts: set[str] = set()
        groups: set[str] = set()
        for answer in self.containers.values():
            for reading in (answer.main, answer.aside):
                if isinstance(reading, Reading):
                    texts.update(reading.lists[way] for way in answer.ask.ways if way in reading.lists)
                    keys = {key for tally in tallies(reading) for key in tally.counts}
                    texts.update(key.acl for key in keys)
                    groups.update(key.group.lower() for key in keys)
        yield from (Entry("group", group) for group in groups - {"", SUPERUSER})
        for text in texts:
            try:
                acl = parsed(text)
            except AclError:
                continue  # Whoever judges the path reports it.
            yield from acl.access.named
            yield from acl.default.named if acl.default else ()


def tallies(reading: Reading) -> Iterable[Tally]:
    """The counts of a reading."""
    return (sink for sink in reading.sinks.values() if isinstance(sink, Tally))


def asks(wanted: Iterable[Wanted], boundaries: Iterable[Boundary], lake: str) -> dict[str, Ask]:
    """What to ask of each container of a lake."""
    found: dict[str, Ask] = {}
    for want in wanted:
        container, _, path = want.address.locator.partition("/")
        ask = found.setdefault(container, Ask())
        if want.address.kind == TRAVERSE:
            ask.ways[path] = want
            continue
        # Nobody declares a folder any more that comes without its layout.
        (ask.tracts if "deeper" in want.details else ask.aside).append(tract(want))
        if want.was:
            former = tract(want, want.was)
            found.setdefault(former.container, Ask()).aside.append(former)
    for container, parent in _parents(found, boundaries, lake):
        found.setdefault(container, Ask()).parents.add(parent)
    return found


def _parents(
    found: Mapping[str, Ask], boundaries: Iterable[Boundary], lake: str
) -> Iterable[tuple[str, str]]:
    """Directories beside declared folders, and those in which a boundary's patterns begin."""
    patterns = [pattern for each in covering(boundaries, lake) for pattern in each.patterns]
    if not patterns:
        return
    places = {(name, each.path.rpartition("/")[0]) for name, ask in found.items() for each in ask.tracts}
    for pattern in patterns:
        fixed = pattern[: min((pattern.find(char) % (len(pattern) + 1) for char in "*?["), default=0)]
        container, slash, path = fixed.rpartition("/")[0].partition("/")
        if container:
            places.add((container, path))
    for container, parent in sorted(places):
        ask = found.get(container)
        inside = ask and any(parent == each.path or parent.startswith(each.path + "/") for each in ask.tracts)
        if not inside:
            yield container, parent


def covering(boundaries: Iterable[Boundary], lake: str) -> list[Boundary]:
    """The boundaries that speak of folders of this lake."""
    return [each for each in boundaries if each.kind == FOLDER and each.installation in ("", "*", lake)]


def within(boundaries: Iterable[Boundary], locator: str) -> list[str]:
    """The tenants within whose boundaries a folder lies."""
    return sorted(
        {each.tenant for each in boundaries if any(fnmatchcase(locator, one) for one in each.patterns)}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What reading one lake takes."""

    reader: LakeReader
    lake: str
    resource_id: str
    manner: Manner
    inventories: Mapping[str, Inventory]
    """By container: its folders are read from there."""

    async def read(self, asked: Mapping[str, Ask]) -> LakeAnswer:
        """Sweep every container of the lake, and ask who holds roles on it."""
        try:
            await self.reader.wire.sign_in(STORAGE_SCOPE)
        except Unreachable as error:
            return LakeAnswer(lake=self.lake, containers={}, roles=Roles(lake=self.lake), dead=str(error))
        names = sorted(asked)
        # Boundaries alone make nobody hold anything on a container.
        held = [name for name in names if asked[name].tracts or asked[name].aside or asked[name].ways]
        roles, answers = await asyncio.gather(
            read_roles(self.reader, self.lake, self.resource_id, held),
            asyncio.gather(*(self._container(name, asked[name]) for name in names)),
        )
        return LakeAnswer(lake=self.lake, containers=dict(zip(names, answers, strict=True)), roles=roles)

    async def _container(self, container: str, ask: Ask) -> Answer:
        told, untold = await _told(self.inventories.get(container), container, ask.tracts)
        left = told.left if told else [each for each in ask.tracts if each.path not in untold]
        ways, parents = frozenset(ask.ways), frozenset(ask.parents)
        question = question_of(plots(left), ways, parents, f"{self.reader.endpoints.blob}/{container}")
        keeping = self.manner.scans.keeping(f"{self.lake}/{container}", question)
        main = await self._swept(container, left, ways, parents, keeping)
        if isinstance(main, Reading):
            main.sinks.update(told.tallies if told else {})
            main.unread.update(told.unread if told else untold)
        aside = main
        if ask.aside and isinstance(main, Reading):
            aside = await self._swept(container, ask.aside)
        return Answer(ask, main, aside, question, told)

    async def _swept(
        self,
        container: str,
        tracts: Sequence[Tract],
        ways: frozenset[str] = frozenset(),
        parents: frozenset[str] = frozenset(),
        keeping: Keeping | None = None,
    ) -> Reading | Unread:
        sweep = Sweep(
            reader=self.reader,
            container=container,
            plots=plots(tracts),
            make=self.manner.make,
            ways=ways,
            parents=parents,
            progress=self.manner.scans.count,
            lanes=self.manner.lanes,
            split=True,
            keeping=keeping,
        )
        try:
            return await sweep.run()
        except Unread as error:
            return error


async def _told(
    inventory: Inventory | None, container: str, tracts: Sequence[Tract]
) -> tuple[Told | None, dict[str, Unread]]:
    """What the inventory told, or why none of these folders is known; neither where there is no inventory."""
    if inventory is None or not tracts:
        return None, {}
    try:
        return await inventory.told(container, tracts), {}
    except Unread as error:
        return None, {tract.path: error for tract in tracts}
