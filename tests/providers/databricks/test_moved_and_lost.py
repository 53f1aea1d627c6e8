"""What moved is refused, what was lost is unknown, what was so already is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.core.model import Verb
from reconciler.core.plan import Status
from tests.providers.databricks.asking import DS, ENG, NEW, OWN, only, order, plan, writes
from tests.providers.databricks.estate import (
    ENVIRON,
    SECRET_VALUE,
    Estate,
    databricks,
    entitlements,
    estate,
    grant,
    scope,
)

CASES = {
    "entitlement": (entitlements(grant(DS, ["workspace-access", "databricks-sql-access"])), Verb.GRANT),
    "acl": (scope("pricing", grant(DS, "read"), grant(ENG, "read")), Verb.GRANT),
    "scope": (scope("fresh"), Verb.CREATE),
    "assignment": (entitlements(grant(NEW, "workspace-access")), Verb.GRANT),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_so_already_is_accepted_without_a_write(here: Estate, name: str) -> None:
    document, _ = CASES[name]
    actions = plan(here, document)
    here.write(actions)
    before = len(writes(here))
    outcomes = here.write(actions)
    assert {outcome.status for outcome in outcomes.values()} == {Status.ACCEPTED}
    assert len(writes(here)) == before


def test_what_moved_is_refused_and_left_alone(here: Estate) -> None:
    actions = plan(here, scope("pricing", grant(DS, "manage"), grant(ENG, "read")))
    here.allow("pricing", DS, "WRITE")
    here.allow("pricing", ENG, "MANAGE")
    outcomes = here.write(actions)
    assert {outcome.status for outcome in outcomes.values()} == {Status.REFUSED}
    assert all("moved" in outcome.reason for outcome in outcomes.values())
    assert here.acl("pricing") == {**OWN, "pricing-ds": "WRITE", "pricing-eng": "MANAGE"}
    assert writes(here) == []


def test_a_moved_assignment_is_refused(here: Estate) -> None:
    here.assign(DS, "ADMIN")
    (lower,) = plan(here, entitlements(grant(DS, "workspace-access")))
    del here.workspace.assigned[here.ident(DS)]
    databricks(here.emulator).account.version += 1
    outcome = only(here.write([lower]))
    assert outcome.status is Status.REFUSED
    assert "it is not there" in outcome.reason


def test_a_stale_answer_is_not_taken_for_a_move(here: Estate) -> None:
    actions = plan(here, scope("pricing", grant(DS, "write")))
    order(here, target="acls/list", status=200, body='{"items":[]}', times=2)
    assert only(here.write(actions)).status is Status.ACCEPTED
    assert here.acl("pricing")["pricing-ds"] == "WRITE"


LOSSES = [
    {"kind": "reset"},
    {"kind": "html", "status": 502},
    {"kind": "respond", "status": 500, "body": "{}"},
]


@pytest.mark.parametrize("fault", LOSSES)
@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_a_lost_answer_is_unknown_and_the_next_run_converges(
    here: Estate, name: str, after: bool, fault: dict[str, Any]
) -> None:
    document, verb = CASES[name]
    actions = plan(here, document)
    order(here, method="POST|PUT|PATCH", target="/api/2.0/(secrets|preview)", after=after, **fault)
    first = next(action for action in actions if action.verb is verb)
    assert here.write([first])[first.id].status is Status.UNKNOWN
    here.write(plan(here, document))
    assert plan(here, document) == ()


def test_after_a_lost_answer_nothing_more_is_sent_to_the_same_thing(here: Estate) -> None:
    actions = plan(here, scope("pricing", grant(ENG, "read"), grant("sp:pricing-airflow", "write")))
    order(here, method="POST", target="acls/put", kind="reset", after=True)
    outcomes = list(here.provider.write(actions[0].address, actions))
    assert [str(outcome.status) for outcome in outcomes] == ["unknown", "deferred", "deferred"]
    assert len(writes(here)) == 1


def test_what_cannot_be_read_before_writing_is_not_written(here: Estate) -> None:
    for document in (CASES["acl"][0], CASES["entitlement"][0]):
        actions = plan(here, document)
        fault = order(here, target="acls/list|scim/v2/Groups", status=403, body="{}", times=None)
        outcomes = here.write(actions)
        assert {outcome.status for outcome in outcomes.values()} == {Status.FAILED}
        assert all("nothing was sent" in outcome.reason for outcome in outcomes.values())
        here.emulator.world.faults.active.remove(fault)
    assert writes(here) == []


def test_nothing_is_written_to_what_was_never_read(here: Estate) -> None:
    (create,) = plan(here, scope("fresh"))
    here.open(ENVIRON)
    (outcome,) = here.provider.write(create.address, [create])
    assert outcome.status is Status.REFUSED
    assert writes(here) == []


def test_subjects_that_are_not_ours_are_untouched(here: Estate) -> None:
    before = here.emulator.dump()["databricks"]["workspaces"]["ml-prod"]
    here.write(plan(here, scope("fresh", grant(DS, "read")), entitlements(grant(NEW, "workspace-access"))))
    after = here.emulator.dump()["databricks"]["workspaces"]["ml-prod"]
    assert [each for each in after["scopes"] if each["name"] != "fresh"] == before["scopes"]
    ours = here.ident(NEW)
    assert {who: held for who, held in after["entitlements"].items() if who != ours} == before["entitlements"]
    assert [each for each in after["assigned"] if each["principal"] != ours] == before["assigned"]


def test_no_secret_value_is_asked_for_sent_or_told(here: Estate) -> None:
    document = scope("pricing", grant(ENG, "read"), keys=[{"name": "old", "rotate-every": "1d"}])
    actions = plan(here, document)
    said = repr((here.read(here.compile(document).wanted), actions, here.write(actions)))
    assert SECRET_VALUE not in said
    assert not here.requests(path="/secrets/get")
    assert not here.requests(path="/secrets/put")
    assert not any(SECRET_VALUE.encode() in each.body for each in here.requests())


def test_reads_that_lag_behind_writes_do_not_confuse_the_next_write(tmp_path: Path) -> None:
    """Group caches are up to a minute old: what is added and removed by name comes out right all the same."""
    with estate(tmp_path, switches={"databricks.stale-seconds": 60}) as here:
        document = entitlements(grant(ENG, "databricks-sql-access"), grant(NEW, "workspace-access"))
        outcomes = here.write(plan(here, document))
        assert {outcome.status for outcome in outcomes.values()} == {Status.ACCEPTED}
        assert (here.held(ENG), here.held(NEW)) == ({"databricks-sql-access"}, {"workspace-access"})
        here.emulator.world.clock.advance(60)
        assert plan(here, document) == ()
