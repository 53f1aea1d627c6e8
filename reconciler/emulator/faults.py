"""Faults to order: what to answer instead, or beside, the truth.

The nastiest is `after`: the effect is kept and only the answer is lost or replaced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.emulator.wire import Request

Memory = dict[tuple[str, str, str, bytes], tuple[float, int, Any]]

KINDS = (
    "respond",
    "reset",
    "tls",
    "truncate",
    "cut",
    "delay",
    "html",
    "loop",
    "empty",
    "stale",
    "expire",
    "revoke",
)
REPLACING = ("respond", "html", "reset", "tls")
"""Kinds that put something else in the place of the service's own answer."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """Which requests it strikes (regular expressions over service, method and `path?query`), and how."""

    name: str = ""
    service: str = ".*"
    method: str = ".*"
    target: str = ".*"
    kind: str = "respond"
    """What happens:

    - `respond` answers `status`, `headers` and `body`; `html` answers `status` with a proxy's error page
    - `reset` drops the connection; `tls` writes bytes into it that are no TLS record, and drops it then
    - `truncate` drops it in the middle of the true body; `cut` sends half of the body as if that were all
    - `delay` waits `seconds` of real time first
    - `loop` gives a page that names itself as the next one; `empty` does so without the page's entries
    - `stale` answers reads, every other time, as they were first answered; `seconds` of emulated time long
    - `expire` takes the caller's token as expired, in this request and in all that come with it later
    - `revoke` does so with all tokens of the caller, until it signs in with the claims of the challenge that
      it is sent (Microsoft docs: claims challenges); a client that does not know those meets `expire`
    """
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    seconds: float = 0.0
    after: bool = False
    """True keeps the request's effect and replaces only its answer."""
    item: bool = False
    """True strikes requests inside Graph's `$batch` (`path?query` begins with the version), by `respond`,
    `loop`, `empty` and `stale`; False strikes requests as they arrive."""
    skip: int = 0
    """Let this many matching requests pass first."""
    times: int | None = 1
    """Strike this often; None means always."""
    struck: int = 0
    memory: Memory = field(default_factory=dict)
    """What `stale` gives back: by request, when it was first answered, how often, and the answer."""

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

    def replaces(self) -> bool:
        """Whether the service is never asked, so that the request has no effect."""
        return self.kind in REPLACING and not self.after

    def remembered(self, request: Request, now: float, answer: Any) -> Any:
        """What `stale` makes of a read's true answer: that one, or the first one again."""
        target = f"{request.path}?{request.raw_query}"
        key = (request.service, request.method, target, request.body)
        since, times, first = self.memory.get(key, (now, 0, answer))
        self.memory[key] = (since, times + 1, first)
        return first if times % 2 and now - since < self.seconds else answer


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

    def strike(self, request: Request, item: bool = False) -> Fault | None:
        """The fault that this request meets, counted; None for a request that goes through."""
        for fault in self.active:
            if fault.item is not item or not fault.matches(request):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.times is not None and fault.struck >= fault.times:
                continue
            fault.struck += 1
            return fault
        return None
