"""How Entra's users, groups and service principals come to exist in the Databricks account, and stay in step.

Under `aim` (automatic identity management) an object appears once it is resolved: assigned, imported or
logged in.  Under `scim` the provisioning connector copies users and groups, and skips what is nested.

Switch: `databricks.sync-lag-seconds` (0) is how long a change in Entra takes to arrive.
"""

from __future__ import annotations

from typing import Any

from reconciler.emulator.databricks.state import (
    GROUPS,
    PRINCIPALS,
    USERS,
    Account,
    Identity,
    Members,
    stable_id,
)
from reconciler.emulator.directory import Group, ServicePrincipal, User
from reconciler.emulator.world import World


class Sync:
    """Copies from the directory to the account; nothing goes the other way."""

    def __init__(self, world: World, account: Account) -> None:
        self.world = world
        self.account = account
        self._seen = (-1, -1)
        self._pending = False

    def catch_up(self) -> None:
        """Bring the account in step with Entra; free of cost while nothing changes there."""
        seen = (len(self.world.directory.journal), len(self.account.by_external))
        if seen == self._seen and not self._pending:
            return
        self._pending = False
        if self.account.identity_sync == "scim":
            for oid in [*self.world.directory.users, *self.world.directory.groups]:
                self.resolve(oid)
        for oid in list(self.account.by_external):
            source = self.world.directory.groups.get(oid)
            if source is not None:
                self._refresh(self.account.identities[self.account.by_external[oid]], source)
        self._seen = (len(self.world.directory.journal), len(self.account.by_external))

    def resolve(self, object_id: str) -> Identity | None:
        """The identity of an Entra object, imported when it is not there yet."""
        held = self.account.by_external.get(object_id)
        if held is not None:
            return self.account.identities[held]
        found = self.world.directory.find(object_id)
        return self._import(found) if found is not None else None

    def free_id(self, kind: str, key: str) -> str:
        """A stable id that is not taken; a second object of the same key gets another."""
        candidate = stable_id(kind, key)
        while candidate in self.account.identities:
            key += "'"
            candidate = stable_id(kind, key)
        return candidate

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

    def _refresh(self, group: Identity, source: Group) -> None:
        """Apply to a group what changed in Entra since the last time, once the lag has passed.

        Only differences are applied, as the connector does: a member added by hand stays.
        """
        wanted = [oid for oid in source.members if self._takes(oid)]
        if group.synced == wanted and group.synced_name == source.display_name:
            group.sync_due = None
            return
        lag = float(self.world.switches.get("databricks.sync-lag-seconds", 0))
        if group.synced is not None and lag:
            now = self.world.clock.now()
            group.sync_due = group.sync_due if group.sync_due is not None else now + lag
            if now < group.sync_due:
                self._pending = True
                return
        if group.synced_name not in (None, source.display_name):
            self.account.unindex(group)
            group.attrs["displayName"] = source.display_name
            self.account.index(group)
        self._take_members(group, wanted)
        group.synced, group.synced_name, group.sync_due = wanted, source.display_name, None
        self.account.version += 1

    def _takes(self, oid: str) -> bool:
        """Whether a member of an Entra group can be one of its copy: it must be in the account.

        The connector copies users alone; automatic identity management knows what has been resolved.
        """
        return oid in self.account.by_external and (
            self.account.identity_sync == "aim" or oid in self.world.directory.users
        )

    def _take_members(self, group: Identity, wanted: list[str]) -> None:
        ids = self.account.by_external
        before = {ids.get(oid) for oid in group.synced or ()}
        kept = {member: said for member, said in group.members.items() if member not in before}
        members: Members = {**{ids[oid]: {} for oid in wanted}, **kept}
        if members != group.members:
            self.account.set_members(group, members)


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
