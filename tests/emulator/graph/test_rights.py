"""What a caller may see and do, by the permissions that its application was granted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from reconciler.emulator.wire import Request
from tests.emulator.graph.tenant import BASE, SEED, Answer, Tenant


def with_roles(*roles: str) -> Tenant:
    principals = [{"name": "reconciler", "app-roles": list(roles)}, {"name": "airflow"}]
    return Tenant({**SEED, "service-principals": principals})


Attempt = Callable[[Tenant], Answer]
NEW = {"displayName": "n", "mailNickname": "n", "mailEnabled": False, "securityEnabled": True}
ATTEMPTS: dict[str, Attempt] = {
    "list groups": lambda tenant: tenant.get("/v1.0/groups"),
    "read members": lambda tenant: tenant.get(tenant.group("pricing-ds", "/members")),
    "list users": lambda tenant: tenant.get("/v1.0/users"),
    "list principals": lambda tenant: tenant.get("/v1.0/servicePrincipals"),
    "add member": lambda tenant: tenant.add("empty", "user:bo@corp.example"),
    "add owner": lambda tenant: tenant.add("empty", "user:bo@corp.example", "owners"),
    "create group": lambda tenant: tenant.post("/v1.0/groups", NEW),
    "rename group": lambda tenant: tenant.patch(tenant.group("empty"), {"displayName": "x"}),
    "delete group": lambda tenant: tenant.delete(tenant.group("empty")),
    "delete user": lambda tenant: tenant.delete("/v1.0/users/bo@corp.example"),
    "delete by accident": lambda tenant: tenant.delete(
        tenant.group("pricing-ds", f"/members/{tenant.id('user:ana@corp.example')}")
    ),
    "read hidden": lambda tenant: tenant.get(tenant.group("secret-society", "/members")),
}
GROUP_READS = {"list groups", "read members"}
GROUP_WRITES = {"add member", "add owner", "create group", "rename group", "delete group"}
USER_WRITES = {"delete user", "delete by accident"}
ALLOWED: dict[str, set[str]] = {
    "": set(),
    "Group.Read.All": GROUP_READS,
    "GroupMember.Read.All": GROUP_READS,
    "User.Read.All": {"list users"},
    "Application.Read.All": {"list principals"},
    "Directory.Read.All": GROUP_READS | {"list users", "list principals"},
    "GroupMember.ReadWrite.All": GROUP_READS | {"add member"},
    "Group.ReadWrite.All": GROUP_READS | GROUP_WRITES,
    "User.ReadWrite.All": {"list users"} | USER_WRITES,
    "Directory.ReadWrite.All": (GROUP_READS | GROUP_WRITES | USER_WRITES | {"list users", "list principals"}),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
@pytest.mark.parametrize("role", ALLOWED)
def test_permissions_allow_exactly_what_they_say(role: str, attempt: str) -> None:
    tenant = with_roles(*filter(None, [role]))
    before = tenant.service.dump()
    answer = ATTEMPTS[attempt](tenant)
    if attempt in ALLOWED[role]:
        assert answer.status in (200, 201, 204), answer.body
    else:
        assert (answer.status, answer.code) == (403, "Authorization_RequestDenied")
        assert answer.message == "Insufficient privileges to complete the operation."
        assert tenant.service.dump() == before


def test_members_of_unreadable_types_show_their_type_and_id_only() -> None:
    tenant = with_roles("Group.Read.All")
    value = tenant.get(tenant.group("pricing-ds", "/members", "beta")).body["value"]
    user, principal, group = value
    assert user["id"] == tenant.id("user:ana@corp.example")
    assert user["displayName"] is None and user["userPrincipalName"] is None
    assert principal["@odata.type"] == "#microsoft.graph.servicePrincipal" and principal["appId"] is None
    assert group["displayName"] == "pricing-leads"
    found = tenant.post("/v1.0/directoryObjects/getByIds", {"ids": [user["id"]]}).body["value"]
    assert found[0]["userPrincipalName"] is None


def test_a_cast_to_an_unreadable_type_is_refused() -> None:
    tenant = with_roles("Group.Read.All")
    assert tenant.get(tenant.group("pricing-ds", "/members/microsoft.graph.user")).status == 403


def test_hidden_memberships_need_a_permission_of_their_own() -> None:
    tenant = with_roles("Group.Read.All")
    members = tenant.group("secret-society", "/members")
    assert tenant.get(tenant.group("secret-society")).body["visibility"] == "HiddenMembership"
    assert tenant.get(members).status == 403
    assert tenant.get(tenant.group("secret-society", "?$expand=members")).status == 403
    tenant.world.switches["graph.hidden-membership"] = "empty"
    assert tenant.get(members).ids == []
    allowed = with_roles("Group.Read.All", "Member.Read.Hidden")
    assert allowed.get(members).ids == [allowed.id("user:bo@corp.example")]


def test_single_objects_can_be_denied_to_a_caller() -> None:
    tenant = Tenant({**SEED, "denied": {"sp:reconciler": ["group:pricing-ds"]}})
    assert tenant.get(tenant.group("pricing-ds", "/members")).status == 403
    assert tenant.get(tenant.group("pricing-leads", "/members")).status == 200


def test_people_read_everything_and_write_as_administrators_only() -> None:
    users = [*SEED["users"], {"upn": "root@corp.example", "roles": ["Groups Administrator"]}]
    tenant = Tenant({**SEED, "users": users}, "user:ana@corp.example")
    assert tenant.get(tenant.group("pricing-ds", "/members")).body["value"][0]["displayName"] == "Ana Áñez"
    assert tenant.add("empty", "user:bo@corp.example").status == 403
    tenant.name = "user:root@corp.example"
    assert tenant.add("empty", "user:bo@corp.example").status == 204


@pytest.mark.parametrize(
    ("authorized", "audience", "message"),
    [
        (False, None, "Access token is empty."),
        (True, None, "Lifetime validation failed, the token is expired."),
        (True, "https://storage.azure.com", "Access token validation failure. Invalid audience."),
    ],
)
def test_a_token_must_be_there_alive_and_for_graph(
    authorized: bool, audience: str | None, message: str
) -> None:
    tenant = Tenant()
    caller = replace(tenant.caller(), audience=audience) if audience else None
    headers = {"authorization": "Bearer x"} if authorized else {}
    request = Request(
        service="graph", method="GET", path="/v1.0/groups", headers=headers, base=BASE, caller=caller
    )
    response = tenant.service.handle(request)
    assert response.status == 401
    assert json.loads(response.body)["error"]["code"] == "InvalidAuthenticationToken"
    assert json.loads(response.body)["error"]["message"] == message
    assert "www-authenticate" in dict(response.headers)
