"""The permissions API: one ACL per job, cluster, notebook and so on.

No object is kept here but its ACL: an object nobody has seeded exists, with nothing but what admins inherit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reconciler.emulator.databricks.errors import JSON, denied, invalid, missing, rest
from reconciler.emulator.databricks.state import GROUPS, PRINCIPALS, USERS, Identity
from reconciler.emulator.databricks.view import View
from reconciler.emulator.wire import Response, json_response

NAME_KEYS = {USERS: "user_name", GROUPS: "group_name", PRINCIPALS: "service_principal_name"}
KIND_WORDS = {USERS: "UserName", GROUPS: "GroupName", PRINCIPALS: "ServicePrincipalName"}
FILES = ("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE")
SQL_OBJECTS = ("CAN_VIEW", *FILES)


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of object: what answers call it, its levels, and what admins inherit from where."""

    word: str
    levels: tuple[str, ...]
    root: str | None
    """Where `admins` inherit from; None where they hold their permission directly."""
    admins: str = "CAN_MANAGE"
    owned: bool = False
    """Whether there must be exactly one owner."""


KINDS = {
    "cluster-policies": Kind("cluster-policy", ("CAN_USE",), "/cluster-policies/cluster-policies", "CAN_USE"),
    "instance-pools": Kind("instance-pool", ("CAN_ATTACH_TO", "CAN_MANAGE"), "/instance-pools/"),
    "clusters": Kind("cluster", ("CAN_ATTACH_TO", "CAN_RESTART", "CAN_MANAGE"), "/clusters/"),
    "jobs": Kind("job", ("CAN_VIEW", "CAN_MANAGE_RUN", "IS_OWNER", "CAN_MANAGE"), "/jobs/", owned=True),
    "pipelines": Kind(
        "pipelines", ("CAN_VIEW", "CAN_RUN", "CAN_MANAGE", "IS_OWNER"), "/pipelines/", owned=True
    ),
    "notebooks": Kind("notebook", FILES, "/directories/"),
    "directories": Kind("directory", FILES, "/directories/"),
    "files": Kind("file", FILES, "/directories/"),
    "repos": Kind("repo", FILES, "/directories/"),
    "sql/warehouses": Kind(
        "warehouses", ("CAN_USE", "CAN_MONITOR", "CAN_VIEW", "CAN_MANAGE", "IS_OWNER"), "/sql/warehouses/"
    ),
    "sql/alerts": Kind("alert", SQL_OBJECTS, "/directories/"),
    "sql/queries": Kind("query", SQL_OBJECTS, "/directories/"),
    "dbsql-dashboards": Kind("dbsql-dashboard", SQL_OBJECTS, "/directories/"),
    "dashboards": Kind("dashboard", FILES, "/directories/"),
    "alertsv2": Kind("alertv2", FILES, "/directories/"),
    "genie": Kind("genie-space", FILES, "/directories/"),
    "serving-endpoints": Kind(
        "serving-endpoint", ("CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"), "/serving-endpoints/"
    ),
    "registered-models": Kind(
        "registered-model",
        (
            "CAN_READ",
            "CAN_EDIT",
            "CAN_MANAGE_STAGING_VERSIONS",
            "CAN_MANAGE_PRODUCTION_VERSIONS",
            "CAN_MANAGE",
        ),
        "/registered-models/",
    ),
    "experiments": Kind("mlflowExperiment", ("CAN_READ", "CAN_EDIT", "CAN_MANAGE"), "/directories/"),
    "apps": Kind("apps", ("CAN_USE", "CAN_MANAGE"), "/apps/"),
    "vector-search-endpoints": Kind(
        "vector-search-endpoints", ("CAN_USE", "CAN_MANAGE"), "/vector-search-endpoints/"
    ),
    "database-instances": Kind(
        "database-instances", ("CAN_CREATE", "CAN_USE", "CAN_MANAGE"), "/database-instances/"
    ),
    "database-projects": Kind(
        "database-projects", ("CAN_CREATE", "CAN_USE", "CAN_MANAGE"), "/database-projects/"
    ),
    "authorization/tokens": Kind("tokens", ("CAN_USE", "CAN_MANAGE"), None),
    "authorization/passwords": Kind("passwords", ("CAN_USE",), None, "CAN_USE"),
}
"""Source of the Terraform provider, permissions/permission_definitions.go."""


def handle(view: View, path: str) -> Response:
    """Answer `/api/2.0/permissions/<path>`."""
    path, _, tail = path.partition("/permissionLevels")
    kind, name = _kind(path)
    method = view.request.method
    if method == "GET" and tail == "" and view.request.path.endswith("/permissionLevels"):
        return _levels(kind)
    if method == "GET":
        return _show(view, kind, name)
    if method not in ("PUT", "PATCH", "POST"):
        raise rest(405, "METHOD_NOT_ALLOWED", f"HTTP method {method} not allowed")
    _require_management(view, name)
    wanted = _entries(view, kind)
    held = view.here.permissions.setdefault(name, {"acl": {}})
    present = dict(held.get("acl") or {})
    merged = wanted if method != "PATCH" else {**present, **wanted}
    _check(view, kind, name, merged)
    held["acl"] = merged
    return _show(view, kind, name)


