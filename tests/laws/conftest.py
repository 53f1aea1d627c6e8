"""One emulator for all laws, begun anew for every example."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.emulator.server import Emulator, running
from reconciler.store.folder import FolderStore
from tests.laws.estate import Facts, Policies, seed
from tests.laws.loop import Loop

PROVIDER_OF = {"group": "entra", "entitlements": "databricks", "secret-scope": "databricks", "folder": "adls"}
Begin = Callable[..., Loop]


@pytest.fixture(scope="package")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running(seed({}), tmp_path_factory.mktemp("tls") / "ca.pem") as emulator:
        yield emulator


@pytest.fixture
def begin(cloud: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Begin:
    """`begin(kind, live, wanted)`: an emulator in this state, and a loop that wants those facts."""

    def start(
        kind: str, live: Facts, wanted: Facts, lists: dict[str, str] | None = None, **terms: object
    ) -> Loop:
        cloud.reset(seed(live, lists, assigned=kind == "secret-scope"))
        store = FolderStore(Path(tmp_path_factory.mktemp("store")))
        loop = Loop(cloud, store, frozenset({PROVIDER_OF[kind]}), Policies(()))
        loop.want(wanted, **terms)
        return loop

    return start
