"""Access control over the DFS endpoint: read it, set it on a path, and set, modify or remove it below one.

Its law: nothing here touches an ETag or a Last-Modified, as recorded traffic shows for every such write.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import chain as chained

from reconciler.emulator.lake import acl as acls
from reconciler.emulator.lake import conditions, continuation
from reconciler.emulator.lake.acl import Acl, AclError, Change
from reconciler.emulator.lake.call import Call, Headers, changed_headers, reply
from reconciler.emulator.lake.errors import CODES, StorageError
from reconciler.emulator.lake.names import readable
from reconciler.emulator.lake.paths import existing, respect_lease
from reconciler.emulator.lake.rights import CONTRIBUTOR, OWNER
from reconciler.emulator.lake.tree import Folder, Node, walk
from reconciler.emulator.wire import Response

PAGE = 2_000
"""Paths that one recursive request visits at most (SDK source: maxRecords)."""
REFUSED_ENTRY = CODES["AuthorizationPermissionMismatch"][1]
Edit = Callable[[Acl, bool], Acl]
"""A list and whether its path is a directory, to the new list; raises AclError."""


def headers(call: Call, node: Node, with_list: bool) -> Headers:
    """`x-ms-owner`, `x-ms-group`, `x-ms-permissions` and, if wanted, `x-ms-acl`."""
    translate = readable(call)
    found = [
        ("x-ms-owner", translate(node.owner)),
        ("x-ms-group", node.group),
        ("x-ms-permissions", node.acl.permissions),
    ]
    if with_list:
        found.append(("x-ms-acl", translate.acl(node.acl.text)))
    return found


def get(call: Call) -> Response:
    """`HEAD ?action=getAccessControl`, and `getStatus`, which leaves out the list."""
    chain = existing(call)
    call.access.need_traversal(chain)
    conditions.check(call.request.headers, chain[-1].changed, reading=True)
    full = (call.param("action") or "").lower() == "getaccesscontrol"
    found = changed_headers(chain[-1].changed) + headers(call, chain[-1], full)
    return reply(200, found)


def check_access(call: Call) -> Response:
    """`HEAD ?action=checkAccess&fsAction=rwx`: 200 when the caller has these rights, else 403."""
    chain = existing(call)
    wanted = call.param("fsAction") or ""
    if len(wanted) != 3 or any(char not in "rwx-" for char in wanted):
        raise StorageError("InvalidQueryParameterValue")
    asked = sum(bit for bit, char in zip((4, 2, 1), wanted, strict=True) if char != "-")
    call.access.need(chain, asked, OWNER, CONTRIBUTOR)
    return reply(200, changed_headers(chain[-1].changed))


def put(call: Call) -> Response:
    """`PATCH ?action=setAccessControl`."""
    chain = existing(call)
    node = chain[-1]
    wanted, permissions = call.header("x-ms-acl"), call.header("x-ms-permissions")
    owner, group = call.header("x-ms-owner"), call.header("x-ms-group")
    if wanted and permissions:
        raise StorageError("InvalidHeaderValue")
    if not (wanted or permissions or owner or group):
        raise StorageError("MissingRequiredHeader")
    call.access.need_ownership(chain)
    conditions.check(call.request.headers, node.changed)
    respect_lease(call, node)
    _check_principals(call, node, owner, group)
    if wanted:
        node.acl = call.account.intern(_assigned(call, node, wanted))
    elif permissions:
        node.acl = call.account.intern(_permitted(node, permissions))
    node.owner = owner or node.owner
    node.group = group or node.group
    return reply(200, [*changed_headers(node.changed), ("x-ms-namespace-enabled", "true")])


def _check_principals(call: Call, node: Node, owner: str | None, group: str | None) -> None:
    # Only a superuser gives a path away; an owner may pass its group to another one that it is in.
    if call.access.superuser:
        return
    if owner and owner != node.owner:
        raise StorageError("AuthorizationPermissionMismatch")
    if group and group != node.group and group not in call.access.groups:
        raise StorageError("AuthorizationPermissionMismatch")


def _assigned(call: Call, node: Node, text: str) -> Acl:
    try:
        return acls.assign(
            node.acl, acls.parse(text), directory=node.is_folder, drops_default=drops_default(call)
        )
    except AclError as error:
        raise refused_list() from error


def drops_default(call: Call) -> bool:
    """Switch `lake.access-only-set-drops-default`: whether a list without default entries removes them."""
    return bool(call.switch("access-only-set-drops-default", True))


def refused_list() -> StorageError:
    """The refusal of a list, whose code the service itself misspells."""
    return StorageError("InvaldAccessControlList")


def _permitted(node: Node, text: str) -> Acl:
    try:
        mode, sticky = acls.parse_permissions(text)
    except AclError as error:
        raise StorageError("InvalidPermission") from error
    return acls.chmod(node.acl, mode, sticky)


def put_below(call: Call) -> Response:
    """`PATCH ?action=setAccessControlRecursive`: the path itself and everything below, a page at a time."""
    chain = existing(call)
    # Its page does not say how a caller without any right is answered; entries that fail are listed.
    call.access.need_traversal(chain)
    records = call.number("maxRecords", PAGE)
    if records < 1:
        raise StorageError("OutOfRangeQueryParameterValue")
    edit = _edit(call)
    counts = {True: 0, False: 0}
    failed: list[dict[str, str]] = []
    following: str | None = None
    for seen, (path, node) in enumerate(_from_start(call, chain)):
        if seen == min(records, PAGE):
            following = path
            break
        problem = _attempt(call, node, edit)
        if problem is None:
            counts[node.is_folder] += 1
        else:
            kind = "DIRECTORY" if node.is_folder else "FILE"
            failed.append({"errorMessage": problem, "name": path, "type": kind})
    found: Headers = [("x-ms-namespace-enabled", "true")]
    # Recorded: a page is worked off whole; a failure in it ends the walk unless it is forced.
    if following is not None and (not failed or call.flag("forceFlag")):
        found.append(("x-ms-continuation", token(call, following)))
    document = {
        "directoriesSuccessful": counts[True],
        "failedEntries": failed,
        "failureCount": len(failed),
        "filesSuccessful": counts[False],
    }
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    return reply(200, [*found, ("Transfer-Encoding", "chunked")], body)


def token(call: Call, path: str) -> str:
    """A continuation token that names a path of the call's filesystem."""
    store = call.store()
    return continuation.encode(call.account.name, call.account.created, store.name, store.created, path)


