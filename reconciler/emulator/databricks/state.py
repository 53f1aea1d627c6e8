"""What one Databricks account holds: identities, workspaces and what hangs on them.

Its law: grants are kept by identity id, so that they follow a rename; names are looked up when shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

USERS = "Users"
GROUPS = "Groups"
PRINCIPALS = "ServicePrincipals"
NAME_ATTRIBUTE = {USERS: "userName", GROUPS: "displayName", PRINCIPALS: "applicationId"}
ACCOUNT_ADMIN = "account_admin"


Members = dict[str, dict[str, Any]]
"""Member ids, each with what a client said of an id that is none of this account's."""
Entitlements = dict[str, dict[str, Any]]
"""Entitlement names in the order in which they were given, each as it goes over the wire."""


def entitled(names: Iterable[str]) -> Entitlements:
    """Entitlements by name alone."""
    return {name: {"value": name} for name in names}


def stable_id(kind: str, key: str) -> str:
    """A decimal id for an object that states none: same seed, same ids."""
    digest = hashlib.sha256(f"{kind}/{key.lower()}".encode()).digest()
    return str(10**14 + int.from_bytes(digest[:7], "big") % (9 * 10**14))


@dataclass(slots=True)
class Identity:
    """A user, group or service principal of the account, or a workspace-local group."""

    kind: str
    """`Users`, `Groups` or `ServicePrincipals`, the words of SCIM paths and of `$ref`."""
    id: str
    attrs: dict[str, Any]
    """The attributes that a client may write, as they go over the wire."""
    home: str = ""
    """The workspace of a workspace-local group; empty for an identity of the account."""
    system: bool = False
    """`admins` and `users` of a workspace, `account users` of the account."""
    members: Members = field(default_factory=dict)
    synced: list[str] | None = None
    """Entra's members as last copied, for a group that Entra owns; None before the first copy."""
    synced_name: str | None = None
    """Entra's name as last copied: a rename in Databricks stands until Entra's own name changes."""
    sync_due: float | None = None

    @property
    def name(self) -> str:
        """What ACLs and permissions call it: user name, group name or application id."""
        return str(self.attrs.get(NAME_ATTRIBUTE[self.kind], ""))

    @property
    def display_name(self) -> str:
        """The name for people; falls back on the name that ACLs use."""
        return str(self.attrs.get("displayName") or self.name)

    @property
    def external_id(self) -> str | None:
        """The Entra object id, when it is known."""
        value = self.attrs.get("externalId")
        return str(value) if value else None

    @property
    def ref(self) -> str:
        """What a member's `$ref` says."""
        return f"{self.kind}/{self.id}"

    @property
    def roles(self) -> set[str]:
        """The account roles held directly."""
        return {str(role.get("value")) for role in self.attrs.get("roles") or ()}


@dataclass(slots=True)
class Secret:
    """A secret's value and when it was last put, in milliseconds since the epoch."""

    key: str
    value: bytes
    updated: int


@dataclass(slots=True)
class Scope:
    """A secret scope; `acls` maps an identity id, or the bare name of a departed one, to a permission."""

    name: str
    backend: str = "DATABRICKS"
    keyvault: dict[str, str] | None = None
    acls: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, Secret] = field(default_factory=dict)
    last_write: tuple[float, str] = (0.0, "")
    """When an ACL was last written and over which connection: the evidence of parallel calls."""
    listing: tuple[int, bytes] | None = None
    """The rendered ACL and the account's version that it was rendered for; dropped by every ACL write."""


@dataclass(slots=True)
class Workspace:
    """One workspace: who is assigned to it, and its own objects."""

    name: str
    id: str
    assigned: dict[str, list[str]] = field(default_factory=dict)
    """Permissions (`USER` or `ADMIN`) by identity id."""
    assigned_at: dict[str, float] = field(default_factory=dict)
    entitlements: dict[str, Entitlements] = field(default_factory=dict)
    """Directly held entitlements by identity id; nobody holds an empty set."""
    local_names: dict[str, str] = field(default_factory=dict)
    """Ids of workspace-local groups by lower-case name."""
    scopes: dict[str, Scope] = field(default_factory=dict)
    """By lower-case name: scope names do not distinguish case."""
    permissions: dict[str, dict[str, Any]] = field(default_factory=dict)
    federated: bool = True
    """Whether identity federation is on; without it the assignment APIs are not available."""


