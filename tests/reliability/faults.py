"""Every fault that a service, or the line to it, may have: the columns of the matrix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.emulator.faults import Fault
from tests.reliability.estate import Scene
from tests.reliability.requests import Kind

Condition = Callable[[Kind], bool]
JSON = {"Content-Type": "application/json"}
DELETED = "principal deleted"
"""The column of what is no fault of a service: somebody deletes whom a grant is for, at this request."""


def _anything(kind: Kind) -> bool:
    return True


def _line(kind: Kind) -> bool:
    # What happens to a connection, or to a body, happens to a batch as a whole.
    return not kind.item


def _body(kind: Kind) -> bool:
    return not kind.item and "bare" not in kind.traits


def _pages(kind: Kind) -> bool:
    return "pages" in kind.traits


def _reads(kind: Kind) -> bool:
    return not kind.writes and not kind.keeps and "signs-in" not in kind.traits


def _token(kind: Kind) -> bool:
    return not kind.item and "signs-in" not in kind.traits


def _challenged(kind: Kind) -> bool:
    # Of the services that are asked, Graph is the one that challenges.
    return _token(kind) and kind.service == "graph"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One fault, and the kinds of requests that it can befall."""

    title: str
    fault: Mapping[str, Any] = field(default_factory=dict)
    befalls: Condition = _anything
    passing: bool = True
    """Whether one request can meet it and the next not."""
    times: int | None = None
    """How many requests meet it where it lasts; None for all."""

    @property
    def loses(self) -> bool:
        """Whether it leaves open what a write has done."""
        return self.passing and not self.title.startswith(("409", "429", "500, throttled"))

    def befalls_here(self, kind: Kind, scene: Scene) -> bool:
        """Whether this kind of request can meet the fault in this scene."""
        return self.befalls(kind) and (bool(scene.leaver) or self.title != DELETED)

    def on(self, kind: Kind, *, once: bool = False, skip: int = 0) -> Fault:
        """The order for the emulator."""
        return Fault(
            name=self.title,
            service=kind.service,
            method=kind.method,
            target=kind.target,
            item=kind.item,
            times=1 if once else self.times,
            skip=skip,
            **self.fault,
        )


def _status(status: int, body: str = "", **headers: str) -> dict[str, Any]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return {
        "status": status,
        "headers": JSON | given,
        "body": body or '{"error": {"code": "x", "message": "x"}}',
    }


THROTTLED = '{"detail": "REQUEST_LIMIT_EXCEEDED: the request was rejected", "status": "500"}'
TROUBLES = (
    Trouble(title="429", fault=_status(429)),
    Trouble(title="429, wait 10 s", fault=_status(429, Retry_After="10")),
    Trouble(title="429, wait 1 h", fault=_status(429, Retry_After="3600")),
    Trouble(title="500", fault=_status(500)),
    Trouble(
        title="500, throttled",
        fault=_status(500, THROTTLED),
        befalls=lambda kind: kind.system == "Databricks" and "signs-in" not in kind.traits,
    ),
    Trouble(title="502", fault=_status(502)),
    Trouble(title="503", fault=_status(503)),
    Trouble(title="504", fault=_status(504)),
    Trouble(
        title="504, done",
        fault={**_status(504), "after": True},
        befalls=lambda kind: (kind.writes or kind.keeps) and not kind.item,
    ),
    Trouble(title="409", fault=_status(409)),
    Trouble(title="reset before", fault={"kind": "reset"}, befalls=_line),
    Trouble(title="reset after", fault={"kind": "reset", "after": True}, befalls=_line),
    Trouble(title="TLS error", fault={"kind": "tls"}, befalls=_line),
    Trouble(title="half a body", fault={"kind": "cut"}, befalls=_body),
    Trouble(title="HTML page", fault={"kind": "html", "status": 200}, befalls=_line),
    Trouble(title="stale reads", fault={"kind": "stale", "seconds": 60}, befalls=_reads, passing=False),
    Trouble(title="page repeats", fault={"kind": "loop"}, befalls=_pages, passing=False, times=1),
    Trouble(title="link loop", fault={"kind": "loop"}, befalls=_pages, passing=False),
    Trouble(title="empty page", fault={"kind": "empty"}, befalls=_pages, passing=False, times=1),
    Trouble(title="token expires", fault={"kind": "expire"}, befalls=_token, passing=False, times=1),
    Trouble(title="token revoked", fault={"kind": "revoke"}, befalls=_challenged, passing=False, times=1),
    Trouble(title=DELETED, passing=False, times=1),
)
