"""Which path belongs to which API, and to which place: the account or one of its workspaces."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from reconciler.emulator.databricks import assignments, grants, iam_v2, permissions, rule_sets, secrets
from reconciler.emulator.databricks.errors import JSON, missing, rest
from reconciler.emulator.databricks.errors import scim as scim_error
from reconciler.emulator.databricks.scim.routes import Scim
from reconciler.emulator.databricks.state import Workspace
from reconciler.emulator.databricks.view import Place, View
from reconciler.emulator.wire import Response, json_response

KIND = r"(?:(?P<kind>Groups|Users|ServicePrincipals)(?:/(?P<id>[^/]+))?|(?P<me>Me))"


@dataclass(frozen=True, slots=True)
class Route:
    """A path pattern with the place that it speaks to and the class of rate limits that it counts in."""

    pattern: re.Pattern[str]
    place: Place
    area: str
    handler: Callable[[View, re.Match[str]], Response]

    def serves(self, on_workspace: bool) -> bool:
        """Whether this path exists on a workspace's host, or on the account's."""
        return self.place == "account" or (self.place == "misplaced") != on_workspace


def _secrets(view: View, match: re.Match[str]) -> Response:
    return secrets.handle(view, match["verb"])


def _no_scim_endpoint(view: View, match: re.Match[str]) -> Response:
    raise scim_error(404, "Endpoint not supported.")


def _own_assignments(view: View, match: re.Match[str]) -> Response:
    return assignments.handle(view, view.here, match["id"])


def _workspace_of(view: View, identifier: str) -> Workspace:
    found = next((each for each in view.account.workspaces.values() if each.id == identifier), None)
    if found is None:
        raise missing(f"Workspace {identifier} does not exist in account {view.account.id}.")
    return found


def _account_assignments(view: View, match: re.Match[str]) -> Response:
    workspace = _workspace_of(view, match["workspace"])
    if match["levels"]:
        return assignments.permissions_list(view)
    return assignments.handle(view, workspace, match["id"])


def _permissions(view: View, match: re.Match[str]) -> Response:
    return permissions.handle(view, unquote(match["path"]))


def _sql_permissions(view: View, match: re.Match[str]) -> Response:
    return permissions.handle_flat(view, unquote(match["path"]))


def _grants(view: View, match: re.Match[str]) -> Response:
    return grants.handle(view, unquote(match["path"]))


def _account_identity(view: View, match: re.Match[str]) -> Response:
    workspace = _workspace_of(view, match["workspace"]) if match["workspace"] else None
    return iam_v2.handle(view, match["path"], workspace)


def _workspace_identity(view: View, match: re.Match[str]) -> Response:
    return iam_v2.handle(view, match["path"], view.here)


def _rule_sets(view: View, match: re.Match[str]) -> Response:
    return rule_sets.handle(view, match["word"])


def _workspaces(view: View, match: re.Match[str]) -> Response:
    if view.request.method != "GET":
        raise rest(405, "METHOD_NOT_ALLOWED", f"HTTP method {view.request.method} not allowed")
    if not view.admin:
        raise rest(403, "PERMISSION_DENIED", "Only account admins can list workspaces.")
    if match["id"]:
        return json_response(200, _described(view, _workspace_of(view, match["id"])), [JSON])
    return json_response(200, [_described(view, each) for each in view.account.workspaces.values()], [JSON])


def _described(view: View, workspace: Workspace) -> dict[str, object]:
    return {
        "account_id": view.account.id,
        "workspace_id": int(workspace.id),
        "workspace_name": workspace.name,
        "deployment_name": f"adb-{workspace.id}.{int(workspace.id) % 20}",
        "workspace_status": "RUNNING",
        "pricing_tier": "PREMIUM",
    }


def _delete_path(view: View, match: re.Match[str]) -> Response:
    """No files are kept, so every path is missing but those of the homes of present identities.

    Terraform deletes the home and the repos of a user that it deletes, and takes a missing path for done.
    """
    path = str((view.request.json() or {}).get("path", ""))
    _, _, owner = path.rpartition("/")
    if view.request.method == "POST" and view.identities.find(view.here, owner) is not None:
        return json_response(200, {}, [JSON])
    raise missing(f"Path ({path}) doesn't exist.")


Handler = Callable[[View, re.Match[str]], Response]
TABLE: tuple[tuple[str, Place, str, Handler | None], ...] = (
    (r"/api/2\.0/secrets/(?P<verb>.+)", "workspace", "secrets", _secrets),
    (rf"/api/2\.0/preview/scim/v2/{KIND}", "workspace", "scim", None),
    (rf"/api/2\.[01]/accounts/(?P<account>[^/]+)/scim/v2/{KIND}", "account", "scim", None),
    (rf"/api/2\.0/account/scim/v2/{KIND}", "proxy", "scim", None),
    (rf"/api/2\.0/account/scim/v2/{KIND}", "account", "scim", None),
    (rf"/api/2\.0/preview/scim/v2/{KIND}", "misplaced", "scim", None),
    (
        r"/api/2\.0/preview/permissionassignments(?:/principals/(?P<id>[^/]+))?",
        "workspace",
        "assignment",
        _own_assignments,
    ),
    (
        r"/api/2\.0/accounts/(?P<account>[^/]+)/workspaces/(?P<workspace>[^/]+)/permissionassignments"
        r"(?:/principals/(?P<id>[^/]+)|/(?P<levels>permissions))?",
        "account",
        "assignment",
        _account_assignments,
    ),
    (r"/api/2\.[01]/permissions/(?P<path>.+)", "workspace", "permissions", _permissions),
    (
        r"/api/2\.0/preview/sql/permissions/(?P<path>(?:alerts|dashboards|queries)/[^/]+)",
        "workspace",
        "permissions",
        _sql_permissions,
    ),
    (r"/api/2\.1/unity-catalog/(?P<path>.+)", "workspace", "grants", _grants),
    (
        r"/api/2\.0/identity/accounts/(?P<account>[^/]+)/(?:workspaces/(?P<workspace>[^/]+)/)?(?P<path>.+)",
        "account",
        "identity",
        _account_identity,
    ),
    (r"/api/2\.0/identity/(?P<path>.+)", "workspace", "identity", _workspace_identity),
    (r"/api/2\.0/accounts/(?P<account>[^/]+)/workspaces(?:/(?P<id>[^/]+))?", "account", "", _workspaces),
    (
        r"/api/2\.0/preview/accounts/(?P<account>[^/]+)/access-control/(?P<word>[\w-]+)",
        "account",
        "",
        _rule_sets,
    ),
    (r"/api/2\.0/preview/accounts/access-control/(?P<word>[\w-]+)", "proxy", "", _rule_sets),
    (r"/api/2\.0/workspace/delete", "workspace", "", _delete_path),
    (r"/api/2\.0/preview/scim/v2(?:/.*)?", "workspace", "scim", _no_scim_endpoint),
    (
        r"/api/2\.[01]/accounts/(?P<account>[^/]+)/scim/v2(?:/.*)?",
        "account",
        "scim",
        _no_scim_endpoint,
    ),
)
"""Every path that needs a token, most frequent first; None stands for the SCIM endpoints of one account."""


def routes(scim: Scim) -> list[Route]:
    """The table with the SCIM endpoints of an account in it."""

    def identities(view: View, match: re.Match[str]) -> Response:
        if match["me"]:
            return scim.me(view)
        return scim.handle(view, match["kind"], match["id"])

    return [
        Route(re.compile(pattern), place, area, handler or identities)
        for pattern, place, area, handler in TABLE
    ]
