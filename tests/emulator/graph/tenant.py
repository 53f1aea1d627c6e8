"""A small tenant, and a caller that speaks to the emulated Graph without a socket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from reconciler.emulator.directory import Directory
from reconciler.emulator.graph.service import GraphService
from reconciler.emulator.wire import Caller, Request
from reconciler.emulator.world import World

BASE = "https://graph.microsoft.com"
EVENTUAL = {"consistencylevel": "eventual"}
EVERYTHING = [
    "Directory.ReadWrite.All",
    "Group.ReadWrite.All",
    "User.ReadWrite.All",
    "Application.ReadWrite.All",
    "Member.Read.Hidden",
    "RoleManagement.ReadWrite.Directory",
    "PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup",
    "PrivilegedEligibilitySchedule.ReadWrite.AzureADGroup",
]

SEED: Mapping[str, Any] = {
    "users": [
        {"upn": "ana@corp.example", "display-name": "Ana Áñez"},
        {"upn": "bo@corp.example", "properties": {"mail": "bo@corp.example", "department": "Pricing"}},
        {"upn": "lea@corp.example"},
    ],
    "service-principals": [
        {"name": "reconciler", "app-roles": EVERYTHING, "secret": "s3cret"},
        {"name": "airflow", "app-id": "aaaaaaaa-0000-4000-8000-000000000001"},
    ],
    "groups": [
        {
            "name": "pricing-ds",
            "description": "Data scientists",
            "members": ["user:ana@corp.example", "sp:airflow", "group:pricing-leads"],
            "owners": ["user:lea@corp.example"],
        },
        {"name": "pricing-leads", "members": ["user:bo@corp.example"]},
        {"name": "empty"},
        {"name": "dynamic", "membership-rule": 'user.department -eq "Pricing"'},
        {"name": "synced", "on-premises": True},
        {"name": "mailing", "mail-enabled": True, "security-enabled": True},
        {"name": "admins", "role-assignable": True},
        {"name": "secret-society", "hidden": True, "members": ["user:bo@corp.example"]},
    ],
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def ids(self) -> list[str]:
        """The ids of the objects in a collection."""
        return [one["id"] for one in self.body["value"]]

    @property
    def code(self) -> str:
        """The code of an error."""
        return str(self.body["error"]["code"])

    @property
    def message(self) -> str:
        """The message of an error."""
        return str(self.body["error"]["message"])


@dataclass(slots=True)
class Tenant:
    """An emulated tenant and who is calling it."""

    seed: Mapping[str, Any] = field(default_factory=lambda: SEED)
    name: str = "sp:reconciler"
    world: World = field(default_factory=World)
    service: GraphService = field(init=False)

    def __post_init__(self) -> None:
        self.service = GraphService(self.world)
        self.service.seed(self.seed)

    @property
    def directory(self) -> Directory:
        """The facts."""
        return self.world.directory

    def id(self, reference: str) -> str:
        """The object id of `group:…`, `user:…` or `sp:…`."""
        return self.directory.resolve(reference)

    def group(self, name: str, rest: str = "", version: str = "v1.0") -> str:
        """A path about a group."""
        return f"/{version}/groups/{self.id('group:' + name)}{rest}"

    def members(self, name: str) -> list[str]:
        """Who is in a group, as a fact."""
        return list(self.directory.groups[self.id(f"group:{name}")].members)

    def caller(self) -> Caller:
        """Who is calling."""
        oid = self.directory.resolve(self.name)
        kind = "user" if oid in self.directory.users else "servicePrincipal"
        return Caller(object_id=oid, app_id="app", audience=BASE, kind=kind)

    def send(
        self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request and read its answer."""
        path, _, raw_query = url.removeprefix(BASE).partition("?")
        request = Request(
            service="graph",
            method=method,
            path=path,
            query=parse_qsl(raw_query, keep_blank_values=True),
            raw_query=raw_query,
            headers={"authorization": "Bearer x", **(headers or {})},
            body=b"" if body is None else json.dumps(body).encode(),
            base=BASE,
            caller=self.caller(),
        )
        response = self.service.handle(request)
        given = {name.lower(): value for name, value in response.headers}
        if "json" in given.get("content-type", ""):
            return Answer(response.status, given, json.loads(response.body))
        return Answer(response.status, given, response.body.decode("utf-8-sig") or None)

    def get(self, url: str, **headers: str) -> Answer:
        """Read."""
        return self.send("GET", url, headers=headers)

    def post(self, url: str, body: Any) -> Answer:
        """Create or act."""
        return self.send("POST", url, body)

    def patch(self, url: str, body: Any) -> Answer:
        """Change."""
        return self.send("PATCH", url, body)

    def delete(self, url: str) -> Answer:
        """Delete."""
        return self.send("DELETE", url)

    def add(self, group: str, reference: str, relation: str = "members") -> Answer:
        """Add a member by reference."""
        link = {"@odata.id": f"{BASE}/v1.0/directoryObjects/{self.id(reference)}"}
        return self.post(self.group(group, f"/{relation}/$ref"), link)

    def bind(self, group: str, *ids: str, relation: str = "members") -> Answer:
        """Add members in bulk."""
        links = [f"{BASE}/v1.0/directoryObjects/{oid}" for oid in ids]
        return self.patch(self.group(group), {f"{relation}@odata.bind": links})


def all_pages(tenant: Tenant, url: str, **headers: str) -> list[Answer]:
    """Every page of a listing, by following its links."""
    pages = [tenant.get(url, **headers)]
    while "@odata.nextLink" in pages[-1].body:
        assert len(pages) < 200, "the listing does not end"
        pages.append(tenant.get(pages[-1].body["@odata.nextLink"], **headers))
    return pages
