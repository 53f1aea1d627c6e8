"""The seed file's `databricks` section, and the way back from state to seed."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from reconciler.emulator.databricks.identities import Identities
from reconciler.emulator.databricks.scim.writes import DEFAULTS, ENTITLEMENTS
from reconciler.emulator.databricks.state import (
    ACCOUNT_ADMIN,
    GROUPS,
    NAME_ATTRIBUTE,
    PRINCIPALS,
    USERS,
    Account,
    Identity,
    Members,
    Scope,
    Secret,
    Workspace,
    entitled,
    stable_id,
)
from reconciler.emulator.databricks.sync import user_attrs
from reconciler.emulator.world import World

ACCOUNT_KEYS = frozenset(
    [
        "id",
        "identity-sync",
        "metastore",
        "admins",
        "users",
        "service-principals",
        "account-users",
        "groups",
        "ids",
        "secrets",
        "federation",
        "grants",
        "rule-sets",
        "resolved",
    ]
)
WORKSPACE_KEYS = frozenset(
    ["id", "admins", "assigned", "groups", "entitlements", "scopes", "permissions", "federated", "system-ids"]
)


def _known(section: Mapping[str, Any], keys: frozenset[str], where: str) -> None:
    for key in section:
        if key not in keys:
            raise ValueError(f"{where}: unknown key {key!r}; known: {', '.join(sorted(keys))}")


class Seeder:
    """Loads a seed section into an account; references resolve Entra objects on the way."""

    def __init__(self, world: World, account: Account, identities: Identities) -> None:
        self.world = world
        self.account = account
        self.identities = identities

    def load(self, section: Mapping[str, Any]) -> None:
        """Add a whole section; raises ValueError naming the offending entry."""
        _known(section, frozenset({"account", "workspaces"}), "databricks")
        self._account(section.get("account") or {})
        for name, body in (section.get("workspaces") or {}).items():
            self._workspace(str(name), body or {})

    def _account(self, body: Mapping[str, Any]) -> None:
        _known(body, ACCOUNT_KEYS, "databricks.account")
        account = self.account
        account.id = str(body.get("id", account.id))
        account.identity_sync = str(body.get("identity-sync", account.identity_sync))
        account.metastore = str(body.get("metastore", account.metastore))
        if account.identity_sync not in ("aim", "scim"):
            raise ValueError(
                f"databricks.account.identity-sync: {account.identity_sync!r} is neither aim nor scim"
            )
        for reference, wanted in (body.get("ids") or {}).items():
            self._renumber(self.identities.principal(reference), str(wanted))
        for entry in body.get("users") or ():
            self._user(entry)
        if body.get("account-users"):
            attrs = {"displayName": "account users"}
            self.account.add(Identity(GROUPS, str(body["account-users"]), attrs, system=True))
        for entry in body.get("service-principals") or ():
            self._service_principal(entry)
        self._groups(body.get("groups") or (), None)
        self.identities.sync.catch_up()
        for reference in body.get("resolved") or ():
            self.identities.principal(reference)
        for reference in body.get("admins") or ():
            admin = self.identities.principal(reference)
            if ACCOUNT_ADMIN not in admin.roles:
                admin.attrs.setdefault("roles", []).append({"value": ACCOUNT_ADMIN})
        account.secrets.update(body.get("secrets") or {})
        for client, policies in (body.get("federation") or {}).items():
            account.federation[client] = [dict(policy) for policy in policies]
        account.rule_sets.update(body.get("rule-sets") or {})
        for name, privileges in (body.get("grants") or {}).items():
            account.grants[name] = {who: list(held) for who, held in privileges.items()}

    def _renumber(self, identity: Identity, wanted: str) -> None:
        self._free(wanted, identity.name)
        if identity.id == wanted:
            return
        del self.account.identities[identity.id]
        identity.id = wanted
        self.account.add(identity)

    def _free(self, identifier: str, name: str) -> str:
        holder = self.account.identities.get(identifier)
        if holder is not None and holder.name != name:
            raise ValueError(f"databricks: id {identifier!r} of {name!r} is already that of {holder.name!r}")
        return identifier

    def _enter(
        self, kind: str, entry: Mapping[str, Any], key: str, attrs: dict[str, Any], home: str = ""
    ) -> Identity:
        if "attributes" in entry:
            # A dump states every attribute, so that none that was removed comes back.
            attrs = {NAME_ATTRIBUTE[kind]: attrs[NAME_ATTRIBUTE[kind]], **entry["attributes"]}
        if entry.get("external-id"):
            attrs["externalId"] = str(entry["external-id"])
        if entry.get("roles"):
            attrs["roles"] = [{"value": role} for role in entry["roles"]]
        identifier = str(entry.get("id") or self.identities.sync.free_id(kind, f"{home}/{key}"))
        return self.account.add(Identity(kind, self._free(identifier, key), attrs, home))

    def _user(self, entry: Mapping[str, Any]) -> None:
        name = str(entry["name"])
        attrs = user_attrs(name, str(entry.get("display-name", name)), bool(entry.get("active", True)))
        self._enter(USERS, entry, name, attrs)

    def _service_principal(self, entry: Mapping[str, Any]) -> None:
        name = str(entry["name"])
        application = str(entry.get("application-id") or name)
        attrs = {"displayName": name, "applicationId": application, "active": bool(entry.get("active", True))}
        self._enter(PRINCIPALS, entry, application, attrs)
        if entry.get("secret"):
            self.account.secrets[application] = str(entry["secret"])

    def _groups(
        self, entries: Iterable[Mapping[str, Any]], workspace: Workspace | None
    ) -> list[tuple[Identity, Mapping[str, Any]]]:
        """Enter all groups first, so that they may be members of one another in any order."""
        home = workspace.name if workspace else ""
        entered = []
        for entry in entries:
            name = str(entry["name"])
            group = self._enter(GROUPS, entry, name, {"displayName": name}, home)
            group.synced = list(entry["synced"]) if "synced" in entry else None
            group.synced_name = entry.get("synced-name")
            entered.append((group, entry))
        for group, entry in entered:
            members: Members = {}
            for each in entry.get("members") or ():
                if isinstance(each, Mapping):
                    members[str(each["value"])] = dict(each)
                else:
                    members[self.identities.principal(each, workspace).id] = {}
            self.account.set_members(group, members)
        return entered

    def _workspace(self, name: str, body: Mapping[str, Any]) -> None:
        where = f"databricks.workspaces.{name}"
        _known(body, WORKSPACE_KEYS, where)
        workspace = Workspace(name, str(body.get("id") or stable_id("workspace", name)))
        workspace.federated = bool(body.get("federated", True))
        self.account.workspaces[name] = workspace
        fixed = body.get("system-ids") or {}
        for system in ("admins", "users"):
            identifier = str(fixed.get(system) or stable_id(GROUPS, f"{name}/{system}"))
            self.account.add(Identity(GROUPS, identifier, {"displayName": system}, name, system=True))
            workspace.entitlements[identifier] = entitled(DEFAULTS)
        for group, entry in self._groups(body.get("groups") or (), workspace):
            if entry.get("entitlements"):
                self._entitle(workspace, group.id, entry["entitlements"])
        for entry in body.get("assigned") or ():
            identity = self.identities.principal(entry["principal"], workspace)
            workspace.assigned[identity.id] = [str(each) for each in entry.get("permissions") or ["USER"]]
        for reference in body.get("admins") or ():
            workspace.assigned[self.identities.principal(reference, workspace).id] = ["ADMIN"]
        for reference, held in (body.get("entitlements") or {}).items():
            self._entitle(workspace, reference, held)
        for entry in body.get("scopes") or ():
            self._scope(workspace, entry)
        for name, entry in (body.get("permissions") or {}).items():
            workspace.permissions[str(name)] = self._permissions(workspace, entry)
        self.account.version += 1

    def _entitle(self, workspace: Workspace, reference: str, held: Any) -> None:
        identity = self.identities.principal(reference, workspace)
        for value in held or ():
            if isinstance(value, str) and value not in ENTITLEMENTS:
                raise ValueError(
                    f"databricks.workspaces.{workspace.name}.entitlements.{reference}: unknown entitlement "
                    f"{value!r}; known: {', '.join(ENTITLEMENTS)}"
                )
        if held:
            workspace.entitlements[identity.id] = {
                str(each["value"]) if isinstance(each, Mapping) else str(each): (
                    dict(each) if isinstance(each, Mapping) else {"value": str(each)}
                )
                for each in held
            }
        else:
            workspace.entitlements.pop(identity.id, None)

    def _permissions(self, workspace: Workspace, entry: Mapping[str, Any]) -> dict[str, Any]:
        acl = {
            self._acl_key(workspace, str(who)): str(level) for who, level in (entry.get("acl") or {}).items()
        }
        inherited = [
            {**each, "principal": self._acl_key(workspace, str(each["principal"]))}
            for each in entry.get("inherited") or ()
        ]
        return {"acl": acl, **({"inherited": inherited} if inherited else {})}

    def _scope(self, workspace: Workspace, entry: Mapping[str, Any]) -> None:
        keyvault = entry.get("keyvault")
        backend = entry.get("backend") or ("AZURE_KEYVAULT" if keyvault else "DATABRICKS")
        scope = Scope(str(entry["name"]), str(backend), dict(keyvault) if keyvault else None)
        for principal, permission in (entry.get("acls") or {}).items():
            scope.acls[self._acl_key(workspace, str(principal))] = str(permission)
        for key, secret in (entry.get("secrets") or {}).items():
            secret = secret or {}
            scope.secrets[str(key).lower()] = Secret(
                str(key), _value(secret), _milliseconds(secret.get("updated", 0))
            )
        workspace.scopes[scope.name.lower()] = scope

    def _acl_key(self, workspace: Workspace, principal: str) -> str:
        """Principals stand bare, as on the wire, or as `user:…`, `group:…`, `sp:…`; unknown names stay."""
        if principal in self.account.identities:
            return principal
        if principal.partition(":")[0] in ("user", "group", "sp"):
            return self.identities.principal(principal, workspace).id
        if principal.lower() in workspace.local_names:
            return workspace.local_names[principal.lower()]
        for word in ("user", "group", "sp"):
            try:
                return self.identities.principal(f"{word}:{principal}", workspace).id
            except ValueError:
                continue
        return principal


def _value(secret: Mapping[str, Any]) -> bytes:
    if "base64" in secret:
        return base64.b64decode(str(secret["base64"]))
    return str(secret.get("value", "")).encode()


def _milliseconds(moment: Any) -> int:
    if isinstance(moment, (int, float)):
        return int(moment)
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return int(moment.timestamp() * 1000)