def _from_start(call: Call, chain: Sequence[Node]) -> Iterator[tuple[str, Node]]:
    name = "/".join(call.path)
    node = chain[-1]
    base = name + "/" if name else ""
    start: list[str] = []
    given = call.param("continuation")
    if given:
        start = continuation.decode(given, call.filesystem)[len(call.path) :]
    own = [] if start else [(name, node)]
    below = walk(node, base, start) if isinstance(node, Folder) else iter(())
    return chained(own, below)


def _edit(call: Call) -> Edit:
    mode = call.param("mode")
    try:
        changes = acls.parse(call.header("x-ms-acl") or "", removal=mode == "remove")
    except AclError as error:
        raise refused_list() from error
    drops = drops_default(call)
    edits: dict[str, Edit] = {
        "set": lambda acl, directory: acls.assign(
            acl, _fitting(changes, directory), directory=directory, drops_default=drops
        ),
        "modify": lambda acl, directory: acls.modify(acl, changes, directory=directory),
        "remove": lambda acl, directory: acls.remove(acl, changes),
    }
    if mode not in edits:
        raise StorageError("InvalidQueryParameterValue")
    return _remembered(edits[mode])


def _remembered(edit: Edit) -> Edit:
    # A tree holds few distinct lists: each is edited once a page.
    known: dict[tuple[Acl, bool], Acl] = {}

    def remembered(acl: Acl, directory: bool) -> Acl:
        key = acl, directory
        if key not in known:
            known[key] = edit(acl, directory)
        return known[key]

    return remembered


def _fitting(changes: list[Change], directory: bool) -> list[Change]:
    return changes if directory else [change for change in changes if not change.default]


def _attempt(call: Call, node: Node, edit: Edit) -> str | None:
    if not call.access.superuser and node.owner != call.access.who:
        return REFUSED_ENTRY
    try:
        node.acl = call.account.intern(edit(node.acl, node.is_folder))
    except AclError as error:
        raise refused_list() from error
    return None
