"""Creating, changing, deleting and restoring objects."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.emulator.wire import Request
from tests.emulator.graph.tenant import BASE, Tenant

GROUP = {
    "displayName": "new",
    "mailNickname": "new",
    "mailEnabled": False,
    "securityEnabled": True,
    "description": "made by a test",
}
USER = {
    "displayName": "New",
    "userPrincipalName": "new@corp.example",
    "mailNickname": "new",
    "accountEnabled": True,
    "passwordProfile": {"password": "correct horse"},
}


@pytest.fixture
def tenant() -> Tenant:
    return Tenant()


def link(tenant: Tenant, reference: str) -> str:
    return f"{BASE}/v1.0/directoryObjects/{tenant.id(reference)}"


def test_a_group_is_created_with_members_and_owners(tenant: Tenant) -> None:
    body: dict[str, Any] = GROUP | {
        "members@odata.bind": [link(tenant, "user:ana@corp.example")],
        "owners@odata.bind": [link(tenant, "user:lea@corp.example")],
    }
    answer = tenant.post("/v1.0/groups", body)
    assert answer.status == 201
    oid = answer.body["id"]
    assert answer.headers["location"] == (
        f"{BASE}/v2/{tenant.directory.tenant_id}/directoryObjects/{oid}/Microsoft.DirectoryServices.Group"
    )
    assert list(answer.body)[:2] == ["@odata.context", "id"]
    assert tenant.members("new") == [tenant.id("user:ana@corp.example")]
    assert list(tenant.directory.groups[oid].owners) == [tenant.id("user:lea@corp.example")]


def test_a_group_whose_members_do_not_exist_is_not_created(tenant: Tenant) -> None:
    bind = [f"{BASE}/v1.0/directoryObjects/00000000-0000-4000-8000-000000000000"]
    assert tenant.post("/v1.0/groups", GROUP | {"members@odata.bind": bind}).status == 404
    assert tenant.directory.by_group_name("new") == []


@pytest.mark.parametrize("missing", ["displayName", "mailNickname", "mailEnabled", "securityEnabled"])
def test_a_group_needs_its_properties(tenant: Tenant, missing: str) -> None:
    body = {name: value for name, value in GROUP.items() if name != missing}
    answer = tenant.post("/v1.0/groups", body)
    assert answer.status == 400
    assert answer.message == f"A value is required for property '{missing}' of resource 'Group'."


def test_names_of_groups_are_not_unique_but_those_of_users_are(tenant: Tenant) -> None:
    tenant.post("/v1.0/groups", GROUP)
    assert tenant.post("/v1.0/groups", GROUP).status == 201
    assert len(tenant.directory.by_group_name("new")) == 2
    assert tenant.post("/v1.0/users", USER).status == 201
    again = tenant.post("/v1.0/users", USER | {"userPrincipalName": "NEW@corp.example"})
    assert (
        again.message == "Another object with the same value for property userPrincipalName already exists."
    )


def test_a_new_user_is_answered_id_first_and_without_its_password(tenant: Tenant) -> None:
    answer = tenant.post("/v1.0/users", USER)
    assert list(answer.body)[1] == "id"
    assert "correct horse" not in str(answer.body)
    assert "correct horse" not in str(tenant.get("/v1.0/users/new@corp.example").body)


def test_a_rename_moves_every_look_up(tenant: Tenant) -> None:
    assert tenant.patch(tenant.group("empty"), {"displayName": "full", "description": None}).status == 204
    assert tenant.directory.by_group_name("empty") == []
    assert tenant.get("/v1.0/groups?$filter=displayName eq 'full'").ids == [tenant.id("group:full")]
    tenant.patch("/v1.0/users/bo@corp.example", {"userPrincipalName": "bob@corp.example"})
    assert tenant.get("/v1.0/users/bo@corp.example").status == 404
    assert tenant.get("/v1.0/users/bob@corp.example").status == 200


def test_synced_groups_and_the_role_flag_do_not_change(tenant: Tenant) -> None:
    assert tenant.patch(tenant.group("synced"), {"displayName": "x"}).status == 400
    assert tenant.patch(tenant.group("empty"), {"isAssignableToRole": True}).status == 400
    assert tenant.delete(tenant.group("synced")).status == 403


def test_a_deleted_group_waits_to_be_restored_with_its_members(tenant: Tenant) -> None:
    oid, members = tenant.id("group:pricing-ds"), tenant.members("pricing-ds")
    assert tenant.delete(f"/v1.0/groups/{oid}").status == 204
    assert tenant.get(f"/v1.0/groups/{oid}").status == 404
    waiting = tenant.get("/v1.0/directory/deletedItems/microsoft.graph.group").body["value"]
    assert [one["id"] for one in waiting] == [oid] and waiting[0]["deletedDateTime"]
    assert tenant.get(f"/v1.0/directory/deletedItems/{oid}").body["displayName"] == "pricing-ds"
    assert tenant.post(f"/v1.0/directory/deletedItems/{oid}/restore", {}).status == 200
    assert tenant.members("pricing-ds") == members


def test_a_deleted_user_leaves_its_groups_and_comes_back_to_them(tenant: Tenant) -> None:
    ana = tenant.id("user:ana@corp.example")
    tenant.delete(f"/v1.0/users/{ana}")
    assert ana not in tenant.members("pricing-ds")
    tenant.post(f"/v1.0/directory/deletedItems/{ana}/restore", {})
    assert ana in tenant.members("pricing-ds")


def test_after_thirty_days_or_a_second_deletion_an_object_is_gone(tenant: Tenant) -> None:
    first, second = tenant.id("group:empty"), tenant.id("group:pricing-leads")
    tenant.delete(f"/v1.0/groups/{first}")
    assert tenant.delete(f"/v1.0/directory/deletedItems/{first}").status == 204
    assert tenant.post(f"/v1.0/directory/deletedItems/{first}/restore", {}).status == 404
    tenant.delete(f"/v1.0/groups/{second}")
    tenant.world.clock.advance(30 * 86_400)
    assert tenant.post(f"/v1.0/directory/deletedItems/{second}/restore", {}).status == 404


def test_an_application_and_its_service_principal_live_and_die_together(tenant: Tenant) -> None:
    made = tenant.post("/v1.0/applications", {"displayName": "loader"})
    app_id = made.body["appId"]
    password = tenant.post(f"/v1.0/applications/{made.body['id']}/addPassword", {"passwordCredential": {}})
    assert password.headers["location"] == BASE
    principal = tenant.post("/v1.0/servicePrincipals", {"appId": app_id})
    assert (principal.status, principal.body["displayName"]) == (201, "loader")
    found = tenant.directory.by_app_id(app_id)
    assert found is not None and found.secret == password.body["secretText"]
    shown = tenant.get(f"/v1.0/applications?$filter=appId eq '{app_id}'").body["value"][0]
    assert shown["passwordCredentials"][0]["secretText"] is None
    again = tenant.post("/v1.0/servicePrincipals", {"appId": app_id})
    assert (again.status, again.code) == (409, "Request_MultipleObjectsWithSameKeyValue")
    assert tenant.delete(f"/v1.0/applications/{made.body['id']}").status == 204
    assert tenant.directory.by_app_id(app_id) is None


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"'])
def test_a_body_that_is_no_object_is_refused(tenant: Tenant, body: bytes) -> None:
    request = Request(
        service="graph", method="POST", path="/v1.0/groups", base=BASE, caller=tenant.caller(), body=body
    )
    assert tenant.service.handle(request).status == 400
