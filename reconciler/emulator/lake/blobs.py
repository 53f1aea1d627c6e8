"""Paths as blobs: properties, metadata, HTTP headers and expiry over the Blob endpoint."""

from __future__ import annotations

from reconciler.emulator.lake import conditions, leases, leasing
from reconciler.emulator.lake.acl import WRITE
from reconciler.emulator.lake.call import Call, Headers, changed_headers, reply
from reconciler.emulator.lake.deletion import discard
from reconciler.emulator.lake.errors import StorageError
from reconciler.emulator.lake.paths import existing, expire
from reconciler.emulator.lake.rights import CONTRIBUTOR, OWNER
from reconciler.emulator.lake.stamps import http_date
from reconciler.emulator.lake.tree import Folder, Node
from reconciler.emulator.wire import Response

_HEADERS = {
    "x-ms-blob-content-type": "Content-Type",
    "x-ms-blob-content-encoding": "Content-Encoding",
    "x-ms-blob-content-language": "Content-Language",
    "x-ms-blob-content-disposition": "Content-Disposition",
    "x-ms-blob-cache-control": "Cache-Control",
    "x-ms-blob-content-md5": "Content-MD5",
}


def content_headers(call: Call) -> dict[str, str]:
    """The HTTP headers that a Blob request gives a file."""
    found = {name: call.header(header) for header, name in _HEADERS.items()}
    return {name: value for name, value in found.items() if value}


def metadata_of(call: Call) -> dict[str, str]:
    """The `x-ms-meta-…` headers of a request; the marker of a directory is not metadata of the user."""
    headers = call.request.headers
    found = {name[10:]: value for name, value in headers.items() if name.startswith("x-ms-meta-")}
    found.pop("hdi_isfolder", None)
    return found


def properties(call: Call) -> Response:
    """`HEAD /container/blob`."""
    chain = existing(call)
    node = chain[-1]
    call.access.need_traversal(chain)
    conditions.check(call.request.headers, node.changed, reading=True)
    return reply(200, [("Content-Length", str(node.size)), *described(call, node, whole=True)])


def described(call: Call, node: Node, whole: bool) -> Headers:
    """What Get Blob Properties (`whole`) and Get Blob say of a path, all but its length."""
    details = node.details
    headers = details.headers if details else {}
    found: Headers = []
    if not (isinstance(node, Folder) and node.implied):
        found.append(("Content-Type", headers.get("Content-Type", "application/octet-stream")))
    found += [(name, value) for name, value in headers.items() if name != "Content-Type"]
    found += changed_headers(node.changed)
    found += [
        ("Accept-Ranges", "bytes"),
        ("x-ms-creation-time", http_date(node.created)),
        *leases.headers(details.lease if details else None, call.now),
        ("x-ms-blob-type", "BlockBlob"),
        ("x-ms-server-encrypted", "true"),
    ]
    if whole:
        found += [("x-ms-access-tier", "Hot"), ("x-ms-access-tier-inferred", "true")]
    if call.account.hns:
        found += _hierarchical(call, node)
    if details and details.expiry:
        found.append(("x-ms-expiry-time", http_date(details.expiry)))
    if node.is_folder:
        found.append(("x-ms-meta-hdi_isfolder", "true"))
    if details:
        found += [(f"x-ms-meta-{name}", value) for name, value in details.metadata.items()]
    return found


def _hierarchical(call: Call, node: Node) -> Headers:
    found: Headers = []
    if call.version >= "2020-06-12":
        found += [
            ("x-ms-owner", node.owner),
            ("x-ms-group", node.group),
            ("x-ms-permissions", node.acl.permissions),
        ]
    if call.version >= "2020-10-02":
        found.append(("x-ms-resource-type", "directory" if node.is_folder else "file"))
    if call.version >= "2023-11-03":
        found.append(("x-ms-acl", node.acl.text))
    return found


def _changeable(call: Call) -> Node:
    chain = existing(call)
    node = chain[-1]
    call.access.need(chain, WRITE, OWNER, CONTRIBUTOR)
    conditions.check(call.request.headers, node.changed)
    leasing.guard_blob(call, node)
    return node


def set_metadata(call: Call) -> Response:
    """`PUT ?comp=metadata`: the metadata, replaced as a whole."""
    node = _changeable(call)
    node.detail().metadata = metadata_of(call)
    node.changed = call.account.tick()
    return reply(200, [*changed_headers(node.changed), ("x-ms-request-server-encrypted", "true")])


def set_headers(call: Call) -> Response:
    """`PUT ?comp=properties`: the HTTP headers, replaced as a whole."""
    node = _changeable(call)
    node.detail().headers = content_headers(call)
    node.changed = call.account.tick()
    return reply(200, changed_headers(node.changed))


def set_expiry(call: Call) -> Response:
    """`PUT ?comp=expiry`: when the file goes away; ETag and Last-Modified stay."""
    node = _changeable(call)
    if node.is_folder:
        raise StorageError("InvalidInput")
    option = (call.header("x-ms-expiry-option") or "").lower()
    expire(call, node, option, call.header("x-ms-expiry-time"))
    return reply(200, changed_headers(node.changed))


def delete(call: Call) -> Response:
    """`DELETE /container/blob`; a directory must be empty."""
    chain = existing(call)
    node = chain[-1]
    if len(chain) == 1:
        raise StorageError("InvalidUri")
    conditions.check(call.request.headers, node.changed)
    leasing.guard_blob(call, node)
    if isinstance(node, Folder) and node.children:
        raise StorageError("DirectoryIsNotEmpty")
    call.access.need_removal(chain[:-1], node, recursive=False)
    return reply(202, discard(call, chain))


def set_tier(call: Call) -> Response:
    """`PUT ?comp=tier`: accepted, and without effect here."""
    _changeable(call)
    return reply(200)
