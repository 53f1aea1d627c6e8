"""A reading that somebody interrupts, and the same command again, on the wire."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.core.model import Live
from reconciler.emulator.lake.service import LakeService
from reconciler.providers.adls.sweeping import resuming
from reconciler.providers.contract import Checkpoint, Question
from tests.providers.adls.lake import ACCOUNT, TODAY, Lake, folder, lake

FILES = 45_000


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    monkeypatch.setattr(resuming, "KEPT_FROM", 10_000)
    with lake(tmp_path, [{"path": "top"}], traverse="everyone", patience=30) as running:
        service = running.emulator.services["lake"]
        assert isinstance(service, LakeService)
        rows = [(f"top/part-{number:06}", False, "") for number in range(FILES)]
        service.grow(ACCOUNT, "curated", rows)
        running.documents = [folder("curated/top", grants={})]
        yield running


def asked(here: Lake, checkpoint: Checkpoint | None, until: int | None = None) -> Live:
    """Read; somebody presses Ctrl-C after so many paths."""

    def progress(what: str, done: int, total: int) -> None:
        nonlocal until
        if until is not None and done >= until:
            until = None
            os.kill(os.getpid(), signal.SIGINT)

    here.emulator.world.log.clear()
    return here.provider.read(
        Question(
            wanted=here.wanted(),
            directory=here.people,
            as_of=TODAY,
            progress=progress,
            checkpoint=checkpoint,
        )
    )


def test_ctrl_c_leaves_a_checkpoint_and_the_next_reading_goes_on(here: Lake, tmp_path: Path) -> None:
    kept: list[int] = []
    said: list[str] = []
    scans = tmp_path / "scans"
    checkpoint = Checkpoint(folder=scans, now=lambda: datetime.now(UTC), kept=kept.append, warn=said.append)
    with pytest.raises(KeyboardInterrupt):
        asked(here, checkpoint, until=30_000)
    checkpoint.leave()
    assert kept and kept[-1] >= 25_000
    assert len(list(scans.iterdir())) == 1
    live = asked(here, checkpoint)
    (reading,) = live.readings
    assert reading.resumed == kept[-1] and reading.paths == FILES + 1
    assert len(here.requests("comp=list")) <= (FILES - kept[-1]) // 5000 + 4
    assert live == asked(here, None)
    assert live.readings[0].resumed > 0 and said == []
    # Nothing is left but how many there were.
    assert [file.name for file in scans.iterdir()] == ["totals.json"]
    totals: list[int] = []
    here.provider.read(
        Question(
            wanted=here.wanted(),
            directory=here.people,
            as_of=TODAY,
            progress=lambda what, done, total: totals.append(total),
            checkpoint=checkpoint,
        )
    )
    assert set(totals) == {FILES + 1}


def test_a_reading_that_has_to_be_of_now_takes_nothing_from_a_checkpoint(here: Lake, tmp_path: Path) -> None:
    """What is read to verify a write, above all."""
    checkpoint = Checkpoint(folder=tmp_path / "scans", now=lambda: datetime.now(UTC))
    with pytest.raises(KeyboardInterrupt):
        asked(here, checkpoint, until=30_000)
    checkpoint.leave()
    (reading,) = asked(here, None).readings
    assert reading.resumed == 0
    assert len(here.requests("comp=list")) >= FILES // 5000
    assert len(list((tmp_path / "scans").iterdir())) == 1
