"""Paths over the DFS endpoint: create, rename, and their properties."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import unquote

from reconciler.emulator.lake import acl as acls
from reconciler.emulator.lake import conditions, leases
from reconciler.emulator.lake.account import Filesystem
from reconciler.emulator.lake.acl import EXECUTE, WRITE, Acl, AclError
from reconciler.emulator.lake.call import MODERN, Call, changed_headers, reply
from reconciler.emulator.lake.errors import StorageError
from reconciler.emulator.lake.rights import CONTRIBUTOR, OWNER
from reconciler.emulator.lake.stamps import SECOND, parse_http_date
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
    if call.version >= MODERN:
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
            acl = call.account.intern(acls.inherit(_heritage(call, parent.acl), directory=True))
            child = Folder(name, call.access.who, parent.group, acl, call.account.tick())
            child.implied = True
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
    group = call.header("x-ms-group") or parent.group
    kind = Folder if directory else Node
    node = kind(path[-1], owner, group, acl, call.account.tick())
    parent.put(node)
    if present is not None and present.details and present.details.lease:
        # Recorded: a file created over itself is a new one, but for its lease.
        node.detail().lease = present.details.lease
    _describe(call, node)
    option = call.header("x-ms-expiry-option")
    if option:
        expire(call, node, option.lower(), call.header("x-ms-expiry-time"))
    return node


def _heritage(call: Call, parent: Acl) -> Acl:
    """The list that a child inherits from.

    Switch `lake.default-list-umask`: Microsoft's article on access control says that a constant umask of 007
    cuts what a default list gives; its REST reference and hadoop-azure's live tests say that none does.
    """
    text = call.switch("default-list-umask", None)
    if text is None or not parent.default:
        return parent
    umask = int(str(text), 8)
    cut = {("user", ""): umask >> 6 & 7, ("group", ""): umask >> 3 & 7, ("other", ""): umask & 7}
    kept = [replace(e, bits=e.bits & ~cut.get((e.kind, e.who), 0)) for e in parent.default]
    return Acl(parent.access, tuple(kept), parent.sticky)


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
    made = acls.inherit(_heritage(call, parent), directory=directory, mode=mode, umask=mask)
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


def content_headers(call: Call) -> dict[str, str]:
    """The HTTP headers that a DFS request gives a file."""
    found = {name: call.header(header) for header, name in HEADERS.items()}
    return {name: value for name, value in found.items() if value}


def _describe(call: Call, node: Node) -> None:
    kept = content_headers(call)
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


def format_properties(metadata: Mapping[str, str]) -> str:
    """Write `x-ms-properties`."""
    return ",".join(
        f"{name}={base64.b64encode(value.encode('latin-1', 'replace')).decode()}"
        for name, value in metadata.items()
    )


def take(chain: Sequence[Node]) -> Node:
    """Take the last node out of the one before it."""
    parent = chain[-2]
    assert isinstance(parent, Folder)
    return parent.take(chain[-1].name)


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
    kept = content_headers(call)
    # Recorded: a directory does not take them.
    if kept and not node.is_folder:
        node.detail().headers.update(kept)
    properties = call.header("x-ms-properties")
    if properties:
        node.detail().metadata = parse_properties(properties)
    return reply(201, changed_headers(node.changed) if call.version >= MODERN else [])


def _source(call: Call) -> tuple[Filesystem, tuple[str, ...]]:
    text = unquote((call.header("x-ms-rename-source") or "").partition("?")[0])
    if not text.startswith("/"):
        raise StorageError("InvalidSourceUri")
    container, _, rest = text[1:].partition("/")
    store = call.account.filesystem(container, "SourcePathNotFound")
    return store, tuple(part for part in rest.split("/") if part)


def _check_target(call: Call, node: Node, target: Sequence[Node], present: Node | None) -> None:
    if present is node:
        return
    if node in target:
        raise StorageError("InvalidRenameSourcePath")
    if call.header("if-none-match") == "*" and present is not None:
        raise StorageError("PathAlreadyExists")
    conditions.check(call.request.headers, None if present is None else present.changed)
    if present is None:
        return
    respect_lease(call, present)
    if present.is_folder != node.is_folder:
        raise StorageError("InvalidSourceOrDestinationResourceType")
    if isinstance(present, Folder) and present.children:
        raise StorageError("PathAlreadyExists")


def _move(chain: Sequence[Node], target: Sequence[Node], present: Node | None, name: str) -> None:
    if present is chain[-1]:
        return
    into = target[-1] if present is None else target[-2]
    assert isinstance(into, Folder)
    node = take(chain)
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


def expire(call: Call, node: Node, option: str, when: str | None) -> None:
    """Set or lift a file's expiry; raises StorageError on an option or a time that is none."""
    details = node.detail()
    if option == "neverexpire":
        details.expiry = 0
        return
    instant = parse_http_date(when or "") if option == "absolute" else None
    if option in ("relativetonow", "relativetocreation") and (when or "").isdecimal():
        base = call.now if option == "relativetonow" else node.created
        instant = base + int(when or "") * SECOND // 1000
    if instant is None:
        raise StorageError("InvalidHeaderValue")
    details.expiry = instant
    call.store().expiring[call.path] = instant
