"""The emulator's reference tells the truth: its switches are those that are read, its sample seed loads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from reconciler.emulator import services
from reconciler.emulator.world import World

SWITCH = re.compile(r'"((?:entra|graph|arm)\.[a-z0-9-]+)"')
LISTED = re.compile(r"^\| `((?:entra|graph|arm)\.[a-z0-9-]+)` \|", re.MULTILINE)


@pytest.fixture(scope="module")
def read(root: Path) -> set[str]:
    folder = root / "reconciler" / "emulator"
    files = [path for name in ("entra", "graph", "arm") for path in (folder / name).glob("*.py")]
    assert files
    return {name for path in files for name in SWITCH.findall(path.read_text(encoding="utf-8"))}


def test_the_reference_lists_exactly_the_switches_that_are_read(root: Path, read: set[str]) -> None:
    listed = LISTED.findall((root / "docs" / "reference" / "emulator.md").read_text(encoding="utf-8"))
    assert len(listed) == len(set(listed))
    assert set(listed) == read


def test_the_sample_seed_of_the_directory_loads(root: Path) -> None:
    text = (root / "docs" / "reference" / "emulator.md").read_text(encoding="utf-8")
    samples = re.findall(r"```yaml\n(directory:.*?)```", text, re.DOTALL)
    assert samples
    for sample in samples:
        world = World()
        built = services.build(world)
        services.seed(world, built, yaml.safe_load(sample))
        dumped = services.dump(built)
        assert world.directory.groups and built["arm"].dump()["role-assignments"]
        again = services.build(other := World())
        services.seed(other, again, dumped)
        assert services.dump(again) == dumped
