"""The journal: what it adds up to, and what it refuses to guess."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.core.diff import diff
from reconciler.core.errors import StoreError
from reconciler.core.model import Attribute
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
    assert list(history.interrupted()) == [action.id]
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
    assert list(read(FolderStore(tmp_path), "test").interrupted()) == [action.id]


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
