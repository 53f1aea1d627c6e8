"""List Blobs on an account with a hierarchical namespace: the page of XML that also carries access lists.

Element order is that of recorded listings; `Owner`, `Group`, `Permissions` and `Acl`, which no recording
shows, stand where Microsoft's docs on List Blobs put them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from urllib.parse import quote
from xml.sax.saxutils import escape

from reconciler.emulator.lake import continuation, leases
from reconciler.emulator.lake.access_control import token
from reconciler.emulator.lake.acl import EXECUTE, READ
from reconciler.emulator.lake.call import Call, reply
from reconciler.emulator.lake.errors import BOM, StorageError, bad_parameter
from reconciler.emulator.lake.listing import guarded
from reconciler.emulator.lake.names import Translation, readable
from reconciler.emulator.lake.rights import CONTRIBUTOR, OWNER, READER
from reconciler.emulator.lake.stamps import http_date
from reconciler.emulator.lake.tree import Folder, Node, find, walk
from reconciler.emulator.wire import Response

PAGE = 5_000
STARTING = "2026-02-06"
"""The version since which a listing may begin at a name (release notes of the storage SDKs, January 2026)."""
XML = f'{BOM}<?xml version="1.0" encoding="utf-8"?>'
INCLUDES = frozenset(
    ("snapshots", "metadata", "uncommittedblobs", "copy", "deleted", "tags", "versions")
    + ("deletedwithversions", "immutabilitypolicy", "legalhold", "permissions")
)


@dataclass(slots=True, kw_only=True)
class Wanted:
    """What a listing request asks for, checked."""

    size: int
    prefix: str
    delimiter: str
    permissions: bool
    with_list: bool
    metadata: bool
    resource_type: bool
    only: str
    """`files`, `directories`, or empty for both."""
    translate: Translation


def list_blobs(call: Call) -> Response:
    """`GET /container?restype=container&comp=list`."""
    store = call.store()
    wanted = _wanted(call)
    *parents, stem = wanted.prefix.split("/")
    folder = tuple(part for part in parents if part)
    chain = find(store.root, folder)
    exists = len(chain) > len(folder)
    # A caller without a role needs to read the directory that the prefix names.
    call.access.need(chain, READ | EXECUTE if exists else EXECUTE, OWNER, CONTRIBUTOR, READER)
    found: list[tuple[str, Node]] = []
    if exists and isinstance(chain[-1], Folder):
        found = list(islice(_walk(call, chain[-1], folder, stem, wanted), wanted.size + 1))
    elif exists:
        raise StorageError("InvalidQueryParameterValue")
    marker = ""
    if len(found) > wanted.size:
        marker = continuation.encode_marker(token(call, found[wanted.size][0]), call.now)
        del found[wanted.size :]
    return reply(200, [], _document(call, wanted, found, marker), "application/xml")


def _wanted(call: Call) -> Wanted:
    include = {part for part in (call.param("include") or "").lower().split(",") if part}
    for part in include - INCLUDES:
        raise bad_parameter("include", part)
    permissions = "permissions" in include
    behaviour = call.switch("list-blobs-permissions", "on")
    if permissions and (behaviour == "refused" or not call.account.hns or call.version < "2020-06-12"):
        raise bad_parameter("include", "permissions")
    delimiter = call.param("delimiter") or ""
    if call.account.hns and delimiter not in ("", "/"):
        raise bad_parameter("delimiter", delimiter)
    size = call.number("maxresults", PAGE)
    if size < 1:
        raise StorageError(
            "OutOfRangeQueryParameterValue",
            details=(
                ("QueryParameterName", "maxresults"),
                ("QueryParameterValue", str(size)),
                ("MinimumAllowed", "1"),
                ("MaximumAllowed", "2147483647"),
            ),
        )
    return Wanted(
        size=min(size, PAGE),
        prefix=call.param("prefix") or "",
        delimiter=delimiter,
        permissions=permissions,
        with_list=permissions and behaviour != "without-acl",
        metadata="metadata" in include,
        resource_type=call.account.hns and call.version >= "2020-10-02",
        only=(call.param("showonly") or "") if call.version >= "2020-12-06" else "",
        translate=readable(call),
    )


def _walk(
    call: Call, folder: Folder, path: tuple[str, ...], stem: str, wanted: Wanted
) -> Iterator[tuple[str, Node]]:
    start = _start(call, path, wanted)
    if start is None:
        return iter(())
    base = "".join(part + "/" for part in path)
    deep = not wanted.delimiter
    if deep and call.switch("list-blobs-order", "paths") == "names":
        found = guarded(call, _by_name(folder, base, base + "/".join(start), stem), deep)
    else:
        found = guarded(call, walk(folder, base, start if deep else start[:1], stem, deep), deep)
    if wanted.only == "directories":
        return ((name, node) for name, node in found if node.is_folder)
    if wanted.only == "files":
        return ((name, node) for name, node in found if not node.is_folder)
    return found


def _start(call: Call, path: tuple[str, ...], wanted: Wanted) -> list[str] | None:
    """Where a listing of this folder begins, relative to it; None where that is beyond its end.

    `startFrom` is a whole path within the container, inclusive; by level it may go one name deep only
    (Microsoft docs: GetBlobsByHierarchyOptions.StartFrom).
    """
    marker, begin = call.param("marker"), call.param("startFrom")
    if marker:
        return continuation.decode_marker(marker, call.filesystem)[len(path) :]
    behaviour = call.switch("list-blobs-start-from", "on")
    if not begin or call.version < STARTING or behaviour == "ignored":
        return []
    if behaviour == "refused":
        raise bad_parameter("startFrom", begin)
    parts = [part for part in begin.split("/") if part]
    if behaviour == "relative":
        return parts
    above = tuple(parts[: len(path)])
    if above != path:
        return [] if above < path else None
    if wanted.delimiter and len(parts) > len(path) + 1:
        raise bad_parameter("startFrom", begin)
    return parts[len(path) :]


def _by_name(folder: Folder, base: str, start: str, stem: str) -> Iterator[tuple[str, Node]]:
    """The same paths in the order of their whole names: `a-b` before `a/b`, as in a flat namespace."""
    found = sorted(walk(folder, base, (), stem), key=lambda item: item[0])
    return ((name, node) for name, node in found if name >= start)


def _document(call: Call, wanted: Wanted, found: list[tuple[str, Node]], marker: str) -> bytes:
    base = call.request.base or f"https://{call.account.name}.blob.core.windows.net"
    head = [
        f'{XML}<EnumerationResults ServiceEndpoint="{escape(base)}/" '
        f'ContainerName="{escape(call.filesystem)}">'
    ]
    head += [
        f"<{element}>{escape(value)}</{element}>"
        for element, value in (
            ("Prefix", wanted.prefix),
            ("Marker", call.param("marker")),
            ("MaxResults", call.param("maxresults")),
            ("Delimiter", wanted.delimiter),
        )
        if value
    ]
    rows = _rows(call, wanted, found)
    tail = f"<NextMarker>{marker}</NextMarker>" if marker else "<NextMarker />"
    return "".join([*head, "<Blobs>", *rows, "</Blobs>", tail, "</EnumerationResults>"]).encode()


def _rows(call: Call, wanted: Wanted, found: list[tuple[str, Node]]) -> list[str]:
    shared: dict[tuple[int, str, str, bool], str] = {}
    """The elements from Owner to ResourceType: few distinct ones in a page."""
    plain = not wanted.delimiter and not wanted.metadata
    end = f"</Properties>{_or_metadata(call)}</Blob>"
    rows = []
    for name, node in found:
        key = (id(node.acl), node.owner, node.group, node.is_folder)
        rights = shared.get(key)
        if rights is None:
            rights = shared[key] = _rights(wanted, node)
        if plain and node.details is None and node.created == node.changed:
            # The common case, written out: a page of 5,000 is rendered while somebody waits.
            changed = node.changed
            date = http_date(changed)
            rows.append(
                f"<Blob>{name_element(name)}<Properties><Creation-Time>{date}</Creation-Time>"
                f"<Last-Modified>{date}</Last-Modified><Etag>0x{changed:X}</Etag>{rights}"
                f"<Content-Length>{node.size}</Content-Length>{_content_headers(node)}{_LAST}{end}"
            )
        else:
            rows.append(_row(call, wanted, name, node, rights))
    return rows


def _row(call: Call, wanted: Wanted, name: str, node: Node, rights: str) -> str:
    body = _properties(call, node, rights)
    if wanted.delimiter and node.is_folder:
        return f"<BlobPrefix>{name_element(name + '/')}<Properties>{body}</Properties></BlobPrefix>"
    metadata = _metadata(node) if wanted.metadata else ""
    return f"<Blob>{name_element(name)}<Properties>{body}</Properties>{metadata}{_or_metadata(call)}</Blob>"


def _or_metadata(call: Call) -> str:
    # The place of object replication, which came with this version and is empty here.
    return "<OrMetadata />" if call.version >= "2019-12-12" else ""


def _rights(wanted: Wanted, node: Node) -> str:
    kind = "directory" if node.is_folder else "file"
    text = f"<ResourceType>{kind}</ResourceType>" if wanted.resource_type else ""
    if not wanted.permissions:
        return text
    listed = f"<Acl>{escape(wanted.translate.acl(node.acl.text))}</Acl>" if wanted.with_list else ""
    return (
        f"<Owner>{escape(wanted.translate(node.owner))}</Owner><Group>{escape(node.group)}</Group>"
        f"<Permissions>{node.acl.permissions}</Permissions>{listed}{text}"
    )


_UNSAFE = re.compile("[&<>\x00-\x1f\ufffe\uffff]")
_NOT_XML = re.compile("[\x00-\x1f\ufffe\uffff]")
_REST = (
    "<Content-Encoding /><Content-Language /><Content-CRC64>AAAAAAAAAAA=</Content-CRC64><Content-MD5 />"
    "<Cache-Control /><Content-Disposition />"
)
EMPTY = f"<Content-Type>application/octet-stream</Content-Type>{_REST}"
"""The content headers of a path that has none, up to the disposition."""
_IMPLIED = f"<Content-Type />{_REST}"
_TAIL = (
    "<BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier><AccessTierInferred>true</AccessTierInferred>"
)
_ENCRYPTED = "<ServerEncrypted>true</ServerEncrypted>"
_LAST = f"{_TAIL}<LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>{_ENCRYPTED}"


def name_element(name: str) -> str:
    """The Name element; one that XML cannot hold is percent-encoded whole and says so."""
    if not _UNSAFE.search(name):
        return f"<Name>{name}</Name>"
    if _NOT_XML.search(name):
        return f'<Name Encoded="true">{quote(name, safe="")}</Name>'
    return f"<Name>{escape(name)}</Name>"


def _content_headers(node: Node) -> str:
    if isinstance(node, Folder):
        return _IMPLIED if node.implied else EMPTY
    details = node.details
    if details is None:
        return EMPTY

    def element(name: str, default: str = "") -> str:
        value = details.headers.get(name, default)
        return f"<{name}>{escape(value)}</{name}>" if value else f"<{name} />"

    crc = "<Content-CRC64>AAAAAAAAAAA=</Content-CRC64>" if node.size == 0 else "<Content-CRC64 />"
    return (
        f"{element('Content-Type', 'application/octet-stream')}{element('Content-Encoding')}"
        f"{element('Content-Language')}{crc}{element('Content-MD5')}{element('Cache-Control')}"
        f"{element('Content-Disposition')}"
    )


def _properties(call: Call, node: Node, rights: str) -> str:
    details = node.details
    expiry = f"<Expiry-Time>{http_date(details.expiry)}</Expiry-Time>" if details and details.expiry else ""
    lease = dict(leases.headers(details.lease if details else None, call.now))
    duration = lease.get("x-ms-lease-duration")
    return (
        f"<Creation-Time>{http_date(node.created)}</Creation-Time>"
        f"<Last-Modified>{http_date(node.changed)}</Last-Modified>{expiry}"
        f"<Etag>0x{node.changed:X}</Etag>{rights}<Content-Length>{node.size}</Content-Length>"
        f"{_content_headers(node)}{_TAIL}"
        f"<LeaseStatus>{lease['x-ms-lease-status']}</LeaseStatus>"
        f"<LeaseState>{lease['x-ms-lease-state']}</LeaseState>"
        f"{f'<LeaseDuration>{duration}</LeaseDuration>' if duration else ''}{_ENCRYPTED}"
    )


def _metadata(node: Node) -> str:
    found = dict(node.details.metadata) if node.details else {}
    if node.is_folder:
        found["hdi_isfolder"] = "true"
    if not found:
        return "<Metadata />"
    return "<Metadata>" + "".join(f"<{k}>{escape(v)}</{k}>" for k, v in found.items()) + "</Metadata>"
