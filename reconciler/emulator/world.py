"""Everything that one emulator holds: the directory, the clock, the switches, the faults and the log."""

from __future__ import annotations

import base64
import json
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
    continuous: bool = False
    """Whether its client said that it understands claims challenges: no other is sent one."""
    not_before: int = 0
    """Since when it counts, as the claims say that it was asked for with; 0 where they say nothing."""


@dataclass(slots=True)
class World:
    """The shared part of the emulated cloud; each service keeps its own state beside it."""

    directory: Directory = field(default_factory=Directory)
    clock: Clock = field(default_factory=Clock)
    faults: Faults = field(default_factory=Faults)
    throttle: Throttle = field(default_factory=Throttle)
    log: AccessLog = field(default_factory=AccessLog)
    tokens: dict[str, Token] = field(default_factory=dict)
    revoked: dict[str, int] = field(default_factory=dict)
    """By object id, since when the tokens of a caller have to count whose sessions were revoked."""
    random: random.Random = field(default_factory=lambda: random.Random(0))
    """Every nondeterminism (stale reads, page order) draws from here, so that a run can be repeated."""
    switches: dict[str, Any] = field(default_factory=dict)
    """Behaviours that are settable, by dotted name (`databricks.account-groups-list-members`); each
    service documents its own with their defaults, which are what the real service does today."""

    def caller(self, authorization: str | None) -> Caller | None:
        """Who a `Bearer` header speaks for, or None when the token is unknown or has expired."""
        token = self._token(authorization)
        if token is None or token.expires <= self.clock.now() or self._is_revoked(token):
            return None
        return token.caller

    def expire(self, authorization: str | None) -> None:
        """From now on a `Bearer` header's token speaks for nobody."""
        self.tokens.pop((authorization or "").partition(" ")[2].strip(), None)

    def revoke(self, authorization: str | None) -> None:
        """From now on the tokens of a header's caller speak for nobody, unless asked for with the claims of
        the challenge; where its client knows no challenges this one token is as if expired."""
        token = self._token(authorization)
        if token is None or not token.continuous:
            self.expire(authorization)
            return
        known = self.revoked.get(token.caller.object_id, 0)
        self.revoked[token.caller.object_id] = max(known + 1, int(self.clock.now()))

    def challenge(self, authorization: str | None) -> str:
        """The claims that a header's caller has to sign in for again, in base64; "" where that is not so."""
        token = self._token(authorization)
        if token is None or not self._is_revoked(token):
            return ""
        value = {"essential": True, "value": str(self.revoked[token.caller.object_id])}
        return base64.b64encode(json.dumps({"access_token": {"nbf": value}}).encode()).decode()

    def _token(self, authorization: str | None) -> Token | None:
        scheme, _, value = (authorization or "").partition(" ")
        return self.tokens.get(value.strip()) if scheme.lower() == "bearer" else None

    def _is_revoked(self, token: Token) -> bool:
        return token.continuous and token.not_before < self.revoked.get(token.caller.object_id, 0)
