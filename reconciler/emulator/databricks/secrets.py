"""Secret scopes, secrets and the ACLs of scopes (a scope has one ACL; a secret has none).

Switches: `databricks.acl-fresh-group-seconds` (60) is how long a put for a group that has just been assigned
to the workspace is answered 200 without effect (Terraform issues 2423 and 4195, ucx issue 627);
`databricks.acl-race-ms` (0) is how close together two ACL writes of one scope over different connections
must be for the later one to be lost ("The service returns inconsistent results for parallel API calls",
Databricks CLI source); `databricks.secrets-get` (true) says whether values may be read over REST.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from reconciler.emulator.databricks.errors import JSON, denied, invalid, missing, no_endpoint, rest
from reconciler.emulator.databricks.state import GROUPS, Scope, Secret
from reconciler.emulator.databricks.view import View
from reconciler.emulator.wire import Response, json_response

PERMISSIONS = ("READ", "WRITE", "MANAGE")
SCOPE_NAME = re.compile(r"[\w.@/-]{1,128}")
"""Terraform provider, secrets/resource_secret_scope.go."""
KEY_NAME = re.compile(r"[\w.-]{1,128}")
MAX_SCOPES = 1000
MAX_SECRETS = 1000
MAX_VALUE = 128 * 1024
"""Microsoft docs, "Secret management": scopes of a workspace, secrets of a scope, bytes of a value."""
EMPTY = Response(200, [JSON], b"{}")


def handle(view: View, verb: str) -> Response:
    """Answer `/api/2.0/secrets/<verb>`."""
    handler = HANDLERS.get((view.request.method, verb))
    if handler is None:
        raise no_endpoint(view.request.method, view.request.path)
    return handler(view)


def _body(view: View) -> dict[str, Any]:
    try:
        body = view.request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise rest(400, "MALFORMED_REQUEST", "Could not parse request object")
    return body


def _required(view: View, body: dict[str, Any] | None, name: str) -> str:
    value = view.request.param(name) if body is None else body.get(name)
    if not isinstance(value, str) or not value:
        raise invalid(f"Missing required field: {name}")
    return value


def _scope(view: View, body: dict[str, Any] | None, needed: str) -> Scope:
    """The scope that a request names, when the caller holds the permission that it needs."""
    name = _required(view, body, "scope")
    found = view.here.scopes.get(name.lower())
    if found is None:
        raise missing(f"Scope {name} does not exist!")
    if not view.admin and not _holds(view, found, needed):
        user = view.me.name
        raise denied(
            f"User {user} does not have {needed} permission on scope {found.name} to perform this action."
        )
    return found


def _holds(view: View, scope: Scope, needed: str) -> bool:
    least = PERMISSIONS.index(needed)
    mine = {view.me.id, *view.identities.groups_of(view.me), view.here.local_names.get("users", "")}
    return any(PERMISSIONS.index(scope.acls[key]) >= least for key in mine if key in scope.acls)


def _scopes_create(view: View) -> Response:
    body = _body(view)
    name = _required(view, body, "scope")
    scopes = view.here.scopes
    if not SCOPE_NAME.fullmatch(name):
        raise invalid(
            "Scope name must consist of alphanumeric characters, dashes, underscores, @ and periods, "
            "and may not exceed 128 characters."
        )
    if name.lower() in scopes:
        raise rest(400, "RESOURCE_ALREADY_EXISTS", f"Scope {name} already exists!")
    if len(scopes) >= MAX_SCOPES:
        raise rest(400, "RESOURCE_LIMIT_EXCEEDED", f"Exceeded the maximum number of scopes ({MAX_SCOPES}).")
    backend = body.get("scope_backend_type") or "DATABRICKS"
    if backend not in ("DATABRICKS", "AZURE_KEYVAULT"):
        raise invalid(f"Invalid scope backend type: {backend}")
    scope = Scope(name, backend, _keyvault(view, body) if backend == "AZURE_KEYVAULT" else None)
    initial = body.get("initial_manage_principal")
    if initial not in (None, "", "users"):
        raise invalid(f"Invalid initial_manage_principal: {initial}. Only 'users' is supported.")
    scope.acls = {view.here.local_names["users"] if initial else view.me.id: "MANAGE"}
    scopes[name.lower()] = scope
    return EMPTY


def _keyvault(view: View, body: dict[str, Any]) -> dict[str, str]:
    metadata = body.get("backend_azure_keyvault")
    if not isinstance(metadata, dict) or not metadata.get("resource_id") or not metadata.get("dns_name"):
        raise invalid("Scope with Azure KeyVault must have AzureKeyVaultSecretScopeMetadata defined!")
    if not view.entra:
        raise invalid("Scope with Azure KeyVault must have userAADToken defined!")
    return {"resource_id": metadata["resource_id"], "dns_name": metadata["dns_name"]}


def _scopes_delete(view: View) -> Response:
    scope = _scope(view, _body(view), "MANAGE")
    del view.here.scopes[scope.name.lower()]
    return EMPTY


def _scopes_list(view: View) -> Response:
    shown = []
    for scope in view.here.scopes.values():
        entry: dict[str, Any] = {"name": scope.name, "backend_type": scope.backend}
        if scope.keyvault is not None:
            entry |= {"keyvault_metadata": scope.keyvault, "is_databricks_managed": False}
        shown.append(entry)
    return json_response(200, {"scopes": shown} if shown else {}, [JSON])


def _put(view: View) -> Response:
    body = _body(view)
    scope = _scope(view, body, "WRITE")
    _writable(scope)
    key = _required(view, body, "key")
    if not KEY_NAME.fullmatch(key):
        raise invalid(
            "Key must consist of alphanumeric characters, dashes, underscores and periods, "
            "and may not exceed 128 characters."
        )
    value = _value(body)
    if len(value) > MAX_VALUE:
        raise invalid(f"Secret value exceeds the maximum of {MAX_VALUE} bytes.")
    held = scope.secrets.get(key.lower())
    if held is None and len(scope.secrets) >= MAX_SECRETS:
        raise rest(400, "RESOURCE_LIMIT_EXCEEDED", f"Exceeded the maximum number of secrets ({MAX_SECRETS}).")
    scope.secrets[key.lower()] = Secret(held.key if held else key, value, int(view.world.clock.now() * 1000))
    return EMPTY


def _value(body: dict[str, Any]) -> bytes:
    text, encoded = body.get("string_value"), body.get("bytes_value")
    if (text is None) == (encoded is None):
        raise invalid("Exactly one of string_value and bytes_value must be given.")
    if text is not None:
        return str(text).encode()
    try:
        return base64.b64decode(str(encoded), validate=True)
    except binascii.Error:
        raise invalid("bytes_value is not valid base64.") from None


def _writable(scope: Scope) -> None:
    if scope.backend == "AZURE_KEYVAULT":
        raise rest(400, "BAD_REQUEST", f"Scope {scope.name} is backed by Azure KeyVault: it is read-only.")


def _delete(view: View) -> Response:
    body = _body(view)
    scope = _scope(view, body, "WRITE")
    _writable(scope)
    del scope.secrets[_secret(view, scope, body).key.lower()]
    return EMPTY


def _secret(view: View, scope: Scope, body: dict[str, Any] | None) -> Secret:
    key = _required(view, body, "key")
    found = scope.secrets.get(key.lower())
    if found is None:
        raise missing(f"Secret does not exist with scope: {scope.name} and key: {key}")
    return found


def _list(view: View) -> Response:
    scope = _scope(view, None, "READ")
    shown = [{"key": each.key, "last_updated_timestamp": each.updated} for each in scope.secrets.values()]
    return json_response(200, {"secrets": shown} if shown else {}, [JSON])


def _get(view: View) -> Response:
    scope = _scope(view, None, "READ")
    if not view.switch("secrets-get", True):
        raise denied("Secrets can only be read through DBUtils.")
    secret = _secret(view, scope, None)
    return json_response(200, {"key": secret.key, "value": base64.b64encode(secret.value).decode()}, [JSON])


def _acl_key(view: View, principal: str) -> str | None:
    found = view.identities.find(view.here, principal)
    return found.id if found is not None else None


def _acls_put(view: View) -> Response:
    body = _body(view)
    scope = _scope(view, body, "MANAGE")
    principal = _required(view, body, "principal")
    permission = _required(view, body, "permission")
    if permission not in PERMISSIONS:
        raise invalid(f"Invalid permission: {permission}. Must be one of READ, WRITE, MANAGE.")
    key = _acl_key(view, principal)
    if key is None:
        raise invalid(f"Principal {principal} does not exist.")
    now = view.world.clock.now()
    if not _lost(view, scope, key, now):
        scope.acls[key] = permission
        scope.listing = None
    scope.last_write = (now, view.request.peer)
    return EMPTY


def _lost(view: View, scope: Scope, key: str, now: float) -> bool:
    """Whether this write is answered 200 and forgotten."""
    if view.account.identities[key].kind == GROUPS:
        since = view.here.assigned_at.get(key)
        window = float(str(view.switch("acl-fresh-group-seconds", 60)))
        if since is not None and now - since < window:
            return True
    race = float(str(view.switch("acl-race-ms", 0))) / 1000
    at, peer = scope.last_write
    return peer != view.request.peer and now - at < race


def _acls_delete(view: View) -> Response:
    body = _body(view)
    scope = _scope(view, body, "MANAGE")
    key = _held_key(view, scope, _required(view, body, "principal"))
    now = view.world.clock.now()
    race = float(str(view.switch("acl-race-ms", 0))) / 1000
    at, peer = scope.last_write
    if peer == view.request.peer or now - at >= race:
        del scope.acls[key]
        scope.listing = None
    scope.last_write = (now, view.request.peer)
    return EMPTY


def _held_key(view: View, scope: Scope, principal: str) -> str:
    key = _acl_key(view, principal) or principal
    if key not in scope.acls:
        raise missing(f"Failed to get secret acl for principal {principal} for scope {scope.name}.")
    return key


def _acls_get(view: View) -> Response:
    scope = _scope(view, None, "MANAGE")
    principal = _required(view, None, "principal")
    key = _held_key(view, scope, principal)
    return json_response(200, {"principal": _name(view, key), "permission": scope.acls[key]}, [JSON])


def _name(view: View, key: str) -> str:
    identity = view.account.identities.get(key)
    return identity.name if identity is not None else key


def _acls_list(view: View) -> Response:
    scope = _scope(view, None, "MANAGE")
    version = view.account.version
    if scope.listing is None or scope.listing[0] != version:
        items = [{"principal": _name(view, key), "permission": held} for key, held in scope.acls.items()]
        rendered = json_response(200, {"items": items} if items else {}, [JSON])
        scope.listing = (version, rendered.body)
    return Response(200, [JSON], scope.listing[1])


HANDLERS: dict[tuple[str, str], Callable[[View], Response]] = {
    ("POST", "scopes/create"): _scopes_create,
    ("POST", "scopes/delete"): _scopes_delete,
    ("GET", "scopes/list"): _scopes_list,
    ("POST", "put"): _put,
    ("POST", "delete"): _delete,
    ("GET", "list"): _list,
    ("GET", "get"): _get,
    ("POST", "acls/put"): _acls_put,
    ("POST", "acls/delete"): _acls_delete,
    ("GET", "acls/get"): _acls_get,
    ("GET", "acls/list"): _acls_list,
}
