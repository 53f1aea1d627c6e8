"""The environment's memory is damaged, locked or somebody else's: one line, and nothing is sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.store.folder import FolderStore
from tests.cli.desk import Desk
from tests.cli.facts import held

STORE = ".reconciler/store/test"


@pytest.fixture
def approved(desk: Desk) -> Desk:
    """A desk whose plan was approved and committed, after one apply that left a journal."""
    desk.run("plan", "--out", "plan.json")
    actions = json.loads((desk.root / "plan.json").read_text("utf-8"))["actions"]
    member = next(each["id"] for each in actions if each["role"] == "member")
    desk.run("approve", "plan.json", "--because", "one", "--only", member)
    desk.commit("lea")
    assert desk.run("apply").code == 0
    desk.run("plan", "--out", "plan.json")
    desk.run("approve", "plan.json", "--because", "the rest")
    desk.commit("lea")
    return desk


def journal(desk: Desk) -> Path:
    (path,) = (desk.root / STORE / "journal").glob("*.jsonl")
    return path


def cut(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0][:40] + b"\n" + b"".join(lines[1:]))


def change(old: bytes, new: bytes) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        content = path.read_bytes()
        assert old in content
        path.write_bytes(content.replace(old, new))

    return edit


def settle_first(path: Path) -> None:
    path.write_bytes(b"".join(reversed(path.read_bytes().splitlines(keepends=True))))


def announce_anew(path: Path) -> None:
    """Another file has the same run announce the same action on another approval."""
    first = json.loads(path.read_bytes().splitlines()[0])
    other = {**first, "approval": "0" * 64, "file": "tenants.d/red/approvals/other.yaml"}
    path.with_name("0.jsonl").write_text(json.dumps(other) + "\n", "utf-8")


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a cut line": cut,
    "binary": lambda path: path.write_bytes(bytes(range(256)) + b"\n" + path.read_bytes()),
    "another version": change(b'"v":1', b'"v":2'),
    "a list": lambda path: path.write_bytes(b"[]\n" + path.read_bytes()),
    "null": lambda path: path.write_bytes(b"null\n" + path.read_bytes()),
    "a bare version": lambda path: path.write_bytes(b'{"v":1}\n' + path.read_bytes()),
    "an unknown event": change(b'"event":"settled"', b'"event":"forgotten"'),
    "an unknown status": change(b'"status":"verified"', b'"status":"fine"'),
    "no time": change(b'"at":"2026', b'"at":"twenty-six'),
    "a time without a zone": change(b"+00:00", b""),
    "no action": change(b'"action":{', b'"deed":{'),
    "an action that is none": change(b'"action":{', b'"action":7,"deed":{'),
    "an address that is none": change(b'"address":"entra/corp/group/red-ds"', b'"address":"entra"'),
    "another environment": change(b'"environment":"test"', b'"environment":"prod"'),
    "an end of what nobody announced": change(b'"of":"2026', b'"of":"1926'),
    "an end before its announcement": settle_first,
    "an announcement in other words": announce_anew,
    "deep": lambda path: path.write_bytes(b"[" * 100_000 + b"\n" + path.read_bytes()),
    "a folder in its place": become_a_folder,
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_journal(approved: Desk, name: str) -> None:
    DAMAGE[name](journal(approved))
    before = held(approved.emulator)
    for command in ("plan", "drift", "apply"):
        said = approved.run(command)
        assert said.code == 1, said.everything
        assert ".jsonl" in said.one_line()
    assert held(approved.emulator) == before


@pytest.mark.parametrize("name", ["0.jsonl", "9.jsonl"])
@pytest.mark.parametrize("status", ["failed", "refused", "deferred"])
def test_another_file_does_not_bring_back_what_was_spent(approved: Desk, status: str, name: str) -> None:
    """Somebody removes by hand what was granted, and a line says that it was never sent."""
    path = journal(approved)
    end = json.loads(path.read_bytes().splitlines()[-1])
    assert (end["event"], end["status"]) == ("settled", "verified")
    approved.advance(timedelta(hours=1))
    directory = approved.emulator.world.directory
    (group,) = directory.by_group_name("red-ds")
    (granted,) = held(approved.emulator)["group red-ds"]["members"][1:]
    directory.unlink(group.id, "members", directory.resolve(f"{granted}@corp.example"))
    planted = {**end, "run": "later", "status": status, "at": approved.now().isoformat()}
    path.with_name(name).write_text(json.dumps(planted) + "\n", "utf-8")
    said = approved.run("apply")
    assert "is spent: this was sent before" in said.out
    assert held(approved.emulator)["group red-ds"]["members"] == ["user:ana"]


def test_a_torn_last_line_was_never_sent(approved: Desk) -> None:
    path = journal(approved)
    path.write_bytes(path.read_bytes() + b'{"v":1,"event":"annou')
    assert approved.run("plan").code == 3
    assert approved.run("apply").code == 3


def test_a_note_beside_the_journal_is_no_journal(approved: Desk) -> None:
    (approved.root / STORE / "README.md").write_text("mind the gap")
    (approved.root / STORE / "journal/backup.jsonl~").write_text("not a journal")
    assert approved.run("plan").code == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_may_not_be_written(approved: Desk) -> None:
    place = approved.root / STORE
    (place / "journal").chmod(0o500)
    try:
        said = approved.run("apply")
    finally:
        (place / "journal").chmod(0o700)
    assert said.code == 1
    assert "Permission denied" in said.one_line()


@pytest.mark.parametrize("part", [".reconciler/store", STORE, f"{STORE}/journal"])
def test_a_file_where_the_store_should_be(desk: Desk, part: str) -> None:
    desk.run("plan", "--out", "plan.json")
    desk.run("approve", "plan.json", "--because", "x")
    desk.commit("lea")
    place = desk.root / part
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("in the way")
    before = held(desk.emulator)
    said = desk.run("apply")
    assert said.code == 1
    assert part in said.one_line()
    assert held(desk.emulator) == before


def test_a_store_on_a_disk_that_is_full(desk: Desk) -> None:
    """/dev/full takes nothing, as a full disk does."""
    desk.run("plan", "--out", "plan.json")
    desk.run("approve", "plan.json", "--because", "x")
    desk.commit("lea")
    before = held(desk.emulator)
    with pytest.MonkeyPatch.context() as patch:
        append = FolderStore.append

        def onto_full_disk(self: FolderStore, name: str, lines: list[str]) -> None:
            place = self.folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to("/dev/full")
            append(self, name, lines)

        patch.setattr(FolderStore, "append", onto_full_disk)
        said = desk.run("apply")
    assert said.code == 1
    assert "No space left on device; nothing more is sent" in said.one_line()
    assert held(desk.emulator) == before


HOLD = """
import sys, pathlib
from reconciler.store.folder import FolderStore
with FolderStore(pathlib.Path(sys.argv[1])).lock("noor on build-7, process 4711"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_that_is_held_is_told_with_its_holder(approved: Desk) -> None:
    root = str(Path(__file__).resolve().parents[2])
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(approved.root / STORE)], env={**os.environ, "PYTHONPATH": root},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    before = held(approved.emulator)
    said = approved.run("apply")
    planned = approved.run("plan")
    holder.communicate("")
    assert said.code == 1
    assert "noor on build-7, process 4711 is applying; wait for it" in said.one_line()
    assert planned.code == 3, "reading needs no lock"
    assert held(approved.emulator) == before
    assert approved.run("apply").code == 3


def test_a_lock_whose_holder_was_killed_is_free(approved: Desk) -> None:
    root = str(Path(__file__).resolve().parents[2])
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(approved.root / STORE)], env={**os.environ, "PYTHONPATH": root},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.communicate()
    assert approved.run("apply").code == 3


def test_a_user_without_a_name_can_apply(approved: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may run under a number that no password file knows."""
    import pwd

    def unknown(uid: int) -> object:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    assert approved.run("apply").code == 3
