"""Adding and removing members and owners, and the memberships that Graph does not let anybody write."""

from __future__ import annotations

import pytest

from tests.emulator.graph.tenant import SEED, Tenant

ABSENT = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def tenant() -> Tenant:
    return Tenant()


def test_a_member_is_added_once(tenant: Tenant) -> None:
    bo = tenant.id("user:bo@corp.example")
    first = tenant.add("empty", "user:bo@corp.example")
    assert (first.status, first.body, first.headers["x-ms-resource-unit"]) == (204, None, "1")
    assert tenant.members("empty") == [bo]
    second = tenant.add("empty", "user:bo@corp.example")
    assert (second.status, second.code) == (400, "Request_BadRequest")
    assert second.message == (
        "One or more added object references already exist for the following modified properties: 'members'."
    )


@pytest.mark.parametrize("collection", ["directoryObjects", "users"])
def test_references_may_name_any_collection(tenant: Tenant, collection: str) -> None:
    link = f"https://graph.microsoft.com/v1.0/{collection}/{tenant.id('user:bo@corp.example')}"
    assert tenant.post(tenant.group("empty", "/members/$ref"), {"@odata.id": link}).status == 204


@pytest.mark.parametrize("link", ["nonsense", "", None, 7])
def test_references_that_name_nothing_are_refused(tenant: Tenant, link: object) -> None:
    assert tenant.post(tenant.group("empty", "/members/$ref"), {"@odata.id": link}).status == 400
    assert tenant.members("empty") == []


def test_an_absent_object_or_group_is_not_found(tenant: Tenant) -> None:
    link = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{ABSENT}"}
    answer = tenant.post(tenant.group("empty", "/members/$ref"), link)
    assert (answer.status, answer.code) == (404, "Request_ResourceNotFound")
    assert ABSENT in answer.message
    assert tenant.post(f"/v1.0/groups/{ABSENT}/members/$ref", link).status == 404


def test_binding_adds_twenty_at_once() -> None:
    users = [{"upn": f"u{number}@corp.example"} for number in range(21)]
    tenant = Tenant({**SEED, "users": [*SEED["users"], *users]})
    ids = [tenant.id(f"user:{user['upn']}") for user in users]
    assert tenant.bind("empty", *ids).status == 400
    assert tenant.members("empty") == []
    answer = tenant.bind("empty", *ids[:20])
    assert (answer.status, answer.headers["x-ms-resource-unit"]) == (204, "1")
    assert tenant.members("empty") == ids[:20]


@pytest.mark.parametrize("bad", ["present", "absent", "twice"])
def test_binding_is_all_or_nothing(tenant: Tenant, bad: str) -> None:
    bo, lea = tenant.id("user:bo@corp.example"), tenant.id("user:lea@corp.example")
    ana = tenant.id("user:ana@corp.example")
    worst = {"present": ana, "absent": ABSENT, "twice": bo}[bad]
    before = tenant.members("pricing-ds")
    answer = tenant.bind("pricing-ds", bo, lea, worst)
    assert answer.status == (404 if bad == "absent" else 400)
    assert tenant.members("pricing-ds") == before


def test_a_member_is_removed_once(tenant: Tenant) -> None:
    ana = tenant.id("user:ana@corp.example")
    url = tenant.group("pricing-ds", f"/members/{ana}/$ref")
    assert tenant.delete(url).status == 204
    assert ana not in tenant.members("pricing-ds")
    again = tenant.delete(url)
    assert (again.status, again.code) == (404, "Request_ResourceNotFound")
    tenant.world.switches["graph.remove-absent"] = 400
    other = tenant.delete(url)
    assert (other.status, other.message[:34]) == (400, "One or more removed object referen")


def test_removal_without_ref_deletes_the_member_itself(tenant: Tenant) -> None:
    ana = tenant.id("user:ana@corp.example")
    assert tenant.delete(tenant.group("pricing-ds", f"/members/{ana}")).status == 204
    assert ana in tenant.directory.deleted
    assert tenant.get(f"/v1.0/users/{ana}").status == 404


def test_the_last_user_among_owners_stays(tenant: Tenant) -> None:
    lea = tenant.id("user:lea@corp.example")
    tenant.add("pricing-ds", "sp:airflow", "owners")
    url = tenant.group("pricing-ds", f"/owners/{lea}/$ref")
    answer = tenant.delete(url)
    assert (answer.status, answer.code) == (400, "Request_BadRequest")
    assert answer.message == "The group must have at least one owner, hence this owner cannot be removed."
    tenant.add("pricing-ds", "user:bo@corp.example", "owners")
    assert tenant.delete(url).status == 204


def test_a_group_cannot_own_a_group(tenant: Tenant) -> None:
    assert tenant.add("empty", "group:pricing-ds", "owners").status == 400


@pytest.mark.parametrize(
    ("group", "status", "message"),
    [
        ("dynamic", 403, "Insufficient privileges to complete the operation."),
        ("synced", 400, "Unable to update the specified properties for on-premises mastered Directory Sync"),
        ("mailing", 400, "Cannot Update a mail-enabled security groups and or distribution list."),
    ],
)
def test_memberships_that_another_authority_keeps_are_read_only(
    tenant: Tenant, group: str, status: int, message: str
) -> None:
    answers = [
        tenant.add(group, "user:bo@corp.example"),
        tenant.bind(group, tenant.id("user:bo@corp.example")),
    ]
    for answer in answers:
        assert answer.status == status
        assert answer.message.startswith(message)
    assert tenant.members(group) == []


def test_role_assignable_groups_need_role_management(tenant: Tenant) -> None:
    assert tenant.add("admins", "user:bo@corp.example").status == 204
    assert tenant.add("admins", "group:empty").status == 400
    weaker = [role for role in SEED["service-principals"][0]["app-roles"] if not role.startswith("RoleM")]
    seed = {**SEED, "service-principals": [{"name": "reconciler", "app-roles": weaker}, {"name": "airflow"}]}
    other = Tenant(seed)
    refused = other.add("admins", "user:bo@corp.example")
    assert (refused.status, refused.code) == (403, "Authorization_RequestDenied")
    assert other.members("admins") == []


def test_the_documented_permission_per_member_type_can_be_switched_on() -> None:
    principals = [{"name": "reconciler", "app-roles": ["GroupMember.ReadWrite.All"]}, {"name": "airflow"}]
    tenant = Tenant({**SEED, "service-principals": principals})
    assert tenant.add("empty", "sp:airflow").status == 204
    tenant.world.switches["graph.member-type-permissions"] = True
    assert tenant.add("pricing-leads", "sp:airflow").status == 403
    assert tenant.add("pricing-leads", "user:ana@corp.example").status == 204
