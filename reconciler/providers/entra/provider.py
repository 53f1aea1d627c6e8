"""The Entra provider, and beside it the directory that the other providers ask who is who."""

from __future__ import annotations

import threading
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from reconciler.core.environment import Environment
from reconciler.core.model import Address, Identity, Kind, Live
from reconciler.core.plan import Action, Outcome
from reconciler.providers.contract import FORGETFUL, BeforeSend, Diary, Progress, Question, silent, unguarded
from reconciler.providers.entra.client import CONNECTIONS, GraphClient
from reconciler.providers.entra.directory import Who
from reconciler.providers.entra.documents import GROUP, PROVIDER
from reconciler.providers.entra.reading import Reader
from reconciler.providers.entra.relations import MEMBERS, read_relations
from reconciler.providers.entra.wire import LIMITS, Trouble
from reconciler.providers.entra.writing import Writer
from reconciler.providers.pacing import Pacer
from reconciler.providers.transport import Portal

Result = TypeVar("Result")


@dataclass(slots=True)
class Line:
    """The connection to Graph, with the loop that it lives on and what was learnt through it."""

    client: GraphClient
    who: Who
    memberships: dict[str, frozenset[str]] = field(default_factory=dict)
    """Direct members by group id, as last read."""
    portal: Portal | None = None
    opening: threading.Lock = field(default_factory=threading.Lock)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do some work on the loop, from any thread."""
        with self.opening:
            if self.portal is None:
                self.portal = Portal("entra")
            portal = self.portal
        return portal.run(work)

    def close(self) -> None:
        """Let go of connections; a second time changes nothing."""
        with self.opening:
            portal, self.portal = self.portal, None
        if portal is not None:
            portal.run(self.client.close())
            portal.close()


class EntraDirectory:
    """Who is who in one Entra tenant.  Safe to call from several threads.

    `pins` is to be set before the first look-up: names that the policies pin to object ids.  A pinned name
    that another object bears now, or whose object bears another name now, is MOVED.
    """

    def __init__(self, line: Line) -> None:
        self._line = line

    @property
    def pins(self) -> Mapping[str, str]:
        """Object ids by the principal names that are pinned to them."""
        return self._line.who.pins

    @pins.setter
    def pins(self, pins: Mapping[str, str]) -> None:
        self._line.who = Who(self._line.client, pins=dict(pins))

    def resolve(self, principals: Iterable[str]) -> Mapping[str, Identity]:
        """What each principal's name stands for today, in the light of the pins."""
        return self._line.run(self._line.who.resolve(list(principals)))

    def name(self, object_ids: Iterable[str]) -> Mapping[str, Identity]:
        """Who is behind each object id."""
        return self._line.run(self._line.who.name(list(object_ids)))

    def members(self, group_ids: Iterable[str]) -> Mapping[str, frozenset[str] | None]:
        """Direct members of each group by object id, as last read; None where they could not be read."""
        return self._line.run(self._members(list(group_ids)))

    async def _members(self, group_ids: Sequence[str]) -> Mapping[str, frozenset[str] | None]:
        known = self._line.memberships
        fresh = sorted({oid.lower() for oid in group_ids} - known.keys())
        relations = await read_relations(self._line.client, [(oid, MEMBERS) for oid in fresh])
        for oid, members in zip(fresh, relations, strict=True):
            if not isinstance(members, Trouble):
                known[oid] = frozenset(str(each["id"]).lower() for each in members)
        return {oid: known.get(oid.lower()) for oid in group_ids}


class EntraProvider:
    """Entra groups at one environment's endpoint.  Safe to call from several threads."""

    name = PROVIDER
    kinds: Sequence[Kind] = (GROUP,)

    def __init__(
        self,
        environment: Environment,
        environ: Mapping[str, str],
        root: Path | str,
        pacer: Pacer | None = None,
        connections: int = CONNECTIONS,
        *,
        before_send: BeforeSend = unguarded,
    ) -> None:
        """Raises Unusable where settings or credentials are wanting; nothing is sent yet."""
        self._installation = environment.entra.name
        self.pacer = pacer or Pacer(LIMITS)
        client = GraphClient(environment, environ, root, self.pacer, connections, before_send)
        self._line = Line(client, Who(client))
        self.directory = EntraDirectory(self._line)

    def read(self, question: Question) -> Live:
        """Read the groups asked for, and what lies unclaimed within the boundaries."""
        line = self._line
        reader = Reader(line.client, line.who, self._installation, question, line.memberships)
        live = line.run(reader.read())
        here = frozenset({f"{PROVIDER}/{self._installation}"})
        return replace(live, answering=here if line.client.answers else frozenset())

    def write(
        self,
        address: Address,
        actions: Sequence[Action],
        diary: Diary = FORGETFUL,
        progress: Progress = silent,
    ) -> Sequence[Outcome]:
        """Merge these actions into one group, after reading it again."""
        return self._line.run(Writer(self._line.client, address, progress).write(actions))

    def close(self) -> None:
        """Let go of connections; a second time changes nothing."""
        self._line.close()
