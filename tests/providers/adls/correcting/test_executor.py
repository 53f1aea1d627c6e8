"""What the executor does with the calls of a plan, whatever plan it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from reconciler.core.course import Course, Mark
from reconciler.core.plan import Action, Status
from reconciler.emulator.lake.tree import Folder
from reconciler.providers.adls.acl import parse
from reconciler.providers.adls.client_write import LakeWriter, Walked
from reconciler.providers.adls.correcting import carrying, surveying
from reconciler.providers.adls.correcting.requests import Call, Recursive, Single
from reconciler.providers.adls.listing import Listed
from tests.providers.adls.correcting.tap import (
    Dead,
    Tap,
    eager,
    kept,
    meaning,
    notes,
    paged,
    put_back,
    recursive,
    single,
    tapped,
    write,
)
from tests.providers.adls.lake import ACCOUNT, BASE, Lake, about, folder, lake

TREE = [
    {"path": "pricing"},
    *({"path": f"pricing/{top}/f{file}", "type": "file"} for top in "abc" for file in range(4)),
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    eager(monkeypatch)
    with lake(tmp_path, TREE, patience=3) as running:
        running.documents = [folder(grants={"group:pricing-ds": "read", "group:pricing-eng": "write"})]
        paged(running, 3)
        yield running


def grants(here: Lake) -> list[Action]:
    return about(here, kind="folder")


def script(patch: pytest.MonkeyPatch, *plans: Sequence[Call]) -> None:
    """Let the executor be given these plans first, and its own ones afterwards."""
    true_choose, rest = carrying.choose, list(plans)

    def choose(*given: Any, **more: Any) -> Sequence[Call]:
        return rest.pop(0) if rest else true_choose(*given, **more)

    patch.setattr(carrying, "choose", choose)


def ends(here: Lake) -> tuple[str, str]:
    """The lists that directories and files are to get."""
    ids = [here.oid(f"group:{name}") for name in ("pricing-ds", "pricing-eng")]
    named = f"group:{ids[0]}:r-x,group:{ids[1]}:rwx,mask::rwx,other::---"
    default = ",".join(f"default:{entry}" for entry in f"user::rwx,group::r-x,{named}".split(","))
    return f"user::rwx,group::r-x,{named},{default}", f"user::rw-,group::r--,{named}"


def call(here: Lake, path: str, paths: int = 5) -> Recursive:
    """A recursive set to the right end."""
    return Recursive(path=path, mode="set", entries=ends(here)[0], paths=paths, requests=-(-paths // 3))


def sent(lines: Sequence[str]) -> list[str]:
    return [line.split(" ")[1].partition("?")[0].removeprefix("/curated/") for line in lines]


def test_calls_go_in_the_order_of_the_plan_and_directories_before_files(
    here: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, file = map(parse, ends(here))
    files = [Single(f"pricing/b/f{number}", file) for number in range(4)]
    plan: list[Call] = [
        call(here, "pricing/a"),
        *files,
        Single("pricing/b", directory),
        call(here, "pricing/c"),
    ]
    actions = grants(here)
    script(monkeypatch, [*plan, Single("pricing", directory)])
    here.emulator.world.log.clear()
    assert {each.status for each in write(here, actions).values()} == {Status.ACCEPTED}
    order = sent(here.requests("PATCH"))
    assert order[:3] == ["pricing/a"] * 2 + ["pricing/b"]
    assert sorted(order[3:7]) == [f"pricing/b/f{number}" for number in range(4)]
    assert order[7:] == ["pricing/c"] * 2 + ["pricing"]
    assert grants(here) == []


def test_a_single_write_after_a_recursive_call_elsewhere_reads_its_path_again(
    here: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bo gets a right on a path after the tree was listed: the write that follows must keep it."""
    late = BASE + ",user:bo@corp.example:r-x"
    plan: list[Call] = [call(here, "pricing/a"), Single("pricing/b/f1", parse(ends(here)[1]))]
    actions = grants(here)
    script(monkeypatch, plan)
    with tapped(Tap(before_write={1: lambda: here.set("pricing/b/f1", late)})):
        outcomes = write(here, actions)
    assert {outcome.status for outcome in outcomes.values()} == {Status.ACCEPTED}
    assert "user:bo@corp.example:r-x" in here.acl("pricing/b/f1")
    assert "group:pricing-ds:r-x" in here.acl("pricing/b/f1")


