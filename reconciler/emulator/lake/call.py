"""One request to a storage account, taken apart, and the making of its answer."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from reconciler.emulator.lake import errors
from reconciler.emulator.lake.account import Account, Filesystem
from reconciler.emulator.lake.errors import StorageError, bad_parameter
from reconciler.emulator.lake.rights import Access
from reconciler.emulator.lake.stamps import etag, http_date, iso_time, ticks
from reconciler.emulator.wire import Request, Response

SERVERS = {
    "dfs": "Windows-Azure-HDFS/1.0 Microsoft-HTTPAPI/2.0",
    "blob": "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0",
}
DEFAULT_VERSION = "2018-11-09"
MODERN = "2020-02-10"
"""Since this version listings carry times and lengths of directories, and writes say more of what they did.

Wherever recorded traffic of one version differs by its age, the youngest recording of that version counts.
"""
Headers = list[tuple[str, str]]

_BLOB_WORDS = ("restype", "comp", "showonly")
_DFS_WORDS = ("resource", "action", "mode", "recursive", "position", "paginated")


@dataclass(slots=True, kw_only=True)
class Call:
    """What a handler sees of a request: whose account, which path, which protocol version, which caller."""

    request: Request
    account: Account
    dialect: str
    """`dfs` or `blob`: how the answer, errors above all, is written."""
    filesystem: str
    """The first segment of the URL, empty for the account itself."""
    path: tuple[str, ...]
    """The segments after it, decoded; empty for the filesystem, and for its root directory."""
    rooted: bool
    """True when the URL names a path, the root directory `/fs/` included, rather than the filesystem."""
    version: str
    now: int
    """The instant at which the request is answered."""
    access: Access
    switches: Mapping[str, Any]
    request_id: str
    upn: Callable[[str], str]
    """A user's principal name for an object id; any other id unchanged."""
    tenant: str
    """The Entra tenant of the account."""

    def header(self, name: str) -> str | None:
        """A request header, or None when it was not sent or sent empty."""
        return self.request.headers.get(name) or None

    def param(self, name: str) -> str | None:
        """A query parameter, or None."""
        return self.request.param(name)

    def number(self, name: str, default: int) -> int:
        """A query parameter that is a number; raises StorageError when it is not."""
        text = self.param(name)
        if text is None or text == "":
            return default
        try:
            return int(text)
        except ValueError:
            raise bad_parameter(name, text) from None

    def flag(self, name: str) -> bool:
        """A query parameter that is a boolean."""
        return (self.param(name) or "").lower() == "true"

    def store(self) -> Filesystem:
        """The filesystem that the URL names; raises StorageError in this endpoint's words."""
        missing = "ContainerNotFound" if self.dialect == "blob" else "FilesystemNotFound"
        return self.account.filesystem(self.filesystem, missing)

    def switch(self, name: str, default: Any) -> Any:
        """A behaviour switch of this service, `lake.<name>`."""
        return self.switches.get(f"lake.{name}", default)


def dialect(request: Request) -> str:
    """Which of the two APIs a request speaks.

    Real hosts speak one each.  On loopback the SDKs cannot derive one host name from the other by swapping
    `.dfs.` for `.blob.`, so both arrive at either port: then query parameters, and for bare paths the
    `Accept` header (the DataLake SDK asks for XML where it means the Blob API), tell them apart.
    """
    endpoint = request.service.rpartition("/")[2]
    names = {name.lower() for name, _ in request.query}
    if names & {"restype", "comp", "showonly"}:
        return "blob"
    if names & set(_DFS_WORDS) or "x-ms-rename-source" in request.headers:
        return "dfs"
    host = request.base.rpartition("/")[2]
    if f".{endpoint}." in host or not host:
        return endpoint
    accept = request.headers.get("accept", "")
    if "xml" in accept:
        return "blob"
    return "dfs" if "json" in accept else endpoint


def segments(raw_path: str) -> tuple[str, tuple[str, ...], bool]:
    """Filesystem, path segments, and whether a path (be it the root) was named at all."""
    first, slash, rest = raw_path.lstrip("/").partition("/")
    path = tuple(part for part in unquote(rest).split("/") if part)
    return unquote(first), path, bool(slash)


def request_id(account: Account) -> str:
    """A request id in the recorded form: a GUID whose third group begins with 00 and whose tail is zeros."""
    account.requests += 1
    digits = uuid.uuid5(uuid.NAMESPACE_URL, f"{account.name}/{account.requests}").hex
    return f"{digits[:8]}-{digits[8:11]}f-00{digits[14:16]}-{digits[16:20]}-{digits[20:26]}000000"


def changed_headers(instant: int) -> Headers:
    """`ETag` and `Last-Modified` of something last changed at this instant."""
    return [("Last-Modified", http_date(instant)), ("ETag", f'"{etag(instant)}"')]


def reply(
    status: int, headers: Sequence[tuple[str, str]] = (), body: bytes = b"", kind: str = ""
) -> Response:
    """A response of a handler; `kind` is the content type, and its presence makes the body chunked."""
    found = list(headers)
    if kind:
        found += [("Content-Type", kind), ("Transfer-Encoding", "chunked")]
    return Response(status, found, body)


def finish(call: Call, response: Response) -> Response:
    """Add what every answer of the service carries."""
    headers = list(response.headers)
    headers.append(("Server", SERVERS[call.dialect]))
    headers.append(("x-ms-request-id", call.request_id))
    echo = call.request.headers.get("x-ms-client-request-id")
    if echo:
        headers.append(("x-ms-client-request-id", echo))
    headers.append(("x-ms-version", call.version))
    headers.append(("Date", http_date(call.now)))
    return Response(response.status, headers, response.body)


def refuse(call: Call, error: StorageError) -> Response:
    """The answer to a refused request: JSON or XML by endpoint, and no body to a HEAD."""
    headers: Headers = [*error.headers, ("x-ms-error-code", error.code)]
    if call.request.method == "HEAD":
        return Response(error.status, [*headers, ("Transfer-Encoding", "chunked")])
    if error.status == 304:
        return Response(304, headers)
    time = iso_time(call.now)
    if call.dialect == "blob":
        headers.append(("Content-Type", "application/xml"))
        return Response(error.status, headers, errors.xml_body(error, call.request_id, time))
    headers.append(("Content-Type", "application/json;charset=utf-8"))
    return Response(error.status, headers, errors.json_body(error, call.request_id, time))


def instant(now: float) -> int:
    """The instant of a time of the emulated clock."""
    return ticks(now)
