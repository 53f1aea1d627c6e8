"""Who is who in one account: by id, by name, by membership, and by what may be done with it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from reconciler.emulator.databricks.state import (
    ACCOUNT_ADMIN,
    GROUPS,
    PRINCIPALS,
    USERS,
    Account,
    Identity,
    Workspace,
)
from reconciler.emulator.databricks.sync import Sync
from reconciler.emulator.world import World

KINDS = {"user": USERS, "group": GROUPS, "sp": PRINCIPALS}


class Identities:
    """Lookup and membership over one account and the Entra directory beside it."""

    def __init__(self, world: World, account: Account) -> None:
        self.world = world
        self.account = account
        self.sync = Sync(world, account)
        self._closures: dict[str, tuple[tuple[int, int], frozenset[str]]] = {}
        self._visible: dict[str, tuple[tuple[int, int], frozenset[str]]] = {}

    def _versions(self) -> tuple[int, int]:
        """What cached memberships depend on: the account and the Entra directory, as far as they changed."""
        return self.account.version, len(self.world.directory.journal)

    def new_id(self, kind: str) -> str:
        """An id for an object that a client creates."""
        return self.sync.free_id(kind, uuid.UUID(int=self.world.random.getrandbits(128)).hex)

    def principal(self, reference: str, workspace: Workspace | None = None) -> Identity:
        """The identity that a seed names: `user:…`, `group:…`, `sp:…`, or an id of either side.

        Entra objects are resolved on the way.  Raises ValueError naming an unknown one.
        """
        word, _, name = reference.partition(":")
        kind = KINDS.get(word)
        if kind is None:
            found = self.account.identities.get(reference) or self.sync.resolve(reference)
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
            return self.sync.resolve(user.id) if user else None
        if kind == GROUPS:
            groups = directory.by_group_name(name)
            return self.sync.resolve(groups[0].id) if groups else None
        principal = directory.by_app_id(name) or next(
            (sp for sp in directory.service_principals.values() if sp.display_name == name), None
        )
        if principal is not None:
            return self.sync.resolve(principal.id)
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

    def members(self, group: Identity) -> Iterable[str]:
        """The present members of a group; those of system groups are computed."""
        return self._system_members(group) if group.system else group.members

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
        if cached is not None and cached[0] == self._versions():
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
        """The groups that list an identity as a direct member."""
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
