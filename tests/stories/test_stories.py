"""Every story ends as its folder says, in words and in the state of the emulated cloud.

RECONCILER_GOLDEN=write writes the words anew; the state is asserted all the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.emulator.server import Emulator, running
from tests.cli.desk import seed
from tests.stories.story import STORIES, Story

FOLDERS = sorted(path.parent for path in STORIES.glob("*/story.yaml"))


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running(seed(), tmp_path_factory.mktemp("tls") / "ca.pem") as emulator:
        yield emulator


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_story(folder: Path, cloud: Emulator, tmp_path: Path) -> None:
    told = Story.begin(folder, cloud, tmp_path / "policies").tell()
    expected = folder / "told.txt"
    if os.environ.get("RECONCILER_GOLDEN") == "write":
        expected.write_text(told, "utf-8", newline="\n")
    assert told == expected.read_text("utf-8")
