"""What the provider says when a write does not go as approved, and what is left then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.core.model import Verb
from reconciler.core.plan import Status
from reconciler.emulator.directory import Group
from tests.providers.adls.lake import BASE, TREE, Lake, about, folder, lake, statuses


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Lake]:
    with lake(tmp_path, TREE, patience=3) as running:
        running.documents = [folder(grants={"group:pricing-ds": "read", "group:pricing-eng": "write"})]
        yield running


def fault(here: Lake, **keys: object) -> None:
    here.emulator.world.faults.add_json({"service": "lake/datalake/dfs", "times": None, **keys})


def test_a_lost_answer_is_unknown_and_the_next_run_converges(here: Lake) -> None:
    fault(here, method="PATCH", target="pricing", kind="reset", after=True, times=3)
    outcomes = here.apply(about(here, kind="folder", verb=Verb.GRANT))
    assert {outcome.status for outcome in outcomes.values()} == {Status.UNKNOWN}
    assert any("the answer to the write was lost" in each.reason for each in outcomes.values())
    here.apply()
    assert here.plan() == []


def test_a_write_whose_answer_was_lost_is_not_sent_again(here: Lake) -> None:
    fault(here, method="PATCH", target="pricing/a/f|pricing%2Fa%2Ff", kind="reset", after=True)
    here.emulator.world.log.clear()
    here.apply(about(here, kind="folder", verb=Verb.GRANT))
    assert len([line for line in here.requests("PATCH") if line.partition("?")[0].endswith("f")]) == 1


def test_paths_that_refuse_are_counted_and_the_rest_is_done(here: Lake) -> None:
    fault(here, method="PATCH", target="pricing.*a.*f", status=403)
    outcomes = here.apply(about(here, kind="folder", verb=Verb.GRANT, role="access"))
    assert {outcome.status for outcome in outcomes.values()} == {Status.PARTIAL}
    assert all("1 path has (pricing/a/f)" in each.reason for each in outcomes.values())
    assert all("Storage Blob Data Owner" in each.reason for each in outcomes.values())
    assert "group:pricing-ds:r-x" in here.acl("pricing/a/b")
    here.emulator.world.faults.clear()
    here.apply()
    assert here.plan() == []


def test_a_path_that_is_gone_needs_no_list(here: Lake) -> None:
    fault(here, method="PATCH", target="pricing.*a.*f", status=404)
    assert statuses(here, about(here, kind="folder", verb=Verb.GRANT)) == {Status.ACCEPTED}


def test_a_tree_that_cannot_be_listed_is_not_written(here: Lake) -> None:
    actions = here.plan()
    fault(here, service="lake/datalake/blob", target="comp=list", kind="truncate")
    before = {path: here.acl(path) for path in here.paths("pricing")}
    outcomes = here.apply([action for action in actions if action.address.kind == "folder"])
    assert {outcome.status for outcome in outcomes.values()} == {Status.FAILED}
    assert all("nothing was sent" in each.reason for each in outcomes.values())
    assert {path: here.acl(path) for path in before} == before


def test_no_more_entries_are_added_than_fit(here: Lake) -> None:
    full = BASE
    for number in range(28):
        oid = f"00000000-0000-4000-8000-{number:012}"
        here.people.truth.add(Group(id=oid, display_name=f"g{number}"))
        full += f",group:{oid}:r-x"
    here.documents = [folder(grants={"group:pricing-ds": "read"}, unlisted="keep")]
    here.set("pricing/a", full)
    (action,) = about(here, role="access", kind="folder")
    outcome = here.apply([action])[action.id]
    assert outcome.status is Status.PARTIAL
    assert "1 path has (pricing/a) no room for it: 33 entries" in outcome.reason
    assert "group:pricing-ds" in here.acl("pricing/a/b")


def test_a_principal_that_moved_is_refused(here: Lake) -> None:
    (action,) = about(here, role="access", principal="group:pricing-ds", kind="folder")
    moved = replace(action, object_ids={"group:pricing-ds": "00000000-0000-4000-8000-000000000001"})
    outcome = here.apply([moved])[action.id]
    assert (outcome.status, "is another object by now" in outcome.reason) == (Status.REFUSED, True)
    assert "pricing-ds" not in here.acl("pricing")


def test_what_was_never_read_is_not_written(here: Lake) -> None:
    (action,) = about(here, role="access", principal="group:pricing-ds", kind="folder")
    elsewhere = replace(action, address=action.address._replace(locator="curated/else"))
    assert here.provider.write(elsewhere.address, [elsewhere])[0].status is Status.FAILED


def test_a_page_in_the_place_of_an_answer_says_nothing_about_a_new_folder(here: Lake) -> None:
    here.documents = [folder("curated/new", grants={})]
    fault(here, method="PUT", target="resource=directory", kind="html", status=200)
    (outcome,) = here.apply(about(here, kind="folder", verb=Verb.CREATE)).values()
    assert outcome.status is Status.UNKNOWN
    assert "answered with 200 and not with what a success looks like" in outcome.reason


def test_a_folder_that_was_made_is_never_told_as_failed(here: Lake) -> None:
    here.documents = [folder("curated/new", grants={})]
    actions = about(here, kind="folder", verb=Verb.CREATE)
    fault(here, method="HEAD", target="/new.action=getAccessControl", status=403)
    (outcome,) = here.apply(actions).values()
    assert "new" in here.paths("")
    assert outcome.status is Status.UNKNOWN
    assert "made, and nobody knows whether it inherited anything: 403" in outcome.reason
