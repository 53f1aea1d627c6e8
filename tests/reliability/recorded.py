"""A scene whose journal and lock are in a container, by the real SDK, in emulated time."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from azure.core.pipeline.transport import HttpTransport

from reconciler.core.environment import EntraSettings, Environment
from reconciler.core.errors import ReconcilerError
from reconciler.emulator.lake.content import held
from reconciler.emulator.lake.service import LakeService
from reconciler.emulator.lake.tree import walk
from reconciler.emulator.server import Emulator
from reconciler.providers.identity import azure_credential
from reconciler.store.client_container import ContainerStore
from tests.reliability.loop import ID, SECRET, Loop, Told
from tests.reliability.scenes import CONTAINER
from tests.reliability.timing import Time, emulated

PAUSE = 20.0
"""Emulated seconds before each record: a run that lasts long enough for its lease to need renewal."""
PREFIX = "test"


class Slow(ContainerStore):
    """The container's store; its lease is renewed in the run's own thread, when its time has come."""

    def __init__(self, emulator: Emulator, time: Time) -> None:
        entra = EntraSettings(
            name="corp", tenant_id=emulator.world.directory.tenant_id, authority=emulator.url("entra")
        )
        environment = Environment(
            name="test", entra=entra, azure_credential="client-secret", ca_file=str(emulator.ca_file)
        )
        environ = {"AZURE_CLIENT_ID": ID, "AZURE_CLIENT_SECRET": SECRET}
        credential = azure_credential(environment, environ, Path())
        url = f"{emulator.url('lake/memory/dfs')}/{CONTAINER}/{PREFIX}"
        self._time = time
        super().__init__(url, credential, str(emulator.ca_file), clock=time.now, sleep=self._sleep)
        self._ident = ""
        self._due: float | None = None

    def append(self, name: str, lines: Sequence[str]) -> None:
        """Add lines, after a while."""
        self._pass()
        super().append(name, lines)

    def _keep(self, ident: str, stop: threading.Event) -> None:
        self._ident, self._due = ident, 15.0

    def _pass(self) -> None:
        left = PAUSE
        while self._due is not None and self._due <= left:
            left -= self._due
            self._sleep(self._due)
            self._due = self._renew(self._ident)
        if self._due is not None:
            self._due -= left
        self._sleep(left)

    def _sleep(self, seconds: float) -> None:
        self._time.now()
        self._time.sleep(seconds)


@dataclass
class Recorded(Loop):
    """A loop that takes the lock and keeps its journal there; every apply opens the store anew."""

    def apply(self) -> Told:
        """The command, with its lock."""
        with self._patient():
            store = Slow(self.emulator, self.time)
            self.store = store
            try:
                with store.lock("this run"):
                    return Loop.apply(self)
            except ReconcilerError as error:
                return Told(code=1, error=str(error))

    @contextmanager
    def _patient(self) -> Iterator[None]:
        """The SDK's own waits, and those of the sign-in, are in emulated time too."""

        def sleep(transport: object, seconds: float) -> None:
            self.time.now()
            self.time.sleep(seconds)

        with emulated(self.time), pytest.MonkeyPatch.context() as patch:
            patch.setattr(HttpTransport, "sleep", sleep)
            yield


def journals(emulator: Emulator) -> dict[str, list[str]]:
    """What the container holds, by file, from the emulator's own state."""
    lake = emulator.services["lake"]
    assert isinstance(lake, LakeService)
    if "memory" not in lake.accounts:
        return {}
    root = lake.account("memory").filesystems[CONTAINER].root
    return {
        path: held(node).decode().splitlines()
        for path, node in walk(root, "")
        if path.endswith(".jsonl") and node.size
    }


def assert_on_record(emulator: Emulator, changed: set[str]) -> None:
    """Whatever was sent is on record, and every line is there once, and whole."""
    announced = set[str]()
    for lines in journals(emulator).values():
        assert len(lines) == len(set(lines)), ("a line comes twice", lines)
        events = [json.loads(line) for line in lines]
        announced |= {event["action"]["id"] for event in events if event["event"] == "announced"}
    assert changed <= announced, ("sent and not on record", changed - announced)
