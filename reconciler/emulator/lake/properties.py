"""Path Get Properties of the DFS endpoint: everything about a path in headers."""

from __future__ import annotations

from reconciler.emulator.lake import access_control, conditions, leases
from reconciler.emulator.lake.call import Call, Headers, changed_headers, reply
from reconciler.emulator.lake.paths import existing, format_properties
from reconciler.emulator.lake.tree import Node
from reconciler.emulator.wire import Response


def get(call: Call) -> Response:
    """`HEAD /filesystem/path` without an action."""
    chain = existing(call)
    node = chain[-1]
    call.access.need_traversal(chain)
    conditions.check(call.request.headers, node.changed, reading=True)
    return reply(200, [("Content-Length", str(node.size)), *_described(call, node)])


def _described(call: Call, node: Node) -> Headers:
    details = node.details
    headers = details.headers if details else {}
    metadata = dict(details.metadata) if details else {}
    if node.is_folder:
        metadata["hdi_isfolder"] = "true"
    found: Headers = [("Content-Type", headers.get("Content-Type", "application/octet-stream"))]
    found += [(name, value) for name, value in headers.items() if name != "Content-Type"]
    found += [("Accept-Ranges", "bytes"), *changed_headers(node.changed)]
    found.append(("x-ms-resource-type", "directory" if node.is_folder else "file"))
    found += access_control.headers(call, node, call.version >= "2023-11-03")
    found.append(("x-ms-properties", format_properties(metadata)))
    found += leases.headers(details.lease if details else None, call.now)
    return found
