"""Emulated time for everybody: services, pacers, waits and sign-ins share a clock that only waiting moves."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from reconciler import apply
from reconciler.emulator.clock import Clock
from reconciler.providers import client_credential
from reconciler.providers.databricks import client_auth, scopes_writing
from reconciler.providers.databricks.provider import DatabricksProvider
from reconciler.providers.pacing import Pacer

LOOKS = (0.0, 1.0, 30.0, 60.0, 30.0)
"""Seconds before each look at what was written; the product's own pauses add up to as much."""


@dataclass(slots=True)
class Time:
    """The emulated clock as a waiting client sees it: sleepers overlap, each from when it last looked."""

    clock: Clock
    waited: float = 0.0
    """Seconds that all waits came to, those that overlap counted once."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _seen: threading.local = field(default_factory=threading.local)

    def now(self) -> float:
        """Emulated seconds."""
        self._seen.at = self.clock.now()
        return float(self._seen.at)

    def sleep(self, seconds: float) -> None:
        """Let emulated time pass, unless somebody else has slept for longer meanwhile."""
        with self._lock:
            since = getattr(self._seen, "at", self.clock.now())
            step = max(0.0, since + seconds - self.clock.now())
            self.clock.advance(step)
            self.waited += step

    async def sleep_async(self, seconds: float) -> None:
        """The same on an event loop; who waits there has just looked at the clock."""
        self.sleep(seconds)
        await asyncio.sleep(0)


@contextmanager
def plain_surroundings() -> Iterator[None]:
    """Spare what the SDKs do over and over with each request, and which has no part in its outcome.

    They go through the whole environment for proxies, and look for `sniffio` in every folder of packages.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - {"PATH", "HOME", "TMPDIR", "LANG", "PYTHONPATH"}:
            if not name.startswith("PYTEST_"):
                patch.delenv(name)
        if importlib.util.find_spec("sniffio") is None:
            patch.setitem(sys.modules, "sniffio", None)
        yield


@contextmanager
def emulated(time: Time) -> Iterator[None]:
    """Let every wait of the product, as `Vocabulary.open` builds it, be a wait in emulated time."""
    with pytest.MonkeyPatch.context() as patch:
        defaults = Pacer.__init__.__defaults__
        assert defaults is not None
        patch.setattr(Pacer.__init__, "__defaults__", (time.now, time.sleep, time.sleep_async, *defaults[3:]))
        options = {
            **(DatabricksProvider.__init__.__kwdefaults__ or {}),
            "clock": time.now,
            "sleep": time.sleep,
        }
        patch.setattr(DatabricksProvider.__init__, "__kwdefaults__", options)
        # The same two minutes of looking, in fewer looks.
        patch.setattr(apply, "PAUSES", LOOKS)
        patch.setattr(scopes_writing, "PAUSES", LOOKS)
        for module in (client_credential, client_auth):
            patch.setattr(module, "time", SimpleNamespace(monotonic=time.now))
        yield
