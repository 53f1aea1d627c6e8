"""Pages that lead nowhere: listings that name themselves as their own continuation.

A link or a marker that begins anew is written as `AGAIN` and what the request itself had said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from reconciler.emulator.wire import Request, Response

AGAIN = "again!"
TOKENS = ("marker", "continuation")
"""Query parameters in which storage is told where to go on."""


def asked(request: Request) -> Request:
    """The request as the service should see it, where it follows a continuation of ours."""
    if not any(value.startswith(AGAIN) for _, value in request.query):
        return request
    query = [
        (name, value.removeprefix(AGAIN) if name.lower() in TOKENS else value)
        for name, value in request.query
    ]
    query = [(name, value) for name, value in query if value or name.lower() not in TOKENS]
    return replace(request, query=query, raw_query=urlencode(query))


def again(request: Request, response: Response, empty: bool) -> Response:
    """A listing's page with itself as the next one, and without its entries where `empty`."""
    if response.status >= 400:
        return response
    token = AGAIN + next((value for name, value in request.query if name.lower() in TOKENS), "")
    changed = ("content-length", "x-ms-continuation")
    headers = [pair for pair in response.headers if pair[0].lower() not in changed]
    if response.body.lstrip(b"\xef\xbb\xbf").startswith(b"<"):
        return Response(response.status, headers, _blobs(response.body, token, empty))
    payload = json.loads(response.body or b"null")
    if request.service.startswith("lake/"):
        page = {**payload, "paths": []} if empty and "paths" in payload else payload
        return Response(response.status, [*headers, ("x-ms-continuation", token)], json.dumps(page).encode())
    return Response(response.status, headers, json.dumps(linked(request, payload, empty)).encode())


def linked(request: Request, payload: Any, empty: bool) -> Any:
    """A page of Graph, Resource Manager or SCIM with itself as the next one; anything else as it is."""
    if not isinstance(payload, dict):
        return payload
    if "totalResults" in payload:
        return _scim(payload, empty)
    if not isinstance(payload.get("value"), list):
        return payload
    link = "@odata.nextLink" if request.service == "graph" else "nextLink"
    page = {**payload, "value": []} if empty else payload
    return {**page, link: f"{request.base}{request.path}?{request.raw_query}"}


def _scim(payload: Mapping[str, Any], empty: bool) -> dict[str, Any]:
    """A SCIM page that says that there is more behind it, or that what there is comes later."""
    entries = [] if empty else payload.get("Resources", [])
    more = payload["totalResults"] + max(1, len(entries))
    said = {"startIndex": 1, "itemsPerPage": len(entries), "totalResults": more, "Resources": entries}
    return {**payload, **said}


def _blobs(body: bytes, token: str, empty: bool) -> bytes:
    text = re.sub(rb"<NextMarker\s*/>|<NextMarker>[^<]*</NextMarker>", b"", body)
    if empty:
        text = re.sub(rb"<Blobs>.*</Blobs>", b"<Blobs></Blobs>", text, flags=re.DOTALL)
    end = b"</EnumerationResults>"
    return text.replace(end, b"<NextMarker>" + token.encode() + b"</NextMarker>" + end)