@dataclass(slots=True)
class Account:
    """A Databricks account with all its identities, workspaces and Unity Catalog grants."""

    id: str = "b5c6d7e8-0000-4000-8000-00000000acc7"
    identity_sync: str = "aim"
    metastore: str = "6d0e1f2a-0000-4000-8000-0000000e7a5e"
    identities: dict[str, Identity] = field(default_factory=dict)
    by_name: dict[tuple[str, str], str] = field(default_factory=dict)
    """Ids of account identities by kind and lower-case name."""
    by_external: dict[str, str] = field(default_factory=dict)
    parents: dict[str, dict[str, None]] = field(default_factory=dict)
    """The groups that list an identity as a direct member."""
    workspaces: dict[str, Workspace] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    """OAuth secrets of service principals, by application id."""
    federation: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Federation policies of service principals, by application id."""
    grants: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """Unity Catalog privileges by `type/full_name`, then by principal name."""
    rule_sets: dict[str, list[Any]] = field(default_factory=dict)
    """Grant rules by the name of the rule set."""
    version: int = 0
    """Counts changes of identities and assignments; caches are keyed on it."""

    def add(self, identity: Identity) -> Identity:
        """Enter an identity into the account and its indexes."""
        self.identities[identity.id] = identity
        self.index(identity)
        for member in identity.members:
            self.parents.setdefault(member, {})[identity.id] = None
        self.version += 1
        return identity

    def index(self, identity: Identity) -> None:
        """Make an identity findable by its present name and external id."""
        if identity.home:
            self.workspaces[identity.home].local_names[identity.name.lower()] = identity.id
            return
        self.by_name[(identity.kind, identity.name.lower())] = identity.id
        if identity.external_id:
            self.by_external[identity.external_id] = identity.id

    def unindex(self, identity: Identity) -> None:
        """Forget an identity's present name and external id, before they change."""
        if identity.home:
            names = self.workspaces[identity.home].local_names
            if names.get(identity.name.lower()) == identity.id:
                del names[identity.name.lower()]
            return
        key = (identity.kind, identity.name.lower())
        if self.by_name.get(key) == identity.id:
            del self.by_name[key]
        if identity.external_id and self.by_external.get(identity.external_id) == identity.id:
            del self.by_external[identity.external_id]

    def set_members(self, group: Identity, members: Members) -> None:
        """Replace a group's members, keeping the reverse index."""
        for gone in group.members.keys() - members.keys():
            self.parents.get(gone, {}).pop(group.id, None)
        for new in members.keys() - group.members.keys():
            self.parents.setdefault(new, {})[group.id] = None
        group.members = members
        self.version += 1

    def remove(self, identity: Identity) -> None:
        """Delete an identity: its memberships and assignments go, ACL rows keep its bare name."""
        self.unindex(identity)
        self.set_members(identity, {})
        for parent in list(self.parents.pop(identity.id, {})):
            self.identities[parent].members.pop(identity.id, None)
        del self.identities[identity.id]
        for workspace in self.workspaces.values():
            workspace.assigned.pop(identity.id, None)
            workspace.entitlements.pop(identity.id, None)
            for scope in workspace.scopes.values():
                if identity.id in scope.acls:
                    scope.acls = {
                        identity.name if key == identity.id else key: permission
                        for key, permission in scope.acls.items()
                    }
        self.version += 1

    def named(self, kind: str, name: str) -> Identity | None:
        """The account identity of this kind and name."""
        found = self.by_name.get((kind, name.lower()))
        return self.identities[found] if found else None
