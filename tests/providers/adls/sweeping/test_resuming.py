"""An interrupted reading goes on where it was: nothing twice, nothing forgotten, and no file is trusted."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.providers.adls.ground import Plots, Tally
from reconciler.providers.adls.sweeping import resuming
from reconciler.providers.adls.sweeping.asking import Lanes
from reconciler.providers.adls.sweeping.resuming import Keeping, Scans, question_of
from reconciler.providers.adls.sweeping.sweep import Reading, Sweep
from reconciler.providers.contract import Checkpoint
from tests.emulator.lake.harness import Lake
from tests.providers.adls.direct import CONTAINER, Direct, grown, reader_of, small_pages, tract
from tests.providers.adls.sweeping.test_region import SERVICES, SHAPES, tree

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def pages() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        small_pages(patch)
        patch.setattr(resuming, "KEPT_FROM", 0)
        yield


@dataclass
class Shelf:
    """A folder for checkpoints, with a clock that is moved by hand, and what was said about them."""

    folder: Path
    now: datetime = NOON
    said: list[str] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    tick: timedelta = timedelta(0)
    """How much later it is whenever somebody looks."""

    def look(self) -> datetime:
        self.now += self.tick
        return self.now

    def checkpoint(self, **more: Any) -> Checkpoint:
        return Checkpoint(
            folder=self.folder, now=self.look, kept=self.kept.append, warn=self.said.append, **more
        )

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.json"))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "scans" / "prod")


def keeper(shelf: Shelf, plots: Plots, written: datetime | None = None, **more: Any) -> Keeping:
    asked = question_of(plots, frozenset(), frozenset(), "https://blob/curated")
    checkpoint = shelf.checkpoint(**more)
    made = Keeping(checkpoint=checkpoint, name="datalake/curated", question=asked, written=written)
    made.load()
    return made


def read(
    reader: Direct, plots: Plots, kept: Keeping, until: int | None = None, crash: bool = False
) -> Reading | None:
    """Read; after so many more requests it is interrupted, or the process is killed, and comes to nothing."""
    work = Sweep(
        reader=reader, container=CONTAINER, plots=plots, make=lambda tract: Tally(tract.spots), split=True,
        lanes=Lanes(), keeping=kept,
    )  # fmt: skip

    async def run() -> Reading | None:
        task = asyncio.ensure_future(work.run())
        if until is not None:
            reader.changes[len(reader.asked) + until] = lambda lake: task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            if not crash:
                kept.write()
            return None

    return asyncio.run(run())


def counted(reading: Reading) -> dict[str, Any]:
    """Everything that a reading comes to."""
    sinks = {path: sink for path, sink in reading.sinks.items() if isinstance(sink, Tally)}
    tallies = {path: (list(tally.counts.items()), tally.samples) for path, tally in sinks.items()}
    return {
        "tallies": tallies,
        "lists": reading.lists,
        "unread": reading.unread,
        "siblings": reading.siblings,
    }


def alone(lake: Lake, plots: Plots) -> dict[str, Any]:
    with TemporaryDirectory() as name:
        found = read(reader_of(lake), plots, keeper(Shelf(Path(name)), plots))
    assert found is not None
    return counted(found)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    seed=st.integers(0, 10**9),
    size=st.integers(20, 250),
    service=st.sampled_from([*SERVICES[:4], {"list_blobs_permissions": "refused"}]),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=3),
    crash=st.booleans(),
)
def test_interrupted_anywhere_it_comes_to_the_same(
    seed: int, size: int, service: dict[str, str], cuts: list[int], crash: bool
) -> None:
    paths = tree(seed, size)
    lake = grown(paths.items(), **service)
    chance = random.Random(seed)
    inner = [path for path, directory in paths.items() if directory and path != "top"]
    chosen = {"top", *chance.sample(inner, min(len(inner), chance.choice([0, 5])))}
    if chance.random() < 0.5:
        chosen.discard("top")
    plots = {path: tract(path) for path in sorted(chosen)}
    expected = alone(lake, plots)
    with TemporaryDirectory() as name:
        # Where the process may be killed, it has to write of its own accord: here after every page.
        shelf = Shelf(Path(name), tick=timedelta(seconds=11) if crash else timedelta(0))
        for cut in cuts:
            found = read(reader_of(lake, seed=seed), plots, keeper(shelf, plots), cut, crash)
            if found is not None:
                break
        else:
            found = read(reader_of(lake, seed=seed), plots, keeper(shelf, plots))
        assert found is not None
        assert counted(found) == expected
        assert shelf.said == []
        assert found.counts.resumed <= found.counts.paths
        assert (
            found.counts.paths
            == sum(count for counts, _ in expected["tallies"].values() for _, count in counts)
            or "top" not in chosen
        )


@pytest.mark.parametrize("service", [{}, {"list_blobs_start_from": "refused"}], ids=["on", "refused"])
@pytest.mark.parametrize("shape", ["one flat directory", "files, then directories"])
def test_what_was_read_is_not_read_again(shelf: Shelf, shape: str, service: dict[str, str]) -> None:
    lake = grown(SHAPES[shape].items(), **service)
    plots = {"top": tract("top")}
    whole = reader_of(lake)
    first = read(whole, plots, keeper(Shelf(shelf.folder / "other"), plots))
    assert first is not None
    reader = reader_of(lake)
    assert read(reader, plots, keeper(shelf, plots), until=2 * len(whole.asked) // 3) is None
    before = reader.count("comp=list")
    kept = keeper(shelf, plots)
    again = reader_of(lake)
    found = read(again, plots, kept)
    assert found is not None and counted(found) == counted(first)
    # Pages that were on their way when it was interrupted are asked for again.
    assert before + again.count("comp=list") <= whole.count("comp=list") + 2 * 8
    assert again.count("comp=list") < whole.count("comp=list") / 2
    assert found.counts.paths / 2 < found.counts.resumed < found.counts.paths
    assert (shelf.said, len(shelf.files)) == ([], 1)


def interrupted(shelf: Shelf, lake: Lake, plots: Plots) -> Path:
    """The file that an interrupted reading left."""
    assert read(reader_of(lake), plots, keeper(shelf, plots), until=40) is None
    (file,) = shelf.files
    return file


def resumed(shelf: Shelf, lake: Lake, plots: Plots, **more: Any) -> int:
    """Paths that a reading had not to read; what it comes to is right in any case."""
    found = read(reader_of(lake), plots, keeper(shelf, plots, **more))
    assert found is not None
    assert counted(found) == alone(lake, plots)
    return found.counts.resumed


LAKE = grown(SHAPES["skewed"].items())
TOP: Plots = {"top": tract("top")}


def test_an_old_checkpoint_is_not_used(shelf: Shelf) -> None:
    interrupted(shelf, LAKE, TOP)
    shelf.now += timedelta(hours=5, minutes=59)
    assert resumed(shelf, LAKE, TOP) > 0
    interrupted(Shelf(shelf.folder, now=NOON), LAKE, TOP)
    shelf.now = NOON + timedelta(hours=6, minutes=1)
    assert resumed(shelf, LAKE, TOP) == 0
    assert "begun 6.0 h ago, which is too long" in shelf.said[-1]
    assert "datalake/curated is read from the beginning" in shelf.said[-1]


def test_its_age_is_that_of_its_oldest_part(shelf: Shelf) -> None:
    interrupted(shelf, LAKE, TOP)
    shelf.now += timedelta(hours=4)
    assert read(reader_of(LAKE), TOP, keeper(shelf, TOP), until=10) is None
    shelf.now += timedelta(hours=4)
    assert resumed(shelf, LAKE, TOP) == 0


def test_a_checkpoint_of_the_future_is_not_used(shelf: Shelf) -> None:
    interrupted(shelf, LAKE, TOP)
    shelf.now -= timedelta(hours=1)
    assert resumed(shelf, LAKE, TOP) == 0


def test_what_was_read_before_the_reconciler_wrote_is_not_used(shelf: Shelf) -> None:
    interrupted(shelf, LAKE, TOP)
    assert resumed(shelf, LAKE, TOP, written=NOON - timedelta(seconds=1)) > 0
    interrupted(shelf, LAKE, TOP)
    assert resumed(shelf, LAKE, TOP, written=NOON) == 0
    assert "may be from before the last apply" in shelf.said[-1]


def test_another_question_is_read_anew_and_leaves_the_checkpoint_alone(shelf: Shelf) -> None:
    interrupted(shelf, LAKE, TOP)
    assert resumed(shelf, LAKE, {"top": tract("top"), "top/big": tract("top/big")}) == 0
    assert resumed(shelf, LAKE, TOP) > 0
    assert shelf.said == []


def test_whoever_wants_it_fresh_gets_it_fresh(shelf: Shelf) -> None:
    file = interrupted(shelf, LAKE, TOP)
    assert resumed(shelf, LAKE, TOP, fresh=True) == 0
    assert file.exists() is False or shelf.said == []


Spoil = Callable[[dict[str, Any]], object]
SPOILT: dict[str, Spoil] = {
    "another format": lambda state: state.update(format="reconciler/scan/v2"),
    "another question": lambda state: state.update(question="0" * 64),
    "no time": lambda state: state.update(begun="yesterday"),
    "a time without zone": lambda state: state.update(begun="2026-11-23T12:00:00"),
    "an unknown key": lambda state: state.update(more=1),
    "a text too few": lambda state: state.update(texts=state["texts"][:1]),
    "a text twice": lambda state: state.update(texts=[state["texts"][0]] * 3),
    "a folder nobody asked for": lambda state: catch(state)["sinks"].update(other=rows(state)),
    "a spot nobody asked for": lambda state: rows(state)[0].__setitem__(2, "top/x"),
    "a sample from elsewhere": lambda state: rows(state)[0].__setitem__(5, ["elsewhere/x"] * 3),
    "a negative count": lambda state: rows(state)[0].__setitem__(4, -5),
    "a count of nothing": lambda state: rows(state)[0].__setitem__(4, 0),
    "a count that is text": lambda state: rows(state)[0].__setitem__(4, "9"),
    "a sort of paths twice": lambda state: rows(state).append(rows(state)[0]),
    "a stretch from elsewhere": lambda state: stretches(state)[0].update(prefix="elsewhere/"),
    "a stretch after none": lambda state: stretches(state)[0].update(next=99),
    "a stretch after itself": lambda state: stretches(state)[0].update(next=0, end="top/z"),
    "lists nobody asked for": lambda state: catch(state)["lists"].update(x=0),
    "a region of another sort": lambda state: region(state).update(kind="walk"),
    "no stretches": lambda state: region(state).update(stretches=[]),
}


def region(state: dict[str, Any]) -> Any:
    return state["regions"]["list top"]


def stretches(state: dict[str, Any]) -> Any:
    return region(state)["stretches"]


def catch(state: dict[str, Any]) -> Any:
    return next(each["catch"] for each in stretches(state) if each["catch"]["sinks"])


def rows(state: dict[str, Any]) -> Any:
    return catch(state)["sinks"]["top"]


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_file_that_is_not_as_it_was_written_is_not_used(shelf: Shelf, spoil: Spoil) -> None:
    file = interrupted(shelf, LAKE, TOP)
    state = json.loads(file.read_text("utf-8"))
    spoil(state)
    file.write_text(json.dumps(state), "utf-8")
    assert resumed(shelf, LAKE, TOP) == 0
    assert len(shelf.said) == 1 and str(file) in shelf.said[0]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b"\x80\x04K\x01."])
def test_a_file_that_is_anything_else_is_not_used(shelf: Shelf, body: bytes) -> None:
    file = interrupted(shelf, LAKE, TOP)
    file.write_bytes(body)
    assert resumed(shelf, LAKE, TOP) == 0
    assert len(shelf.said) == 1


def test_a_file_cut_anywhere_is_not_used(shelf: Shelf) -> None:
    file = interrupted(shelf, LAKE, TOP)
    body = file.read_bytes()
    for at in range(0, len(body), max(1, len(body) // 10)):
        file.write_bytes(body[:at])
        assert resumed(shelf, LAKE, TOP) == 0


def test_a_marker_that_the_service_forgot_costs_its_stretch_alone(shelf: Shelf) -> None:
    file = interrupted(shelf, LAKE, TOP)
    state = json.loads(file.read_text("utf-8"))
    forgotten = next(each for each in stretches(state) if each["marker"] and each["paths"])
    forgotten["marker"] = "2!4!AAAA"
    file.write_text(json.dumps(state), "utf-8")
    assert 0 < resumed(shelf, LAKE, TOP) == region(state)["paths"] - forgotten["paths"]
    assert shelf.said == []


def test_a_folder_that_cannot_be_written_stops_nothing(shelf: Shelf) -> None:
    shelf.folder.parent.mkdir(parents=True)
    shelf.folder.write_text("a file", "utf-8")
    shelf.tick = timedelta(seconds=11)
    assert resumed(shelf, LAKE, TOP) == 0
    assert len([said for said in shelf.said if "cannot be kept" in said]) == 1


def test_small_lakes_leave_no_file(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "KEPT_FROM", 10_000)
    shelf.tick = timedelta(seconds=11)
    assert read(reader_of(LAKE), TOP, keeper(shelf, TOP), until=40) is None
    assert shelf.files == [] and shelf.kept == []


def test_writing_is_rare_and_takes_a_twentieth_of_the_time(shelf: Shelf) -> None:
    """Here every look at the clock takes a second: a writing takes one, and none follows for twenty."""
    shelf.tick = timedelta(seconds=1)
    kept = keeper(shelf, TOP)
    written: list[datetime] = []
    object.__setattr__(kept.checkpoint, "kept", lambda paths: written.append(shelf.now))
    kept.told = lambda: written.append(shelf.now)
    assert read(reader_of(LAKE), TOP, kept) is not None
    assert len(written) > 3
    assert all(later - now >= timedelta(seconds=20) for now, later in zip(written, written[1:], strict=False))


def test_how_many_there_were_tells_how_far_it_is_the_next_time(shelf: Shelf) -> None:
    told: list[tuple[int, int]] = []

    def scans() -> Scans:
        return Scans(checkpoint=shelf.checkpoint(), progress=lambda done, total: told.append((done, total)))

    first = scans()
    kept = first.keeping("datalake/curated", "a" * 64)
    assert kept is not None
    first.count(70_000)
    first.complete({"a" * 64: 70_000})
    assert told == [(70_000, 0)]
    second = scans()
    second.keeping("datalake/curated", "a" * 64)
    second.count(5_000)
    assert told[-1] == (5_000, 70_000)
    second.keeping("datalake/raw", "b" * 64)
    second.count(5_000)
    assert told[-1] == (10_000, 0)


def test_what_nobody_came_back_for_is_cleared_away(shelf: Shelf) -> None:
    file = interrupted(shelf, LAKE, TOP)
    shelf.now = datetime.fromtimestamp(file.stat().st_mtime, UTC) + timedelta(hours=7)
    Scans(checkpoint=shelf.checkpoint(), progress=lambda done, total: None)
    assert shelf.files == []
