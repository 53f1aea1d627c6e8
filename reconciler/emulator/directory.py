"""The Entra directory: users, groups and service principals, shared by all emulated services.

Its law: object ids never change and are never used twice; names may change at any time.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

NAMESPACE = uuid.UUID("6f0a2f3e-5c55-4d8e-9a43-2d8f8f0b7f10")


def object_id(kind: str, name: str) -> str:
    """A stable object id for a seeded object that names none: same seed, same ids."""
    return str(uuid.uuid5(NAMESPACE, f"{kind}/{name.lower()}"))


@dataclass(slots=True, kw_only=True)
class User:
    """A user object; `upn` is the user principal name."""

    id: str
    upn: str
    display_name: str
    enabled: bool = True
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class ServicePrincipal:
    """A service principal: `id` goes into groups and ACLs, `app_id` is what Databricks calls it by."""

    id: str
    app_id: str
    display_name: str
    secret: str = ""
    """The client secret that the token endpoint accepts."""
    federated_subject: str = ""
    """The subject of assertions that the token endpoint accepts instead of a secret."""
    app_roles: frozenset[str] = frozenset()
    """Graph application permissions, such as `Group.Read.All`."""
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Group:
    """A group; members and owners are object ids in the order in which they were added."""

    id: str
    display_name: str
    description: str | None = None
    mail_nickname: str = ""
    security_enabled: bool = True
    mail_enabled: bool = False
    membership_rule: str | None = None
    """Set on a dynamic group: its members are read-only."""
    on_premises: bool = False
    role_assignable: bool | None = None
    members: dict[str, None] = field(default_factory=dict)
    owners: dict[str, None] = field(default_factory=dict)
    created: str = "2024-01-01T00:00:00Z"
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Directory:
    """All objects of one Entra tenant, by object id."""

    tenant_id: str = "0a1b2c3d-0000-4000-8000-00000000e117"
    users: dict[str, User] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    service_principals: dict[str, ServicePrincipal] = field(default_factory=dict)

    def find(self, oid: str) -> User | Group | ServicePrincipal | None:
        """The object with this id, of whatever type."""
        return self.users.get(oid) or self.groups.get(oid) or self.service_principals.get(oid)

    def by_app_id(self, app_id: str) -> ServicePrincipal | None:
        """The service principal of an application (client) id."""
        return next((sp for sp in self.service_principals.values() if sp.app_id == app_id), None)

    def by_upn(self, upn: str) -> User | None:
        """The user with this user principal name; case does not matter in Entra."""
        lowered = upn.lower()
        return next((user for user in self.users.values() if user.upn.lower() == lowered), None)

    def by_group_name(self, name: str) -> list[Group]:
        """Every group with this display name: Entra does not keep them unique."""
        return [group for group in self.groups.values() if group.display_name == name]

    def parents(self, oid: str) -> Iterator[Group]:
        """The groups that list this object as a direct member."""
        return (group for group in self.groups.values() if oid in group.members)

    def transitive_groups(self, oid: str) -> frozenset[str]:
        """Ids of every group that this object is in, through whatever nesting."""
        seen: set[str] = set()
        queue = [oid]
        while queue:
            for group in self.parents(queue.pop()):
                if group.id not in seen:
                    seen.add(group.id)
                    queue.append(group.id)
        return frozenset(seen)
