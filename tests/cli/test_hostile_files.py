"""Files between two runs that somebody edited, moved or left do not count, and say nothing that steers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.consent import fingerprint
from tests.cli.desk import Desk
from tests.cli.facts import held
from tests.cli.hostile import EVERYWHERE, EVIL, lively, steered


def resealed(document: dict[str, Any]) -> str:
    content = {key: value for key, value in document.items() if key != "digest"}
    return json.dumps({**content, "digest": fingerprint(content)})


def test_a_saved_plan_that_says_hostile_things(desk: Desk) -> None:
    """Whoever can write the file can make its digest; what is shown of it steers nothing all the same."""
    desk.run("plan", "--out", "out/plan.json")
    document = json.loads((desk.root / "out/plan.json").read_text("utf-8"))
    document["problems"] = [EVERYWHERE, "x:1:1: " + EVERYWHERE]
    document["unpinned"] = [f"user:{EVERYWHERE}"]
    document["revision"] = EVERYWHERE
    gap = dict.fromkeys(("reason", "status", "accepted"), EVERYWHERE)
    document["gaps"] = [{"address": f"entra/corp/group/{EVERYWHERE}", **gap}]
    document["violations"] = [{"rule": EVERYWHERE, "tenant": EVERYWHERE, "text": EVERYWHERE, "actions": [],
                               "overridable": True}]  # fmt: skip
    (desk.root / "out/plan.json").write_text(resealed(document))
    said = [desk.run("show", "out/plan.json", "--format", form) for form in ("text", "markdown", "json")]
    said.append(desk.run("approve", "out/plan.json", "--because", "x", "--override", f"{EVIL['lines']}=y"))
    assert steered(*said) == []
    assert lively(said[1].out) == []


def test_a_plan_of_a_hostile_environment(desk: Desk) -> None:
    desk.run("plan", "--out", "out/plan.json")
    document = json.loads((desk.root / "out/plan.json").read_text("utf-8"))
    for name, evil in EVIL.items():
        (desk.root / "out/plan.json").write_text(resealed({**document, "environment": evil, "actions": []}))
        said = [desk.run("show", "out/plan.json"), desk.run("show", "out/plan.json", "--format", "markdown"),
                desk.run("apply", "--plan", "out/plan.json")]  # fmt: skip
        assert said[2].code == 1 and "is a plan for" in said[2].err, name
        assert steered(*said) == []
        assert lively(said[1].out) == []


@pytest.fixture
def approved(desk: Desk) -> Desk:
    """A desk with a committed approval of everything, and nothing applied."""
    desk.run("plan", "--out", "plan.json")
    desk.run("approve", "plan.json", "--because", "CHG-1")
    desk.commit("lea")
    return desk


def approval(desk: Desk) -> Path:
    (path,) = (desk.root / "tenants.d/red/approvals").glob("*.yaml")
    return path


def other_environment(desk: Desk) -> None:
    text = (desk.root / "policies/environment.yaml").read_text("utf-8")
    desk.write("policies/other.yaml", text.replace("name: test", "name: other"))
    tenant = (desk.root / "tenants.d/red/tenant.yaml").read_text("utf-8")
    desk.write("tenants.d/red/tenant.yaml", tenant.replace("[test]", "[test, other]"))
    desk.commit("noor")


def test_an_approval_is_of_one_environment(approved: Desk) -> None:
    other_environment(approved)
    before = held(approved.emulator)
    said = approved.run("--env", "other", "apply")
    assert said.code == 3
    assert held(approved.emulator) == before
    assert approved.run("--env", "test", "apply").code == 3
    assert held(approved.emulator) != before


def test_an_approval_that_somebody_else_moves_to_another_environment(approved: Desk) -> None:
    """Its ids are those of the words in it, so they fit; who put them there is not entitled."""
    other_environment(approved)
    path = approval(approved)
    text = path.read_text("utf-8").replace("environment: test", "environment: other")
    path.write_text(text)
    approved.commit("eve")
    before = held(approved.emulator)
    said = approved.run("--env", "other", "apply")
    assert said.code == 3
    assert held(approved.emulator) == before


EDITS: dict[str, tuple[str, str, str]] = {
    "an unknown key": ("because:", "approved-by: lea\nbecause:", "unknown key"),
    "an id that was typed": ("- verb:", "- id: " + "0" * 64 + "\n  verb:", "unknown key"),
    "a huge number": ("expires:", "expires: 1e999\nx:", "is not a date"),
    "not a number": ("expires:", "expires: .nan\nx:", "is not a date"),
    "a day that never comes": ("expires:", "expires: 99999-01-01\nx:", "is not a date"),
    "another kind": ("kind: approval", "kind: group", "belongs into"),
    "no actions": ("actions:\n", "actions: []\nx:\n", "may not be empty"),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_approval_edited_by_hand(approved: Desk, name: str) -> None:
    old, new, words = EDITS[name]
    path = approval(approved)
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1))
    approved.commit("lea")
    before = held(approved.emulator)
    said = [approved.run("validate"), approved.run("apply")]
    assert words in said[0].everything
    assert said[0].code == 1 and said[1].code in (1, 3)
    assert held(approved.emulator) == before, "it does not count"
    assert steered(*said) == []


def test_an_approval_may_spell_what_it_has_to_take_away_in_escapes(approved: Desk) -> None:
    path = approval(approved)
    path.write_text(path.read_text("utf-8").replace("CHG-1", '"\\x1b[31m\\n::error::x [x](https://x)"'))
    approved.commit("lea")
    said = [approved.run("validate"), approved.run("apply", "--markdown", "out/apply.md")]
    assert [each.code for each in said] == [0, 3]
    assert steered(*said) == []
    assert lively((approved.root / "out/apply.md").read_text("utf-8")) == []


def test_an_action_that_is_approved_twice_is_sent_once(approved: Desk) -> None:
    path = approval(approved)
    text = path.read_text("utf-8")
    head, mark, actions = text.partition("actions:\n")
    path.write_text(f"{head}{mark}{actions}{actions}")
    approved.commit("lea")
    assert approved.run("apply").code == 3
    lines = [json.loads(line) for file in (approved.root / ".reconciler/store").rglob("*.jsonl")
             for line in file.read_text("utf-8").splitlines()]  # fmt: skip
    announced = [line["action"]["id"] for line in lines if line["event"] == "announced"]
    assert len(announced) == len(set(announced)) > 0


def test_hostile_names_in_the_store(approved: Desk) -> None:
    folder = approved.root / ".reconciler/store/test/journal"
    folder.mkdir(parents=True)
    (folder / "\x1b[31m\n::error::x.jsonl").write_text("{}\n{}\n")
    before = held(approved.emulator)
    said = [approved.run("plan"), approved.run("apply")]
    assert [each.code for each in said] == [1, 1]
    assert "not a journal line" in said[0].err
    assert steered(*said) == []
    assert held(approved.emulator) == before


TAMPERED: dict[str, tuple[bytes, bytes]] = {
    "an announced action of other words": (b'"role":"access"', b'"role":"default"'),
    "a hostile reason": (b'"event":"announced"', b'"event":"\\u001b[31m\\n::error::x"'),
    "a hostile environment": (b'"environment":"test"', b'"environment":"\\u001b[31m\\n::error::x"'),
    "a hostile time": (b'"at":"2026', b'"at":"\\u202e::error::2026'),
    "NULs within": (b'"v":1', b"\0\0\0\0"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_journal_that_was_tampered_with(approved: Desk, name: str) -> None:
    assert approved.run("apply").code == 3
    (path,) = (approved.root / ".reconciler/store/test/journal").glob("*.jsonl")
    old, new = TAMPERED[name]
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    before = held(approved.emulator)
    said = [approved.run("plan"), approved.run("drift"), approved.run("apply")]
    assert [each.code for each in said] == [1, 1, 1]
    assert all(".jsonl" in each.err for each in said)
    assert steered(*said) == []
    assert held(approved.emulator) == before


@pytest.mark.parametrize("tail", [b"\0" * 4_096, b'{"v":1,"event":"sett', b'{"v":1,\0\0\0\0\0'])
def test_what_a_crash_leaves_at_the_end_of_a_journal_is_no_line(approved: Desk, tail: bytes) -> None:
    assert approved.run("apply").code == 3
    (path,) = (approved.root / ".reconciler/store/test/journal").glob("*.jsonl")
    path.write_bytes(path.read_bytes() + tail)
    assert approved.run("plan").code in (0, 2, 3)


def test_a_hostile_holder_of_the_lock(approved: Desk) -> None:
    from reconciler.store.folder import FolderStore

    folder = approved.root / ".reconciler/store/test"
    with FolderStore(folder).lock(EVERYWHERE.replace("\x00", "")):
        said = approved.run("apply")
    assert said.code == 1 and "is applying" in said.err
    assert steered(said) == []


def test_checkpoints_of_somebody_else(desk: Desk) -> None:
    """Whatever lies in the folder of checkpoints: the lake is read, and a plan is the same."""
    plain = desk.run("plan")
    folder = desk.root / ".reconciler/scans/test"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("totals.json", "lake%2Fdata-0123456789ab.json", f"{EVIL['escape'].replace('/', '')}-x.json"):
        (folder / name).write_bytes(b"[" * 100_000)
    (folder / "loop-x.json").symlink_to("loop-x.json")
    said = desk.run("plan")
    assert (said.code, said.out) == (plain.code, plain.out)
    assert steered(said) == []


@pytest.mark.parametrize(
    "summary", [b"[" * 100_000, b'{"format": "\\u001b[31m\\n::error::x"}', b"\xff\xfe", b"{}", b"null"]
)
def test_a_judged_folder_of_somebody_else(desk: Desk, summary: bytes) -> None:
    place = desk.root / "judged"
    place.mkdir()
    for name in ("summary.json", "ground.json"):
        (place / name).write_bytes(summary)
    said = [desk.run("plan", "--judged", "lake/data=judged"),
            desk.run("plan", "--judged", "lake/data=judged", "--format", "markdown")]  # fmt: skip
    assert [each.code for each in said] == [4, 4]
    assert steered(*said) == []
    assert lively(said[1].out) == []
