"""Pages: a slice of a listing and a link to the next one that repeats every query option.

Switches: `graph.page-limit` caps the objects per page and `graph.empty-pages` puts an empty page with a link
before each further one; both the service is free to do (Microsoft docs: Paging Microsoft Graph data).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from reconciler.emulator.directory import DirectoryObject
from reconciler.emulator.graph.call import Call, State
from reconciler.emulator.graph.errors import GraphError


def token(offset: int, last: str, empty: bool = False) -> str:
    """An opaque continuation: where to go on, and after which object."""
    packed = f"RFNwdAIAAQ|{offset}|{last}|{int(empty)}".encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def position(things: Sequence[DirectoryObject], skiptoken: str) -> tuple[int, bool]:
    """Where a continuation goes on in the present listing, and whether an empty page is due.

    Raises GraphError (400) for a token that this service did not issue.
    """
    try:
        mark, offset, last, empty = (
            base64.urlsafe_b64decode(skiptoken + "=" * (-len(skiptoken) % 4)).decode().split("|")
        )
        start = int(offset)
        if mark != "RFNwdAIAAQ":
            raise ValueError(mark)
    except (ValueError, UnicodeDecodeError):
        raise GraphError(
            400,
            "Directory_ExpiredPageToken",
            "Specified page token value has expired and can no longer be included in your request.",
        ) from None
    if not (0 < start <= len(things) and things[start - 1].id == last):
        found = next((index for index, thing in enumerate(things) if thing.id == last), None)
        start = min(start, len(things)) if found is None else found + 1
    return start, empty == "1"


def next_link(call: Call, skiptoken: str) -> str:
    """The URL of the next page: the same path and options, with the continuation."""
    options = [
        (name, value) for name, value in call.query.raw if name.lower() not in ("$skiptoken", "skiptoken")
    ]
    options.append(("$skiptoken", skiptoken))
    query = "&".join(f"{quote(name, safe='$')}={quote(value, safe='$(),:/=')}" for name, value in options)
    path = "/".join(quote(segment, safe="$()='@.:-_") for segment in call.segments)
    return f"{call.root}/{path}?{query}"


def page(
    state: State,
    call: Call,
    things: Sequence[DirectoryObject],
    render: Callable[[DirectoryObject], dict[str, Any]],
    context: str,
    limit: int | None = None,
) -> dict[str, Any]:
    """One page of a listing, with `@odata.count` on the first one if it was asked for."""
    switches = state.world.switches
    size = min(limit or call.query.limit, int(switches.get("graph.page-limit", 0)) or call.query.limit)
    start, empty = position(things, call.query.skiptoken) if call.query.skiptoken else (0, False)
    payload: dict[str, Any] = {"@odata.context": call.context(context)}
    if call.query.count and not call.query.skiptoken and call.headers.get("consistencylevel"):
        payload["@odata.count"] = len(things)
    stop = start if empty else start + size
    if stop < len(things):
        last = things[stop - 1].id if stop else ""
        due = not empty and bool(switches.get("graph.empty-pages", False))
        payload["@odata.nextLink"] = next_link(call, token(stop, last, due))
    payload["value"] = [render(thing) for thing in things[start:stop]]
    return payload