def handle_flat(view: View, path: str) -> Response:
    """The older API of SQL objects: a flat list of direct levels, replaced as a whole by POST."""
    word = path.partition("/")[0]
    kind = KINDS["dbsql-dashboards" if word == "dashboards" else f"sql/{word}"]
    held = view.here.permissions.setdefault(f"preview/{path}", {"acl": {}})
    if view.request.method == "POST":
        _require_management(view, f"preview/{path}")
        held["acl"] = _entries(view, kind)
    elif view.request.method != "GET":
        raise rest(405, "METHOD_NOT_ALLOWED", f"HTTP method {view.request.method} not allowed")
    shown = [_flat(view, key, level) for key, level in held["acl"].items()]
    singular = {"alerts": "alert", "dashboards": "dashboard", "queries": "query"}[word]
    payload = {"object_id": path, "object_type": singular, "access_control_list": shown}
    return json_response(200, payload, [JSON])


def _flat(view: View, key: str, level: str) -> dict[str, Any]:
    identity = view.account.identities.get(key)
    name = {NAME_KEYS[identity.kind]: identity.name} if identity is not None else {"user_name": key}
    return {**name, "permission_level": level}


def _kind(path: str) -> tuple[Kind, str]:
    exact = KINDS.get(path)
    if exact is not None:
        return exact, path
    head, _, _ = path.rpartition("/")
    if head == "warehouses":
        return KINDS["sql/warehouses"], f"sql/{path}"
    if head not in KINDS:
        raise invalid(f"Unsupported object type: {head or path}")
    return KINDS[head], path


def _levels(kind: Kind) -> Response:
    levels = [{"permission_level": level, "description": f"Permission {level}"} for level in kind.levels]
    return json_response(200, {"permission_levels": levels}, [JSON])


def _require_management(view: View, name: str) -> None:
    if view.admin:
        return
    acl = (view.here.permissions.get(name) or {}).get("acl") or {}
    mine = {view.me.id, *view.identities.groups_of(view.me)}
    if not any(acl.get(key) in ("CAN_MANAGE", "IS_OWNER") for key in mine):
        raise denied(f"{view.me.name} does not have Manage permissions on /{name}. Please contact the owner.")


def _entries(view: View, kind: Kind) -> dict[str, str]:
    """The levels that a request gives, by identity id; of several for one principal the last one wins."""
    body = view.request.json() or {}
    wanted: dict[str, str] = {}
    for entry in body.get("access_control_list") or []:
        level = entry.get("permission_level")
        if level not in kind.levels:
            allowed = ", ".join(kind.levels)
            raise invalid(
                f"Permission level {level} is invalid for {kind.word}: it must be one of {allowed}."
            )
        identity = _principal(view, entry)
        wanted.pop(identity.id, None)
        wanted[identity.id] = level
    return wanted


def _principal(view: View, entry: dict[str, Any]) -> Identity:
    for kind, key in NAME_KEYS.items():
        name = entry.get(key)
        if not name:
            continue
        local = view.here.local_names.get(name.lower()) if kind == GROUPS else None
        found = view.account.identities[local] if local else view.account.named(kind, name)
        if found is None or found.id not in view.identities.visible(view.here):
            raise missing(f"Principal: {KIND_WORDS[kind]}({name}) does not exist")
        return found
    raise invalid("One of user_name, group_name or service_principal_name must be set.")


def _check(view: View, kind: Kind, name: str, acl: dict[str, str]) -> None:
    owners = [key for key, level in acl.items() if level == "IS_OWNER"]
    if kind.owned and len(owners) != 1:
        raise invalid(f"The {kind.word.removesuffix('s')} must have exactly one owner.")
    if kind.word == "job" and view.account.identities[owners[0]].kind == GROUPS:
        raise invalid("Groups can not be owners of a job.")
    admins = view.here.local_names["admins"]
    if kind.root is None or name in ("directories/0", "registered-models/root"):
        held = acl.get(admins)
        if held != kind.admins and (kind.admins == "CAN_MANAGE" or held is not None):
            raise invalid(f"Cannot remove admins's {kind.admins} permission on {name.rpartition('/')[2]}")


def _show(view: View, kind: Kind, name: str) -> Response:
    held = view.here.permissions.get(name) or {}
    acl: dict[str, str] = dict(held.get("acl") or {})
    admins = view.here.local_names["admins"]
    if kind.root is None:
        acl.setdefault(admins, kind.admins)
    entries: dict[str, list[dict[str, Any]]] = {
        key: [{"permission_level": level, "inherited": False}] for key, level in acl.items()
    }
    inherited = list(held.get("inherited") or [])
    if kind.root is not None and name not in ("directories/0", "registered-models/root"):
        inherited.append({"principal": admins, "level": kind.admins, "from": kind.root})
    for each in inherited:
        entries.setdefault(each["principal"], []).append(
            {"permission_level": each["level"], "inherited": True, "inherited_from_object": [each["from"]]}
        )
    shown = [_entry(view, key, permissions) for key, permissions in entries.items()]
    payload = {"object_id": f"/{name}", "object_type": kind.word, "access_control_list": shown}
    return json_response(200, payload, [JSON])


def _entry(view: View, key: str, permissions: list[dict[str, Any]]) -> dict[str, Any]:
    identity = view.account.identities.get(key)
    if identity is None:
        return {"user_name": key, "all_permissions": permissions}
    shown: dict[str, Any] = {NAME_KEYS[identity.kind]: identity.name}
    if identity.kind != GROUPS:
        shown["display_name"] = identity.display_name
    shown["all_permissions"] = permissions
    return shown
