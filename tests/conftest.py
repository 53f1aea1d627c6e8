"""What every test starts from: one way of drawing examples, a clean process, and no network but loopback."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.isolation import isolate

ROOT = Path(__file__).resolve().parents[1]

settings.register_profile(
    "default",
    derandomize=True,  # the same commit gives the same verdict
    deadline=None,  # two shared cores are no stopwatch
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "thorough",
    deadline=None,
    max_examples=1000,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# Before collection, so that modules which read the environment while they are imported see the clean one.
isolate()


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository itself; tests read it and write elsewhere."""
    return ROOT


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of exchanges recorded from the real services; the test is skipped where there is none."""
    folder = Path(os.environ.get("RECONCILER_RECORDINGS", ROOT / ".." / "shared" / "recordings")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}; set RECONCILER_RECORDINGS to their folder")
    return folder


@pytest.fixture(scope="session")
def recording(recordings: Path) -> Callable[[str], Path]:
    """`recording("graph/x.json")` is that file; the test is skipped where this one file is absent."""

    def find(name: str) -> Path:
        path = recordings / name
        if not path.exists():
            pytest.skip(f"no recording {name} in {recordings}")
        return path

    return find
