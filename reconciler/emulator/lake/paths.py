"""Paths over the DFS endpoint: create, rename, delete, and their properties."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from urllib.parse import unquote

from reconciler.emulator.lake import acl as acls
from reconciler.emulator.lake import conditions, leases
from reconciler.emulator.lake.account import SUPERUSER, Deleted, Filesystem
from reconciler.emulator.lake.acl import EXECUTE, WRITE, Acl, AclError
from reconciler.emulator.lake.call import Call, Headers, changed_headers, reply
from reconciler.emulator.lake.errors import StorageError
from reconciler.emulator.lake.rights import CONTRIBUTOR, OWNER
from reconciler.emulator.lake.stamps import filetime
from reconciler.emulator.lake.tree import Folder, Node, find
from reconciler.emulator.wire import Response


def existing(call: Call) -> list[Node]:
    """The nodes from the root down to the path that the URL names; raises StorageError else."""
    chain = find(call.store().root, call.path)
    if len(chain) <= len(call.path):
        raise StorageError("BlobNotFound" if call.dialect == "blob" else "PathNotFound")
    return chain


def respect_lease(call: Call, node: Node, header: str = "x-ms-lease-id") -> None:
    """Refuse a write that ignores the path's lease; raises StorageError."""
    lease = node.details.lease if node.details else None
    leases.guard(lease, call.header(header), call.now, "resource")


def create(call: Call) -> Response:
    """`PUT ?resource=directory|file`: anew, or over what is there."""
    store = call.store()
    wanted = (call.param("resource") or "").lower()
    if wanted not in ("directory", "file"):
        raise StorageError("InvalidQueryParameterValue")
    if not call.path:
        raise StorageError("PathAlreadyExists" if call.header("if-none-match") == "*" else "InvalidUri")
    chain = find(store.root, call.path)
    present = chain[len(call.path)] if len(chain) > len(call.path) else None
    if present is not None:
        _check_overwrite(call, chain, present, wanted)
    else:
        conditions.check(call.request.headers, None)
        if not isinstance(chain[-1], Folder):
            raise StorageError("PathConflict")
        call.access.need(chain, WRITE | EXECUTE, OWNER, CONTRIBUTOR)
    node = make(call, store, call.path, wanted == "directory", present)
    found = changed_headers(node.changed)
    if call.version >= "2021-02-12":
        found.append(("x-ms-request-server-encrypted", "true"))
    return reply(201, found)


def _check_overwrite(call: Call, chain: Sequence[Node], present: Node, wanted: str) -> None:
    if call.header("if-none-match") == "*":
        raise StorageError("PathAlreadyExists")
    conditions.check(call.request.headers, present.changed)
    respect_lease(call, present)
    if present.is_folder != (wanted == "directory"):
        raise StorageError("PathConflict")
    call.access.need(chain, WRITE, OWNER, CONTRIBUTOR)


def make(
    call: Call, store: Filesystem, path: Sequence[str], directory: bool, present: Node | None = None
) -> Node:
    """Create a path, its missing parents first, with the lists that creation gives them."""
    parent: Folder = store.root
    for name in path[:-1]:
        child = parent.children.get(name)
        if child is None:
            acl = call.account.intern(acls.inherit(parent.acl, directory=True))
            child = Folder(name, call.access.who, _group_of(call, parent), acl, call.account.tick())
            parent.put(child)
        if not isinstance(child, Folder):
            raise StorageError("PathConflict")
        parent = child
    if isinstance(present, Folder):
        # Recorded: a directory created over itself keeps its children and gets a new ETag.
        present.changed = call.account.tick()
        _describe(call, present)
        return present
    acl = call.account.intern(_first_list(call, parent.acl, directory))
    owner = call.header("x-ms-owner") or call.access.who
    group = call.header("x-ms-group") or _group_of(call, parent)
    kind = Folder if directory else Node
    node = kind(path[-1], owner, group, acl, call.account.tick())
    parent.put(node)
    _describe(call, node)
    return node


def _group_of(call: Call, parent: Folder) -> str:
    return parent.group


def _first_list(call: Call, parent: Acl, directory: bool) -> Acl:
    permissions, umask, wanted = (
        call.header("x-ms-permissions"),
        call.header("x-ms-umask"),
        call.header("x-ms-acl"),
    )
    try:
        mode, sticky = acls.parse_permissions(permissions) if permissions else (None, False)
        mask = acls.parse_umask(umask) if umask else None
    except AclError as error:
        raise StorageError("InvalidPermission") from error
    made = acls.inherit(parent, directory=directory, mode=mode, umask=mask)
    if wanted:
        try:
            made = acls.assign(made, acls.parse(wanted), directory=directory, drops_default=False)
        except AclError as error:
            raise StorageError("InvaldAccessControlList") from error
    return Acl(made.access, made.default, sticky) if sticky else made


HEADERS = {
    "x-ms-content-type": "Content-Type",
    "x-ms-content-encoding": "Content-Encoding",
    "x-ms-content-language": "Content-Language",
    "x-ms-content-disposition": "Content-Disposition",
    "x-ms-cache-control": "Cache-Control",
    "x-ms-content-md5": "Content-MD5",
}


