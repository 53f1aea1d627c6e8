"""Paths as blobs: their properties over the Blob endpoint."""

from __future__ import annotations

from reconciler.emulator.lake import conditions, leases
from reconciler.emulator.lake.call import Call, Headers, changed_headers, reply
from reconciler.emulator.lake.paths import existing
from reconciler.emulator.lake.stamps import http_date
from reconciler.emulator.lake.tree import Node
from reconciler.emulator.wire import Response


def properties(call: Call) -> Response:
    """`HEAD /container/blob`."""
    chain = existing(call)
    node = chain[-1]
    call.access.need_traversal(chain)
    conditions.check(call.request.headers, node.changed, reading=True)
    found = [("Content-Length", str(node.size)), *described(call, node)]
    return reply(200, found)


def described(call: Call, node: Node) -> Headers:
    """What Get Blob and Get Blob Properties say of a path, all but its length."""
    details = node.details
    headers = details.headers if details else {}
    found: Headers = [("Content-Type", headers.get("Content-Type", "application/octet-stream"))]
    found += [(name, value) for name, value in headers.items() if name != "Content-Type"]
    found += changed_headers(node.changed)
    found += [
        ("Accept-Ranges", "bytes"),
        ("x-ms-creation-time", http_date(node.created)),
        *leases.headers(details.lease if details else None, call.now),
        ("x-ms-blob-type", "BlockBlob"),
        ("x-ms-server-encrypted", "true"),
        ("x-ms-access-tier", "Hot"),
        ("x-ms-access-tier-inferred", "true"),
    ]
    if call.account.hns and call.version >= "2020-06-12":
        found += [
            ("x-ms-owner", node.owner),
            ("x-ms-group", node.group),
            ("x-ms-permissions", node.acl.permissions),
            ("x-ms-resource-type", "directory" if node.is_folder else "file"),
        ]
        if call.version >= "2023-11-03":
            found.append(("x-ms-acl", node.acl.text))
    if details and details.expiry:
        found.append(("x-ms-expiry-time", http_date(details.expiry)))
    if node.is_folder:
        found.append(("x-ms-meta-hdi_isfolder", "true"))
    if details:
        found += [(f"x-ms-meta-{name}", value) for name, value in details.metadata.items()]
    return found
