"""What must exist before a recording starts, as its own answers show: it was made in a tenant with a past."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from reconciler.emulator.arm.assignments import Assignment
from reconciler.emulator.arm.definitions import Definition
from reconciler.emulator.arm.service import ArmService
from reconciler.emulator.directory import Directory, DirectoryObject, Group, Relation, ServicePrincipal, User
from reconciler.emulator.graph.call import Application
from reconciler.emulator.graph.service import GraphService
from tests.recordings.graph.comparison import GUID, Names
from tests.recordings.graph.exchanges import Exchange, Recording

_RELATION = re.compile(
    rf"(?i)/(?:v1\.0|beta)/\w+/(?P<one>{GUID.pattern})/(?P<relation>members|owners)(?:/(?P<other>{GUID.pattern}))?"
)
_MEMBER_GROUPS = re.compile(rf"(?i)/\w+/(?P<one>{GUID.pattern})/(?:get|check)MemberGroups$")


class Prerequisites:
    """Puts the past of one recording into an emulated tenant."""

    def __init__(self, graph: GraphService, arm: ArmService, names: Names) -> None:
        self.graph = graph
        self.arm = arm
        self.names = names
        self.directory: Directory = graph.state.directory

    def lay(self, recording: Recording) -> None:
        """Everything that answers show and no exchange creates."""
        created = {
            one["id"].lower()
            for exchange in recording.exchanges
            if exchange.status == 201 and isinstance(exchange.body, dict) and "id" in exchange.body
            for one in [exchange.body]
        }
        self._tenant(recording)
        for exchange in recording.exchanges:
            if exchange.status < 300 and exchange.service:
                for one in _objects(exchange):
                    if one["id"].lower() not in created:
                        self._exist(exchange, one)

    def _tenant(self, recording: Recording) -> None:
        for exchange in recording.exchanges:
            match = re.search(rf"/v2/({GUID.pattern})/", exchange.headers.get("location", ""))
            if match:
                self.directory.tenant_id = match[1]

    def _exist(self, exchange: Exchange, body: dict[str, Any]) -> None:
        if exchange.service == "arm":
            self._arm_object(body)
        elif self.directory.find(body["id"]) is None and body["id"] not in self.graph.state.applications:
            self.names.learn(body["id"], body["id"])
            self._graph_object(_kind(exchange, body), body)

    def _graph_object(self, kind: str, body: dict[str, Any]) -> None:
        oid, name = body["id"], body.get("displayName") or ""
        thing: DirectoryObject
        if kind == "application":
            self.graph.state.applications[oid] = Application(
                id=oid, app_id=body["appId"], display_name=name, properties=dict(body)
            )
            return
        if kind == "user":
            thing = User(
                id=oid,
                upn=body.get("userPrincipalName") or f"{oid}@example.com",
                display_name=name,
                properties=_set(body, "userPrincipalName", "displayName"),
            )
        elif kind == "servicePrincipal":
            thing = ServicePrincipal(
                id=oid,
                app_id=body.get("appId") or oid,
                display_name=name,
                properties=_set(body, "appId", "displayName"),
            )
        else:
            thing = Group(
                id=oid,
                display_name=name,
                description=body.get("description"),
                mail_nickname=body.get("mailNickname") or "",
                created=body.get("createdDateTime") or "2020-01-01T00:00:00Z",
            )
        self.directory.add(thing)

    def _arm_object(self, body: dict[str, Any]) -> None:
        if body.get("type") == "Microsoft.Authorization/roleAssignments":
            self._assignment(body)
        elif body.get("type") == "Microsoft.Resources/resourceGroups":
            subscription = body["id"].split("/")[2].lower()
            entry = self.arm.estate.subscriptions.setdefault(subscription, {"resource-groups": {}})
            entry["resource-groups"][body["name"]] = {"location": body["location"], "tags": body["tags"]}

    def _assignment(self, body: dict[str, Any]) -> None:
        properties = body["properties"]
        role = properties["roleDefinitionId"].rpartition("/")[2].lower()
        known = self.arm.assignments.definitions
        known.setdefault(role, Definition(id=role, name=role))
        self.arm.assignments.by_name[body["name"].lower()] = Assignment(
            name=body["name"],
            scope=properties["scope"],
            role=role,
            principal=properties["principalId"],
            principal_type=properties["principalType"],
            condition=properties["condition"],
            condition_version=properties["conditionVersion"],
            description=properties["description"],
            created_by=properties["createdBy"],
            updated_by=properties["updatedBy"],
        )
        self._management_groups(properties["scope"])

    def _management_groups(self, scope: str) -> None:
        match = re.fullmatch(r"(?i)/providers/Microsoft\.Management/managementGroups/([^/]+)", scope)
        for entry in self.arm.estate.subscriptions.values() if match else ():
            groups = entry.setdefault("management-groups", [])
            if match and match[1] not in groups:
                groups.append(match[1])

    def prepare(self, exchange: Exchange) -> None:
        """Before an exchange of an excerpt: the links that its answer shows or that it takes away."""
        match = _RELATION.search(exchange.path)
        if match and exchange.status < 300:
            relation: Relation = "members" if match["relation"].lower() == "members" else "owners"
            group = self._group(match["one"])
            shown = (
                [match["other"]] if exchange.method == "DELETE" else [one["id"] for one in _objects(exchange)]
            )
            for other in shown if exchange.method in ("GET", "DELETE") else ():
                self.directory.link(group, relation, self._somebody(other))
        match = _MEMBER_GROUPS.search(exchange.path)
        if match and exchange.path.endswith("getMemberGroups") and isinstance(exchange.body, dict):
            member = self._somebody(match["one"])
            for parent in exchange.body["value"]:
                self.directory.link(self._group(parent), "members", member)
                member = self._group(parent)

    def _group(self, recorded: str) -> str:
        oid = self.names.translate(recorded.lower())
        if oid not in self.directory.groups:
            self._graph_object("group", {"id": oid})
        return oid

    def _somebody(self, recorded: str) -> str:
        oid = self.names.translate(recorded.lower())
        if self.directory.find(oid) is None:
            self._graph_object("user", {"id": oid})
        return oid


def _objects(exchange: Exchange) -> Iterator[dict[str, Any]]:
    body = exchange.body
    if not isinstance(body, dict):
        return
    found = body["value"] if isinstance(body.get("value"), list) else [body]
    yield from (one for one in found if isinstance(one, dict) and isinstance(one.get("id"), str))


def _kind(exchange: Exchange, body: dict[str, Any]) -> str:
    if "@odata.type" in body:
        return str(body["@odata.type"]).rpartition(".")[2]
    context = str(exchange.body.get("@odata.context", ""))
    kinds = {"users": "user", "servicePrincipals": "servicePrincipal", "applications": "application"}
    return next((kind for name, kind in kinds.items() if f"#{name}" in context), "group")


def _set(body: dict[str, Any], *but: str) -> dict[str, Any]:
    unset: tuple[object, ...] = (None, [], {})
    return {name: value for name, value in body.items() if name not in but and value not in unset}
