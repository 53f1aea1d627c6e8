"""Deletion of paths, at once, into soft deletion, or in pages."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.emulator.lake import conditions
from reconciler.emulator.lake.access_control import token
from reconciler.emulator.lake.account import Deleted
from reconciler.emulator.lake.call import Call, Headers, reply
from reconciler.emulator.lake.errors import StorageError
from reconciler.emulator.lake.paths import existing, respect_lease, take
from reconciler.emulator.lake.stamps import DAY, filetime
from reconciler.emulator.lake.tree import Folder, Node, count
from reconciler.emulator.wire import Response

PAGE = 5_000
"""Paths that one request of a paginated deletion takes away; Microsoft publishes no number."""


def delete(call: Call) -> Response:
    """`DELETE`, of a directory only with `recursive=true` or when it is empty."""
    chain = existing(call)
    node = chain[-1]
    if len(chain) == 1:
        raise StorageError("InvalidUri")
    conditions.check(call.request.headers, node.changed)
    respect_lease(call, node)
    recursive = call.flag("recursive")
    if isinstance(node, Folder) and node.children and not recursive:
        raise StorageError("DirectoryNotEmpty")
    call.access.need_removal(chain[:-1], node, recursive)
    if _in_pages(call) and isinstance(node, Folder) and count(node) > PAGE:
        _shrink(node, PAGE)
        return reply(200, [("x-ms-continuation", token(call, "/".join(call.path)))])
    return reply(200, discard(call, chain))


def _in_pages(call: Call) -> bool:
    # Only a caller whom lists decide about is told to come again (SDK source: paginated).
    return call.flag("paginated") and call.version >= "2023-08-03" and not call.access.superuser


def _shrink(folder: Folder, budget: int) -> int:
    """Take up to `budget` paths out of a tree, the deepest first, and return what is left of the budget."""
    for name in list(folder.children):
        child = folder.children[name]
        if isinstance(child, Folder):
            budget = _shrink(child, budget)
        if budget == 0:
            return 0
        folder.take(name)
        budget -= 1
    return budget


def discard(call: Call, chain: Sequence[Node]) -> Headers:
    """Take a path out of the tree, for good or into soft deletion, and say which."""
    node = take(chain)
    days = call.account.retention_days
    if not days:
        return [("x-ms-delete-type-permanent", "true")] if call.version >= "2020-06-12" else []
    instant = call.account.tick()
    deletion = str(filetime(instant))
    until = instant + days * DAY
    kept = Deleted(path="/".join(call.path), deletion_id=deletion, at=instant, until=until, node=node)
    call.store().deleted.append(kept)
    return [("x-ms-delete-type-permanent", "false"), ("x-ms-deletion-id", deletion)]
