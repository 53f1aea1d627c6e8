"""Ask the emulated storage service without a socket."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote

from reconciler.emulator.directory import Group, ServicePrincipal, User
from reconciler.emulator.lake.service import LakeService
from reconciler.emulator.lake.tree import Node, find
from reconciler.emulator.wire import Caller, Request, Response
from reconciler.emulator.world import World

ACCOUNT = "datalake"
VERSION = "2023-11-03"
AUDIENCE = "https://storage.azure.com"
ANA = "00000000-0000-4000-8000-0000000000a1"
BO = "00000000-0000-4000-8000-0000000000b0"
ROBOT = "00000000-0000-4000-8000-000000000070"
TEAM = "00000000-0000-4000-8000-0000000007ea"
ALL = "00000000-0000-4000-8000-000000000a11"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response with its parts at hand; header names in lower case."""

    response: Response

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status

    @property
    def headers(self) -> dict[str, str]:
        """The headers by name."""
        return {name.lower(): value for name, value in self.response.headers}

    @property
    def code(self) -> str:
        """The storage error code, empty for a success."""
        return self.headers.get("x-ms-error-code", "")

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.response.body)

    @property
    def xml(self) -> ElementTree.Element:
        """The body as XML."""
        return ElementTree.fromstring(self.response.body.decode().lstrip("\ufeff"))

    @property
    def names(self) -> list[str]:
        """The paths that a listing of either endpoint holds, in its order."""
        if self.response.body.startswith(b"{"):
            return [row["name"] for row in self.json["paths"]]
        blobs = self.xml.find("Blobs")
        assert blobs is not None
        return [element.findtext("Name", "") for element in blobs]


@dataclass(slots=True)
class Lake:
    """One emulated account with a directory of a few people, in process."""

    world: World = field(default_factory=World)
    roles: dict[str, list[str]] = field(default_factory=dict)
    """Data roles by object id, on everything."""
    service: LakeService = field(init=False)

    def __post_init__(self) -> None:
        self.service = LakeService(self.world)
        self.service.roles = lambda who, account, filesystem: self.roles.get(who, [])
        directory = self.world.directory
        directory.add(User(id=ANA, upn="ana@corp.example", display_name="Ana"))
        directory.add(User(id=BO, upn="bo@corp.example", display_name="Bo"))
        directory.add(ServicePrincipal(id=ROBOT, app_id=ROBOT.replace("70", "71"), display_name="robot"))
        directory.add(Group(id=TEAM, display_name="team"))
        directory.add(Group(id=ALL, display_name="all"))
        directory.link(TEAM, "members", ANA)
        directory.link(ALL, "members", TEAM)

    def ask(
        self,
        method: str,
        url: str,
        *,
        host: str = "dfs",
        who: str = "",
        body: bytes | str = b"",
        version: str = VERSION,
        **headers: str,
    ) -> Answer:
        """Send one request: as the account key, or as a signed-in object id; `_` in header names is `-`."""
        path, _, query = url.partition("?")
        sent = {name.lower().replace("_", "-"): value for name, value in headers.items()}
        sent.setdefault("authorization", "Bearer token" if who else f"SharedKey {ACCOUNT}:signature")
        sent["x-ms-version"] = version
        request = Request(
            service=f"lake/{ACCOUNT}/{host}",
            method=method,
            path=path,
            query=parse_qsl(query, keep_blank_values=True),
            headers=sent,
            body=body.encode() if isinstance(body, str) else body,
            base=f"https://{ACCOUNT}.{host}.core.windows.net",
            raw_query=query,
            caller=Caller(object_id=who, audience=AUDIENCE) if who else None,
        )
        return Answer(self.service.handle(request))

    def make(self, *paths: str, filesystem: str = "curated") -> None:
        """Create a filesystem, if need be, and paths: directories end with a slash, files do not."""
        if filesystem not in self.service.account(ACCOUNT).filesystems:
            assert self.ask("PUT", f"/{filesystem}?restype=container", host="blob").status == 201
        for path in paths:
            kind = "directory" if path.endswith("/") else "file"
            answer = self.ask("PUT", f"/{filesystem}/{quote(path.strip('/'))}?resource={kind}")
            assert answer.status == 201, answer

    def node(self, path: str, filesystem: str = "curated") -> Node:
        """The state of a path, to assert facts on."""
        parts = [part for part in path.split("/") if part]
        chain = find(self.service.account(ACCOUNT).filesystems[filesystem].root, parts)
        assert len(chain) == len(parts) + 1, f"no {path}"
        return chain[-1]

    def acl(self, path: str, filesystem: str = "curated") -> str:
        """A path's access control list as the service writes it."""
        return self.node(path, filesystem).acl.text

    def set_acl(self, path: str, acl: str, **more: str) -> Answer:
        """Set a path's list over the wire."""
        url = f"/curated/{quote(path)}?action=setAccessControl"
        return self.ask("PATCH", url, x_ms_acl=acl, **more)
