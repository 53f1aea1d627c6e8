"""Two applies at once on one environment: the second is told of the first, and takes over when that is dead."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler import cli_apply, cli_session
from reconciler.core.errors import Locked, StoreError
from reconciler.emulator.server import Emulator, running
from reconciler.emulator.wire import Request, Response
from reconciler.store import client_container
from reconciler.store.client_container import ContainerStore
from reconciler.store.folder import FolderStore
from tests.cli.desk import Desk, seed
from tests.cli.facts import held
from tests.crash.conftest import Sit
from tests.crash.killing import Point, Runner, Watch, watching
from tests.crash.scene import LIVE, set_scene
from tests.stories.story import writes

HOLDER = r"\S+ on \S+, process \d+, since 2026-11-23 08:00 UTC is applying"


def shared(desk: Desk) -> Callable[[], ContainerStore]:
    """What opens the environment's store in the lake, for whoever is at the desk, by the emulator's clock."""
    true_store = ContainerStore

    def opened(*arguments: Any) -> ContainerStore:
        return true_store(*arguments, clock=desk.emulator.world.clock.now)

    return opened


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A cloud with a container for the store, in an account of its own."""
    with running(with_store(), tmp_path_factory.mktemp("tls") / "ca.pem") as emulator:
        yield emulator


def with_store() -> dict[str, Any]:
    document = seed(**LIVE)
    document["lakes"]["memory"] = {"filesystems": {"reconciler": {}}}
    document["arm"]["storage-accounts"]["memory"] = {}
    document["arm"]["role-assignments"] += [
        {"principal": who, "role": f"Storage Blob Data {role}", "scope": "memory"}
        for who, role in (("sp:reconciler-plan", "Reader"), ("sp:reconciler-apply", "Contributor"))
    ]
    return document


@pytest.fixture
def far(lake: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose store is a container; renewals do not come by themselves within a test."""
    desk = Desk(tmp_path / "policies", lake)
    place = f"{lake.url('lake/memory/dfs')}/reconciler/test"
    set_scene(desk, "groups", store=f"container: {place}", cloud=with_store())
    monkeypatch.setattr(client_container, "RENEW_SECONDS", 3600)
    monkeypatch.setattr(client_container, "ContainerStore", shared(desk))
    return desk
