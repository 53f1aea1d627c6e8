"""Everything that one emulator holds: the directory, the clock, the switches, the faults and the log."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from reconciler.emulator.clock import Clock
from reconciler.emulator.directory import Directory
from reconciler.emulator.faults import Faults
from reconciler.emulator.log import AccessLog
from reconciler.emulator.throttle import Throttle
from reconciler.emulator.wire import Caller


@dataclass(slots=True)
class Token:
    """A minted access token: who it speaks for and until when, in emulated seconds."""

    caller: Caller
    expires: float


@dataclass(slots=True)
class World:
    """The shared part of the emulated cloud; each service keeps its own state beside it."""

    directory: Directory = field(default_factory=Directory)
    clock: Clock = field(default_factory=Clock)
    faults: Faults = field(default_factory=Faults)
    throttle: Throttle = field(default_factory=Throttle)
    log: AccessLog = field(default_factory=AccessLog)
    tokens: dict[str, Token] = field(default_factory=dict)
    random: random.Random = field(default_factory=lambda: random.Random(0))
    """Every nondeterminism (stale reads, page order) draws from here, so that a run can be repeated."""
    switches: dict[str, Any] = field(default_factory=dict)
    """Behaviours that are settable, by dotted name (`databricks.account-groups-list-members`); each
    service documents its own with their defaults, which are what the real service does today."""

    def caller(self, authorization: str | None) -> Caller | None:
        """Who a `Bearer` header speaks for, or None when the token is unknown or has expired."""
        scheme, _, value = (authorization or "").partition(" ")
        token = self.tokens.get(value.strip()) if scheme.lower() == "bearer" else None
        if token is None or token.expires <= self.clock.now():
            return None
        return token.caller

    def expire(self, authorization: str | None) -> None:
        """From now on a `Bearer` header's token speaks for nobody."""
        self.tokens.pop((authorization or "").partition(" ")[2].strip(), None)
