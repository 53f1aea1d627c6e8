"""One emulator for all tests of the command line, begun anew by whoever needs another state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulator.server import Emulator, running
from tests.cli.desk import ESTATE, Desk, seed

LIVE: dict[str, Any] = {
    "groups": [{"name": "red-ds", "owners": ["user:lea@corp.example"], "members": ["user:ana@corp.example"]}],
    "workspace": {
        "assigned": [{"principal": "group:red-ds", "permissions": ["USER"]}],
        "scopes": [
            {
                "name": "red",
                "acls": {"red-ds": "MANAGE"},
                "secrets": {"token": {"value": "canary-secret-value", "updated": "2026-11-01T08:00:00Z"}},
            }
        ],
    },
    "paths": [
        {"path": "red/2026", "acl": "user::rwx,group::r-x,other::---"},
        {"path": "red/2026/a.csv", "type": "file", "size": 10},
    ],
}
"""What is live before the estate's policies are applied: a missing member, a right too high, no entries."""


@pytest.fixture(scope="package")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running(seed(), tmp_path_factory.mktemp("tls") / "ca.pem") as emulator:
        yield emulator


@pytest.fixture
def desk(cloud: Emulator, tmp_path: Path) -> Desk:
    """A committed small estate and a cloud that has drifted from it."""
    cloud.reset(seed(**LIVE))
    desk = Desk(tmp_path / "policies", cloud)
    desk.lay_out(ESTATE / "platform", ESTATE / "tenant")
    desk.commit("noor")
    return desk
