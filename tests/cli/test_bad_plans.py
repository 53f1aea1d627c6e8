"""Plan files that were edited, damaged or made elsewhere, and approvals that fit nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.core.consent import fingerprint
from tests.cli.desk import Desk

USING = (
    ["show", "plan.json"],
    ["approve", "plan.json", "--because", "CHG-1"],
    ["apply", "--plan", "plan.json"],
)
EXPECTED = {"show": 3, "approve": 0, "apply": 3}


@pytest.fixture
def planned(desk: Desk) -> Desk:
    """A desk with a saved plan."""
    assert desk.run("plan", "--out", "plan.json").code == 3
    return desk


def resealed(desk: Desk, **changes: Any) -> None:
    """Change a saved plan as somebody would who knows how its digest is made."""
    document = json.loads((desk.root / "plan.json").read_text("utf-8"))
    document.update(changes)
    document.pop("digest")
    text = json.dumps({**document, "digest": fingerprint(document)})
    (desk.root / "plan.json").write_text(text, "utf-8")


def edited(document: dict[str, Any]) -> dict[str, Any]:
    document["actions"][0]["principal"] = "user:eve@corp.example"
    return document


BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is not JSON"),
    "truncated": (b'{"format": "reconciler/plan/v1", "actions": [', "is not JSON"),
    "binary": (bytes(range(256)) * 40, "is not JSON"),
    "utf-16": ('{"format": "x"}'.encode("utf-16"), "no plan of format"),
    "a list": (b"[]", "no plan of format"),
    "a number": (b"1e999", "no plan of format"),
    "nan": (b"NaN", "no plan of format"),
    "another version": (b'{"format": "reconciler/plan/v2"}', "reconciler/plan/v2"),
    "another tool": (b'{"format_version": "1.2", "terraform_version": "1.9"}', "no plan of format"),
    "deep": (b"[" * 200_000, "is not JSON"),
    "nothing else": (b'{"format": "reconciler/plan/v1"}', "digest does not match"),
    "a key twice": (
        b'{"format": "x", "f\\u006frmat": "reconciler/plan/v1"}',
        "the key 'format' stands twice",
    ),
    "a key twice inside": (b'[{"a": {"b": 1, "c": 2, "b": 1}}]', "the key 'b' stands twice"),
    "a hostile key": (b'{"\\u001b[31m::error::x": 1, "\\u001b[31m::error::x": 2}', "stands twice"),
    "a hostile format": (b'{"format": "\\u001b[31m::error::x"}', "no plan of format"),
}


@pytest.mark.parametrize("arguments", USING)
def test_a_plan_that_says_two_things_is_no_plan(planned: Desk, arguments: list[str]) -> None:
    """The digest is that of one of the two: whoever reads the file may see the other one."""
    path = planned.root / "plan.json"
    text = path.read_text("utf-8")
    assert text.count('\n  "actions": [') == 1
    path.write_text(text.replace('\n  "actions": [', '\n  "actions": [], "actions": ['), "utf-8")
    said = planned.run(*arguments)
    assert said.code == 1
    assert "plan.json: the key 'actions' stands twice in one object" in said.one_line()


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("arguments", USING, ids=lambda each: each[0])
def test_a_broken_file(desk: Desk, arguments: list[str], name: str) -> None:
    content, words = BROKEN[name]
    (desk.root / "plan.json").write_bytes(content)
    said = desk.run(*arguments)
    assert said.code == 1
    assert words in said.one_line()
    assert "plan.json" in said.one_line()
    assert "\x1b" not in said.err


@pytest.mark.parametrize("arguments", USING, ids=lambda each: each[0])
def test_no_such_file(desk: Desk, arguments: list[str]) -> None:
    said = desk.run(*arguments)
    assert said.code == 1
    assert "cannot read plan.json: No such file" in said.one_line()


@pytest.mark.parametrize("arguments", USING, ids=lambda each: each[0])
def test_a_folder_is_no_plan(desk: Desk, arguments: list[str]) -> None:
    (desk.root / "plan.json").mkdir()
    assert "plan.json is no file" in desk.run(*arguments).one_line()


@pytest.mark.parametrize("arguments", USING, ids=lambda each: each[0])
def test_an_edited_plan(planned: Desk, arguments: list[str]) -> None:
    path = planned.root / "plan.json"
    path.write_text(path.read_text("utf-8").replace("user:bo@", "user:eve@"), "utf-8")
    said = planned.run(*arguments)
    assert said.code == 1
    assert "the file was edited" in said.one_line()


@pytest.mark.parametrize("arguments", USING, ids=lambda each: each[0])
def test_an_edited_plan_with_a_new_digest(planned: Desk, arguments: list[str]) -> None:
    document = edited(json.loads((planned.root / "plan.json").read_text("utf-8")))
    resealed(planned, actions=document["actions"])
    said = planned.run(*arguments)
    assert said.code == 1
    assert "is not what its id says" in said.one_line()


@pytest.mark.parametrize("arguments", USING, ids=lambda each: each[0])
def test_a_saved_plan_is_usable(planned: Desk, arguments: list[str]) -> None:
    assert planned.run(*arguments).code == EXPECTED[arguments[0]]


def test_a_large_file_is_not_read(desk: Desk) -> None:
    with (desk.root / "plan.json").open("wb") as file:
        file.truncate((1 << 30) + 1)
    assert "is over 1 GiB" in desk.run("show", "plan.json").one_line()


def test_a_pipe_that_never_ends_is_not_read(desk: Desk) -> None:
    said = desk.run("show", "/dev/zero")
    assert said.code == 1
    assert "/dev/zero is no file" in said.one_line()


def test_apply_with_the_plan_of_another_environment(planned: Desk) -> None:
    text = (planned.root / "policies/environment.yaml").read_text("utf-8")
    planned.write(
        "policies/other.yaml", text.replace("name: test", "name: other").replace("/store", "/other")
    )
    planned.commit("noor")
    said = planned.run("--env", "other", "apply", "--plan", "plan.json")
    assert said.code == 1
    assert said.one_line() == "reconciler: plan.json is a plan for test, not for other"


@pytest.mark.parametrize("environment", ["../../outside", "/tmp/outside", "a/b", ".", ""])
def test_a_plan_names_no_place_to_write_to(planned: Desk, environment: str) -> None:
    resealed(planned, environment=environment, actions=[])
    before = sorted(planned.root.rglob("*"))
    assert planned.run("approve", "plan.json", "--because", "x").code == 1
    assert sorted(planned.root.rglob("*")) == before


def test_a_plan_for_a_tenant_that_is_no_name(planned: Desk) -> None:
    document = json.loads((planned.root / "plan.json").read_text("utf-8"))
    document["actions"][0]["tenant"] = "../../../outside"
    resealed(planned, actions=document["actions"])
    before = sorted(planned.root.parent.rglob("*"))
    said = planned.run("approve", "plan.json", "--because", "x")
    assert said.code == 1
    assert "'../../../outside', which is no name" in said.one_line()
    assert sorted(planned.root.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "ffffffff"], "--only ffffffff fits no action"),
        (["--only", ""], "fits no action"),
        (["--only", "a"], "fits no action"),
        (["--only", "zzzz"], "fits no action"),
        (["--tenant", "blue"], "no actions of tenant 'blue'"),
        (["--override", "removals"], "gives no reason"),
        (["--override", "removals="], "gives no reason"),
        (["--override", "=why"], "gives no reason"),
        (["--override", "removals=because"], "breaks no such rule; it breaks last-manage"),
        (["--expires", "2026-11-22"], "has passed"),
        (["--because", ""], "because"),
        (["--because", "   "], "because"),
        (["--because", "x" * 5000], "because: is longer than"),
        (["--because", "\udcff"], "no valid approval"),
        (["--root", "/proc/nowhere"], "/proc/nowhere"),
    ],
)
def test_an_approval_that_would_count_for_nothing(planned: Desk, arguments: list[str], words: str) -> None:
    said = planned.run("approve", "plan.json", "--because", "CHG-1", *arguments)
    assert said.code == 1
    assert words in said.one_line()
    assert not list(planned.root.rglob("approvals/*"))


def test_an_id_that_fits_several_actions_is_refused(planned: Desk) -> None:
    document = json.loads((planned.root / "plan.json").read_text("utf-8"))
    assert len(document["actions"]) == 4
    said = planned.run("approve", "plan.json", "--because", "x", "--only", document["actions"][0]["id"][:3])
    assert said.code == 1


def test_what_is_approved_is_what_was_chosen(planned: Desk) -> None:
    actions = json.loads((planned.root / "plan.json").read_text("utf-8"))["actions"]
    chosen = actions[1]["id"][:10].upper()
    said = planned.run("approve", "plan.json", "--because", "line one\nline two: 'x' # y", "--only", chosen)
    assert said.code == 0
    written = yaml.safe_load((planned.root / said.out.strip()).read_text("utf-8"))
    assert [(each["verb"], each["who"]) for each in written["actions"]] == [
        (actions[1]["verb"], actions[1]["principal"])
    ]
    assert written["because"] == "line one\nline two: 'x' # y"
    assert planned.run("validate").code == 0


def test_the_same_approval_is_not_written_twice_but_a_new_one_is(planned: Desk) -> None:
    first = planned.run("approve", "plan.json", "--because", "CHG-1")
    again = planned.run("approve", "plan.json", "--because", "CHG-1")
    other = planned.run("approve", "plan.json", "--because", "CHG-2")
    assert (first.code, again.code, other.code) == (0, 1, 0)
    assert "says exactly this already" in again.one_line()
    assert other.out == first.out.replace(".yaml", "-2.yaml")


def test_what_cannot_be_written_is_told(planned: Desk) -> None:
    (planned.root / "tenants.d/red/approvals").write_text("a file in the way")
    said = planned.run("approve", "plan.json", "--because", "x")
    assert said.code == 1
    assert "approvals" in said.one_line()


def test_a_plan_may_be_saved_anywhere_and_read_from_there(desk: Desk, tmp_path: Path) -> None:
    place = tmp_path / "new folder" / "plän.json"
    assert desk.run("plan", "--out", str(place)).code == 3
    # How much a reading took is told when it is made, and is no part of the plan.
    made = re.sub(r", \d+ requests? \(.*\)", "", desk.run("plan").out)
    assert desk.run("show", str(place)).out == made
    said = desk.run("plan", "--out", "/proc/plan.json")
    assert said.code == 1
    assert "cannot write /proc/plan.json" in said.one_line()
