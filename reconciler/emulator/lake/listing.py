"""Path List of the DFS endpoint: a page of JSON, keys in alphabetical order, every value a string."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice

from reconciler.emulator.lake import continuation
from reconciler.emulator.lake.access_control import token
from reconciler.emulator.lake.acl import EXECUTE, READ
from reconciler.emulator.lake.call import MODERN, Call, Headers, reply
from reconciler.emulator.lake.errors import StorageError
from reconciler.emulator.lake.names import Translation, readable
from reconciler.emulator.lake.rights import CONTRIBUTOR, OWNER, READER
from reconciler.emulator.lake.stamps import FILETIME_EPOCH, http_date
from reconciler.emulator.lake.tree import Folder, Node, find, walk
from reconciler.emulator.wire import Response

PAGE = 5_000
"""Entries of a page at most, and when none is asked for (SDK source)."""


def list_paths(call: Call) -> Response:
    """`GET /filesystem?resource=filesystem&recursive=…`."""
    store = call.store()
    if call.param("recursive") is None:
        raise StorageError("MissingRequiredQueryParameter")
    size = call.number("maxResults", PAGE)
    if size < 1:
        raise StorageError("OutOfRangeQueryParameterValue")
    size = min(size, PAGE)
    directory = tuple(part for part in (call.param("directory") or "").split("/") if part)
    chain = find(store.root, directory)
    if len(chain) <= len(directory):
        raise StorageError("PathNotFound")
    call.access.need(chain, READ | EXECUTE, OWNER, CONTRIBUTOR, READER)
    found = list(islice(_walk(call, chain[-1], directory), size + 1))
    headers: Headers = []
    if len(found) > size:
        headers.append(("x-ms-continuation", token(call, found[size][0])))
    return reply(200, headers, render(call, found[:size]), "application/json;charset=utf-8")


def _walk(call: Call, node: Node, directory: tuple[str, ...]) -> Iterator[tuple[str, Node]]:
    if not isinstance(node, Folder):
        # Recorded: a listing of a file holds the file itself.
        return iter([("/".join(directory), node)])
    start: list[str] = []
    given, begin = call.param("continuation"), call.param("beginFrom")
    if given:
        start = continuation.decode(given, call.filesystem)[len(directory) :]
    elif begin:
        start = [part for part in begin.split("/") if part]
    base = "".join(part + "/" for part in directory)
    deep = call.flag("recursive")
    return guarded(call, walk(node, base, start if deep else start[:1], deep=deep), deep)


def guarded(call: Call, paths: Iterator[tuple[str, Node]], deep: bool) -> Iterator[tuple[str, Node]]:
    """The paths, ended by a refusal where the caller may not list a folder on the way."""
    if not deep or call.access.has(OWNER, CONTRIBUTOR, READER):
        return paths
    return _checked(call, paths)


def _checked(call: Call, paths: Iterator[tuple[str, Node]]) -> Iterator[tuple[str, Node]]:
    for path, node in paths:
        if isinstance(node, Folder) and not call.access.granted(node, READ | EXECUTE):
            raise StorageError("AuthorizationPermissionMismatch")
        yield path, node


def render(call: Call, found: list[tuple[str, Node]]) -> bytes:
    """The document of a page."""
    modern = call.version >= MODERN
    translate = readable(call)
    quote = json.dumps
    rows = [_row(quote(path, ensure_ascii=False), node, modern, translate) for path, node in found]
    return ('{"paths":[' + ",".join(rows) + "]}\n").encode()


def _row(name: str, node: Node, modern: bool, translate: Translation) -> str:
    expiry = node.details.expiry if node.details else 0
    expiry = expiry - FILETIME_EPOCH if expiry else 0
    created = f'"creationTime":"{node.created - FILETIME_EPOCH}",' if modern else ""
    expires = f'"expiryTime":"{expiry}",' if modern else ""
    folder = '"isDirectory":"true",' if node.is_folder else ""
    length = f'"contentLength":"{node.size}",' if modern or not getattr(node, "implied", False) else ""
    owner = translate(node.owner) if translate.upn else node.owner
    return (
        f'{{{length}{created}"etag":"0x{node.changed:X}",{expires}'
        f'"group":"{node.group}",{folder}"lastModified":"{http_date(node.changed)}","name":{name},'
        f'"owner":"{owner}","permissions":"{node.acl.permissions}"}}'
    )