def _describe(call: Call, node: Node) -> None:
    given = {name: call.header(header) for header, name in HEADERS.items()}
    kept = {name: value for name, value in given.items() if value}
    properties = call.header("x-ms-properties")
    if not kept and not properties and node.details is None:
        return
    details = node.detail()
    details.headers = kept
    details.metadata = parse_properties(properties or "")


def parse_properties(text: str) -> dict[str, str]:
    """Read `x-ms-properties`: `name=base64,…`; raises StorageError."""
    found = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.strip().partition("=")
        if not name or not equals:
            raise StorageError("InvalidPropertyName")
        try:
            found[name] = base64.b64decode(value, validate=True).decode("latin-1")
        except (binascii.Error, ValueError) as error:
            raise StorageError("InvalidHeaderValue") from error
    return found


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
    return reply(200, discard(call, chain))


def discard(call: Call, chain: Sequence[Node]) -> Headers:
    """Take a path out of the tree, for good or into soft deletion, and say which."""
    parent, node = chain[-2], chain[-1]
    assert isinstance(parent, Folder)
    parent.take(node.name)
    days = call.account.retention_days
    if not days:
        return [("x-ms-delete-type-permanent", "true")] if call.version >= "2020-06-12" else []
    instant = call.account.tick()
    deletion = str(filetime(instant))
    path = "/".join(call.path)
    call.store().deleted.append(Deleted(path=path, deletion_id=deletion, at=instant, node=node))
    return [("x-ms-delete-type-permanent", "false"), ("x-ms-deletion-id", deletion)]


def rename(call: Call) -> Response:
    """`PUT` with `x-ms-rename-source`: ETag, times and lists move along unchanged."""
    source_store, source = _source(call)
    store = call.store()
    chain = find(source_store.root, source)
    if not source or len(chain) <= len(source):
        raise StorageError("SourcePathNotFound")
    node = chain[-1]
    headers = call.request.headers
    conditions.check(headers, node.changed, prefix="x-ms-source-")
    respect_lease(call, node, "x-ms-source-lease-id")
    target = find(store.root, call.path)
    if not call.path:
        raise StorageError("InvalidUri")
    if len(target) < len(call.path):
        raise StorageError("RenameDestinationParentPathNotFound")
    present = target[len(call.path)] if len(target) > len(call.path) else None
    _check_target(call, node, target, present)
    call.access.need_removal(chain[:-1], node, recursive=False)
    call.access.need(target[: len(call.path)], WRITE | EXECUTE, OWNER, CONTRIBUTOR)
    _move(chain, target, present, call.path[-1])
    given = {name: call.header(header) for header, name in HEADERS.items()}
    kept = {name: value for name, value in given.items() if value}
    if kept:
        node.detail().headers.update(kept)
    properties = call.header("x-ms-properties")
    if properties:
        node.detail().metadata = parse_properties(properties)
    found = changed_headers(node.changed) if call.version >= "2020-02-10" else []
    return reply(201, found)


def _source(call: Call) -> tuple[Filesystem, tuple[str, ...]]:
    text = (call.header("x-ms-rename-source") or "").partition("?")[0]
    if not text.startswith("/"):
        raise StorageError("InvalidSourceUri")
    container, _, rest = text[1:].partition("/")
    store = call.account.filesystem(unquote(container), "SourcePathNotFound")
    return store, tuple(part for part in unquote(rest).split("/") if part)


def _check_target(call: Call, node: Node, target: Sequence[Node], present: Node | None) -> None:
    if present is node:
        return
    if node in target:
        raise StorageError("InvalidRenameSourcePath")
    conditions.check(call.request.headers, None if present is None else present.changed)
    if present is None:
        return
    respect_lease(call, present)
    if isinstance(present, Folder) and not node.is_folder:
        return
    if not isinstance(present, Folder) and node.is_folder:
        raise StorageError("PathConflict", "The source and destination resource type must be identical.")


def _move(chain: Sequence[Node], target: Sequence[Node], present: Node | None, name: str) -> None:
    node, parent = chain[-1], chain[-2]
    assert isinstance(parent, Folder)
    if present is node:
        return
    into = target[-1] if present is None else target[-2]
    if isinstance(present, Folder):
        # A directory that is there receives the source inside it, as mv does.
        into, name = present, node.name
    assert isinstance(into, Folder)
    parent.take(node.name)
    node.name = name
    into.put(node)


def set_properties(call: Call) -> Response:
    """`PATCH ?action=setProperties`: the metadata, replaced as a whole."""
    chain = existing(call)
    node = chain[-1]
    conditions.check(call.request.headers, node.changed)
    respect_lease(call, node)
    call.access.need(chain, WRITE, OWNER, CONTRIBUTOR)
    _describe(call, node)
    node.changed = call.account.tick()
    return reply(200, [*changed_headers(node.changed), ("x-ms-namespace-enabled", "true")])


def owner_of_new(call: Call) -> str:
    """Who owns what this call creates."""
    return SUPERUSER if call.access.superuser and call.access.who == SUPERUSER else call.access.who
