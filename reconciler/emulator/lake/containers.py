"""Filesystems as containers of the Blob endpoint, and in the native form of the DFS endpoint."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from xml.sax.saxutils import escape

from reconciler.emulator.lake import conditions, leases
from reconciler.emulator.lake.account import DeletedFilesystem, Filesystem
from reconciler.emulator.lake.blob_listing import XML
from reconciler.emulator.lake.call import Call, Headers, changed_headers, reply
from reconciler.emulator.lake.errors import StorageError
from reconciler.emulator.lake.leases import Lease
from reconciler.emulator.lake.paths import format_properties, parse_properties
from reconciler.emulator.lake.rights import CONTRIBUTOR, OWNER, READER
from reconciler.emulator.lake.stamps import DAY, SECOND, etag, filetime, http_date
from reconciler.emulator.wire import Response

PAGE = 5_000
_SLACK = 1800 * SECOND
"""Recorded: five minutes after its deletion a container has all its days left, an hour after one less.

Recorded too: it is leased for a while after its deletion, and its lease has expired ever after.
"""
_NAME = re.compile(r"(\$root|\$web|\$logs|[a-z0-9](?:-?[a-z0-9]){2,62})")


def create(call: Call) -> Response:
    """`PUT /container?restype=container` and `PUT /filesystem?resource=filesystem`."""
    call.access.need_role(OWNER, CONTRIBUTOR)
    if not _NAME.fullmatch(call.filesystem):
        # Recorded, as it is spelt.
        message = "The specifed resource name contains invalid characters."
        raise StorageError("InvalidResourceName", message if call.dialect == "blob" else None)
    if call.filesystem in call.account.filesystems:
        raise StorageError("ContainerAlreadyExists" if call.dialect == "blob" else "FilesystemAlreadyExists")
    if call.account.being_deleted.get(call.filesystem, 0) > call.now:
        raise StorageError("ContainerBeingDeleted" if call.dialect == "blob" else "FilesystemBeingDeleted")
    who = call.access.who
    made = call.account.create_filesystem(call.filesystem, who, who)
    made.metadata = metadata_of(call)
    made.public_access = call.header("x-ms-blob-public-access") or ""
    made.encryption_scope = call.header("x-ms-default-encryption-scope") or made.encryption_scope
    made.deny_scope_override = (call.header("x-ms-deny-encryption-scope-override") or "").lower() == "true"
    found = changed_headers(made.changed)
    if call.dialect == "dfs":
        found.append(("x-ms-namespace-enabled", "true" if call.account.hns else "false"))
    return reply(201, found)


def metadata_of(call: Call) -> dict[str, str]:
    """The `x-ms-meta-…` headers of a Blob request, `x-ms-properties` of a DFS one."""
    headers = call.request.headers
    if call.dialect == "dfs":
        return parse_properties(call.header("x-ms-properties") or "")
    return {name[10:]: value for name, value in headers.items() if name.startswith("x-ms-meta-")}


def delete(call: Call) -> Response:
    """`DELETE` of a container; at once unless container soft delete is on."""
    call.access.need_role(OWNER, CONTRIBUTOR)
    store = call.store()
    conditions.check(call.request.headers, store.changed)
    leases.guard(store.lease, call.header("x-ms-lease-id"), call.now, "container")
    del call.account.filesystems[store.name]
    # Microsoft docs, Delete Container: the name is taken for at least 30 seconds.
    seconds = int(call.switch("container-deletion-seconds", 30))
    call.account.being_deleted[store.name] = call.now + seconds * SECOND
    days = call.account.container_retention_days
    if days:
        at = call.account.tick()
        until = at + days * DAY + _SLACK
        kept = DeletedFilesystem(version=f"{filetime(at):016X}", at=at, until=until, store=store)
        call.account.deleted_filesystems.append(kept)
        store.lease = Lease("deletion", 60, at)
    return reply(202)


def properties(call: Call) -> Response:
    """`GET` or `HEAD` of a container, with metadata and lease."""
    call.access.need_role(OWNER, CONTRIBUTOR, READER)
    store = call.store()
    if call.dialect == "dfs":
        pairs = format_properties(store.metadata)
        namespace = ("x-ms-namespace-enabled", str(call.account.hns).lower())
        return reply(200, [*changed_headers(store.changed), ("x-ms-properties", pairs), namespace])
    found: Headers = [*changed_headers(store.changed), *leases.headers(store.lease, call.now)]
    if store.public_access:
        found.append(("x-ms-blob-public-access", store.public_access))
    found += [
        ("x-ms-has-immutability-policy", "false"),
        ("x-ms-has-legal-hold", "false"),
        ("x-ms-default-encryption-scope", store.encryption_scope),
        ("x-ms-deny-encryption-scope-override", str(store.deny_scope_override).lower()),
    ]
    if call.version >= "2021-08-06":
        found.append(("x-ms-immutable-storage-with-versioning-enabled", "false"))
    found += [(f"x-ms-meta-{name}", value) for name, value in store.metadata.items()]
    return reply(200, found)


def set_metadata(call: Call) -> Response:
    """`PUT ?restype=container&comp=metadata`."""
    call.access.need_role(OWNER, CONTRIBUTOR)
    store = call.store()
    conditions.check(call.request.headers, store.changed)
    store.metadata = metadata_of(call)
    store.changed = call.account.tick()
    return reply(200, changed_headers(store.changed))


def list_containers(call: Call) -> Response:
    """`GET /?comp=list`: containers by name, a page at a time."""
    call.access.need_role(OWNER, CONTRIBUTOR, READER)
    size = call.number("maxresults", PAGE)
    if size < 1:
        raise StorageError("OutOfRangeQueryParameterValue")
    include = (call.param("include") or "").lower().split(",")
    start = (call.param("marker") or "").rpartition("/")[2]
    entries, following = _page(call, min(size, PAGE), start, "deleted" in include)
    rows = [_row(call, entry, "metadata" in include) for entry in entries]
    head = "".join(
        f"<{element}>{escape(value)}</{element}>"
        for element, value in (
            ("Prefix", call.param("prefix")),
            ("Marker", call.param("marker")),
            ("MaxResults", call.param("maxresults")),
        )
        if value
    )
    base = call.request.base or f"https://{call.account.name}.blob.core.windows.net"
    marker = f"<NextMarker>/{call.account.name}/{following}</NextMarker>" if following else "<NextMarker />"
    body = (
        f'{XML}<EnumerationResults ServiceEndpoint="{escape(base)}/">{head}<Containers>{"".join(rows)}'
        f"</Containers>{marker}</EnumerationResults>"
    )
    return reply(200, [], body.encode(), "application/xml")


Entry = tuple[str, DeletedFilesystem | None, Filesystem]
"""Name, deletion (None for what is there), content."""


def _page(call: Call, size: int, start: str, deleted: bool = False) -> tuple[list[Entry], str]:
    prefix = call.param("prefix") or ""
    entries: list[Entry] = [(name, None, store) for name, store in call.account.filesystems.items()]
    if deleted:
        entries += [(kept.store.name, kept, kept.store) for kept in call.account.deleted_filesystems]
    entries = [entry for entry in entries if entry[0].startswith(prefix)]
    # Recorded: of one name, the deleted ones come first, oldest first.
    entries.sort(key=lambda entry: (entry[0], entry[1].version if entry[1] else "~"))
    low = bisect_left(entries, start, key=lambda entry: entry[0])
    following = entries[low + size][0] if low + size < len(entries) else ""
    return entries[low : low + size], following


def _row(call: Call, entry: Entry, with_metadata: bool) -> str:
    _, deleted, store = entry
    mark = trace = ""
    if deleted:
        days = max(0, (deleted.until - call.now - 1) // DAY)
        mark = f"<Deleted>true</Deleted><Version>{deleted.version}</Version>"
        trace = (
            f"<DeletedTime>{http_date(deleted.at)}</DeletedTime>"
            f"<RemainingRetentionDays>{days}</RemainingRetentionDays>"
        )
    lease = dict(leases.headers(store.lease, call.now))
    state = lease["x-ms-lease-state"]
    duration = lease.get("x-ms-lease-duration")
    access = f"<PublicAccess>{store.public_access}</PublicAccess>" if store.public_access else ""
    immutable = ""
    if call.version >= "2021-08-06":
        immutable = "<ImmutableStorageWithVersioningEnabled>false</ImmutableStorageWithVersioningEnabled>"
    metadata = "<Metadata />" if with_metadata else ""
    if with_metadata and store.metadata:
        inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in store.metadata.items())
        metadata = f"<Metadata>{inner}</Metadata>"
    return (
        f"<Container><Name>{escape(store.name)}</Name>{mark}<Properties>"
        f'<Last-Modified>{http_date(store.changed)}</Last-Modified><Etag>"{etag(store.changed)}"</Etag>'
        f"<LeaseStatus>{lease['x-ms-lease-status']}</LeaseStatus>"
        f"<LeaseState>{state}</LeaseState>"
        f"{f'<LeaseDuration>{duration}</LeaseDuration>' if duration else ''}{access}"
        f"<DefaultEncryptionScope>{store.encryption_scope}</DefaultEncryptionScope>"
        f"<DenyEncryptionScopeOverride>{str(store.deny_scope_override).lower()}</DenyEncryptionScopeOverride>"
        f"<HasImmutabilityPolicy>false</HasImmutabilityPolicy><HasLegalHold>false</HasLegalHold>{immutable}"
        f"{trace}</Properties>{metadata}</Container>"
    )


def list_filesystems(call: Call) -> Response:
    """`GET /?resource=account`: the same in the JSON of the DFS endpoint."""
    call.access.need_role(OWNER, CONTRIBUTOR, READER)
    size = min(call.number("maxResults", PAGE), PAGE)
    entries, following = _page(call, size, (call.param("continuation") or "").rpartition("/")[2])
    rows = [
        {"etag": etag(store.changed), "lastModified": http_date(store.changed), "name": store.name}
        for _, _, store in entries
    ]
    headers: Headers = [("x-ms-continuation", f"/{call.account.name}/{following}")] if following else []
    body = json.dumps({"filesystems": rows}, separators=(",", ":")).encode() + b"\n"
    return reply(200, headers, body, "application/json;charset=utf-8")
