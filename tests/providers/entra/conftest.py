"""`tenant(…)`: an emulated Entra tenant for one test; all tests share one server, which each finds empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from reconciler.emulator import services as registry
from reconciler.emulator.clock import Clock
from reconciler.emulator.directory import Directory
from reconciler.emulator.faults import Faults
from reconciler.emulator.graph.call import State
from reconciler.emulator.graph.service import GraphService
from reconciler.emulator.log import AccessLog
from reconciler.emulator.server import Emulator, running
from reconciler.emulator.throttle import Throttle
from tests.providers.entra.tenant import APPLIER, PLANNER, READ, WRITE, Tenant, identity

Open = Callable[..., Tenant]


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A server without anything in it: starting and stopping one takes longer than most tests."""
    with running({}, tmp_path_factory.mktemp("entra") / "ca.pem") as emulator:
        yield emulator


def empty(emulator: Emulator) -> None:
    """Forget everything that a test left behind."""
    world = emulator.world
    world.directory, world.clock, world.faults = Directory(), Clock(), Faults()
    world.throttle, world.log = Throttle(), AccessLog()
    world.tokens.clear()
    world.revoked.clear()
    world.switches.clear()
    graph = emulator.services["graph"]
    assert isinstance(graph, GraphService)
    graph.state = State(world)


@pytest.fixture
def tenant(served: Emulator) -> Iterator[Open]:
    """`tenant(users=[…], groups=[…])` is a tenant with them and the reconciler's own identities."""
    with ExitStack() as stack:

        def start(seed: Mapping[str, Any] | None = None, **directory: Any) -> Tenant:
            empty(served)
            known = {
                "service-principals": [identity(PLANNER, READ), identity(APPLIER, WRITE)]
                + directory.pop("service_principals", []),
                **{name.replace("_", "-"): value for name, value in directory.items()},
            }
            registry.seed(served.world, served.services, {"directory": known, **(seed or {})})
            return Tenant(served, stack)

        yield start
