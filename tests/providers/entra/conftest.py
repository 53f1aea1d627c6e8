"""`tenant(…)`: an emulated Entra tenant for one test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulator.server import running
from tests.providers.entra.tenant import APPLIER, PLANNER, READ, WRITE, Tenant, identity

Open = Callable[..., Tenant]


@pytest.fixture
def tenant(tmp_path: Path) -> Iterator[Open]:
    """`tenant(users=[…], groups=[…])` starts an emulator with them and the reconciler's own identities."""
    with ExitStack() as stack:

        def start(seed: Mapping[str, Any] | None = None, **directory: Any) -> Tenant:
            known = {
                "service-principals": [identity(PLANNER, READ), identity(APPLIER, WRITE)]
                + directory.pop("service_principals", []),
                **{name.replace("_", "-"): value for name, value in directory.items()},
            }
            document = {"directory": known, **(seed or {})}
            return Tenant(stack.enter_context(running(document, tmp_path / "ca.pem")), stack)

        yield start
