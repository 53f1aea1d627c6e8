"""The bytes of files: append, flush and read over the DFS endpoint, whole blobs and blocks over the other."""

from __future__ import annotations

import base64
import binascii
import re
import xml.etree.ElementTree as ElementTree

from reconciler.emulator.lake import blobs, conditions, digests, leasing, paths
from reconciler.emulator.lake.acl import EXECUTE, READ, WRITE
from reconciler.emulator.lake.blob_listing import XML
from reconciler.emulator.lake.call import MODERN, Call, Headers, changed_headers, reply
from reconciler.emulator.lake.errors import StorageError, bad_header, no_header
from reconciler.emulator.lake.rights import CONTRIBUTOR, OWNER, READER
from reconciler.emulator.lake.tree import Folder, Node, find
from reconciler.emulator.wire import Response

ENCRYPTED = ("x-ms-request-server-encrypted", "true")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


def _writable(call: Call) -> Node:
    chain = paths.existing(call)
    node = chain[-1]
    if node.is_folder:
        raise StorageError("PathConflict")
    call.access.need(chain, WRITE, OWNER, CONTRIBUTOR)
    return node


def _check_md5(call: Call) -> None:
    given = call.header("content-md5")
    if given and given != digests.md5(call.request.body):
        raise StorageError("Md5Mismatch")


def append(call: Call) -> Response:
    """`PATCH ?action=append&position=…`: uploaded, but not part of the file until it is flushed."""
    node = _writable(call)
    given = call.param("position")
    if given is None:
        raise StorageError("MissingRequiredQueryParameter")
    position = call.number("position", 0)
    _check_md5(call)
    leasing.on_write(call, node)
    if position < 0:
        raise StorageError("OutOfRangeQueryParameterValue")
    node.detail().uncommitted[position] = call.request.body
    found: Headers = [ENCRYPTED]
    if call.flag("flush"):
        _commit(call, node, position + len(call.request.body))
        found = [*changed_headers(node.changed), ENCRYPTED]
        leasing.after_flush(call, node)
    return reply(202, found)


def flush(call: Call) -> Response:
    """`PATCH ?action=flush&position=…`: everything up to the position becomes the file."""
    node = _writable(call)
    if call.param("position") is None:
        raise StorageError("MissingRequiredQueryParameter")
    # Recorded: a failed If-None-Match answers 304 here, although this is a write.
    conditions.check(call.request.headers, node.changed, reading=call.version >= MODERN)
    leasing.on_write(call, node)
    changed = _commit(call, node, call.number("position", 0))
    encrypted = "false" if call.version >= MODERN else "true"
    leasing.after_flush(call, node)
    return reply(200, [*changed_headers(changed), ("x-ms-request-server-encrypted", encrypted)])


def _commit(call: Call, node: Node, position: int) -> int:
    details = node.detail()
    pending = details.uncommitted
    end, pieces = node.size, []
    while end in pending and end < position and pending[end]:
        pieces.append(pending[end])
        end += len(pending[end])
    if end != position:
        raise StorageError("InvalidFlushPosition")
    instant = call.account.tick()
    described = paths.content_headers(call)
    if not pieces and call.version < MODERN:
        # Recorded: flushing nothing answered a new ETag and left the file its old one.
        return instant
    if pieces:
        details.content = held(node) + b"".join(pieces)
        node.size = position
    if not call.flag("retainUncommittedData"):
        pending.clear()
    # Recorded: a flush that names no HTTP headers takes those of the file away, which it once did not.
    details.headers = described if call.version >= MODERN else details.headers | described
    node.changed = instant
    return instant


def held(node: Node) -> bytes:
    """The file's bytes; one that was only given a size consists of zeros."""
    content = node.details.content if node.details else b""
    return content + bytes(node.size - len(content))


def read(call: Call) -> Response:
    """`GET` of a path over either endpoint, whole or a range."""
    chain = paths.existing(call)
    node = chain[-1]
    call.access.need(chain, READ, OWNER, CONTRIBUTOR, READER)
    conditions.check(call.request.headers, node.changed, reading=True)
    asked = call.header("x-ms-range") or call.header("range")
    found = blobs.described(call, node, whole=False)
    match = _RANGE.fullmatch(asked or "")
    if match is None:
        return reply(200, found, held(node))
    first, last = int(match[1]), min(int(match[2] or node.size), node.size - 1)
    if first >= node.size:
        raise StorageError("InvalidRange", headers=(("Content-Range", f"bytes */{node.size}"),))
    piece = held(node)[first : last + 1]
    # Of a part, the whole's digest has a name of its own.
    found = [("x-ms-blob-content-md5" if name == "Content-MD5" else name, value) for name, value in found]
    found.append(("Content-Range", f"bytes {first}-{last}/{node.size}"))
    if (call.header("x-ms-range-get-content-md5") or "").lower() == "true":
        found.append(("Content-MD5", digests.md5(piece)))
    return reply(206, found, piece)


