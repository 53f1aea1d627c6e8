"""The journal: what it adds up to, and what it refuses to guess."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.core.course import Course, Mark
from reconciler.core.diff import diff
from reconciler.core.errors import StoreError
from reconciler.core.model import Address, Attribute
from reconciler.core.plan import Action, Consented, Outcome, Status
from reconciler.store.folder import FolderStore
from reconciler.store.journal import Journal, read
from tests.core.estates import found, frame, live, wanted

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
EXISTS = Attribute("exists")
ANA = Attribute("acl", "user:ana@corp.example")


def revoke() -> Action:
    state = live(found({EXISTS: "present", ANA: "READ"}))
    return diff([wanted({EXISTS: "present"})], state, frame()).actions[0]


def grant() -> Action:
    state = live(found({EXISTS: "present"}))
    return diff([wanted({EXISTS: "present", ANA: "READ"})], state, frame()).actions[0]


def journal(folder: Path, run: str = "run-1") -> Journal:
    return Journal(FolderStore(folder), f"journal/{run}.jsonl", run, "test")


def announce(to: Journal, action: Action, removes: bool = False, at: datetime = NOON) -> None:
    consents = {action.id: Consented(approval="approval-1", file="a.yaml", approvers=("lea@corp.example",))}
    to.announce(at, [(action, removes)], consents)


@pytest.mark.parametrize("status", list(Status))
def test_what_was_sent_is_spent_and_what_had_no_effect_is_not(tmp_path: Path, status: Status) -> None:
    action, to = grant(), journal(tmp_path)
    announce(to, action)
    to.settle(NOON, [Outcome(action=action.id, status=status)])
    history = read(FolderStore(tmp_path), "test")
    sent = status not in (Status.REFUSED, Status.DEFERRED, Status.FAILED)
    known = {("approval-1", action.id), ("a.yaml", action.id)}
    assert history.spent() == (known if sent else frozenset())
    assert history.interrupted() == {}


def test_what_was_announced_and_never_settled_was_interrupted(tmp_path: Path) -> None:
    action = grant()
    announce(journal(tmp_path), action)
    history = read(FolderStore(tmp_path), "test")
    assert list(history.interrupted()) == [("run-1", action.id)]
    assert history.spent() == frozenset()


def test_a_later_run_settles_what_an_earlier_one_announced(tmp_path: Path) -> None:
    action = grant()
    announce(journal(tmp_path), action)
    later = journal(tmp_path, "run-2")
    later.settle(NOON, [Outcome(action=action.id, status=Status.VERIFIED)], of="run-1")
    history = read(FolderStore(tmp_path), "test")
    assert history.interrupted() == {}
    assert history.spent() == {("approval-1", action.id), ("a.yaml", action.id)}


def test_removals_count_for_a_day_also_when_interrupted(tmp_path: Path) -> None:
    action = revoke()
    announce(journal(tmp_path), action, removes=True)
    history = read(FolderStore(tmp_path), "test")
    assert history.removed_since(NOON + timedelta(hours=24)) == {("pricing", "secret-scope"): 1}
    assert history.removed_since(NOON + timedelta(hours=25)) == {}


def test_a_later_run_settles_also_where_its_clock_was_behind(tmp_path: Path) -> None:
    action = grant()
    announce(journal(tmp_path, "run-2"), action)
    later = journal(tmp_path, "run-1")
    later.settle(NOON, [Outcome(action=action.id, status=Status.VERIFIED)], of="run-2")
    assert read(FolderStore(tmp_path), "test").interrupted() == {}


@pytest.mark.parametrize(
    ("status", "counted"), [(None, 0), (Status.PARTIAL, 0), (Status.VERIFIED, 1), (Status.UNKNOWN, 1)]
)
def test_a_removal_that_is_to_be_finished_counts_where_it_is_finished(
    tmp_path: Path, status: Status | None, counted: int
) -> None:
    action, to = revoke(), journal(tmp_path)
    announce(to, action, removes=True)
    if status is not None:
        to.settle(NOON, [Outcome(action=action.id, status=status)])
    history = read(FolderStore(tmp_path), "test")
    again = {(action.address, action.attribute)}
    assert sum(history.removed_since(NOON, again).values()) == counted
    assert sum(history.removed_since(NOON).values()) == 1


def test_grants_that_were_taken_away_again_do_not_stand(tmp_path: Path) -> None:
    to = journal(tmp_path)
    for action, at in ((grant(), NOON), (revoke(), NOON + timedelta(hours=1))):
        announce(to, action, at=at)
        if action.after is not None:
            to.settle(at, [Outcome(action=action.id, status=Status.VERIFIED)])
            assert len(read(FolderStore(tmp_path), "test").grants()) == 1
    to.settle(NOON, [Outcome(action=revoke().id, status=Status.VERIFIED)])
    assert read(FolderStore(tmp_path), "test").grants() == {}


def test_a_torn_last_line_was_never_sent(tmp_path: Path) -> None:
    action = grant()
    announce(journal(tmp_path), action)
    with (tmp_path / "journal/run-1.jsonl").open("a") as file:
        file.write('{"v":1,"event":"announ')
    assert list(read(FolderStore(tmp_path), "test").interrupted()) == [("run-1", action.id)]


def test_a_damaged_line_before_the_last_is_not_guessed_at(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.append("journal/run-1.jsonl", ["{broken"])
    announce(journal(tmp_path), grant())
    with pytest.raises(StoreError, match=r"journal/run-1\.jsonl:1"):
        read(store, "test")


def test_the_journal_of_another_environment_is_refused(tmp_path: Path) -> None:
    announce(journal(tmp_path), grant())
    with pytest.raises(StoreError, match="journal of 'test', not of 'prod'"):
        read(FolderStore(tmp_path), "prod")


COURSE = Course("curated/pricing", "set", "user::rwx,group::r-x,other::---")
WHERE = Address("adls", "datalake", "folder", "curated/pricing")


def test_a_long_write_is_remembered_where_it_stopped_until_it_ends(tmp_path: Path) -> None:
    to = journal(tmp_path)
    announce(to, grant())
    to.progress(NOON, WHERE, ["id"], COURSE, Mark("token-1", 2_000))
    to.progress(NOON, WHERE, ["id"], COURSE, Mark("token-2", 4_000))
    history = read(FolderStore(tmp_path), "test")
    assert history.unfinished == {(str(WHERE), COURSE): Mark("token-2", 4_000)}
    journal(tmp_path, "run-2").progress(NOON, WHERE, ["id"], COURSE, Mark("", 5_000))
    assert read(FolderStore(tmp_path), "test").unfinished == {}


def test_courses_of_other_entries_modes_places_and_environments_are_others(tmp_path: Path) -> None:
    to = journal(tmp_path)
    to.progress(NOON, WHERE, ["id"], COURSE, Mark("one", 1))
    to.progress(NOON, WHERE, ["id"], COURSE._replace(mode="modify"), Mark("two", 2))
    to.progress(NOON, WHERE._replace(locator="curated/sales"), ["id"], COURSE, Mark("three", 3))
    elsewhere = Journal(FolderStore(tmp_path), "journal/run-3.jsonl", "run-3", "prod")
    elsewhere.progress(NOON, WHERE, ["id"], COURSE, Mark("", 4))
    marks = sorted(read(FolderStore(tmp_path), "test").unfinished.values())
    assert marks == [Mark("one", 1), Mark("three", 3), Mark("two", 2)]


def test_progress_of_actions_that_nobody_announced_and_with_more_to_tell_is_read(tmp_path: Path) -> None:
    line = {
        "v": 1, "event": "progress", "at": NOON.isoformat(), "run": "run-0", "environment": "test",
        "address": str(WHERE), "ids": ["unheard-of"], "path": "p", "mode": "walk", "entries": "x",
        "continuation": "t", "done": 7, "speed": "high",
    }  # fmt: skip
    FolderStore(tmp_path).append("journal/run-0.jsonl", [json.dumps(line)])
    assert read(FolderStore(tmp_path), "test").unfinished == {
        (str(WHERE), Course("p", "walk", "x")): Mark("t", 7)
    }


@pytest.mark.parametrize("key", ["address", "path", "mode", "entries", "continuation", "done"])
def test_progress_that_says_less_is_no_journal_line(tmp_path: Path, key: str) -> None:
    journal(tmp_path).progress(NOON, WHERE, ["id"], COURSE, Mark("t", 7))
    (file,) = (tmp_path / "journal").iterdir()
    event = json.loads(file.read_text())
    del event[key]
    file.write_text(f"{json.dumps(event)}\n{json.dumps(event)}\n")
    with pytest.raises(StoreError, match=r"run-1\.jsonl:1: not a journal line"):
        read(FolderStore(tmp_path), "test")
