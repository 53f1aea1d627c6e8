"""Make true what a recorded exchange takes for granted: who exists, and what an unprovoked reading shows."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, unquote

from reconciler.emulator.databricks.permissions import KINDS, NAME_KEYS
from reconciler.emulator.databricks.service import DatabricksService
from reconciler.emulator.databricks.state import (
    GROUPS,
    NAME_ATTRIBUTE,
    PRINCIPALS,
    USERS,
    Identity,
    Members,
    Scope,
    Secret,
    Workspace,
    entitled,
)
from reconciler.emulator.databricks.sync import user_attrs
from tests.recordings.databricks.exchanges import Exchange

SCIM = re.compile(
    r"/api/2\.[01]/(?:accounts/([^/]+)|account|preview)/scim/v2/(Groups|Users|ServicePrincipals|Me)(?:/([^/]+))?"
)
ASSIGNMENTS = re.compile(
    r"/api/2\.0/(?:preview|accounts/[^/]+/workspaces/[^/]+)/permissionassignments(?:/principals/(.+))?"
)
GRANTS = re.compile(r"/api/2\.1/unity-catalog/(?:permissions/(.+)|shares/(.+)/permissions)")
PERMISSIONS = re.compile(r"/api/2\.0/permissions/(.+)")
SQL_PERMISSIONS = re.compile(r"/api/2\.0/preview/sql/permissions/(.+)")
DELETED_HOME = re.compile(r"/api/2\.0/workspace/delete")


class Prerequisites:
    """Arranges the state of one emulated account before each request of one recording."""

    def __init__(self, service: DatabricksService, me: Identity) -> None:
        self.service = service
        self.account = service.account
        self.workspace: Workspace = next(iter(self.account.workspaces.values()))
        self.me = me
        self.written: set[str] = set()
        """Paths that this recording has written to: what they answer from then on is up to the emulator."""

    def prepare(self, exchange: Exchange) -> None:
        """Arrange for one request."""
        if exchange.status == 404:
            self._forget(exchange)
        elif exchange.status < 400 or self._explains_itself(exchange):
            self._arrange(exchange)
        if exchange.method != "GET":
            self.written.add(exchange.path.rpartition("/")[0])
            self.written.add(exchange.path)

    def _explains_itself(self, exchange: Exchange) -> bool:
        return SCIM.fullmatch(exchange.path) is not None

    def _arrange(self, exchange: Exchange) -> None:
        fresh = exchange.path not in self.written
        if match := SCIM.fullmatch(exchange.path):
            self._scim(exchange, match[1], match[2], match[3], fresh)
        elif match := ASSIGNMENTS.fullmatch(exchange.path):
            self._assignments(exchange, match[1], fresh)
        elif match := GRANTS.fullmatch(exchange.path):
            self._grants(exchange, match[1] or f"share/{match[2]}", fresh)
        elif exchange.path.endswith("/current-metastore-assignment"):
            self.account.metastore = exchange.response["metastore_id"]
        elif match := PERMISSIONS.fullmatch(exchange.path):
            self._permissions(match[1], exchange.response)
        elif match := SQL_PERMISSIONS.fullmatch(exchange.path):
            self._flat_permissions(f"preview/{match[1]}", exchange.response)
        elif exchange.path.startswith("/api/2.0/secrets/"):
            self._secrets(exchange, exchange.path.removeprefix("/api/2.0/secrets/"), fresh)
        elif DELETED_HOME.fullmatch(exchange.path):
            self.named(exchange.body["path"].rpartition("/")[2])

    def _forget(self, exchange: Exchange) -> None:
        match = SCIM.fullmatch(exchange.path)
        if match and match[3] in self.account.identities:
            self.account.remove(self.account.identities[match[3]])
        scope = parse_qs(exchange.target.partition("?")[2]).get("scope", [""])[0]
        self.workspace.scopes.pop(scope.lower(), None)

    def identity(self, kind: str, identifier: str, name: str = "", *, assigned: bool = True) -> Identity:
        """The identity of an id, made when there is none, and a member of the workspace."""
        found = self.account.identities.get(identifier)
        if found is None:
            name = name or f"{identifier}@example.com" if kind == USERS else name or identifier
            attrs = user_attrs(name, name) if kind == USERS else {"displayName": name, "active": True}
            attrs[NAME_ATTRIBUTE[kind]] = name
            if kind == GROUPS:
                attrs.pop("active")
            found = self.account.add(Identity(kind, identifier, attrs))
        if assigned and not found.home:
            self.workspace.assigned.setdefault(found.id, ["USER"])
            self.account.version += 1
        return found

    def named(self, name: str) -> Identity:
        """The identity of a name: with `@` a user, in a UUID's shape a service principal, else a group."""
        found = self.service.identities.find(self.workspace, name)
        if found is not None:
            return found
        uuid = re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name)
        kind = USERS if "@" in name else PRINCIPALS if uuid else GROUPS
        return self.identity(kind, self.service.identities.new_id(kind), name)

    def _scim(
        self, exchange: Exchange, account: str | None, kind: str, identifier: str | None, fresh: bool
    ) -> None:
        response = exchange.response if isinstance(exchange.response, dict) else {}
        if account:
            self.account.id = account
        if kind == "Me":
            self._rename(self.me, str(response.get("id") or self.me.id))
            self._document(USERS, self.me, response)
        elif identifier:
            identity = self.identity(kind, identifier, assigned=account is None)
            if exchange.method == "GET" and fresh and exchange.status < 400:
                self._document(kind, identity, response)
            elif exchange.method in ("PATCH", "PUT") and exchange.status < 400:
                self._removed_entitlements(identity, exchange.body)
        elif exchange.method == "GET" and fresh:
            for item in response.get("Resources", []):
                known = self.identity(
                    kind, str(item.get("id") or item.get("userName")), assigned=account is None
                )
                self._document(kind, known, item)
                self._satisfy(known, item, exchange.target)

    def _document(self, kind: str, identity: Identity, shown: dict[str, Any]) -> None:
        self.account.unindex(identity)
        for key, value in shown.items():
            if key == "members":
                members: Members = {str(item["value"]): {} for item in value if item.get("value")}
                for item in value:
                    prefix = str(item.get("$ref", "")).partition("/")[0]
                    if prefix in NAME_ATTRIBUTE:
                        self.identity(prefix, str(item["value"]))
                self.account.set_members(identity, members)
            elif key == "entitlements":
                self.workspace.entitlements[identity.id] = entitled(item["value"] for item in value)
            elif key == "groups":
                self._parents(identity, value)
            elif key not in ("schemas", "id", "meta"):
                identity.attrs[key] = value
        self.account.index(identity)
        self.account.version += 1

    def _parents(self, identity: Identity, items: list[dict[str, Any]]) -> None:
        for item in items:
            if item.get("display") == "admins":
                admins = self.account.identities[self.workspace.local_names["admins"]]
                self._rename(admins, str(item.get("value", "")))
                self.workspace.assigned[identity.id] = ["ADMIN"]
            elif item.get("value"):
                group = self.identity(GROUPS, str(item["value"]), str(item.get("display", "")))
                self.account.set_members(group, {**group.members, identity.id: {}})

    def _rename(self, identity: Identity, identifier: str) -> None:
        if identifier and identity.id != identifier:
            del self.account.identities[identity.id]
            self.workspace.assigned.pop(identity.id, None)
            identity.id = identifier
            self.account.add(identity)

    def _removed_entitlements(self, identity: Identity, body: Any) -> None:
        """What a PATCH takes away must be there to be taken away."""
        for operation in (body or {}).get("Operations", []):
            if operation["op"] == "remove" and operation.get("path") == "entitlements":
                gone = entitled(item["value"] for item in operation.get("value") or [])
                held = self.workspace.entitlements.get(identity.id, {})
                self.workspace.entitlements[identity.id] = {**held, **gone}

    def _satisfy(self, identity: Identity, item: dict[str, Any], target: str) -> None:
        """Let an item be what the filter of its list asks for, where it does not say otherwise."""
        text = parse_qs(target.partition("?")[2]).get("filter", [""])[0]
        match = re.fullmatch(r'(\w+) (?:eq|co) "?([^"]*)"?', text)
        if match and match[1] not in item and match[1] != "id":
            self.account.unindex(identity)
            identity.attrs[match[1]] = match[2]
            self.account.index(identity)

    def _assignments(self, exchange: Exchange, identifier: str | None, fresh: bool) -> None:
        response = exchange.response if isinstance(exchange.response, dict) else {}
        shown = response.get("permission_assignments") or [response]
        for item in shown:
            principal = item.get("principal") or {}
            if item.get("error") and "principal_id" not in principal:
                continue
            number = str(principal.get("principal_id") or identifier or "")
            if number:
                self._assigned(exchange, item, principal, number, fresh)
        if identifier:
            self.identity(GROUPS, identifier, assigned=exchange.method == "DELETE")

    def _assigned(
        self, exchange: Exchange, item: dict[str, Any], principal: dict[str, Any], number: str, fresh: bool
    ) -> None:
        kind, key = next(((k, key) for k, key in NAME_KEYS.items() if principal.get(key)), (GROUPS, ""))
        name = str(principal.get(key, "")) if key else ""
        self.identity(kind, number, name, assigned=False)
        if exchange.method == "GET" and fresh:
            self.workspace.assigned[number] = list(item.get("permissions") or ["USER"])
            self.account.version += 1

    def _grants(self, exchange: Exchange, key: str, fresh: bool) -> None:
        rows = (exchange.response or {}).get("privilege_assignments") or []
        for row in [*rows, *((exchange.body or {}).get("changes") or [])]:
            self.named(row["principal"])
        if exchange.method == "GET" and fresh:
            self.account.grants[key] = {row["principal"]: list(row["privileges"]) for row in rows}

    def _permissions(self, name: str, body: Any) -> None:
        acl: dict[str, str] = {}
        inherited: list[dict[str, str]] = []
        root = next((kind.root for key, kind in KINDS.items() if name.rpartition("/")[0] == key), None)
        for entry in body["access_control_list"]:
            key = next(key for key in NAME_KEYS.values() if key in entry)
            identity = self.named(entry[key])
            for held in entry.get("all_permissions", []):
                if not held["inherited"]:
                    acl[identity.id] = held["permission_level"]
                elif entry[key] != "admins" or held["inherited_from_object"] != [root]:
                    source = held["inherited_from_object"][0]
                    level = held.get("permission_level", "CAN_MANAGE")
                    inherited.append({"principal": identity.id, "level": level, "from": source})
        self.workspace.permissions[name] = {"acl": acl, "inherited": inherited}

    def _flat_permissions(self, name: str, body: Any) -> None:
        acl = {}
        for entry in body["access_control_list"]:
            key = next(key for key in NAME_KEYS.values() if key in entry)
            acl[self.named(entry[key]).id] = entry["permission_level"]
        self.workspace.permissions[name] = {"acl": acl}

    def _scope(self, name: str) -> Scope:
        return self.workspace.scopes.setdefault(name.lower(), Scope(name))

    def _secrets(self, exchange: Exchange, verb: str, fresh: bool) -> None:
        query = {
            key: unquote(values[0]) for key, values in parse_qs(exchange.target.partition("?")[2]).items()
        }
        given = {**query, **(exchange.body or {})}
        response = exchange.response if isinstance(exchange.response, dict) else {}
        if verb == "scopes/list":
            for shown in response.get("scopes", []) if not self.written else []:
                self._scope(shown["name"]).backend = shown["backend_type"]
                self._scope(shown["name"]).keyvault = shown.get("keyvault_metadata")
            return
        if verb == "scopes/create" or "scope" not in given:
            return
        scope = self._scope(given["scope"])
        if "principal" in given:
            principal = self.named(given["principal"])
            if verb == "acls/delete" or (verb == "acls/get" and not self.written):
                scope.acls[principal.id] = response.get("permission", "READ")
        for item in response.get("items", []):
            scope.acls[self.named(item["principal"]).id] = item["permission"]
        if verb in ("list", "get", "delete") and not any("secrets/put" in path for path in self.written):
            listed = response.get("secrets") or [{"key": given.get("key", "key")}]
            for shown in listed:
                stamp = int(shown.get("last_updated_timestamp", 0))
                scope.secrets[shown["key"].lower()] = Secret(shown["key"], b"", stamp)
