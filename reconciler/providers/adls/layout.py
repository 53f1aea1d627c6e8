"""Lay declared folders out over a lake: who governs which subtree, and who must pass through what.

Its law: every access entry of every path belongs to one address.  A subtree belongs to its nearest declared
folder; on the way to a folder, entries that are `--x` alone belong to the platform.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from reconciler.core.approval import PLATFORM
from reconciler.core.environment import ContainerSettings
from reconciler.core.model import (
    EXISTS,
    PRESENT,
    Address,
    Attribute,
    Lifecycle,
    Source,
    Terms,
    Unlisted,
    Value,
    Wanted,
)
from reconciler.providers.adls.acl import NAMED_LIMIT
from reconciler.providers.adls.documents import (
    ACCESS,
    EVERYBODY,
    FOLDER,
    LIST,
    PASS,
    PROVIDER,
    TRAVERSE,
    LakeFolder,
    facts,
)
from reconciler.providers.document import Compiled, Context, Declared, Problem, in_force


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One declared folder on the map of its container."""

    lake: str
    container: str
    path: str
    declared: Declared
    grants: dict[Attribute, Value]
    terms: dict[Attribute, Terms]

    @property
    def locator(self) -> str:
        """The folder as addresses call it."""
        return f"{self.container}/{self.path}"

    @property
    def document(self) -> LakeFolder:
        """What the policies say of it."""
        document: LakeFolder = self.declared.document
        return document

    @property
    def active(self) -> bool:
        """Whether anybody is to reach it."""
        return self.document.state == "active"

    @property
    def fits(self) -> bool:
        """Whether its grants fit into one list; it is a problem, and left as it is, when they do not."""
        return not self.active or len(self.holders(self.path)) <= NAMED_LIMIT

    def holders(self, path: str) -> frozenset[str]:
        """Principals to whom this folder's own grants give execute on one of its directories."""
        if not self.active:
            return frozenset()
        own = path == self.path
        return frozenset(
            attribute.principal
            for attribute, value in self.grants.items()
            if attribute.role == ACCESS and (own or value != LIST)
        )


@dataclass(frozen=True, slots=True)
class Map:
    """Every declared folder of one container."""

    plots: dict[str, Plot] = field(default_factory=dict)

    def governor(self, path: str) -> Plot | None:
        """The nearest declared folder at or above a path."""
        while path:
            if path in self.plots:
                return self.plots[path]
            path = path.rpartition("/")[0]
        return None

    def deeper(self, left_behind: Iterable[str] = ()) -> dict[str, list[str]]:
        """Per declared folder, those directly below it: they take over their subtrees.

        So do folders that a deleted document left behind: nobody's, until somebody declares them.
        """
        found: dict[str, list[str]] = {}
        for path in sorted({*self.plots, *left_behind}):
            around = self.governor(path.rpartition("/")[0])
            if around is not None:
                found.setdefault(around.path, []).append(path)
        return found

    def ancestors(self) -> dict[str, list[Plot]]:
        """Every directory on the way to an active folder ("" is the root), with the folders it leads to."""
        ways: dict[str, list[Plot]] = {}
        for path, plot in sorted(self.plots.items()):
            while path and plot.active:
                path = path.rpartition("/")[0]
                ways.setdefault(path, []).append(plot)
        return dict(sorted(ways.items()))


def compile_folders(documents: Sequence[Declared], context: Context) -> Compiled:
    """Every folder that the documents declare, and the way to each."""
    maps: dict[tuple[str, str], Map] = {}
    for declared in documents:
        if _holds(declared, context):
            plot = _plot(declared, context.as_of)
            maps.setdefault((plot.lake, plot.container), Map()).plots[plot.path] = plot
    wanted: list[Wanted] = []
    problems: list[Problem] = []
    for (lake, container), ground in sorted(maps.items()):
        settings = context.environment.lakes[lake].containers.get(container)
        ways = list(_ways(ground, settings or ContainerSettings(name=container)))
        problems += (found for way in ways for found in way.crowded())
        problems += (found for plot in ground.plots.values() for found in _crowded(plot))
        wanted += (way.wanted(context.environment.name) for way in ways if way.leads_somebody)
        deeper = ground.deeper(_left_behind(lake, container, context))
        inside: dict[str, list[Way]] = {}
        for way in ways:
            if way.governor is not None and way.leads_somebody:
                inside.setdefault(way.governor.path, []).append(way)
        wanted += (
            _folder(plot, deeper.get(path, []), inside.get(path, []), context)
            for path, plot in ground.plots.items()
            if plot.fits
        )
    return Compiled(wanted=sorted(wanted, key=lambda want: want.address), problems=problems)


def _left_behind(lake: str, container: str, context: Context) -> list[str]:
    """Folders of a container that grants were made on, whether or not a document still speaks of them."""
    own = (at for at in context.granted if at.kind == FOLDER and at.installation == lake)
    return [path for at in own for place, _, path in [at.locator.partition("/")] if place == container]


def _holds(declared: Declared, context: Context) -> bool:
    named = declared.environments
    return declared.document.lake in context.environment.lakes and (
        not named or context.environment.name in named
    )


def _plot(declared: Declared, as_of: date) -> Plot:
    document: LakeFolder = declared.document
    container, _, path = document.locator.partition("/")
    wishes = (
        (attribute, value, grant, declared.locate("grants", number))
        for number, grant in enumerate(document.grants)
        for attribute, value in facts(grant)
    )
    grants, terms = in_force(wishes, as_of)
    return Plot(
        lake=document.lake, container=container, path=path, declared=declared, grants=grants, terms=terms
    )


