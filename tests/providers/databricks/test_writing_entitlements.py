"""Writing entitlements: exactly what was approved, asserted on what the emulator holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reconciler.core.model import Verb
from reconciler.core.plan import Action, Status
from reconciler.emulator.faults import Fault
from tests.providers.databricks.asking import DS, ENG, NEW, only, order, pick, plan, writes
from tests.providers.databricks.estate import Estate, databricks, entitlements, estate, grant


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
