"""Privileged access to groups: schedules, and the memberships that come and go with them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.graph.tenant import SEED, Tenant

ROOT = "/v1.0/identityGovernance/privilegedAccess/group"


def scheduled(**entry: Any) -> Tenant:
    whole = {"group": "group:empty", "principal": "user:bo@corp.example"} | entry
    tenant = Tenant({**SEED, "pim-assignments": [whole]})
    tenant.world.clock.freeze()
    return tenant


def instances(tenant: Tenant, kind: str = "assignmentScheduleInstances") -> list[dict[str, Any]]:
    found = tenant.get(f"{ROOT}/{kind}?$filter=groupId eq '{tenant.id('group:empty')}'")
    assert found.status == 200, found.body
    value: list[dict[str, Any]] = found.body["value"]
    return value


def test_an_active_assignment_is_an_ordinary_member_until_it_ends() -> None:
    tenant = scheduled(end="2199-01-01T00:00:00Z", activated=True)
    bo = tenant.id("user:bo@corp.example")
    assert tenant.get(tenant.group("empty", "/members")).ids == [bo]
    (one,) = instances(tenant)
    assert one["endDateTime"] == "2199-01-01T00:00:00Z"
    assert (one["assignmentType"], one["accessId"], one["principalId"]) == ("activated", "member", bo)
    assert one["id"].startswith(f"{tenant.id('group:empty')}_member_")
    tenant.world.clock.advance(200 * 366 * 86_400)
    assert tenant.get(tenant.group("empty", "/members")).ids == []
    assert instances(tenant) == []


def test_an_assignment_in_the_future_is_a_schedule_without_an_instance() -> None:
    tenant = scheduled(start="2199-01-01")
    assert tenant.members("empty") == []
    assert instances(tenant) == []
    assert len(instances(tenant, "assignmentSchedules")) == 1
    tenant.world.clock.advance(200 * 366 * 86_400)
    assert tenant.get(tenant.group("empty", "/members")).ids == [tenant.id("user:bo@corp.example")]


def test_an_eligible_principal_is_no_member() -> None:
    entry = {"group": "group:empty", "principal": "user:bo@corp.example", "access": "owner"}
    other = {"group": "group:admins", "principal": "user:bo@corp.example"}
    tenant = Tenant({**SEED, "pim-eligibilities": [entry, other]})
    assert tenant.get(tenant.group("empty", "/owners")).ids == []
    assert tenant.get(tenant.group("admins", "/members")).ids == []
    (one,) = instances(tenant, "eligibilityScheduleInstances")
    assert "assignmentType" not in one and one["accessId"] == "owner"
    assert one["eligibilityScheduleId"] == one["id"]


@pytest.mark.parametrize("kind", ["assignmentSchedules", "eligibilityScheduleInstances"])
def test_listings_need_a_filter_by_group_or_principal(kind: str) -> None:
    tenant = scheduled()
    assert tenant.get(f"{ROOT}/{kind}").status == 400
    assert tenant.get(f"{ROOT}/{kind}?$filter=accessId eq 'member'").status == 400
    bo = tenant.id("user:bo@corp.example")
    assert tenant.get(f"{ROOT}/{kind}?$filter=principalId eq '{bo}' and accessId eq 'member'").status == 200


def test_reading_needs_the_permission_of_its_kind() -> None:
    role = "PrivilegedAssignmentSchedule.Read.AzureADGroup"
    tenant = Tenant(
        {**SEED, "service-principals": [{"name": "reconciler", "app-roles": [role]}, {"name": "airflow"}]}
    )
    query = f"$filter=groupId eq '{tenant.id('group:empty')}'"
    assert tenant.get(f"{ROOT}/assignmentScheduleInstances?{query}").status == 200
    assert tenant.get(f"{ROOT}/eligibilityScheduleInstances?{query}").status == 403


def request(tenant: Tenant, action: str, **more: Any) -> dict[str, Any]:
    return {
        "accessId": "member",
        "principalId": tenant.id("user:bo@corp.example"),
        "groupId": tenant.id("group:empty"),
        "action": action,
        "justification": "a test",
    } | more


def test_an_administrator_assigns_for_two_hours_and_removes() -> None:
    tenant = Tenant()
    tenant.world.clock.freeze()
    info = {"expiration": {"type": "afterDuration", "duration": "PT2H"}}
    url = f"{ROOT}/assignmentScheduleRequests"
    answer = tenant.post(url, request(tenant, "adminAssign", scheduleInfo=info))
    assert (answer.status, answer.body["status"]) == (201, "Provisioned")
    assert tenant.members("empty") == [tenant.id("user:bo@corp.example")]
    assert instances(tenant)[0]["id"] == answer.body["targetScheduleId"]
    tenant.world.clock.advance(2 * 3600)
    assert tenant.get(tenant.group("empty", "/members")).ids == []
    tenant.post(url, request(tenant, "adminAssign"))
    removed = tenant.post(url, request(tenant, "adminRemove"))
    assert removed.status == 201 and tenant.members("empty") == []
    again = tenant.post(url, request(tenant, "adminRemove"))
    assert (again.status, again.code) == (404, "RoleAssignmentDoesNotExist")