def _folder(plot: Plot, deeper: Sequence[str], inside: Sequence[Way], context: Context) -> Wanted:
    document = plot.document
    passages = {way.path: sorted(way.grants) for way in inside}
    details = {
        "deeper": json.dumps(deeper, ensure_ascii=False),
        "passages": json.dumps(passages, ensure_ascii=False),
    }
    if document.enforce_file_masks:
        details["enforce-file-masks"] = "yes"
    return Wanted(
        address=Address(PROVIDER, plot.lake, FOLDER, plot.locator),
        tenant=plot.declared.tenant,
        source=plot.declared.source,
        grants={Attribute(EXISTS): PRESENT, **plot.grants},
        terms=plot.terms,
        unlisted=Unlisted(document.unlisted),
        adopted=context.environment.name in plot.declared.adopted,
        lifecycle=_lifecycle(document),
        was=document.was.partition("/")[2] if document.was else "",
        details=details,
    )


def _lifecycle(document: LakeFolder) -> Lifecycle:
    if document.state == "active":
        return Lifecycle.ACTIVE
    return Lifecycle.DESTROYED if document.destroy else Lifecycle.RETIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One directory that leads to declared folders."""

    lake: str
    container: str
    path: str
    plots: Sequence[Plot]
    """The active folders that it leads to, in order of path."""
    grants: dict[str, Terms]
    """Who is to pass, on the best terms that anybody gives."""
    ended: dict[str, Terms]
    """Who was to pass until a day that is over."""
    governor: Plot | None

    @property
    def locator(self) -> str:
        """The directory as addresses call it; the container's root is the container alone."""
        return f"{self.container}/{self.path}" if self.path else self.container

    @property
    def leads_somebody(self) -> bool:
        """Whether it fits: one that is too crowded is a problem, and is left as it is."""
        return len(self._named()) <= NAMED_LIMIT

    def wanted(self, environment: str) -> Wanted:
        """What the platform wants on this directory."""
        held = self._held()
        return Wanted(
            address=Address(PROVIDER, self.lake, TRAVERSE, self.locator),
            tenant=PLATFORM,
            source=self.plots[0].declared.source,
            grants={Attribute(ACCESS, who): PASS for who in self.grants if who not in held},
            terms={
                Attribute(ACCESS, who): terms
                for who, terms in (self.ended | self.grants).items()
                if who not in held
            },
            adopted=all(environment in plot.declared.adopted for plot in self.plots),
            shared=True,
            details={"held": json.dumps(sorted(held), ensure_ascii=False)},
        )

    def crowded(self) -> Iterator[Problem]:
        """The error where more principals are to pass than entries fit."""
        named = self._named()
        if len(named) <= NAMED_LIMIT:
            return
        shares = [(len(plot.holders(plot.path)), plot) for plot in self.plots]
        _, largest = max(shares, key=lambda share: share[0])
        said = ", ".join(f"{plot.declared.source} ({share})" for share, plot in shares)
        yield Problem(
            source=largest.declared.source,
            tenant=largest.declared.tenant,
            text=f"{len(named)} principals would need an entry of their own to pass through "
            f"{self.lake}/{self.locator} (at most {NAMED_LIMIT}): {said}; grant to groups, or set "
            f"`traverse: group:…` for container {self.container!r} in the environment",
        )

    def _held(self) -> frozenset[str]:
        return self.governor.holders(self.path) if self.governor else frozenset()

    def _named(self) -> frozenset[str]:
        return (frozenset(self.grants) - {EVERYBODY}) | self._held()


def _ways(ground: Map, settings: ContainerSettings) -> Iterator[Way]:
    for path, plots in ground.ancestors().items():
        grants, ended = _passers(plots, settings.traverse)
        yield Way(
            lake=plots[0].lake,
            container=plots[0].container,
            path=path,
            plots=plots,
            grants=grants,
            ended=ended,
            governor=ground.governor(path),
        )


def _passers(plots: Iterable[Plot], traverse: str) -> tuple[dict[str, Terms], dict[str, Terms]]:
    if traverse != "named":
        who = EVERYBODY if traverse == "everyone" else traverse
        return {who: Terms(source=next(iter(plots)).declared.source)}, {}
    grants: dict[str, Terms] = {}
    ended: dict[str, Terms] = {}
    for plot in plots:
        for attribute, terms in plot.terms.items():
            if attribute.role == ACCESS:
                kept = grants if attribute in plot.grants else ended
                kept[attribute.principal] = _longer(kept.get(attribute.principal), terms)
    return grants, {who: terms for who, terms in ended.items() if who not in grants}


def _longer(one: Terms | None, two: Terms) -> Terms:
    """Of two terms, the ones that hold longer."""
    if one is None or (one.until is not None and (two.until is None or one.until < two.until)):
        return two
    return one


def _crowded(plot: Plot) -> Iterator[Problem]:
    holders = [
        (number, grant.who)
        for number, grant in enumerate(plot.document.grants)
        if Attribute(ACCESS, grant.who) in plot.grants
    ]
    if not plot.fits:
        yield Problem(
            source=_place(plot, holders[NAMED_LIMIT][0]),
            tenant=plot.declared.tenant,
            text=f"{len(holders)} principals are granted something on {plot.document.folder}, and an access "
            f"control list takes {NAMED_LIMIT}; grant to groups",
        )


def _place(plot: Plot, number: int) -> Source:
    source: Source = plot.declared.locate("grants", number)
    return source
