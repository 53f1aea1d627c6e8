"""Writing: exactly what was approved, asserted on what the emulator holds afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.model import PRESENT, Attribute, Verb
from reconciler.core.plan import Action, Outcome, Status
from reconciler.emulator.databricks.state import GROUPS, Identity, Secret, stable_id
from reconciler.emulator.faults import Fault
from tests.providers.databricks.estate import (
    AIRFLOW_ID,
    CLIENT_ID,
    SECRET_VALUE,
    Estate,
    databricks,
    entitlements,
    estate,
    grant,
    scope,
)

DS, ENG, NEW = "group:pricing-ds", "group:pricing-eng", "group:newcomers"
OWN = {CLIENT_ID: "MANAGE"}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Estate]:
    with estate(tmp_path) as result:
        yield result


def plan(here: Estate, *documents: dict[str, Any], adopted: bool = True) -> tuple[Action, ...]:
    result = here.compile(*documents, adopted=adopted)
    assert result.problems == ()
    return here.plan(result.wanted)


def pick(actions: tuple[Action, ...], verb: str, who: str = "", role: str = "") -> Action:
    (action,) = [
        each
        for each in actions
        if each.verb == verb and each.attribute.principal == who and role in ("", each.attribute.role)
    ]
    return action


def only(outcomes: dict[str, Outcome]) -> Outcome:
    (outcome,) = outcomes.values()
    return outcome


def order(here: Estate, **fault: Any) -> Fault:
    made = Fault(**{"service": "databricks/ml-prod", **fault})
    here.emulator.world.faults.add(made)
    return made


def writes(here: Estate) -> list[str]:
    sent = [each for each in here.requests() if each.method != "GET"]
    return [f"{each.method} {each.path.removeprefix('/api/2.0/')}" for each in sent]


# Entitlements


def test_assignment_and_entitlements_come_to_what_the_policies_say(here: Estate) -> None:
    documents = entitlements(
        grant(DS, ["workspace-access", "databricks-sql-access"]),
        grant(ENG, "databricks-sql-access"),
        grant(NEW, "workspace-access"),
        grant("user:lea@corp.example", "allow-cluster-create"),
        grant("sp:pricing-airflow", "databricks-sql-access"),
    )
    outcomes = here.write(plan(here, documents))
    assert {outcome.status for outcome in outcomes.values()} == {Status.ACCEPTED}
    assert here.held(DS) == {"workspace-access", "databricks-sql-access"}
    assert here.held(ENG) == {"databricks-sql-access"}
    assert here.held(NEW) == {"workspace-access"}
    assert here.held("user:lea@corp.example") == {"allow-cluster-create"}
    assert here.held("sp:pricing-airflow") == {"databricks-sql-access"}
    assert here.assigned(NEW) == ["USER"]
    assert plan(here, documents) == ()


def test_entitlements_are_patched_and_never_replaced(here: Estate) -> None:
    here.entitle(ENG, "workspace-access", "quantum-access")
    documents = entitlements(grant(ENG, ["databricks-sql-access"]))
    actions = plan(here, documents)
    here.write([pick(actions, Verb.GRANT, ENG), pick(actions, Verb.REVOKE, ENG, "workspace-access")])
    assert here.held(ENG) == {"databricks-sql-access", "quantum-access"}
    assert {each.partition(" ")[0] for each in writes(here)} == {"PATCH"}


def test_grants_and_revokes_of_one_batch_go_in_one_patch(here: Estate) -> None:
    actions = plan(here, entitlements(grant(ENG, ["databricks-sql-access", "allow-instance-pool-create"])))
    assert len(actions) == 4
    here.provider.write(actions[0].address, actions)
    assert len(writes(here)) == 1
    assert here.held(ENG) == {"databricks-sql-access", "allow-instance-pool-create"}


def test_an_entitlement_is_not_given_before_the_assignment_is_approved(here: Estate) -> None:
    actions = plan(here, entitlements(grant(NEW, "workspace-access")))
    outcome = only(here.write([pick(actions, Verb.GRANT, NEW, "workspace-access")]))
    assert outcome.status is Status.REFUSED
    assert "approve its assignment first" in outcome.reason
    assert writes(here) == []


def test_an_assignment_does_not_go_while_unapproved_entitlements_hang_on_it(here: Estate) -> None:
    retired = entitlements(grant(ENG, "workspace-access"), state="retired")
    actions = plan(here, retired)
    assert {action.attribute.role for action in actions} == {"workspace-access", "assignment"}
    outcomes = here.write(actions)
    assert outcomes[pick(actions, Verb.REVOKE, ENG, "workspace-access").id].status is Status.ACCEPTED
    refused = outcomes[pick(actions, Verb.REVOKE, ENG, "assignment").id]
    assert refused.status is Status.REFUSED
    assert "allow-cluster-create" in refused.reason
    assert here.assigned(ENG) == ["USER"]
    assert here.held(ENG) == {"allow-cluster-create"}


def test_a_retired_document_takes_everything_back(here: Estate) -> None:
    actions = plan(here, entitlements(grant(DS, "workspace-access"), state="retired"))
    here.write(actions)
    assert here.assigned(DS) == []
    assert here.held(DS) == set()
    assert here.assigned(ENG) == ["USER"]


def test_an_admin_is_lowered_to_a_user_and_not_thrown_out(here: Estate) -> None:
    here.assign(DS, "ADMIN")
    actions = plan(here, entitlements(grant(DS, "workspace-access")))
    assert [action.verb for action in actions] == [Verb.LOWER]
    here.write(actions)
    assert here.assigned(DS) == ["USER"]
    assert here.held(DS) == {"workspace-access"}


def test_a_permission_that_would_delete_the_assignment_is_never_sent(here: Estate) -> None:
    (lower,) = plan_of_admin(here)
    for after in ("USERS", ""):
        outcome = only(here.write([replace(lower, after=after)]))
        assert outcome.status is Status.FAILED
    assert here.assigned(DS) == ["ADMIN"]
    assert writes(here) == []


def plan_of_admin(here: Estate) -> tuple[Action, ...]:
    here.assign(DS, "ADMIN")
    return plan(here, entitlements(grant(DS, "workspace-access")))


def test_consumer_access_changes_hands_with_what_includes_it(here: Estate) -> None:
    here.entitle(DS, "workspace-access")
    documents = entitlements(grant(DS, "workspace-consume"))
    here.write(plan(here, documents))
    assert here.held(DS) == {"workspace-consume"}
    assert plan(here, documents) == ()


def test_somebody_unknown_to_the_account_is_brought_there_by_object_id(here: Estate) -> None:
    here.write(plan(here, entitlements(grant(NEW, "workspace-access"))))
    identity = databricks(here.emulator).identities.principal(NEW)
    assert identity.external_id == here.directory.state.by_group_name("newcomers")[0].id
    assert identity.home == ""


def test_somebody_whom_nobody_can_bring_is_told_with_the_next_step(here: Estate) -> None:
    here.emulator.world.faults.add(
        Fault(service="databricks-account", method="POST", target="/api/", status=403, body="{}", times=None)
    )
    actions = plan(here, entitlements(grant(NEW, "workspace-access")))
    outcomes = here.write(actions)
    failed = outcomes[pick(actions, Verb.GRANT, NEW, "assignment").id]
    assert failed.status is Status.FAILED
    assert "let an account admin add it" in failed.reason
    assert outcomes[pick(actions, Verb.GRANT, NEW, "workspace-access").id].status is Status.REFUSED


def test_the_account_s_own_scim_does_where_resolving_is_not_offered(here: Estate) -> None:
    here.emulator.world.faults.add(
        Fault(
            target="resolve-by-external-id", status=404, body='{"error_code":"FEATURE_DISABLED"}', times=None
        )
    )
    here.write(plan(here, entitlements(grant(NEW, "workspace-access"))))
    assert here.assigned(NEW) == ["USER"]


def test_under_scim_nobody_is_made_up(tmp_path: Path) -> None:
    with estate(tmp_path, sync="scim") as here:
        actions = plan(here, entitlements(grant(NEW, "workspace-access")))
        outcome = here.write(actions)[pick(actions, Verb.GRANT, NEW, "assignment").id]
        assert outcome.status is Status.FAILED
        assert "provisioning application" in outcome.reason
        assert writes(here) == []


def test_one_value_that_is_refused_does_not_stop_the_others(here: Estate) -> None:
    documents = entitlements(grant(DS, ["workspace-access", "allow-cluster-create", "databricks-sql-access"]))
    actions = plan(here, documents)
    body = '{"schemas":[],"detail":"not for you","status":"400"}'
    order(here, method="PATCH", status=400, body=body, times=2)
    outcomes = here.write(actions)
    statuses = sorted(str(outcome.status) for outcome in outcomes.values())
    assert statuses == ["accepted", "failed"]
    assert len(here.held(DS)) == 2


def test_somebody_just_assigned_may_take_a_moment_to_appear(here: Estate) -> None:
    ordered = order(here, method="PATCH", status=404, body="{}", times=2)
    here.write(plan(here, entitlements(grant(NEW, "workspace-access"))))
    assert here.held(NEW) == {"workspace-access"}
    assert ordered.struck == 2


# Secret scopes


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


# What moved, what was lost, what was so already


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
    (lower,) = plan_of_admin(here)
    databricks(here.emulator).account.version += 1
    here.workspace.assigned.pop(here.ident(DS))
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
    fresh = type(here.provider)
    other = fresh(here.environment.databricks, here.provider._sign, patience=5)  # type: ignore[arg-type]
    (outcome,) = other.write(create.address, [create])
    assert outcome.status is Status.REFUSED
    assert create.after == PRESENT


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
