"""Writing secret scopes: exactly what was approved, asserted on what the emulator holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.core.model import Attribute, Verb
from reconciler.core.plan import Status
from reconciler.emulator.databricks.state import GROUPS, Identity, Secret, stable_id
from tests.providers.databricks.asking import DS, ENG, NEW, OWN, only, pick, plan, writes
from tests.providers.databricks.estate import (
    AIRFLOW_ID,
    SECRET_VALUE,
    Estate,
    databricks,
    entitlements,
    estate,
    grant,
    scope,
)


def test_acls_come_to_what_the_policies_say(here: Estate) -> None:
    documents = (
        scope("pricing", grant(ENG, "read"), grant("sp:pricing-airflow", "write")),
        scope("New-Scope", grant("user:lea@corp.example", "manage"), grant("group:Pricing Leads é", "read")),
    )
    outcomes = here.write(plan(here, *documents))
    assert {outcome.status for outcome in outcomes.values()} == {Status.ACCEPTED}
    assert here.acl("pricing") == {**OWN, "pricing-eng": "READ", AIRFLOW_ID: "WRITE"}
    assert here.acl("new-scope") == {
        **OWN,
        "lea@corp.example": "MANAGE",
        "Pricing Leads é": "READ",
    }
    assert here.workspace.scopes["new-scope"].name == "New-Scope"
    assert here.acl("leftover") == OWN
    assert plan(here, *documents) == ()


def test_rights_are_raised_and_lowered_in_place(here: Estate) -> None:
    here.allow("pricing", ENG, "MANAGE")
    actions = plan(here, scope("pricing", grant(DS, "write"), grant(ENG, "read")))
    assert [action.verb for action in actions] == [Verb.RAISE, Verb.LOWER]
    here.write(actions)
    assert here.acl("pricing") == {**OWN, "pricing-ds": "WRITE", "pricing-eng": "READ"}
    assert "acls/delete" not in " ".join(writes(here))


@pytest.mark.parametrize("chosen", range(4))
def test_a_half_approved_acl_applies_exactly_its_half(here: Estate, chosen: int) -> None:
    here.allow("pricing", "user:lea@corp.example", "WRITE")
    actions = plan(here, scope("pricing", grant(ENG, "read"), grant("sp:pricing-airflow", "manage")))
    assert len(actions) == 4
    before = here.acl("pricing")
    here.write([actions[chosen]])
    after = here.acl("pricing")
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    wire = {ENG: "pricing-eng", "sp:pricing-airflow": AIRFLOW_ID, DS: "pricing-ds"}
    principal = actions[chosen].attribute.principal
    assert changed == {wire.get(principal, principal.removeprefix("user:"))}


def test_a_strange_group_is_taken_off_by_its_own_name(here: Estate) -> None:
    account = databricks(here.emulator).account
    local = account.add(Identity(GROUPS, stable_id(GROUPS, "x"), {"displayName": "Old Team"}, home="ml-prod"))
    here.workspace.scopes["pricing"].acls[local.id] = "READ"
    actions = plan(here, scope("pricing", grant(DS, "read")))
    assert [action.attribute.principal for action in actions] == ["databricks:Old Team"]
    here.write(actions)
    assert here.acl("pricing") == {**OWN, "pricing-ds": "READ"}


def test_our_own_manage_goes_only_when_approved_and_then_last(here: Estate) -> None:
    actions = plan(here, scope("pricing"))
    assert "sp:reconciler" not in {action.attribute.principal for action in actions}
    (revoke,) = actions
    own = replace(
        revoke, id="own", attribute=Attribute("acl", "sp:reconciler"), before=("MANAGE",), object_ids={}
    )
    here.provider.write(revoke.address, [own, revoke])
    deleted = [each.body for each in here.requests("POST", "acls/delete")]
    assert [b"pricing-ds" in body for body in deleted] == [True, False]
    assert here.acl("pricing") == {}


def test_names_are_checked_against_the_object_id_before_writing(here: Estate) -> None:
    actions = plan(here, scope("pricing", grant(ENG, "read")))
    account = databricks(here.emulator).account
    local = account.add(
        Identity(GROUPS, stable_id(GROUPS, "hijack"), {"displayName": "pricing-eng"}, home="ml-prod")
    )
    outcome = only(here.write([pick(actions, Verb.GRANT, ENG)]))
    assert outcome.status is Status.REFUSED
    assert local.id in outcome.reason
    assert writes(here) == []


def test_a_name_that_moved_to_another_object_is_refused(here: Estate) -> None:
    actions = plan(here, scope("pricing", grant(ENG, "read")), entitlements(grant(ENG, "workspace-access")))
    old = here.directory.state.by_group_name("pricing-eng")[0]
    here.directory.state.rename(old, "former")
    newcomer = here.directory.state.by_group_name("newcomers")[0]
    here.directory.state.rename(newcomer, "pricing-eng")
    outcomes = here.write([action for action in actions if action.attribute.principal == ENG])
    assert {outcome.status for outcome in outcomes.values()} == {Status.REFUSED}
    assert all(old.id in outcome.reason and newcomer.id in outcome.reason for outcome in outcomes.values())
    assert writes(here) == []


def test_a_group_outside_the_workspace_is_refused_with_the_next_step(here: Estate) -> None:
    actions = plan(here, scope("pricing", grant(DS, "read"), grant(NEW, "read")))
    outcome = only(here.write(actions))
    assert outcome.status is Status.REFUSED
    assert "declare its entitlements there" in outcome.reason


def test_a_put_that_was_forgotten_is_sent_again_until_it_holds(tmp_path: Path) -> None:
    with estate(tmp_path, switches={"databricks.acl-fresh-group-seconds": 60}) as here:
        documents = (entitlements(grant(NEW, "workspace-access")), scope("pricing", grant(NEW, "read")))
        outcomes = here.write(plan(here, *documents))
        assert {outcome.status for outcome in outcomes.values()} >= {Status.ACCEPTED}
        assert here.acl("pricing")["newcomers"] == "READ"
        assert len(here.requests("POST", "acls/put")) > 2
        assert sum(here.slept) >= 50


def test_a_put_that_never_holds_is_unknown_in_bounded_time(tmp_path: Path) -> None:
    with estate(tmp_path, switches={"databricks.acl-fresh-group-seconds": 10_000}) as here:
        actions = plan(
            here, entitlements(grant(NEW, "workspace-access")), scope("pricing", grant(NEW, "read"))
        )
        outcomes = here.write(actions)
        outcome = outcomes[pick(actions, Verb.GRANT, NEW, "acl").id]
        assert outcome.status is Status.UNKNOWN
        assert "needs minutes" in outcome.reason
        assert sum(here.slept) < 200


def test_writes_to_one_scope_survive_a_service_that_forgets_parallel_ones(tmp_path: Path) -> None:
    with estate(tmp_path, switches={"databricks.acl-race-ms": 300}) as here:
        documents = scope("pricing", grant(ENG, "read"), grant("sp:pricing-airflow", "write"))
        here.write(plan(here, documents))
        assert here.acl("pricing") == {**OWN, "pricing-eng": "READ", AIRFLOW_ID: "WRITE"}


@pytest.mark.parametrize("kind", ["secret", "holder"])
def test_a_scope_that_holds_something_is_not_deleted(here: Estate, kind: str) -> None:
    actions = plan(here, scope("leftover", state="retired", destroy=True))
    (delete,) = actions
    assert delete.verb is Verb.DELETE
    if kind == "secret":
        here.workspace.scopes["leftover"].secrets["k"] = Secret("k", SECRET_VALUE.encode(), 0)
    else:
        here.allow("leftover", ENG, "READ")
    outcome = only(here.write(actions))
    assert outcome.status is Status.REFUSED
    assert "not empty" in outcome.reason
    assert SECRET_VALUE not in outcome.reason
    assert "leftover" in here.workspace.scopes


def test_an_empty_scope_goes_with_its_document(here: Estate) -> None:
    here.allow("leftover", DS, "READ")
    outcomes = here.write(plan(here, scope("leftover", grant(DS, "read"), state="retired", destroy=True)))
    assert {outcome.status for outcome in outcomes.values()} == {Status.ACCEPTED}
    assert "leftover" not in here.workspace.scopes
    assert "pricing" in here.workspace.scopes


def test_a_vault_scope_is_made_with_its_vault_or_told_why_not(here: Estate) -> None:
    vault = {"backend": "keyvault", "resource-id": "/s/kv", "dns-name": "https://kv/"}
    outcome = only(here.write(plan(here, scope("vaulted", **vault))))
    assert outcome.status is Status.FAILED
    assert "userAADToken" in outcome.reason
    assert "`databricks-credential: azure`" in outcome.reason


def test_grants_on_a_scope_that_is_not_there_wait_for_its_creation(here: Estate) -> None:
    actions = plan(here, scope("fresh", grant(DS, "read")))
    outcome = only(here.write([pick(actions, Verb.GRANT, DS)]))
    assert outcome.status is Status.REFUSED
    assert "approve its creation first" in outcome.reason
    here.write([pick(actions, Verb.CREATE)])
    assert here.acl("fresh") == OWN
