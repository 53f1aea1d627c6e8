"""How Entra's users, groups and service principals come to exist in the Databricks account.

Under `aim` (automatic identity management) an object appears once it is resolved: assigned, imported or
logged in.  Under `scim` the provisioning connector copies users and groups, and skips what is nested.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from reconciler.emulator.databricks.state import (
    ACCOUNT_ADMIN,
    GROUPS,
    PRINCIPALS,
    USERS,
    Account,
    Identity,
    Members,
    Workspace,
    stable_id,
)
from reconciler.emulator.directory import Group, ServicePrincipal, User
from reconciler.emulator.world import World

KINDS = {"user": USERS, "group": GROUPS, "sp": PRINCIPALS}


class Identities:
    """Lookup, import and membership over one account and the Entra directory beside it."""

    def __init__(self, world: World, account: Account) -> None:
        self.world = world
        self.account = account
        self._closures: dict[str, tuple[tuple[int, int], frozenset[str]]] = {}
        self._visible: dict[str, tuple[tuple[int, int], frozenset[str]]] = {}

    def _versions(self) -> tuple[int, int]:
        """What cached memberships depend on: the account and the Entra directory, as far as they changed."""
        return self.account.version, len(self.world.directory.journal)

    def resolve(self, object_id: str) -> Identity | None:
        """The identity of an Entra object, imported when it is not there yet."""
        held = self.account.by_external.get(object_id)
        if held is not None:
            return self.account.identities[held]
        found = self.world.directory.find(object_id)
        return self._import(found) if found is not None else None

    def _import(self, found: User | Group | ServicePrincipal) -> Identity:
        attrs: dict[str, Any]
        if isinstance(found, User):
            kind, attrs = USERS, user_attrs(found.upn, found.display_name, found.enabled)
        elif isinstance(found, Group):
            kind, attrs = GROUPS, {"displayName": found.display_name}
        else:
            kind = PRINCIPALS
            attrs = {"displayName": found.display_name, "applicationId": found.app_id, "active": True}
        attrs["externalId"] = found.id
        # A user or service principal that was made by hand is linked rather than made twice.
        twin = self.account.named(kind, str(attrs.get("userName") or attrs.get("applicationId") or ""))
        if twin is not None:
            twin.attrs["externalId"] = found.id
            self.account.index(twin)
            return twin
        return self.account.add(Identity(kind, self.free_id(kind, found.id), attrs))

    def free_id(self, kind: str, key: str) -> str:
        """A stable id that is not taken; a second object of the same key gets another."""
        candidate = stable_id(kind, key)
        while candidate in self.account.identities:
            key += "'"
            candidate = stable_id(kind, key)
        return candidate

    def new_id(self, kind: str) -> str:
        """An id for an object that a client creates."""
        return self.free_id(kind, uuid.UUID(int=self.world.random.getrandbits(128)).hex)

    def principal(self, reference: str, workspace: Workspace | None = None) -> Identity:
        """The identity that a seed names: `user:…`, `group:…`, `sp:…`, or an id of either side.

        Entra objects are resolved on the way.  Raises ValueError naming an unknown one.
        """
        word, _, name = reference.partition(":")
        kind = KINDS.get(word)
        if kind is None:
            found = self.account.identities.get(reference) or self.resolve(reference)
        else:
            found = self._by_name(kind, name, workspace)
        if found is None:
            raise ValueError(f"databricks: no principal {reference!r} in the directory or the account")
        return found

    def _by_name(self, kind: str, name: str, workspace: Workspace | None) -> Identity | None:
        if kind == GROUPS and workspace is not None and name.lower() in workspace.local_names:
            return self.account.identities[workspace.local_names[name.lower()]]
        directory = self.world.directory
        found = self.account.named(kind, name)
        if found is not None:
            return found
        if kind == USERS:
            user = directory.by_upn(name)
            return self.resolve(user.id) if user else None
        if kind == GROUPS:
            groups = directory.by_group_name(name)
            return self.resolve(groups[0].id) if groups else None
        principal = directory.by_app_id(name) or next(
            (sp for sp in directory.service_principals.values() if sp.display_name == name), None
        )
        if principal is not None:
            return self.resolve(principal.id)
        named = (
            i for i in self.account.identities.values() if i.kind == PRINCIPALS and i.display_name == name
        )
        return next(named, None)

    def find(self, workspace: Workspace, name: str) -> Identity | None:
        """Whom an ACL of a workspace means by a bare name: a user, a group or an application id."""
        lowered = name.lower()
        if lowered in workspace.local_names:
            return self.account.identities[workspace.local_names[lowered]]
        for kind in (USERS, GROUPS, PRINCIPALS):
            found = self.account.named(kind, name)
            if found is not None and (found.id in workspace.assigned or found.id in self.visible(workspace)):
                return found
        return None

    def refresh(self, group: Identity) -> None:
        """Bring a group that Entra owns in step with Entra, once the propagation lag has passed.

        Only differences are applied, as the connector does, so a member added by hand stays.
        """
        source = self.world.directory.groups.get(group.external_id or "")
        if source is None or (group.synced is not None and group.synced == list(source.members)):
            return
        now = self.world.clock.now()
        lag = float(self.world.switches.get("databricks.sync-lag-seconds", 0))
        if group.synced is not None and lag:
            group.sync_due = group.sync_due if group.sync_due is not None else now + lag
            if now < group.sync_due:
                return
        before = {self.account.by_external.get(oid) for oid in group.synced or ()}
        wanted = [member for oid in source.members if (member := self._member(oid)) is not None]
        kept = {member: said for member, said in group.members.items() if member not in before}
        # Unresolved members are looked for again at the next reading: their absence is not remembered.
        complete = len(wanted) == len(source.members) or self.account.identity_sync == "scim"
        group.synced = (
            list(source.members) if complete else [oid for oid in source.members if self._member(oid)]
        )
        group.sync_due = None
        members: Members = {**{member: {} for member in wanted}, **kept}
        if members != group.members:
            self.account.set_members(group, members)

    @property
    def _lagging(self) -> bool:
        return bool(self.world.switches.get("databricks.sync-lag-seconds", 0))

    def _member(self, oid: str) -> str | None:
        known = self.account.by_external.get(oid)
        if self.account.identity_sync == "aim":
            return known
        if oid not in self.world.directory.users:
            return None
        found = self.resolve(oid)
        return found.id if found else None

    def members(self, group: Identity) -> Iterable[str]:
        """The present members of a group: system groups are computed, Entra's are refreshed."""
        if group.system:
            return self._system_members(group)
        if group.external_id:
            self.refresh(group)
        return group.members

    def _system_members(self, group: Identity) -> list[str]:
        if not group.home:
            people = self.account.identities.values()
            return [identity.id for identity in people if identity.kind == USERS]
        assigned = self.account.workspaces[group.home].assigned
        if group.name == "admins":
            return [member for member, permissions in assigned.items() if "ADMIN" in permissions]
        return list(assigned)

    def visible(self, workspace: Workspace) -> frozenset[str]:
        """Ids of the identities of a workspace: what is assigned, and the people in assigned groups."""
        cached = self._visible.get(workspace.name)
        if cached is not None and cached[0] == self._versions() and not self._lagging:
            return cached[1]
        seen = set(workspace.assigned) | set(workspace.local_names.values())
        queue = list(seen)
        people: set[str] = set()
        walked: set[str] = set()
        while queue:
            identity = self.account.identities.get(queue.pop())
            if identity is None or identity.id in walked:
                continue
            walked.add(identity.id)
            if identity.kind == GROUPS:
                queue.extend(self.members(identity))
            else:
                people.add(identity.id)
        result = frozenset(seen | people)
        self._visible[workspace.name] = (self._versions(), result)
        return result

    def parents(self, identity: Identity) -> list[Identity]:
        """The groups that list an identity as a direct member, Entra's brought up to date first."""
        if identity.external_id:
            for parent in self.world.directory.parents(identity.external_id):
                known = self.account.by_external.get(parent.id)
                if known is not None:
                    self.refresh(self.account.identities[known])
        return [self.account.identities[each] for each in self.account.parents.get(identity.id, ())]

    def groups_of(self, identity: Identity) -> frozenset[str]:
        """Ids of every group that an identity is in, through nesting and through Entra's own nesting."""
        cached = self._closures.get(identity.id)
        if cached is not None and cached[0] == self._versions():
            return cached[1]
        seen: set[str] = set()
        queue = [identity.id]
        if identity.external_id and self.account.identity_sync == "aim":
            for oid in self.world.directory.transitive_groups(identity.external_id):
                known = self.account.by_external.get(oid)
                if known:
                    seen.add(known)
                    queue.append(known)
        while queue:
            for parent in self.account.parents.get(queue.pop(), ()):
                if parent not in seen:
                    seen.add(parent)
                    queue.append(parent)
        result = frozenset(seen)
        self._closures[identity.id] = (self._versions(), result)
        return result

    def is_account_admin(self, identity: Identity) -> bool:
        """Whether the identity holds the account admin role, directly or through a group."""
        if ACCOUNT_ADMIN in identity.roles:
            return True
        return any(
            ACCOUNT_ADMIN in self.account.identities[group].roles for group in self.groups_of(identity)
        )

    def permissions(self, identity: Identity, workspace: Workspace) -> set[str]:
        """`USER` and `ADMIN` as far as held in a workspace, directly or through groups."""
        held = set(workspace.assigned.get(identity.id, ()))
        if "ADMIN" not in held:
            for group in self.groups_of(identity):
                held.update(workspace.assigned.get(group, ()))
        return held


def user_attrs(name: str, display_name: str, active: bool = True) -> dict[str, Any]:
    """The attributes of a user as Databricks fills them in from a name."""
    given, _, family = display_name.partition(" ")
    attrs: dict[str, Any] = {
        "userName": name,
        "displayName": display_name,
        "name": {"givenName": given, **({"familyName": family} if family else {})},
        "active": active,
    }
    if "@" in name:
        attrs["emails"] = [{"type": "work", "value": name, "primary": True}]
    return attrs
