"""Every path behind a plan in a file beside it: asked for before anything is read, written whole or not."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from reconciler.core.plan import Action
from reconciler.providers.adls.provider import Lakes
from reconciler.providers.contract import Keeper, Question
from tests.cli.desk import Desk


class Shelf:
    """A lake provider's memory of paths: what was asked of it, and a file with a line for each action."""

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.fault: OSError | None = None

    def write_paths(self, actions: Sequence[Action], file: Path) -> int:
        assert all(question.keep_paths for question in self.asked)
        file.write_text("".join(f"{action.id}\n" for action in actions))
        if self.fault:
            raise self.fault
        return len(actions)


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """What every lake provider of this test keeps its paths on."""
    shelf = Shelf()
    read = Lakes.read

    def remembered(self: Lakes, question: Question) -> object:
        shelf.asked.append(question)
        return read(self, question)

    def write_paths(self: Lakes, actions: Sequence[Action], file: Path) -> int:
        return shelf.write_paths(actions, file)

    monkeypatch.setattr(Lakes, "read", remembered)
    monkeypatch.setattr(Lakes, "write_paths", write_paths, raising=False)
    return shelf


@pytest.mark.parametrize("command", ["plan", "drift"])
def test_paths_are_written_beside_the_plan(desk: Desk, shelf: Shelf, command: str) -> None:
    out = {"plan": "--out", "drift": "--json"}[command]
    said = desk.run(command, "--paths", "build/paths.parquet", out, "plan.json")
    assert said.code == 3
    actions = json.loads((desk.root / "plan.json").read_text())["actions"]
    assert (desk.root / "build/paths.parquet").read_text().split() == [each["id"] for each in actions]
    assert f"wrote build/paths.parquet: {len(actions)} rows, one for each path of each action" in said.err
    assert desk.run(command).out == said.out, "it is evidence beside the plan, and no part of it"


def test_only_the_paths_of_what_is_shown(desk: Desk, shelf: Shelf) -> None:
    desk.run("plan", "--tenant", "platform", "--paths", "paths.parquet", "--out", "plan.json")
    actions = json.loads((desk.root / "plan.json").read_text())["actions"]
    assert {each["tenant"] for each in actions} <= {"platform"}
    assert (desk.root / "paths.parquet").read_text().split() == [each["id"] for each in actions]


def test_nobody_keeps_paths_unasked(desk: Desk, shelf: Shelf) -> None:
    assert desk.run("plan").err == ""
    assert [question.keep_paths for question in shelf.asked] == [False]


def test_a_full_disk_keeps_nobody_from_the_plan(desk: Desk, shelf: Shelf) -> None:
    (desk.root / "paths.parquet").write_text("of yesterday")
    shelf.fault = OSError(28, "No space left on device")
    said = desk.run("plan", "--paths", "paths.parquet")
    assert said.code == 1
    assert said.out.startswith("Plan for test")
    assert said.one_line() == "reconciler: cannot write paths.parquet: No space left on device"
    assert (desk.root / "paths.parquet").read_text() == "of yesterday"
    assert not list(desk.root.glob("*.part"))


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("policies", "cannot write policies: it is a folder"),
        ("plan.json/x.parquet", "cannot write plan.json/x.parquet: plan.json is no folder"),
    ],
)
def test_a_file_that_cannot_be_written_is_said_before_anything_is_asked(
    desk: Desk, shelf: Shelf, file: str, told: str
) -> None:
    (desk.root / "plan.json").write_text("{}")
    asked = len(desk.emulator.world.log.entries)
    said = desk.run("plan", "--paths", file)
    assert (said.code, said.one_line()) == (1, f"reconciler: {told}")
    assert len(desk.emulator.world.log.entries) == asked


def test_a_missing_extra_is_said_before_anything_is_asked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    asked = len(desk.emulator.world.log.entries)
    said = desk.run("drift", "--paths", "paths.parquet")
    assert said.code == 1
    assert (
        said.one_line() == "reconciler: --paths writes Parquet, which needs pyarrow: install reconciler[lake]"
    )
    assert len(desk.emulator.world.log.entries) == asked


def test_policies_without_a_lake_have_no_paths(desk: Desk, shelf: Shelf) -> None:
    path = desk.root / "tenants.d/red/access.yaml"
    documents = path.read_text("utf-8").split("---\n")
    desk.write("tenants.d/red/access.yaml", "---\n".join(d for d in documents if "lake-folder" not in d))
    said = desk.run("plan", "--paths", "paths.parquet")
    assert said.err == "no lake was read, so paths.parquet is not written\n"
    assert not (desk.root / "paths.parquet").exists()


def test_a_lake_keeps_its_checkpoints_below_the_root_and_by_environment(desk: Desk, shelf: Shelf) -> None:
    assert desk.run("plan").err == ""
    assert desk.run("drift", "--fresh").err == ""
    first, second = (question.checkpoint for question in shelf.asked)
    assert first is not None
    assert second is not None
    assert first.folder == Path(".reconciler/scans/test"), "from where the command runs, which is the root"
    assert first.now() == desk.now()
    assert (first.fresh, second.fresh) == (False, True)


def test_an_apply_takes_nothing_from_a_checkpoint(desk: Desk, shelf: Shelf) -> None:
    desk.run("plan", "--out", "plan.json")
    desk.run("approve", "plan.json", "--because", "x", "--expires", "2099-01-01")
    desk.commit("lea")
    shelf.asked.clear()
    desk.run("apply")
    first, *later = [question.checkpoint for question in shelf.asked]
    assert first is not None and first.fresh, "it begins anew, and may go by an inventory"
    assert set(later) <= {None}, "what was written is looked at itself"


def test_a_shelf_is_what_the_contract_says() -> None:
    assert isinstance(Shelf(), Keeper)