def _target(call: Call) -> Node | None:
    """The file that a blob write replaces, if there is one; raises StorageError when it may not."""
    store = call.store()
    if not call.path:
        raise StorageError("InvalidUri")
    chain = find(store.root, call.path)
    present = chain[len(call.path)] if len(chain) > len(call.path) else None
    if isinstance(present, Folder):
        raise StorageError("ResourceTypeMismatch")
    if present is None:
        call.access.need(chain, WRITE | EXECUTE, OWNER, CONTRIBUTOR)
        conditions.check(call.request.headers, None)
        return None
    call.access.need(chain, WRITE, OWNER, CONTRIBUTOR)
    if call.header("if-none-match") == "*":
        raise StorageError("BlobAlreadyExists")
    conditions.check(call.request.headers, present.changed)
    leasing.guard_blob(call, present)
    return present


def put_blob(call: Call) -> Response:
    """`PUT /container/blob` with `x-ms-blob-type`."""
    kind = call.header("x-ms-blob-type")
    if kind is None:
        raise no_header("x-ms-blob-type")
    if kind not in ("BlockBlob", "AppendBlob"):
        raise bad_header("x-ms-blob-type", kind)
    _check_md5(call)
    node = _replace(call, _target(call), call.request.body)
    if kind == "AppendBlob":
        return reply(201, [*changed_headers(node.changed), ENCRYPTED])
    md5, crc = digests.md5(call.request.body), digests.crc64(call.request.body)
    node.detail().headers.setdefault("Content-MD5", md5)
    sums = [("Content-MD5", md5), ("x-ms-content-crc64", crc)]
    return reply(201, [*sums, *changed_headers(node.changed), ENCRYPTED])


def _replace(call: Call, present: Node | None, data: bytes) -> Node:
    node = paths.make(call, call.store(), call.path, False, present)
    node.size = len(data)
    details = node.detail()
    details.content = data
    details.headers = blobs.content_headers(call)
    details.metadata = blobs.metadata_of(call)
    return node


def put_block(call: Call) -> Response:
    """`PUT ?comp=block&blockid=…`: staged for a later block list."""
    present = _target(call)
    name = call.param("blockid") or ""
    try:
        base64.b64decode(name, validate=True)
    except (binascii.Error, ValueError) as error:
        raise StorageError("InvalidQueryParameterValue") from error
    if not call.request.body:
        raise bad_header("Content-Length", "0")
    _check_md5(call)
    staged = present.detail().blocks if present else call.store().staged.setdefault(call.path, {})
    if any(len(other) != len(name) for other in staged):
        raise StorageError("InvalidBlobOrBlock")
    staged[name] = call.request.body
    return reply(201, [("x-ms-content-crc64", digests.crc64(call.request.body)), ENCRYPTED])


def put_block_list(call: Call) -> Response:
    """`PUT ?comp=blocklist`: the staged blocks, in the given order, become the file."""
    present = _target(call)
    staged = present.detail().blocks if present else call.store().staged.get(call.path, {})
    try:
        wanted = [element.text or "" for element in ElementTree.fromstring(call.request.body or b"<x/>")]
        data = b"".join(staged[name] for name in wanted)
    except ElementTree.ParseError as error:
        raise StorageError("InvalidXmlDocument") from error
    except KeyError as error:
        raise StorageError("InvalidBlockList") from error
    call.store().staged.pop(call.path, None)
    node = _replace(call, present, data)
    node.detail().blocks.clear()
    return reply(201, [*changed_headers(node.changed), ENCRYPTED])


def get_block_list(call: Call) -> Response:
    """`GET ?comp=blocklist`: the staged blocks; committed ones are not kept apart here."""
    store = call.store()
    chain = find(store.root, call.path)
    present = chain[-1] if len(chain) > len(call.path) else None
    staged = store.staged.get(call.path)
    if present is None and staged is None:
        raise StorageError("BlobNotFound")
    call.access.need(chain, READ if present else EXECUTE, OWNER, CONTRIBUTOR, READER)
    blocks = staged if present is None else present.detail().blocks
    rows = "".join(
        f"<Block><Name>{name}</Name><Size>{len(data)}</Size></Block>"
        for name, data in sorted((blocks or {}).items())
    )
    body = (
        f"{XML}<BlockList><CommittedBlocks /><UncommittedBlocks>{rows}</UncommittedBlocks></BlockList>"
        if rows
        else f"{XML}<BlockList><CommittedBlocks /><UncommittedBlocks /></BlockList>"
    )
    found: Headers = []
    if present is not None:
        found = [*changed_headers(present.changed), ("x-ms-blob-content-length", str(present.size))]
    return reply(200, found, body.encode(), "application/xml")
