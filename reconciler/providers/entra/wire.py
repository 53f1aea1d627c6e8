"""One Graph request and its reply as values: paths, costs, error words; no network here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from reconciler.providers.transport import REFUSED, STILL_REFUSED

READ, WRITE = "graph/read", "graph/write"

V1, BETA = "v1.0", "beta"

LIMITS: Mapping[str, tuple[float, float]] = {READ: (3_500, 10), WRITE: (3_000, 150)}
"""Resource units per 10 s and writes per 150 s, per application and tenant, of a small tenant.

Source: Microsoft docs, "Microsoft Graph service-specific throttling limits", identity and access.
"""
TIERS = ((501, 8_000), (50, 5_000))
"""Users that a tenant must have at least, and the resource units per 10 s that it then gets (same source)."""

CHUNK = 20
"""Requests in a `$batch`, references in one `@odata.bind` (Microsoft docs: JSON batching; Add members)."""
IN_VALUES = 15
"""Values of an `in` filter, beyond which Graph answers 400 (Microsoft docs: Known issues, $filter)."""
PAGE = 999
IDS = 1_000
"""Ids in one getByIds (Microsoft docs: directoryObject getByIds)."""
LONG_NAME = 120
"""Characters of a name that `eq` and `in` compare without advanced query parameters (same source as 15)."""

_BASE = {"members": 3, "users": 2, "getByIds": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request below a version of Graph."""

    path: str
    """Percent-encoded, with its query, beginning with a slash."""
    method: str = "GET"
    body: Any = None
    advanced: bool = False
    """Asks the index that lags behind the directory but knows more operators."""
    reads: bool | None = None
    """Whether it changes nothing; None: as its method says."""

    def __post_init__(self) -> None:
        if self.method == "DELETE" and self.path.count("/") > 2 and not self.path.endswith("/$ref"):
            # Without `/$ref` Graph deletes the member itself (Microsoft docs: Remove member, caution).
            raise ValueError(f"DELETE {self.path} would delete the object, not its membership")

    @property
    def harmless(self) -> bool:
        """Whether it may be sent again when its answer was lost."""
        return self.method == "GET" if self.reads is None else self.reads

    @property
    def headers(self) -> dict[str, str]:
        """What it needs beside authorization."""
        found = {"ConsistencyLevel": "eventual"} if self.advanced else {}
        return found | ({"Content-Type": "application/json"} if self.body is not None else {})

    def units(self) -> int:
        """Resource units, as published: `$select` saves one, and nothing costs less than one."""
        path = self.path.partition("?")[0]
        last = path.rpartition("/")[2]
        if not self.harmless:
            return 1
        return max(1, _BASE.get(last, 1) - (self.method == "GET" and "$select=" in self.path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back, decoded."""

    status: int
    headers: Mapping[str, str]
    payload: Any = None

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        """The service's own word for an error, such as `Authorization_RequestDenied`."""
        return str(self._error().get("code") or "")

    @property
    def message(self) -> str:
        """The service's own sentence about an error."""
        return str(self._error().get("message") or "")

    @property
    def spelt(self) -> str:
        """Status and code, as a gap shows them."""
        return f"{self.status} {self.code}".strip()

    @property
    def said(self) -> str:
        """Status, code and message in one line, with the next step where they are about the token."""
        message = " ".join(self.message.split())
        told = f"{self.spelt}: {message}" if message else self.spelt
        return f"{told}; {STILL_REFUSED}" if self.status == REFUSED else told

    def _error(self) -> Mapping[str, Any]:
        error = self.payload.get("error") if isinstance(self.payload, dict) else None
        return error if isinstance(error, dict) else {}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something could not be read, for a person, with the service's code where there was one."""

    reason: str
    status: str = ""


def objects(reply: Reply) -> list[dict[str, Any]] | None:
    """The objects of a collection; None for a reply that is no list of things with an id."""
    values = reply.payload.get("value") if reply.ok and isinstance(reply.payload, dict) else None
    if not isinstance(values, list):
        return None
    whole = all(isinstance(one, dict) and isinstance(one.get("id"), str) for one in values)
    return values if whole else None


def literal(text: str) -> str:
    """A string literal of the `$filter` language, percent-encoded."""
    return quote("'" + text.replace("'", "''") + "'", safe="'")


def query(**options: str) -> str:
    """A query string of OData options whose values are encoded already: `query(select="id")`."""
    return "?" + "&".join(f"${name}={value}" for name, value in options.items())


def denied_hint(reply: Reply, right: str) -> str:
    """The reply's words, and for a 403 the right that is missing."""
    if reply.status == 403:
        return f"{reply.said}; it needs the Graph permission {right}"
    return reply.said
