"""Which handler answers a request to the Blob endpoint."""

from __future__ import annotations

from reconciler.emulator.lake import blob_listing, blobs, containers
from reconciler.emulator.lake.call import Call
from reconciler.emulator.lake.errors import StorageError
from reconciler.emulator.wire import Response


def route(call: Call) -> Response:
    """Answer a Blob request; raises StorageError."""
    if not call.filesystem:
        return _account(call)
    if (call.param("restype") or "").lower() == "container":
        return _container(call)
    return _blob(call)


def _account(call: Call) -> Response:
    if call.request.method == "GET" and call.param("comp") == "list":
        return containers.list_containers(call)
    raise StorageError("InvalidUri")


def _container(call: Call) -> Response:
    comp = (call.param("comp") or "").lower()
    match call.request.method, comp:
        case "PUT", "":
            return containers.create(call)
        case "GET" | "HEAD", "":
            return containers.properties(call)
        case "DELETE", "":
            return containers.delete(call)
        case "PUT", "metadata":
            return containers.set_metadata(call)
        case "GET", "list":
            return blob_listing.list_blobs(call)
    raise StorageError("InvalidQueryParameterValue")


def _blob(call: Call) -> Response:
    comp = (call.param("comp") or "").lower()
    match call.request.method, comp:
        case "HEAD", "":
            return blobs.properties(call)
    raise StorageError("InvalidQueryParameterValue")
