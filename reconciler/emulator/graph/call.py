"""One Graph request, alone or inside a batch, and the state that its handler works on."""

from __future__ import annotations

import copy
import json
import random
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from reconciler.emulator.directory import Directory, DirectoryObject, Group, User
from reconciler.emulator.graph.errors import GraphError
from reconciler.emulator.graph.history import History
from reconciler.emulator.graph.query import Query
from reconciler.emulator.wire import Caller
from reconciler.emulator.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a handler needs to know of a request."""

    method: str
    version: str
    """`v1.0` or `beta`."""
    segments: tuple[str, ...]
    """The path below the version, percent-decoded."""
    query: Query
    headers: Mapping[str, str]
    body: bytes | Mapping[str, Any] | None
    """Bytes of a request of its own; a decoded object inside a batch."""
    base: str
    caller: Caller

    @property
    def beta(self) -> bool:
        """Whether the beta endpoint was asked."""
        return self.version == "beta"

    @property
    def root(self) -> str:
        """What links of this version begin with."""
        return f"{self.base}/{self.version}"

    def context(self, what: str) -> str:
        """An `@odata.context`."""
        return f"{self.base}/{self.version}/$metadata#{what}"

    def json(self) -> dict[str, Any]:
        """The body as an object; raises GraphError (400) when it is none."""
        found: Any = self.body
        if isinstance(self.body, bytes):
            try:
                found = json.loads(self.body) if self.body.strip() else None
            except ValueError:
                raise GraphError(
                    400,
                    "BadRequest",
                    "Unable to read JSON request payload. Please ensure "
                    "Content-Type header is set and payload is of valid JSON format.",
                ) from None
        if found is None:
            raise GraphError(400, "BadRequest", "Empty Payload. JSON content expected.")
        if not isinstance(found, dict):
            raise GraphError(400, "BadRequest", "Invalid JSON payload.")
        return found


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers; the service adds the headers that every response has."""

    status: int
    payload: Any = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True, kw_only=True)
class Schedule:
    """A principal's membership or ownership for a time, or its eligibility for one."""

    id: str
    kind: Literal["assignment", "eligibility"]
    group: str
    principal: str
    access: str
    """`member` or `owner`."""
    start: float
    end: float | None = None
    """Emulated seconds; None does not end."""
    activated: bool = False
    """Whether an eligible principal activated it, rather than an administrator assigned it."""
    linked: bool = False
    """Whether it shows in the group's members or owners at present."""

    def same(self, other: Schedule) -> bool:
        """Whether both are about the same access of the same principal."""
        mine = (self.kind, self.group, self.principal, self.access)
        return mine == (other.kind, other.group, other.principal, other.access)


@dataclass(slots=True, kw_only=True)
class Application:
    """An application object: what a service principal is an instance of."""

    id: str
    app_id: str
    display_name: str
    created: str = "2024-01-01T00:00:00Z"
    owners: dict[str, None] = field(default_factory=dict)
    secrets: list[dict[str, Any]] = field(default_factory=list)
    """Password credentials as Graph shows them, without the secret."""
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class State:
    """What the Graph service holds beside the shared directory."""

    world: World
    history: History[DirectoryObject] = field(init=False)
    denied: dict[str, set[str]] = field(default_factory=dict)
    """Per caller the ids of objects that it may not read, whatever its permissions."""
    schedules: list[Schedule] = field(default_factory=list)
    """Privileged access: active and eligible assignments of principals to groups."""
    applications: dict[str, Application] = field(default_factory=dict)
    """Application objects by object id."""
    ids: random.Random = field(default_factory=lambda: random.Random(1))

    def __post_init__(self) -> None:
        self.history = History(self.world, "graph.stale-seconds")

    @property
    def directory(self) -> Directory:
        """The shared directory."""
        return self.world.directory

    def new_id(self) -> str:
        """A fresh GUID that depends on the order of requests alone."""
        return str(uuid.UUID(int=self.ids.getrandbits(128), version=4))

    def now(self) -> str:
        """Emulated time as Graph writes it."""
        return timestamp(self.world.clock.now())

    def note(self, oid: str) -> None:
        """Remember an object as it is before a write, for replicas that lag."""
        self.history.note(oid, lambda: copy.deepcopy(self.directory.find(oid)))

    def see(self, oid: str) -> DirectoryObject | None:
        """An object as this read sees it."""
        present = self.directory.find(oid)
        return self.history.read(oid, present) if self.history.changes else present

    def see_all(self, kind: type[DirectoryObject]) -> Iterator[DirectoryObject]:
        """All objects of a type, as this read sees them."""
        source: Mapping[str, DirectoryObject]
        if kind is User:
            source = self.directory.users
        elif kind is Group:
            source = self.directory.groups
        else:
            source = self.directory.service_principals
        recent = self.history.recent()
        if not recent:
            yield from source.values()
            return
        for oid in dict.fromkeys([*source, *(str(key) for key in recent)]):
            seen = self.see(oid)
            if isinstance(seen, kind):
                yield seen


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as `2024-01-31T08:00:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
