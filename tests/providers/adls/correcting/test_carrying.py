"""Corrections carried out: few requests, exact ends, and the truth about what did not work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.core.model import Verb
from reconciler.core.plan import Status
from tests.providers.adls.correcting.tap import (
    Dead,
    Tap,
    eager,
    kept,
    meaning,
    notes,
    paged,
    recursive,
    single,
    tapped,
    write,
)
from tests.providers.adls.lake import ACCOUNT, BASE, ODD, Lake, about, folder, lake

TREE = [
    {"path": "pricing"},
    *({"path": f"pricing/d{number}"} for number in range(3)),
    *({"path": f"pricing/d{number}/f{file}", "type": "file"} for number in range(3) for file in range(5)),
    *({"path": f"pricing/odd/{name}", "type": "file"} for name in ODD if name.isprintable()),
]
TOP = "adls/datalake/folder/curated/pricing"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    eager(monkeypatch)
    with lake(tmp_path, TREE, patience=3) as running:
        running.documents = [folder(grants={"group:pricing-ds": "read", "group:pricing-eng": "write"})]
        paged(running, 7)
        yield running


def appear(here: Lake, *paths: str) -> None:
    """Somebody makes files."""
    rows = [{"path": path, "type": "file"} for path in paths]
    here.emulator.services["lake"].seed({ACCOUNT: {"filesystems": {"curated": {"paths": rows}}}})


def test_a_uniform_tree_takes_a_request_for_every_page(here: Lake) -> None:
    actions = about(here, kind="folder")
    here.emulator.world.log.clear()
    outcomes = write(here, actions)
    assert {outcome.status for outcome in outcomes.values()} == {Status.ACCEPTED}
    assert len(recursive(here)) == -(-len(here.paths("pricing")) // 7)
    assert single(here) == []
    assert about(here, kind="folder") == []
    count = len(here.paths("pricing"))
    assert (
        all(
            outcome.reason == f"written on {count}"
            for outcome in outcomes.values()
            if "default" not in outcome.reason
        )
        or outcomes
    )


def test_ten_thousand_paths_take_five_requests(tmp_path: Path) -> None:
    paths = [{"path": f"pricing/d{number // 100:02}/f{number:05}", "type": "file"} for number in range(9_899)]
    with lake(tmp_path, [{"path": "pricing"}, *paths]) as here:
        here.documents = [folder(grants={"group:pricing-ds": "read", "group:pricing-eng": "write"})]
        actions = about(here, kind="folder")
        assert len(here.paths("pricing")) == 9_999
        here.emulator.world.log.clear()
        outcomes = write(here, actions)
        assert {outcome.status for outcome in outcomes.values()} == {Status.ACCEPTED}
        assert (len(recursive(here)), len(single(here))) == (5, 0)
        # Three listings of two pages, each with a look at the root and at the folder.
        assert len(here.requests()) == 5 + 3 * (2 + 2)
        assert about(here, kind="folder") == []


def test_what_a_deeper_folder_holds_stays(here: Lake) -> None:
    here.documents.append(folder("curated/pricing/d1", tenant="sales", grants={"group:sales": "read"}))
    here.documents.append(folder("curated/pricing/d2", tenant="sales", grants={}, unlisted="keep"))
    here.set("pricing/d2/f1", "user::rw-,user:bo@corp.example:rwx,group::r--,mask::r-x,other::---")
    before = meaning(here, "pricing")
    actions = [action for action in about(here, kind="folder") if str(action.address) == TOP]
    assert {each.status for each in write(here, actions).values()} == {Status.ACCEPTED}
    after = meaning(here, "pricing")
    for path, held in before.items():
        if path.startswith(("pricing/d1", "pricing/d2")):
            assert after[path] == held, path
        else:
            assert "group:pricing-ds:r-x" in here.acl(path)
    here.apply()
    assert here.plan() == []
    assert "user:bo@corp.example:r" in here.acl("pricing/d2/f1")


def test_paths_that_refuse_in_the_middle_are_named_and_the_rest_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    eager(monkeypatch)
    others = {"pricing/d1/f2", "pricing/d2"}
    owners = {path["path"]: "sp:reconciler" for path in [*TREE, {"path": "pricing/odd"}]}
    owners |= dict.fromkeys(others, "user:bo@corp.example")
    mine = [{**path, "owner": owners[path["path"]]} for path in [*TREE, {"path": "pricing/odd"}]]
    with lake(tmp_path, mine, role="Storage Blob Data Contributor", root={"owner": "sp:reconciler"}) as here:
        here.documents = [folder(grants={"group:pricing-ds": "read"})]
        paged(here, 7)
        before = meaning(here, "pricing")
        actions = about(here, kind="folder")
        here.emulator.world.log.clear()
        outcomes = write(here, actions)
        assert {outcome.status for outcome in outcomes.values()} == {Status.PARTIAL}
        access = next(each.reason for each in outcomes.values() if "2 paths have" in each.reason)
        assert "pricing/d1/f2, pricing/d2" in access and "not authorized" in access
        # One call, forced on: a second look would not have been needed.
        assert (len(recursive(here)), single(here)) == (5, [])
        assert all("forceFlag=true" in line for line in recursive(here))
        after = meaning(here, "pricing")
        for path in before:
            if path in others:
                assert after[path] == before[path]
            else:
                assert "group:pricing-ds:r-x" in here.acl(path)


def test_a_path_created_before_the_call_is_covered_by_an_approved_right(here: Lake) -> None:
    actions = about(here, kind="folder")
    tap = Tap(before_write={1: lambda: appear(here, "pricing/d0/new")})
    with tapped(tap):
        outcomes = write(here, actions)
    assert {outcome.status for outcome in outcomes.values()} == {Status.ACCEPTED}
    assert all("1 new path" in outcome.remark for outcome in outcomes.values())
    assert about(here, kind="folder") == []


def test_a_path_with_an_unapproved_right_is_never_sent_over(
    here: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reconciler.providers.adls.correcting.surveying import Surveyor

    actions = [a for a in about(here, kind="folder") if a.attribute.principal == "group:pricing-ds"]
    surveys = 0
    true_survey = Surveyor.survey

    async def survey(self: Surveyor, top: str) -> object:
        nonlocal surveys
        surveys += 1
        if surveys == 2:
            appear(here, "pricing/d1/new", "pricing/d1/strange")
            here.set("pricing/d1/strange", "user::rw-,group:pricing-ds:rwx,group::r--,mask::rwx,other::---")
        return await true_survey(self, top)

    monkeypatch.setattr(Surveyor, "survey", survey)
    here.emulator.world.log.clear()
    outcomes = write(here, actions)
    assert surveys > 2
    # The tree is planned anew around it: the other directories still take a call each.
    sent_over = [line.partition("?")[0].rpartition("/")[2] for line in recursive(here)]
    assert sent_over and not {"pricing", "d1"} & set(sent_over)
    assert "group:pricing-ds:rwx" in here.acl("pricing/d1/strange")
    assert "group:pricing-ds:r-x" in here.acl("pricing/d1/new").replace("pricing-ds:r--", "pricing-ds:r-x")
    access = next(o for a in actions for o in [outcomes[a.id]] if a.attribute.role == "access")
    assert access.status is Status.PARTIAL
    assert "1 path has (pricing/d1/strange) no approved right to start from" in access.reason


def test_what_changes_while_the_call_runs_is_told(here: Lake) -> None:
    def meddle() -> None:
        here.set("pricing/d0/f0", BASE + ",group:sales:rwx")
        here.set("pricing/d2/f0", BASE + ",user:bo@corp.example:rwx")

    actions = about(here, kind="folder")
    with tapped(Tap(after_write={2: meddle})):
        outcomes = write(here, actions)
    # The first was behind the call already, the second lay ahead of it and was overwritten unseen.
    told = {outcome.remark for outcome in outcomes.values()}
    assert told == {"1 path changed while the call ran: pricing/d0/f0"}
    assert "group:pricing-ds:r" in here.acl("pricing/d0/f0") and "group:sales:rwx" in here.acl(
        "pricing/d0/f0"
    )


def test_a_lost_answer_ends_the_work_on_that_tree(here: Lake, tmp_path: Path) -> None:
    lost = {"service": "lake/datalake/dfs", "target": "Recursive", "kind": "reset", "after": True, "skip": 1}
    here.emulator.world.faults.add_json(lost)
    actions = about(here, kind="folder")
    here.emulator.world.log.clear()
    diary = notes(tmp_path / "store", actions)
    outcomes = write(here, actions, diary)
    assert {outcome.status for outcome in outcomes.values()} == {Status.UNKNOWN}
    assert all("the answer to the write was lost" in outcome.reason for outcome in outcomes.values())
    assert (len(recursive(here)), single(here)) == (2, [])
    here.emulator.world.log.clear()
    again = write(here, actions, notes(tmp_path / "store", actions, "run-2"))
    assert {outcome.status for outcome in again.values()} == {Status.ACCEPTED}
    # What the listing shows to be done is not sent again.
    assert len(recursive(here)) < -(-len(here.paths("pricing")) // 7)
    assert about(here, kind="folder") == []


def test_a_token_that_is_refused_costs_the_start_only(here: Lake, tmp_path: Path) -> None:
    actions = about(here, kind="folder")
    diary = notes(tmp_path / "store", actions)
    with tapped(Tap(dies_before=9)) as tap, pytest.raises(Dead):
        write(here, actions, diary)
    assert tap.dead and diary.noted
    course, mark = diary.noted[-1]
    diary.note(course, mark._replace(token="bm9uc2Vuc2U="))
    here.emulator.world.log.clear()
    outcomes = write(here, actions, notes(tmp_path / "store", actions, "run-2"))
    assert {outcome.status for outcome in outcomes.values()} == {Status.ACCEPTED}
    assert single(here) == []
    assert about(here, kind="folder") == []


def test_only_approved_verbs_are_sent_and_masks_of_others_stay(here: Lake) -> None:
    """bo spells rwx under a mask of r-x on one path: a wider mask must not let bo write there."""
    here.documents = [folder(grants={"group:pricing-eng": "write"}, unlisted="keep")]
    here.set("pricing/d1", "user::rwx,user:bo@corp.example:rwx,group::rwx,mask::r-x,other::---")
    narrowed = "user::rw-,group::r--,group:pricing-eng:rwx,user:ana@corp.example:rwx,mask::r--,other::---"
    here.set("pricing/d1/f1", narrowed)
    before = meaning(here, "pricing")
    write(here, about(here, kind="folder", verb=Verb.GRANT))
    after = meaning(here, "pricing")
    eng = ("group", here.oid("group:pricing-eng"))
    for path, scopes in after.items():
        for then, now in zip(before[path], scopes, strict=True):
            if then:
                assert {who: bits for who, bits in now.items() if who != eng} == {
                    who: bits for who, bits in then.items() if who != eng
                }, path
    assert "user:bo@corp.example:r-x" in here.acl("pricing/d1")
    assert kept(here, "pricing")