def test_many_single_writes_after_a_recursive_call_list_the_tree_again(
    here: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = BASE + ",user:bo@corp.example:r-x"
    files = [Single(f"pricing/b/f{number}", parse(ends(here)[1])) for number in range(4)]
    actions = grants(here)
    script(monkeypatch, [call(here, "pricing/a"), *files])
    with tapped(Tap(before_write={1: lambda: here.set("pricing/b/f1", late)})):
        write(here, actions)
    assert "user:bo@corp.example:r-x" in here.acl("pricing/b/f1")
    assert "group:pricing-ds:r-x" in here.acl("pricing/b/f1")


def strangers(here: Lake, monkeypatch: pytest.MonkeyPatch) -> str:
    """Somebody's own right, under a plan that would take it away."""
    here.documents = [folder(grants={"group:pricing-ds": "read"}, unlisted="keep")]
    here.set("pricing/b/f1", BASE + ",user:bo@corp.example:rwx")
    return "user:bo@corp.example:rwx"


def wider(here: Lake, monkeypatch: pytest.MonkeyPatch) -> str:
    """A deeper folder of another document, under a plan that would open it."""
    here.documents.append(folder("curated/pricing/b", tenant="sales", grants={}))
    return "other::---"


@pytest.mark.parametrize("scene", [strangers, wider])
def test_a_call_that_would_do_more_than_was_approved_is_not_sent(
    here: Lake, monkeypatch: pytest.MonkeyPatch, scene: Callable[[Lake, pytest.MonkeyPatch], str]
) -> None:
    """Whatever a planner may think of: the executor weighs every call against what the subtree holds."""
    held = scene(here, monkeypatch)
    top = f"adls/{ACCOUNT}/folder/curated/pricing"
    actions = [action for action in grants(here) if str(action.address) == top]
    before = meaning(here, "pricing/b") if scene is wider else {}
    script(monkeypatch, [call(here, "pricing", 16)])
    here.emulator.world.log.clear()
    assert {each.status for each in write(here, actions).values()} == {Status.ACCEPTED}
    assert "pricing" not in sent(recursive(here))
    assert held in here.acl("pricing/b/f1")
    assert not before or meaning(here, "pricing/b") == before
    assert "group:pricing-ds:r" in here.acl("pricing/a/f1")


def test_a_subtree_that_is_gone_needs_no_call(here: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def remove() -> None:
        above = here.node("pricing")
        assert isinstance(above, Folder)
        above.take("a")

    actions = grants(here)
    script(monkeypatch, [call(here, "pricing/a")])
    with tapped(Tap(before_write={1: remove})):
        outcomes = write(here, actions)
    assert {outcome.status for outcome in outcomes.values()} == {Status.ACCEPTED}
    assert grants(here) == []


def test_a_tree_that_may_not_be_written_as_a_whole_says_so(here: Lake) -> None:
    fault = {"service": "lake/datalake/dfs", "target": "Recursive", "status": 403, "times": None}
    here.emulator.world.faults.add_json(fault)
    actions = grants(here)
    here.emulator.world.log.clear()
    outcomes = write(here, actions)
    assert {outcome.status for outcome in outcomes.values()} == {Status.FAILED}
    assert all("Storage Blob Data Owner" in outcome.reason for outcome in outcomes.values())
    assert (len(recursive(here)), single(here)) == (1, [])


def test_a_recursive_call_that_the_service_does_not_like_is_done_one_by_one(here: Lake) -> None:
    fault = {"service": "lake/datalake/dfs", "target": "Recursive", "status": 400, "times": None}
    here.emulator.world.faults.add_json(fault)
    assert {each.status for each in write(here, grants(here)).values()} == {Status.ACCEPTED}
    assert len(recursive(here)) == 1
    assert grants(here) == []


def test_without_list_blobs_the_tree_is_still_done_by_recursive_calls(here: Lake) -> None:
    """The other way of listing brings its paths out of order: those asked for one by one come late."""
    fault = {"service": "lake/datalake/blob", "target": "include=permissions", "status": 403, "times": None}
    here.emulator.world.faults.add_json(fault)
    actions = grants(here)
    here.emulator.world.log.clear()
    assert {each.status for each in write(here, actions).values()} == {Status.ACCEPTED}
    assert (len(recursive(here)), single(here)) == (6, [])
    assert grants(here) == []


def test_a_deeper_folder_that_cannot_be_read_is_never_passed_over(
    here: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.documents.append(folder("curated/pricing/b", tenant="sales", grants={}))
    top = f"adls/{ACCOUNT}/folder/curated/pricing"
    actions = [action for action in grants(here) if str(action.address) == top]
    true_note = surveying.Sink.note

    def note(self: surveying.Sink, entry: Listed, acl: str) -> None:
        true_note(self, entry, "nonsense" if entry.name == "pricing/b/f1" else acl)

    monkeypatch.setattr(surveying.Sink, "note", note)
    here.emulator.world.log.clear()
    assert {each.status for each in write(here, actions).values()} == {Status.ACCEPTED}
    assert recursive(here) == []
    assert "group:pricing-ds:r-x" in here.acl("pricing/a/f1")
    assert "pricing-ds" not in here.acl("pricing/b/f0")


def test_tokens_that_go_round_in_circles_end(here: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stuck(self: LakeWriter, *given: str) -> Walked:
        return Walked(directories=0, files=0, failed=0, failures=(), continuation="again")

    monkeypatch.setattr(LakeWriter, "recursive", stuck)
    outcomes = write(here, grants(here))
    assert {outcome.status for outcome in outcomes.values()} == {Status.FAILED}
    assert all("run the same command again" in outcome.reason for outcome in outcomes.values())


def test_progress_counts_the_paths_that_calls_visit(here: Lake) -> None:
    told: list[tuple[str, int, int]] = []
    actions = grants(here)
    here.provider.write(actions[0].address, actions, progress=lambda *at: told.append(at))
    total = len(here.paths("pricing"))
    written = [(done, of) for what, done, of in told if what == "lake paths written"]
    assert written[-1] == (total, total)
    assert [done for done, _ in written] == [*range(3, total, 3), total]
    # Before the call, and after it.
    assert [(done, of) for what, done, of in told if what == "lake paths listed"][-1][0] >= 2 * total


def test_a_killed_call_goes_on_from_its_token(here: Lake, tmp_path: Path) -> None:
    actions = grants(here)
    killed = notes(tmp_path / "store", actions)
    with tapped(Tap(dies_before_write=4)), pytest.raises(Dead):
        write(here, actions, killed)
    (_, mark) = killed.noted[-1]
    assert mark.done == 9
    here.emulator.world.log.clear()
    outcomes = write(here, actions, notes(tmp_path / "store", actions, "run-2"))
    assert {outcome.status for outcome in outcomes.values()} == {Status.ACCEPTED}
    first, *rest = recursive(here)
    assert f"continuation={quote(mark.token, safe='')}" in first.replace("/", "%2F")
    assert (len(rest), single(here)) == (2, [])
    assert grants(here) == []


def test_a_call_that_was_undone_meanwhile_is_begun_anew(here: Lake, tmp_path: Path) -> None:
    """A token is worth nothing where what lies before it is not as the call left it."""
    actions = grants(here)
    before = kept(here, "pricing")
    with tapped(Tap(dies_before=9)), pytest.raises(Dead):
        write(here, actions, notes(tmp_path / "store", actions))
    put_back(before)
    here.emulator.world.log.clear()
    outcomes = write(here, actions, notes(tmp_path / "store", actions, "run-2"))
    assert {outcome.status for outcome in outcomes.values()} == {Status.ACCEPTED}
    assert (len(recursive(here)), single(here)) == (6, [])
    assert grants(here) == []


def test_an_answer_that_does_not_parse_is_a_lost_one(here: Lake) -> None:
    fault = {"service": "lake/datalake/dfs", "target": "Recursive", "kind": "truncate", "skip": 1}
    here.emulator.world.faults.add_json(fault)
    outcomes = write(here, grants(here))
    assert {outcome.status for outcome in outcomes.values()} == {Status.UNKNOWN}
    assert all("the answer to the write was lost" in outcome.reason for outcome in outcomes.values())


def test_single_writes_right_after_the_listing_ask_for_nothing_more(here: Lake) -> None:
    write(here, grants(here))
    here.set("pricing/b/f1", BASE)
    actions = grants(here)
    here.emulator.world.log.clear()
    write(here, actions)
    assert (len(single(here)), len(here.requests())) == (1, 4)


def test_a_call_of_long_ago_that_would_change_nothing_is_not_gone_on_with(here: Lake, tmp_path: Path) -> None:
    write(here, grants(here))
    done = here.node("pricing/a").acl.text
    here.documents = [folder(grants={"group:pricing-ds": "read", "group:pricing-eng": "read"})]
    actions = grants(here)
    diary = notes(tmp_path / "store", actions)
    diary.note(Course("curated/pricing/a", "set", done), Mark("old", 3))
    diary.note(Course("curated/pricing", "set", done), Mark("older", 3))
    here.emulator.world.log.clear()
    assert {each.status for each in write(here, actions, diary).values()} == {Status.ACCEPTED}
    assert not any("continuation=old" in line for line in recursive(here))
    assert grants(here) == []
