"""Which handler answers a request to the Blob endpoint."""

from __future__ import annotations

from reconciler.emulator.lake import (
    blob_listing,
    blobs,
    containers,
    content,
    leasing,
    policies,
    settings,
    trash,
)
from reconciler.emulator.lake.call import Call
from reconciler.emulator.lake.errors import StorageError
from reconciler.emulator.wire import Response


def route(call: Call) -> Response:
    """Answer a Blob request; raises StorageError."""
    if (call.param("restype") or "").lower() == "account":
        return settings.account_information(call)
    if not call.filesystem:
        return _account(call)
    if (call.param("restype") or "").lower() == "container":
        return _container(call)
    return _blob(call)


def _account(call: Call) -> Response:
    comp = (call.param("comp") or "").lower()
    match call.request.method, comp:
        case "GET", "list":
            return containers.list_containers(call)
        case "GET", "properties":
            return settings.get(call)
        case "PUT", "properties":
            return settings.put(call)
        case "POST", "userdelegationkey":
            return settings.user_delegation_key(call)
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
        case "GET", "list" if (call.param("showonly") or "").lower() == "deleted":
            return trash.list_deleted(call)
        case "GET", "list":
            return blob_listing.list_blobs(call)
        case "PUT", "acl":
            return policies.put(call)
        case "GET" | "HEAD", "acl":
            return policies.get(call)
        case "PUT", "lease":
            return leasing.on_container(call)
        case "PUT", "undelete":
            return trash.undelete_container(call)
        case "PUT", "rename":
            return trash.rename_container(call)
    raise StorageError("InvalidQueryParameterValue")


def _blob(call: Call) -> Response:
    comp = (call.param("comp") or "").lower()
    match call.request.method, comp:
        case "HEAD", "":
            return blobs.properties(call)
        case "GET", "":
            return content.read(call)
        case "PUT", "":
            return content.put_blob(call)
        case "DELETE", "":
            return blobs.delete(call)
        case "PUT", "metadata":
            return blobs.set_metadata(call)
        case "GET" | "HEAD", "metadata":
            return blobs.properties(call)
        case "PUT", "properties":
            return blobs.set_headers(call)
        case "PUT", "expiry":
            return blobs.set_expiry(call)
        case "PUT", "lease":
            return leasing.on_path(call)
        case "PUT", "undelete":
            return trash.undelete(call)
        case "PUT", "tier":
            return blobs.set_tier(call)
        case "PUT", "block":
            return content.put_block(call)
        case "PUT", "blocklist":
            return content.put_block_list(call)
        case "GET", "blocklist":
            return content.get_block_list(call)
        case "PUT", "snapshot":
            raise StorageError("FeatureNotYetSupportedForHierarchicalNamespaceAccounts")
    raise StorageError("InvalidQueryParameterValue")
