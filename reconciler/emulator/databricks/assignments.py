"""Who may enter a workspace: the assignment APIs of the account and of the workspace."""

from __future__ import annotations

from typing import Any

from reconciler.emulator.databricks.errors import JSON, denied, invalid, missing, rest
from reconciler.emulator.databricks.state import GROUPS, PRINCIPALS, USERS, Identity, Workspace
from reconciler.emulator.databricks.view import View
from reconciler.emulator.wire import Response, json_response

PERMISSIONS = ("USER", "ADMIN")
NAME_KEYS = {USERS: "user_name", GROUPS: "group_name", PRINCIPALS: "service_principal_name"}
NOT_AVAILABLE = "Permission assignment APIs are not available for this workspace"


def principal(identity: Identity) -> dict[str, Any]:
    """How an assignment names an identity."""
    number = int(identity.id) if identity.id.isdigit() else identity.id
    shown = {"principal_id": number, NAME_KEYS[identity.kind]: identity.name}
    if identity.kind != PRINCIPALS or identity.attrs.get("displayName"):
        shown["display_name"] = identity.display_name
    return shown


def _entry(view: View, workspace: Workspace, member: str) -> dict[str, Any]:
    return {
        "permissions": workspace.assigned[member],
        "principal": principal(view.account.identities[member]),
    }


def _ok(payload: Any) -> Response:
    return json_response(200, payload, [JSON])


def handle(view: View, workspace: Workspace, identifier: str | None) -> Response:
    """GET the list; PUT or DELETE one principal; POST by name (workspace host only)."""
    if not view.admin:
        raise denied("Only account admins and workspace admins can manage permission assignments.")
    if not workspace.federated:
        raise rest(400, "INVALID_PARAMETER_VALUE", NOT_AVAILABLE)
    method = view.request.method
    if identifier is None and method == "GET":
        return _ok({"permission_assignments": [_entry(view, workspace, each) for each in workspace.assigned]})
    if identifier is None and method == "POST":
        return _post(view, workspace)
    if identifier is not None and method == "PUT":
        return _put(view, workspace, identifier)
    if identifier is not None and method == "DELETE":
        return _delete(view, workspace, identifier)
    raise rest(405, "METHOD_NOT_ALLOWED", f"HTTP method {method} not allowed")


def permissions_list(view: View) -> Response:
    """The permissions that a workspace has to give."""
    return _ok(
        {
            "permissions": [
                {"permission_level": "USER", "description": "Can use the workspace"},
                {"permission_level": "ADMIN", "description": "Can administer the workspace"},
            ]
        }
    )


def assign(view: View, workspace: Workspace, identity: Identity, permissions: list[str]) -> None:
    """Give an identity these permissions; ADMIN wins over USER."""
    held = ["ADMIN"] if "ADMIN" in permissions else ["USER"]
    if identity.id not in workspace.assigned:
        workspace.assigned_at[identity.id] = view.world.clock.now()
    workspace.assigned[identity.id] = held
    view.account.version += 1


def unassign(view: View, workspace: Workspace, identifier: str) -> None:
    """Take a principal out of a workspace, with all that it held there directly."""
    workspace.assigned.pop(identifier, None)
    workspace.assigned_at.pop(identifier, None)
    workspace.entitlements.pop(identifier, None)
    view.account.version += 1


def _find(view: View, identifier: str) -> Identity:
    found = view.account.identities.get(identifier)
    if found is None or found.home:
        raise missing("Principal not found in account.")
    return found


def _put(view: View, workspace: Workspace, identifier: str) -> Response:
    body = view.request.json() or {}
    identity = _find(view, identifier)
    wanted = [each for each in body.get("permissions") or [] if each in PERMISSIONS]
    if not wanted:
        # SDK docstring of workspace_assignment.update: unsupported or no permissions delete the assignment.
        unassign(view, workspace, identifier)
        return _ok({})
    assign(view, workspace, identity, wanted)
    return _ok(_entry(view, workspace, identifier))


def _delete(view: View, workspace: Workspace, identifier: str) -> Response:
    if identifier not in workspace.assigned:
        raise missing(f"Permission assignment for principal {identifier} does not exist.")
    unassign(view, workspace, identifier)
    return _ok({})


def _post(view: View, workspace: Workspace) -> Response:
    body = view.request.json() or {}
    wanted = body.get("permission_assignments")
    if not isinstance(wanted, list):
        raise invalid("permission_assignments is required.")
    return _ok({"permission_assignments": [_post_one(view, workspace, item) for item in wanted]})


def _post_one(view: View, workspace: Workspace, item: dict[str, Any]) -> dict[str, Any]:
    info = {**item, **(item.get("principal_info") or {})}
    named = next(((kind, info[key]) for kind, key in NAME_KEYS.items() if info.get(key)), None)
    if named is None:
        return {"error": "INVALID_PARAMETER_VALUE: A principal name is required."}
    kind, name = named
    identity = view.account.named(kind, name)
    if identity is None:
        return {
            "principal": {NAME_KEYS[kind]: name},
            "error": "RESOURCE_DOES_NOT_EXIST: Principal not found in account.",
        }
    permissions = item.get("permissions") or []
    if "ADMIN" in permissions:
        return {
            "principal": principal(identity),
            "error": "INVALID_PARAMETER_VALUE: ADMIN cannot be assigned by name.",
        }
    if identity.id in workspace.assigned:
        raise rest(400, "INVALID_PARAMETER_VALUE", f"Principal {name} is already assigned to the workspace.")
    assign(view, workspace, identity, ["USER"])
    return _entry(view, workspace, identity.id)
