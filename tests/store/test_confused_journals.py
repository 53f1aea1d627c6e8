"""Journals that were copied, edited or mixed up: spent consent never comes back, or the file is named."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.errors import StoreError
from reconciler.core.plan import Action, Consented, Outcome, Status
from reconciler.store.folder import FolderStore
from reconciler.store.journal import SENT, Journal, read
from tests.store.test_journal import NOON, announce, grant, journal, revoke

BOTH = {("approval-1", grant().id), ("a.yaml", grant().id)}


def settled(folder: Path, action: Action) -> Path:
    """The file of a run that sent this and saw it work."""
    to = journal(folder)
    announce(to, action)
    to.settle(NOON, [Outcome(action=action.id, status=Status.VERIFIED)])
    return folder / to.name


def lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines(keepends=True)


def edited(line: str, **fields: object) -> str:
    return json.dumps({**json.loads(line), **fields}) + "\n"


@pytest.mark.parametrize("run", ["run-0", "run-2"])
@pytest.mark.parametrize("status", [each for each in Status if each not in SENT])
def test_an_end_in_another_file_does_not_bring_spent_consent_back(
    tmp_path: Path, status: Status, run: str
) -> None:
    settled(tmp_path, grant())
    journal(tmp_path, run).settle(NOON, [Outcome(action=grant().id, status=status)], of="run-1")
    history = read(FolderStore(tmp_path), "test")
    assert history.spent() == BOTH
    assert history.verified_since(NOON, timedelta(hours=1)) == [], "nobody knows what came of it"
    assert history.interrupted() == {}


@pytest.mark.parametrize(
    ("line", "said", "twice"),
    [(0, '"verb": "', "verb"), (0, '"run": "', "run"), (1, '"status": "', "status")],
)
def test_a_line_that_says_a_key_twice_is_damage(tmp_path: Path, line: int, said: str, twice: str) -> None:
    """The last line, too: a crash tears lines, and writes no key twice."""
    path = settled(tmp_path, grant())
    written = lines(path)
    assert len(written) == 2
    spaced = [json.dumps(json.loads(each)) + "\n" for each in written]
    assert spaced[line].count(said) == 1
    spaced[line] = spaced[line].replace(said, f'"{twice}": "x", {said}')
    path.write_text("".join(spaced), "utf-8")
    with pytest.raises(StoreError, match=rf"run-1\.jsonl:{line + 1}: .*the key '{twice}' stands twice"):
        read(FolderStore(tmp_path), "test")


def test_ends_that_differ_come_to_the_same_in_every_order(tmp_path: Path) -> None:
    for statuses in itertools.permutations([Status.FAILED, Status.PARTIAL, Status.VERIFIED]):
        folder = tmp_path / "-".join(statuses)
        announce(journal(folder), revoke(), removes=True)
        for number, status in enumerate(statuses):
            end = Outcome(action=revoke().id, status=status)
            journal(folder, f"run-{number + 2}").settle(NOON + timedelta(hours=number), [end], of="run-1")
        (record,) = read(FolderStore(folder), "test").records
        assert (record.status, record.ended) == (Status.UNKNOWN, NOON + timedelta(hours=2))


def test_ends_that_agree_are_that_end(tmp_path: Path) -> None:
    settled(tmp_path, grant())
    end = Outcome(action=grant().id, status=Status.VERIFIED)
    journal(tmp_path, "run-2").settle(NOON, [end], of="run-1")
    assert len(read(FolderStore(tmp_path), "test").verified_since(NOON, timedelta(hours=1))) == 1


@pytest.mark.parametrize(("run", "action"), [("run-7", grant()), ("run-1", revoke())])
def test_an_end_of_what_nobody_announced_is_damage(tmp_path: Path, run: str, action: Action) -> None:
    settled(tmp_path, grant())
    journal(tmp_path, "run-2").settle(NOON, [Outcome(action=action.id, status=Status.FAILED)], of=run)
    with pytest.raises(StoreError, match=rf"run-2\.jsonl:1: settles what no journal here .* \(run '{run}'\)"):
        read(FolderStore(tmp_path), "test")


def test_an_end_whose_announcement_was_torn_off_is_damage(tmp_path: Path) -> None:
    path = settled(tmp_path, grant())
    path.write_text(lines(path)[1], "utf-8")
    with pytest.raises(StoreError, match=r"run-1\.jsonl:1: settles what no journal here announces"):
        read(FolderStore(tmp_path), "test")


def test_an_end_before_its_announcement_in_one_file_is_damage(tmp_path: Path) -> None:
    path = settled(tmp_path, grant())
    path.write_text("".join(reversed(lines(path))), "utf-8")
    with pytest.raises(StoreError, match=r"run-1\.jsonl:2: announces what the same file says has ended"):
        read(FolderStore(tmp_path), "test")


def test_a_file_that_was_copied_changes_nothing(tmp_path: Path) -> None:
    path = settled(tmp_path, grant())
    before = read(FolderStore(tmp_path), "test")
    for name in ("a copy.jsonl", "run-1-copy.jsonl"):
        (path.parent / name).write_bytes(path.read_bytes())
    assert read(FolderStore(tmp_path), "test") == before


def test_a_copy_from_before_the_end_does_not_open_it_again(tmp_path: Path) -> None:
    path = settled(tmp_path, grant())
    before = read(FolderStore(tmp_path), "test")
    for name in ("a copy.jsonl", "run-1-copy.jsonl"):
        (path.parent / name).write_text(lines(path)[0], "utf-8")
    path.write_text("".join([*lines(path), lines(path)[0]]), "utf-8")
    assert read(FolderStore(tmp_path), "test") == before


@pytest.mark.parametrize(
    "fields", [{"approval": "nobody"}, {"file": "b.yaml"}, {"removes": True}, {"at": "2026-11-24T12:00:00Z"}]
)
@pytest.mark.parametrize("place", ["run-1.jsonl", "run-0.jsonl", "run-2.jsonl"])
def test_one_announcement_in_two_wordings_is_damage(
    tmp_path: Path, place: str, fields: dict[str, object]
) -> None:
    path = settled(tmp_path, grant())
    other = edited(lines(path)[0], **fields)
    with (path.parent / place).open("a", encoding="utf-8") as file:
        file.write(other)
    with pytest.raises(StoreError, match=r"run-\d\.jsonl:\d: announces an action of a run that announced it"):
        read(FolderStore(tmp_path), "test")


def test_a_copy_of_older_files_does_not_let_a_grant_stand_that_was_taken_away(tmp_path: Path) -> None:
    for hour, (run, action) in enumerate([("run-1", grant()), ("run-2", revoke())]):
        to, at = journal(tmp_path, run), NOON + timedelta(hours=hour)
        announce(to, action, at=at)
        to.settle(at, [Outcome(action=action.id, status=Status.VERIFIED)])
    folder = tmp_path / "journal"
    (folder / "run-2.jsonl").rename(folder / "a.jsonl")
    assert read(FolderStore(tmp_path), "test").grants() == {}


def test_every_open_announcement_of_one_action_is_open(tmp_path: Path) -> None:
    for run in ("run-1", "run-2"):
        announce(journal(tmp_path, run), grant())
    opened = read(FolderStore(tmp_path), "test").interrupted()
    assert set(opened) == {("run-1", grant().id), ("run-2", grant().id)}


def test_an_end_far_ahead_is_not_believed_until_then(tmp_path: Path) -> None:
    to = journal(tmp_path)
    announce(to, grant())
    to.settle(NOON + timedelta(days=400), [Outcome(action=grant().id, status=Status.VERIFIED)])
    assert read(FolderStore(tmp_path), "test").verified_since(NOON, timedelta(minutes=2)) == []


class Memory:
    """A store that remembers nothing but lines."""

    def __init__(self, files: Mapping[str, Sequence[str]]) -> None:
        self.files = {name: list(lines) for name, lines in files.items()}

    def append(self, name: str, lines: Sequence[str]) -> None:
        self.files.setdefault(name, []).extend(lines)

    def lines(self, name: str) -> list[str]:
        return self.files[name]

    def names(self) -> list[str]:
        return sorted(self.files)

    def check(self) -> None:
        pass

    @contextmanager
    def lock(self, holder: str) -> Iterator[None]:
        yield


def honest() -> Memory:
    """Three runs: one settled its two actions, one was interrupted, and the third settled what that left."""
    store = Memory({})
    first, second, third = (
        Journal(store, f"journal/run-{number}.jsonl", f"run-{number}", "test") for number in (1, 2, 3)
    )
    for to in (first, second):
        consent = Consented(approval=f"of {to.run}", file=f"{to.run}.yaml", approvers=())
        to.announce(NOON, [(each, False) for each in ACTIONS], {each.id: consent for each in ACTIONS})
    first.settle(NOON, [Outcome(action=ACTIONS[0].id, status=Status.VERIFIED)])
    first.settle(NOON, [Outcome(action=ACTIONS[1].id, status=Status.FAILED)])
    second.settle(NOON, [Outcome(action=ACTIONS[0].id, status=Status.UNKNOWN)])
    third.settle(NOON, [Outcome(action=ACTIONS[1].id, status=Status.PARTIAL)], of="run-2")
    return store


ACTIONS = (grant(), revoke())
HONEST = honest()
SPENT = read(HONEST, "test").spent()


@st.composite
def ends(draw: st.DrawFn) -> str:
    """A line that settles something that was announced or was not."""
    of, ident = draw(st.sampled_from([*itertools.product(("run-1", "run-2"), ACTIONS), ("run-9", grant())]))
    status = draw(st.sampled_from([each.value for each in Status]))
    line = {"v": 1, "event": "settled", "at": NOON.isoformat(), "run": "run-4", "of": of, "id": ident.id}
    return json.dumps({**line, "status": status, "reason": ""})


@given(st.data())
def test_no_line_that_is_added_repeated_or_moved_gives_consent_back(data: st.DataObject) -> None:
    store = Memory({"journal/run-0.jsonl": [], **HONEST.files, "journal/run-4.jsonl": []})
    for kind in data.draw(st.lists(st.sampled_from(["add", "add", "repeat", "move", "shuffle"]), max_size=4)):
        place, other = (store.files[data.draw(st.sampled_from(store.names()))] for _ in range(2))
        at = data.draw(st.integers(0, len(other)))
        if kind == "add":
            other.insert(at, data.draw(ends()))
        elif kind == "shuffle":
            other[:] = data.draw(st.permutations(other))
        elif place:
            line = place[data.draw(st.integers(0, len(place) - 1))]
            if kind == "move":
                place.remove(line)
            other.insert(at, line)
    try:
        history = read(store, "test")
    except StoreError as error:
        assert re.match(r"journal/run-\d\.jsonl:\d+: ", str(error))
        return
    assert history.spent() >= SPENT
