"""What every emulated service is made of: a request in, a response out, no socket in sight.

A service is a synchronous function of a request and its own state.  Handlers run one at a time on the
server's event loop, so state needs no locks and every request is atomic.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who presented the token: a directory object, and the audience the token was minted for."""

    object_id: str
    app_id: str | None = None
    """The application (client) id, when the caller is a service principal."""
    name: str = ""
    """The user name, or the application id: what Databricks writes into ACLs for this caller."""
    audience: str = ""
    kind: str = "servicePrincipal"
    """`user`, `servicePrincipal`, or `superuser` (storage account key)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request as it arrived.  `path` keeps its percent-escapes; `query` is decoded."""

    service: str
    """The endpoint that received it: `entra`, `graph`, `arm`, `databricks-account`,
    `databricks/<workspace>`, `lake/<account>/dfs`, `lake/<account>/blob`."""
    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""
    base: str = ""
    """Scheme, host and port as the client wrote them, without a trailing slash: what links begin with."""
    raw_query: str = ""
    peer: str = ""
    """The client's address and port: requests over one connection share it, parallel ones do not."""
    caller: Caller | None = None
    """None when there is no token, or one that this emulator did not mint, has let expire or has revoked."""
    challenge: str = ""
    """The claims in base64 that a caller whose sessions were revoked is to sign in for."""

    def param(self, name: str, default: str | None = None) -> str | None:
        """The first value of a query parameter, matched without regard to case."""
        lowered = name.lower()
        return next((value for key, value in self.query if key.lower() == lowered), default)

    def json(self) -> Any:
        """The body as JSON; raises ValueError when it is not."""
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response.  Header names are written as the real service writes them."""

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""


def json_response(status: int, payload: Any, headers: Sequence[tuple[str, str]] = ()) -> Response:
    """A response with a compact JSON body; `headers` should name the content type of the service."""
    body = json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
    return Response(status, headers, body)


class Service(Protocol):
    """An emulated service.  `seed`, then `dump`, then `seed` again is a fixed point."""

    def handle(self, request: Request) -> Response:
        """Answer one request; authentication failures and rights are the service's own to word."""
        ...

    def seed(self, section: Mapping[str, Any]) -> None:
        """Add the state that a seed file describes; raises ValueError naming the offending entry."""
        ...

    def dump(self) -> dict[str, Any]:
        """The present state, in the form that `seed` takes."""
        ...

    def endpoints(self) -> list[str]:
        """The endpoint names that it serves, in a stable order: this is also the order of ports."""
        ...
