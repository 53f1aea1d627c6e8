"""Soft deletion: what it keeps, how it is listed, and bringing it back."""

from __future__ import annotations

from bisect import bisect_left
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from reconciler.emulator.lake import continuation, leases, leasing, paths
from reconciler.emulator.lake.access_control import token
from reconciler.emulator.lake.account import Deleted, Filesystem
from reconciler.emulator.lake.acl import EXECUTE, WRITE
from reconciler.emulator.lake.blob_listing import EMPTY, PAGE, XML, name_element
from reconciler.emulator.lake.call import Call, reply
from reconciler.emulator.lake.errors import StorageError
from reconciler.emulator.lake.rights import CONTRIBUTOR, OWNER, READER
from reconciler.emulator.lake.stamps import DAY, http_date
from reconciler.emulator.lake.tree import Folder, find
from reconciler.emulator.wire import Response


def purge(store: Filesystem, now: int) -> None:
    """Forget what soft deletion has kept long enough, and files whose expiry has come."""
    store.deleted = [item for item in store.deleted if item.until > now]
    due = [path for path, instant in store.expiring.items() if instant <= now]
    for path in due:
        del store.expiring[path]
        chain = find(store.root, path)
        node = chain[-1]
        if len(chain) > len(path) and node.details and 0 < node.details.expiry <= now:
            paths.take(chain)


def list_deleted(call: Call) -> Response:
    """`GET ?comp=list&showonly=deleted`: soft-deleted paths by name."""
    call.access.need_role(OWNER, CONTRIBUTOR, READER)
    store = call.store()
    prefix = call.param("prefix") or ""
    size = min(call.number("maxresults", PAGE), PAGE)
    if size < 1:
        raise StorageError("OutOfRangeQueryParameterValue")
    found = sorted(
        (item for item in store.deleted if item.path.startswith(prefix)),
        key=lambda item: (item.path.split("/"), item.deletion_id),
    )
    marker = call.param("marker")
    if marker:
        *path, deletion = continuation.decode_marker(marker, call.filesystem)
        keys = [(item.path.split("/"), item.deletion_id) for item in found]
        found = found[bisect_left(keys, (path, deletion)) :]
    following = ""
    if len(found) > size:
        after = found[size]
        following = continuation.encode_marker(token(call, f"{after.path}/{after.deletion_id}"), call.now)
    head = "".join(
        f"<{element}>{escape(value)}</{element}>"
        for element, value in (
            ("Prefix", prefix),
            ("Marker", marker),
            ("MaxResults", call.param("maxresults")),
        )
        if value
    )
    base = call.request.base or f"https://{call.account.name}.blob.core.windows.net"
    rows = "".join(_row(call, item) for item in found[:size])
    tail = f"<NextMarker>{following}</NextMarker>" if following else "<NextMarker />"
    body = (
        f'{XML}<EnumerationResults ServiceEndpoint="{escape(base)}/" ContainerName="{escape(store.name)}">'
        f"{head}<Blobs>{rows}</Blobs>{tail}</EnumerationResults>"
    )
    return reply(200, [], body.encode(), "application/xml")


def _row(call: Call, item: Deleted) -> str:
    node = item.node
    days = max(0, (item.until - call.now - 1) // DAY)
    kind = f"<ResourceType>{'directory' if node.is_folder else 'file'}</ResourceType>"
    return (
        f"<Blob>{name_element(item.path)}<DeletionId>{item.deletion_id}</DeletionId><Deleted>true</Deleted>"
        f"<Properties><Creation-Time>{http_date(node.created)}</Creation-Time>"
        f"<Last-Modified>{http_date(node.changed)}</Last-Modified>"
        f"<Expiry-Time>{http_date(item.until)}</Expiry-Time><Etag>0x{node.changed:X}</Etag>"
        f"{kind if call.version >= '2020-10-02' else ''}<Content-Length>{node.size}</Content-Length>"
        f"{EMPTY}<BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier>"
        f"<AccessTierInferred>true</AccessTierInferred><ServerEncrypted>true</ServerEncrypted>"
        f"<DeletedTime>{http_date(item.at)}</DeletedTime>"
        f"<RemainingRetentionDays>{days}</RemainingRetentionDays></Properties>"
        f"<OrMetadata /></Blob>"
    )


def undelete(call: Call) -> Response:
    """`PUT ?comp=undelete` with `x-ms-undelete-source: path?deletionid=…`."""
    store = call.store()
    source, _, query = (call.header("x-ms-undelete-source") or "").partition("?")
    deletion = parse_qs(query).get("deletionid", [""])[0]
    name = unquote(source).strip("/")
    item = next((item for item in store.deleted if (item.path, item.deletion_id) == (name, deletion)), None)
    if item is None:
        raise StorageError("PathNotFound")
    chain = find(store.root, call.path)
    if len(chain) > len(call.path):
        raise StorageError("PathAlreadyExists")
    if len(chain) < len(call.path) or not isinstance(chain[-1], Folder):
        raise StorageError("PathNotFound")
    call.access.need(chain, WRITE | EXECUTE, OWNER, CONTRIBUTOR)
    store.deleted.remove(item)
    item.node.name = call.path[-1]
    chain[-1].put(item.node)
    kind = "directory" if item.node.is_folder else "file"
    return reply(200, [("x-ms-resource-type", kind), ("x-ms-creation-time", http_date(item.node.created))])


def undelete_container(call: Call) -> Response:
    """`PUT ?restype=container&comp=undelete`, under the same or another name."""
    call.access.need_role(OWNER, CONTRIBUTOR)
    if call.filesystem in call.account.filesystems:
        raise StorageError("ContainerAlreadyExists")
    wanted = call.header("x-ms-deleted-container-name"), call.header("x-ms-deleted-container-version")
    for entry in call.account.deleted_filesystems:
        if (entry.store.name, entry.version) == wanted:
            call.account.deleted_filesystems.remove(entry)
            _install(call, entry.store)
            return reply(201)
    raise StorageError("ContainerNotFound")


def rename_container(call: Call) -> Response:
    """`PUT ?restype=container&comp=rename` with `x-ms-source-container-name`; the lease stays behind."""
    call.access.need_role(OWNER, CONTRIBUTOR)
    source = call.account.filesystem(call.header("x-ms-source-container-name") or "", "ContainerNotFound")
    if call.filesystem in call.account.filesystems:
        raise StorageError("ContainerAlreadyExists")
    given = leasing.lease_id(call, "x-ms-source-lease-id")
    leases.guard(source.lease, given, call.now, "container")
    del call.account.filesystems[source.name]
    _install(call, source)
    return reply(200)


def _install(call: Call, store: Filesystem) -> None:
    store.name = call.filesystem
    store.lease = None
    store.changed = call.account.tick()
    call.account.filesystems[store.name] = store
