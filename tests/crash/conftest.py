"""One emulator and one runner for all points at which a run is killed; a desk for each set of documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from reconciler.emulator.server import Emulator, running
from tests.cli.desk import Desk, seed
from tests.crash.killing import Runner, runner
from tests.crash.scene import LIVE, begin_anew, set_scene

Sit = Callable[..., Desk]


@pytest.fixture(scope="package")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running(seed(**LIVE), tmp_path_factory.mktemp("tls") / "ca.pem") as emulator:
        yield emulator


@pytest.fixture(scope="package")
def runs() -> Iterator[Runner]:
    """Who runs commands."""
    with runner() as runs:
        yield runs


@pytest.fixture(scope="package")
def desks() -> dict[tuple[str, ...], Desk]:
    """Desks by the documents that lie on them."""
    return {}


@pytest.fixture
def sit(cloud: Emulator, desks: dict[tuple[str, ...], Desk], tmp_path_factory: pytest.TempPathFactory) -> Sit:
    """`sit("groups")`: a desk whose plan of these documents is approved, everything at its beginning."""

    def down(*parts: str) -> Desk:
        if parts not in desks:
            desks[parts] = Desk(tmp_path_factory.mktemp("desk") / "policies", cloud)
            set_scene(desks[parts], *parts)
        begin_anew(desks[parts])
        return desks[parts]

    return down
