"""The Entra directory: users, groups and service principals, shared by all emulated services.

Its law: object ids never change and are never used twice; names may change at any time.
Objects and memberships change through the methods here only, which keep the look-ups and the journal.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

NAMESPACE = uuid.UUID("6f0a2f3e-5c55-4d8e-9a43-2d8f8f0b7f10")

Relation = Literal["members", "owners"]


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
    password: str = ""
    """Accepted by the token endpoint's password grant; empty means that the user cannot sign in so."""
    properties: dict[str, Any] = field(default_factory=dict)
    """Further Graph properties by their Graph names."""


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
    managed_identity: bool = False
    """True for the identity that the emulated instance metadata endpoint speaks for."""
    app_roles: frozenset[str] = frozenset()
    """Graph application permissions, such as `Group.Read.All`."""
    owners: dict[str, None] = field(default_factory=dict)
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
    hidden: bool = False
    """Hidden membership: who is in it needs a permission of its own to read."""
    members: dict[str, None] = field(default_factory=dict)
    owners: dict[str, None] = field(default_factory=dict)
    created: str = "2024-01-01T00:00:00Z"
    properties: dict[str, Any] = field(default_factory=dict)


DirectoryObject = User | Group | ServicePrincipal


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the journal, of which delta queries are made; its position is its sequence number."""

    kind: Literal["created", "group", "members", "owners", "deleted"]
    group: str
    member: str = ""
    added: bool = True


@dataclass(frozen=True, slots=True)
class Deleted:
    """A soft-deleted object: when it left, in emulated seconds, and which groups it left."""

    thing: DirectoryObject
    at: float
    member_of: tuple[str, ...] = ()
    owner_of: tuple[str, ...] = ()


@dataclass(slots=True)
class Directory:
    """All objects of one Entra tenant, by object id."""

    tenant_id: str = "0a1b2c3d-0000-4000-8000-00000000e117"
    users: dict[str, User] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    service_principals: dict[str, ServicePrincipal] = field(default_factory=dict)
    deleted: dict[str, Deleted] = field(default_factory=dict)
    """Soft-deleted objects by object id."""
    journal: list[Change] = field(default_factory=list)
    _upns: dict[str, str] = field(default_factory=dict, repr=False)
    _app_ids: dict[str, str] = field(default_factory=dict, repr=False)
    _names: dict[str, dict[str, None]] = field(default_factory=dict, repr=False)
    _parents: dict[str, dict[str, None]] = field(default_factory=dict, repr=False)

    def find(self, oid: str) -> DirectoryObject | None:
        """The object with this id, of whatever type."""
        return self.users.get(oid) or self.groups.get(oid) or self.service_principals.get(oid)

    def by_app_id(self, app_id: str) -> ServicePrincipal | None:
        """The service principal of an application (client) id."""
        return self.service_principals.get(self._app_ids.get(app_id.lower(), ""))

    def by_upn(self, upn: str) -> User | None:
        """The user with this user principal name; case does not matter in Entra."""
        return self.users.get(self._upns.get(upn.lower(), ""))

    def by_group_name(self, name: str) -> list[Group]:
        """Every group with exactly this display name: Entra does not keep them unique."""
        return [group for group in self.by_group_name_folded(name) if group.display_name == name]

    def by_group_name_folded(self, name: str) -> list[Group]:
        """Every group with this display name in whatever letter case, as Graph's filters compare."""
        return [self.groups[oid] for oid in self._names.get(name.lower(), ())]

    def parents(self, oid: str) -> Iterator[Group]:
        """The groups that list this object as a direct member."""
        return (self.groups[parent] for parent in self._parents.get(oid, ()) if parent in self.groups)

    def transitive_groups(self, oid: str) -> frozenset[str]:
        """Ids of every group that this object is in, through whatever nesting."""
        seen: set[str] = set()
        queue = [oid]
        while queue:
            for parent in self._parents.get(queue.pop(), ()):
                if parent in self.groups and parent not in seen:
                    seen.add(parent)
                    queue.append(parent)
        return frozenset(seen)

    def resolve(self, reference: str) -> str:
        """The object id of `user:<upn>`, `group:<name>`, `sp:<name>` or of an object id itself.

        Raises ValueError for a reference that names nothing, or more than one object.
        """
        if self.find(reference):
            return reference
        kind, _, name = reference.partition(":")
        found: list[str] = []
        if kind == "user":
            found = [user.id for user in [self.by_upn(name)] if user]
        elif kind == "group":
            found = [group.id for group in self.by_group_name(name)]
        elif kind == "sp":
            found = [sp.id for sp in self.service_principals.values() if sp.display_name == name]
        if len(found) != 1:
            raise ValueError(f"principal {reference!r} names {len(found)} objects of the directory, not one")
        return found[0]

    def reference(self, oid: str) -> str:
        """The readable form of an object id that `resolve` takes back; the id itself where none is safe."""
        thing = self.find(oid)
        if isinstance(thing, User):
            return f"user:{thing.upn}"
        if isinstance(thing, Group) and len(self.by_group_name(thing.display_name)) == 1:
            return f"group:{thing.display_name}"
        return oid

    def add(self, thing: DirectoryObject) -> None:
        """Put an object into the directory; raises ValueError when its id or unique name is taken."""
        if self.find(thing.id) or thing.id in self.deleted:
            raise ValueError(f"object id {thing.id} is already in the directory")
        if isinstance(thing, User):
            if thing.upn.lower() in self._upns:
                raise ValueError(f"user principal name {thing.upn!r} is already in the directory")
            self.users[thing.id] = thing
        elif isinstance(thing, Group):
            self.groups[thing.id] = thing
            self.journal.append(Change("created", thing.id))
        else:
            if thing.app_id.lower() in self._app_ids:
                raise ValueError(f"application id {thing.app_id} is already in the directory")
            self.service_principals[thing.id] = thing
        self._index(thing)

    def remove(self, oid: str, now: float) -> None:
        """Soft-delete an object: it leaves every group and waits in `deleted`; raises KeyError."""
        thing = self.find(oid)
        if thing is None:
            raise KeyError(oid)
        member_of = tuple(self._parents.get(oid, ()))
        owner_of = tuple(group.id for group in self.groups.values() if oid in group.owners)
        for parent in member_of:
            self.unlink(parent, "members", oid)
        for owned in owner_of:
            self.unlink(owned, "owners", oid)
        self._unindex(thing)
        for kind in (self.users, self.groups, self.service_principals):
            kind.pop(oid, None)
        self.deleted[oid] = Deleted(thing, now, member_of, owner_of)
        if isinstance(thing, Group):
            self.journal.append(Change("deleted", oid))

    def restore(self, oid: str) -> DirectoryObject:
        """Bring a soft-deleted object back into the groups that it was in; raises KeyError, ValueError."""
        gone = self.deleted.pop(oid)
        try:
            self.add(gone.thing)
        except ValueError:
            self.deleted[oid] = gone
            raise
        for group in gone.member_of:
            if group in self.groups:
                self.link(group, "members", oid)
        for group in gone.owner_of:
            if group in self.groups:
                self.link(group, "owners", oid)
        return gone.thing

    def rename(self, thing: DirectoryObject, name: str) -> None:
        """Give an object a new name (for a user: user principal name), keeping the look-ups."""
        self._unindex(thing)
        if isinstance(thing, User):
            thing.upn = name
        else:
            thing.display_name = name
        self._index(thing)
        self.touched(thing)

    def touched(self, thing: DirectoryObject) -> None:
        """Note in the journal that a property of an object changed."""
        if isinstance(thing, Group):
            self.journal.append(Change("group", thing.id))

    def link(self, group: str, relation: Relation, oid: str) -> None:
        """Make an object a member or an owner of a group; a second time changes nothing."""
        holders = self.groups[group].members if relation == "members" else self.groups[group].owners
        if oid in holders:
            return
        holders[oid] = None
        self.journal.append(Change(relation, group, oid))
        if relation == "members":
            self._parents.setdefault(oid, {})[group] = None

    def unlink(self, group: str, relation: Relation, oid: str) -> None:
        """Take an object out of a group's members or owners; absence changes nothing."""
        holders = self.groups[group].members if relation == "members" else self.groups[group].owners
        if oid not in holders:
            return
        del holders[oid]
        self.journal.append(Change(relation, group, oid, added=False))
        if relation == "members":
            self._parents[oid].pop(group, None)

    def _index(self, thing: DirectoryObject) -> None:
        if isinstance(thing, User):
            self._upns[thing.upn.lower()] = thing.id
        elif isinstance(thing, ServicePrincipal):
            self._app_ids[thing.app_id.lower()] = thing.id
        else:
            self._names.setdefault(thing.display_name.lower(), {})[thing.id] = None
            for member in thing.members:
                self._parents.setdefault(member, {})[thing.id] = None

    def _unindex(self, thing: DirectoryObject) -> None:
        if isinstance(thing, User):
            self._upns.pop(thing.upn.lower(), None)
        elif isinstance(thing, ServicePrincipal):
            self._app_ids.pop(thing.app_id.lower(), None)
        else:
            self._names.get(thing.display_name.lower(), {}).pop(thing.id, None)
            for member in thing.members:
                self._parents.get(member, {}).pop(thing.id, None)
