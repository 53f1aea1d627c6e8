"""HTTP conditions, `If-Match` and its kin and their `x-ms-source-…` forms, over ETag and Last-Modified."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.emulator.lake.errors import StorageError
from reconciler.emulator.lake.stamps import SECOND, etag, parse_http_date


def check(
    headers: Mapping[str, str], changed: int | None, *, reading: bool = False, prefix: str = ""
) -> None:
    """Refuse a request whose conditions do not hold; `changed` is None for a path that does not exist.

    A reading request meets `304` where its `If-None-Match` or `If-Modified-Since` fails, any other `412`;
    `If-None-Match: *` on something that exists is `409` and worded by the caller, who creates it.
    """
    code = "SourceConditionNotMet" if prefix else "ConditionNotMet"

    def header(name: str) -> str | None:
        return headers.get(prefix + name) or None

    match = header("if-match")
    if match and (changed is None or match != "*" and _tag(match) != etag(changed)):
        raise StorageError(code)
    unmodified = _date(header("if-unmodified-since"))
    if unmodified is not None and (changed is None or changed // SECOND > unmodified // SECOND):
        raise StorageError(code)
    none_match = header("if-none-match")
    modified = _date(header("if-modified-since"))
    if changed is None:
        return
    fails = none_match is not None and (none_match == "*" or _tag(none_match) == etag(changed))
    fails = fails or (modified is not None and changed // SECOND <= modified // SECOND)
    if fails:
        raise StorageError(code, status=304 if reading else None)


def _tag(text: str) -> str:
    return text.removeprefix("W/").strip('"')


def _date(text: str | None) -> int | None:
    if text is None:
        return None
    instant = parse_http_date(text)
    if instant is None:
        raise StorageError("InvalidHeaderValue")
    return instant
