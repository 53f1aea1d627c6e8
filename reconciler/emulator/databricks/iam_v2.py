"""IAM v2 (beta): identities, direct members and workspace assignments, one at a time and paged by token.

Sources: SDK docstrings of `iamv2` and Databricks docs "iam/v2".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from reconciler.emulator.databricks import assignments
from reconciler.emulator.databricks.errors import JSON, denied, invalid, missing, no_endpoint, rest
from reconciler.emulator.databricks.scim.writes import ENTITLEMENTS
from reconciler.emulator.databricks.state import (
    GROUPS,
    NAME_ATTRIBUTE,
    PRINCIPALS,
    USERS,
    Identity,
    Workspace,
    entitled,
)
from reconciler.emulator.databricks.sync import user_attrs
from reconciler.emulator.databricks.view import View
from reconciler.emulator.wire import Response, json_response

WORDS = {"groups": GROUPS, "users": USERS, "service-principals": PRINCIPALS}
SINGULAR = {GROUPS: "group", USERS: "user", PRINCIPALS: "service_principal"}
TYPES = {GROUPS: "GROUP", USERS: "USER", PRINCIPALS: "SERVICE_PRINCIPAL"}
PAGE = 1000
"""Databricks docs: the default and the largest page size; larger ones are clamped."""
RESOLVE = re.compile(r"(groups|users|service-principals)/resolve-by-external-id")
EXTERNAL = re.compile(r"external-(groups|users|service-principals)/([^/]+)")
ONE = re.compile(r"(groups|users|service-principals)(?:/([^/]+))?")
MEMBERS = re.compile(r"groups/([^/]+)/direct-members(?:/([^/]+))?")
PARENTS = re.compile(r"principals/([^/]+)/transitive-parent-groups")
ASSIGNMENTS = re.compile(r"workspace-(?:assignments|assignment-details)(?:/([^/]+))?")
ACCESS = re.compile(r"workspace-access-details/([^/]+)")


def handle(view: View, path: str, workspace: Workspace | None) -> Response:
    """Answer `/api/2.0/identity/…`, after the account or workspace part of the path."""
    if not view.admin:
        raise denied("Only account admins and workspace admins can use this API.")
    routes: list[tuple[re.Pattern[str], Callable[..., Response]]] = [
        (RESOLVE, _resolve),
        (EXTERNAL, _external),
        (ONE, _one),
        (MEMBERS, _members),
        (PARENTS, _parents),
    ]
    for pattern, handler in routes:
        match = pattern.fullmatch(path)
        if match is not None:
            return handler(view, *match.groups())
    for pattern, handler in ((ASSIGNMENTS, _assignments), (ACCESS, _access)):
        match = pattern.fullmatch(path)
        if match is not None and workspace is not None:
            return handler(view, workspace, *match.groups())
    raise no_endpoint(view.request.method, view.request.path)


def _ok(payload: Any) -> Response:
    return json_response(200, payload, [JSON])


def _body(view: View) -> dict[str, Any]:
    body = view.request.json()
    return body if isinstance(body, dict) else {}


def _shown(view: View, identity: Identity) -> dict[str, Any]:
    payload: dict[str, Any] = {"account_id": view.account.id, "external_id": identity.external_id}
    word = SINGULAR[identity.kind]
    payload[f"{word}_id"] = identity.id
    if identity.kind == GROUPS:
        payload["group_name"] = identity.name
        return {key: value for key, value in payload.items() if value is not None}
    status = "ACTIVE" if identity.attrs.get("active", True) else "INACTIVE"
    if identity.kind == USERS:
        name = identity.attrs.get("name") or {}
        full = {"given_name": name.get("givenName", ""), "family_name": name.get("familyName", "")}
        payload |= {"username": identity.name, "full_name": full, "account_user_status": status}
    else:
        payload |= {"application_id": identity.name, "display_name": identity.display_name}
        payload["account_sp_status"] = status
    return {key: value for key, value in payload.items() if value is not None}


def _find(view: View, identifier: str, kind: str | None = None) -> Identity:
    found = view.account.identities.get(identifier)
    if found is None or found.home or (kind is not None and found.kind != kind):
        word = SINGULAR.get(kind or "", "principal").replace("_", " ")
        raise missing(f"{word.capitalize()} with ID {identifier} does not exist.")
    return found


def _aim(view: View) -> bool:
    return view.account.identity_sync == "aim"


def _require_aim(view: View) -> None:
    if not _aim(view):
        raise rest(400, "FEATURE_DISABLED", "Automatic Identity Management is not enabled for this account.")


def _resolved(view: View, kind: str, external: str) -> Identity:
    _require_aim(view)
    found = view.identities.sync.resolve(external) if external else None
    if found is None or found.kind != kind:
        raise missing(
            f"{SINGULAR[kind].replace('_', ' ').capitalize()} with external ID {external} not found."
        )
    return found


def _resolve(view: View, word: str) -> Response:
    if view.request.method != "POST":
        raise no_endpoint(view.request.method, view.request.path)
    kind = WORDS[word]
    return _ok(
        {SINGULAR[kind]: _shown(view, _resolved(view, kind, str(_body(view).get("external_id") or "")))}
    )


def _external(view: View, word: str, external: str) -> Response:
    identity = _resolved(view, WORDS[word], external)
    singular = SINGULAR[identity.kind]
    return _ok(
        {
            "name": view.request.path.partition("/identity/")[2],
            f"external_{singular}_id": external,
            "internal_id": identity.id,
            "display_name": identity.display_name,
            "account_id": view.account.id,
        }
    )


def _paged(view: View, key: str, rows: list[dict[str, Any]]) -> Response:
    size = int(view.request.param("page_size") or PAGE)
    start = int(view.request.param("page_token") or 0)
    size = min(size, PAGE) if size > 0 else PAGE
    payload: dict[str, Any] = {key: rows[start : start + size]}
    if start + size < len(rows):
        payload["next_page_token"] = str(start + size)
    return _ok(payload)


def _one(view: View, word: str, identifier: str | None) -> Response:
    kind, method = WORDS[word], view.request.method
    if identifier is None:
        if method == "POST":
            return _create(view, kind)
        everybody = view.account.identities.values()
        rows = [_shown(view, each) for each in everybody if each.kind == kind and not each.home]
        return _paged(view, word.replace("-", "_"), rows)
    identity = _find(view, identifier, kind)
    if method == "DELETE":
        view.account.remove(identity)
        return _ok({})
    if method == "PATCH":
        return _update(view, identity)
    return _ok(_shown(view, identity))


def _fields(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    inner = body.get(SINGULAR[kind])
    return inner if isinstance(inner, dict) else body


def _create(view: View, kind: str) -> Response:
    fields = _fields(kind, _body(view))
    if fields.get("external_id") and _aim(view):
        raise invalid(
            "external_id cannot be set when Automatic Identity Management is enabled: resolve instead."
        )
    name = str(
        fields.get({GROUPS: "group_name", USERS: "username", PRINCIPALS: "application_id"}[kind]) or ""
    )
    name = name or view.identities.new_id(kind) if kind == PRINCIPALS else name
    if not name:
        raise invalid(f"The name of the {SINGULAR[kind]} is required.")
    if view.account.named(kind, name) is not None:
        raise rest(409, "RESOURCE_ALREADY_EXISTS", f"{SINGULAR[kind].capitalize()} {name} already exists.")
    attrs: dict[str, Any] = {NAME_ATTRIBUTE[kind]: name}
    if kind == USERS:
        attrs = user_attrs(name, str(fields.get("display_name") or name))
    elif kind == PRINCIPALS:
        attrs |= {"displayName": str(fields.get("display_name") or name), "active": True}
    if fields.get("external_id"):
        attrs["externalId"] = str(fields["external_id"])
    return _ok(_shown(view, view.account.add(Identity(kind, view.identities.new_id(kind), attrs))))


def _update(view: View, identity: Identity) -> Response:
    fields = _fields(identity.kind, _body(view))
    mask = {each for each in (view.request.param("update_mask") or "").split(",") if each and each != "*"}
    changed = {key: value for key, value in fields.items() if not mask or key in mask}
    if identity.kind == GROUPS and identity.external_id and set(changed) - {"external_id"}:
        raise invalid("Only external_id can be updated for an external group.")
    names = {"group_name": "displayName", "username": "userName", "display_name": "displayName"}
    view.account.unindex(identity)
    for key, value in changed.items():
        if key == "external_id":
            identity.attrs["externalId"] = value
        elif key in names:
            identity.attrs[names[key]] = value
    view.account.index(identity)
    view.account.version += 1
    return _ok(_shown(view, identity))


def _members(view: View, group_id: str, principal_id: str | None) -> Response:
    group = _find(view, group_id, GROUPS)
    method = view.request.method
    present = dict.fromkeys(view.identities.members(group))
    if method == "GET" and principal_id is None:
        return _paged(view, "direct_group_members", [_member(view, group, each) for each in present])
    if method == "POST" and principal_id is None:
        wanted = _body(view).get("direct_group_member") or _body(view)
        identity = _find(view, str(wanted.get("principal_id") or ""))
        view.account.set_members(group, {**group.members, identity.id: {}})
        return _ok(_member(view, group, identity.id))
    if principal_id is None or principal_id not in present:
        raise missing(f"Principal {principal_id} is not a direct member of group {group_id}.")
    if method == "DELETE":
        kept = {member: said for member, said in group.members.items() if member != principal_id}
        view.account.set_members(group, kept)
        return _ok({})
    return _ok(_member(view, group, principal_id))


def _member(view: View, group: Identity, member: str) -> dict[str, Any]:
    identity = view.account.identities.get(member)
    if identity is None:
        return {"principal_id": member, "membership_source": "INTERNAL"}
    source = view.world.directory.groups.get(group.external_id or "")
    synced = source is not None and (identity.external_id or "") in source.members
    payload = {
        "group_id": int(group.id) if group.id.isdigit() else group.id,
        "principal_id": int(member) if member.isdigit() else member,
        "principal_type": TYPES[identity.kind],
        "display_name": identity.display_name,
        "external_id": identity.external_id,
        "membership_source": "IDENTITY_PROVIDER" if synced else "INTERNAL",
    }
    return {key: value for key, value in payload.items() if value is not None}


def _parents(view: View, principal_id: str) -> Response:
    groups = sorted(view.identities.groups_of(_find(view, principal_id)))
    rows = [_shown(view, view.account.identities[each]) for each in groups]
    return _paged(view, "transitive_parent_groups", rows)


def _words(view: View, workspace: Workspace, principals: Iterable[str]) -> list[str]:
    """Entitlements as this API spells them, `WORKSPACE_ADMIN` among them, of several principals at once."""
    found: dict[str, None] = {}
    for each in principals:
        for value in workspace.entitlements.get(each, ()):
            found[value.upper().replace("-", "_")] = None
        if "ADMIN" in workspace.assigned.get(each, ()):
            found["WORKSPACE_ADMIN"] = None
    return list(found)


def _assignment(view: View, workspace: Workspace, member: str, *, listed: bool) -> dict[str, Any]:
    identity = view.account.identities[member]
    payload: dict[str, Any] = {
        "account_id": view.account.id,
        "workspace_id": int(workspace.id),
        "principal_id": int(member) if member.isdigit() else member,
        "principal_type": TYPES[identity.kind],
    }
    if not listed:
        everything = [member, *sorted(view.identities.groups_of(identity))]
        payload["entitlements"] = _words(view, workspace, [member])
        payload["effective_entitlements"] = _words(view, workspace, everything)
    return payload


def _assignments(view: View, workspace: Workspace, principal_id: str | None) -> Response:
    method = view.request.method
    if principal_id is None and method == "GET":
        # The list leaves entitlements out (SDK docstring): one GET per principal has them.
        rows = [_assignment(view, workspace, each, listed=True) for each in workspace.assigned]
        key = "workspace_assignment_details" if "details" in view.request.path else "workspace_assignments"
        return _paged(view, key, rows)
    if principal_id is None:
        fields = _body(view).get("workspace_assignment") or _body(view)
        return _assign(view, workspace, str(fields.get("principal_id") or ""), fields)
    if principal_id not in workspace.assigned:
        raise missing(f"Principal {principal_id} is not assigned to workspace {workspace.id}.")
    if method == "DELETE":
        assignments.unassign(view, workspace, principal_id)
        return _ok({})
    if method == "PATCH":
        fields = _body(view).get("workspace_assignment") or _body(view)
        return _assign(view, workspace, principal_id, fields)
    return _ok(_assignment(view, workspace, principal_id, listed=False))


def _assign(view: View, workspace: Workspace, principal_id: str, fields: dict[str, Any]) -> Response:
    identity = _find(view, principal_id)
    wanted = [str(each).lower().replace("_", "-") for each in fields.get("entitlements") or []]
    if not wanted:
        raise invalid("At least one entitlement is required.")
    unknown = [each for each in wanted if each not in (*ENTITLEMENTS, "workspace-admin")]
    if unknown:
        raise invalid(f"Unknown entitlement: {unknown[0].upper().replace('-', '_')}")
    assignments.assign(view, workspace, identity, ["ADMIN" if "workspace-admin" in wanted else "USER"])
    held = [each for each in wanted if each != "workspace-admin"]
    if held:
        workspace.entitlements[identity.id] = entitled(held)
    else:
        workspace.entitlements.pop(identity.id, None)
    return _ok(_assignment(view, workspace, identity.id, listed=False))


def _access(view: View, workspace: Workspace, principal_id: str) -> Response:
    identity = _find(view, principal_id)
    direct = principal_id in workspace.assigned
    if not direct and not view.identities.permissions(identity, workspace):
        raise missing(f"Principal {principal_id} has no access to workspace {workspace.id}.")
    payload: dict[str, Any] = {
        "account_id": view.account.id,
        "workspace_id": int(workspace.id),
        "principal_id": int(principal_id) if principal_id.isdigit() else principal_id,
        "principal_type": TYPES[identity.kind],
        "access_type": "DIRECT" if direct else "INDIRECT",
        "status": "ACTIVE",
    }
    if view.request.param("view") == "FULL":
        payload["permissions"] = sorted(
            f"{each}_PERMISSION" for each in view.identities.permissions(identity, workspace)
        )
    return _ok(payload)
