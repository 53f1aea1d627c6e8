"""Which handler answers a request to the DFS endpoint."""

from __future__ import annotations

from reconciler.emulator.lake import (
    access_control,
    containers,
    content,
    deletion,
    leasing,
    listing,
    paths,
    properties,
)
from reconciler.emulator.lake.call import Call
from reconciler.emulator.lake.errors import StorageError
from reconciler.emulator.wire import Response

_HIERARCHICAL = frozenset(
    {"getaccesscontrol", "getstatus", "checkaccess", "setaccesscontrol", "setaccesscontrolrecursive"}
)


def route(call: Call) -> Response:
    """Answer a DFS request; raises StorageError."""
    if not call.filesystem:
        return _account(call)
    if not call.rooted:
        return _filesystem(call)
    return _path(call)


def _account(call: Call) -> Response:
    if call.request.method == "GET" and (call.param("resource") or "").lower() == "account":
        return containers.list_filesystems(call)
    raise StorageError("UnsupportedHttpVerb")


def _filesystem(call: Call) -> Response:
    if (call.param("resource") or "").lower() != "filesystem":
        raise StorageError("MissingRequiredQueryParameter")
    match call.request.method:
        case "PUT":
            return containers.create(call)
        case "GET":
            return listing.list_paths(call)
        case "HEAD":
            return containers.properties(call)
        case "DELETE":
            return containers.delete(call)
        case "PATCH":
            return containers.set_metadata(call)
    raise StorageError("UnsupportedHttpVerb")


def _path(call: Call) -> Response:
    action = (call.param("action") or "").lower()
    if not call.account.hns and action in _HIERARCHICAL:
        # hadoop-azure takes the 400 to such a request for a flat account; no recording shows its code.
        raise StorageError("UnsupportedQueryParameter")
    match call.request.method:
        case "PUT":
            return paths.rename(call) if call.header("x-ms-rename-source") else paths.create(call)
        case "DELETE":
            return deletion.delete(call)
        case "HEAD" if action == "checkaccess":
            return access_control.check_access(call)
        case "HEAD" if action in ("getaccesscontrol", "getstatus"):
            return access_control.get(call)
        case "HEAD":
            return properties.get(call)
        case "GET":
            return content.read(call)
        case "POST":
            return leasing.on_path(call)
        case "PATCH" if action == "append":
            return content.append(call)
        case "PATCH" if action == "flush":
            return content.flush(call)
        case "PATCH" if action == "setaccesscontrol":
            return access_control.put(call)
        case "PATCH" if action == "setaccesscontrolrecursive":
            return access_control.put_below(call)
        case "PATCH" if action == "setproperties":
            return paths.set_properties(call)
        case "PATCH" if not action:
            raise StorageError("MissingRequiredQueryParameter")
        case "PATCH":
            raise StorageError("InvalidQueryParameterValue")
    raise StorageError("UnsupportedHttpVerb")
