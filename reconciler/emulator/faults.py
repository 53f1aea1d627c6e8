"""Faults to order: what to answer instead, or beside, the truth.

The nastiest is `after`: the effect is kept and only the answer is lost or replaced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.emulator.wire import Request

KINDS = ("respond", "reset", "truncate", "delay", "html")


@dataclass(slots=True, kw_only=True)
class Fault:
    """Which requests it strikes (regular expressions over service, method and `path?query`), and how."""

    name: str = ""
    service: str = ".*"
    method: str = ".*"
    target: str = ".*"
    kind: str = "respond"
    """`respond` answers `status`/`headers`/`body`; `reset` drops the connection; `truncate` cuts the true
    body in half; `delay` waits `seconds` of real time first; `html` answers a proxy's error page."""
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    seconds: float = 0.0
    after: bool = False
    """True keeps the request's effect and replaces only its answer."""
    skip: int = 0
    """Let this many matching requests pass first."""
    times: int | None = 1
    """Strike this often; None means always."""
    struck: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"fault kind {self.kind!r} is none of {', '.join(KINDS)}")

    def matches(self, request: Request) -> bool:
        """Whether the request is one that this fault is about."""
        target = f"{request.path}?{request.raw_query}" if request.raw_query else request.path
        return (
            re.fullmatch(self.service, request.service) is not None
            and re.fullmatch(self.method, request.method) is not None
            and re.search(self.target, target) is not None
        )


@dataclass(slots=True)
class Faults:
    """The faults now in force, first match wins."""

    active: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Put a fault in force."""
        self.active.append(fault)

    def add_json(self, payload: Mapping[str, Any]) -> None:
        """Put a fault in force that came over the control endpoint; raises TypeError on unknown fields."""
        self.add(Fault(**payload))

    def clear(self) -> None:
        """Lift all faults."""
        self.active.clear()

    def strike(self, request: Request) -> Fault | None:
        """The fault that this request meets, counted; None for a request that goes through."""
        for fault in self.active:
            if not fault.matches(request):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.times is not None and fault.struck >= fault.times:
                continue
            fault.struck += 1
            return fault
        return None
