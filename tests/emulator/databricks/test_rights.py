"""What those may do who are no admins, and who is one."""

from __future__ import annotations

import pytest

from tests.emulator.databricks.estate import ACCOUNT_SCIM, SCIM, Estate


@pytest.fixture
def estate() -> Estate:
    return Estate()


def test_they_list_names_and_ids(estate: Estate) -> None:
    listed = estate.call("GET", f"{SCIM}/Groups", caller="reader")["Resources"]

    assert {key for each in listed for key in each} == {"schemas", "id", "displayName"}


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/Groups?attributes=id,externalId"),
        ("GET", "/Groups/{group}"),
        ("POST", "/Groups"),
        ("PATCH", "/Groups/{group}"),
        ("DELETE", "/Groups/{group}"),
    ],
)
def test_they_do_nothing_else(estate: Estate, method: str, target: str) -> None:
    path = SCIM + target.format(group=estate.id_of("group:pricing-ds"))

    status, error = estate.refused(method, path, {"displayName": "x"}, caller="reader")

    assert status == 403
    assert error["detail"] == f"{path.partition('?')[0].removeprefix('/api')} is only accessible by admins"


def test_everybody_may_read_itself(estate: Estate) -> None:
    assert estate.call("GET", f"{SCIM}/Me", caller="bo@corp.example")["userName"] == "bo@corp.example"


def test_the_account_is_for_account_admins(estate: Estate) -> None:
    assert (
        estate.send("GET", f"{ACCOUNT_SCIM}/Groups", caller="reader", endpoint="databricks-account").status
        == 403
    )


def test_workspace_admins_read_the_account_and_do_not_change_it(estate: Estate) -> None:
    bo = estate.id_of("user:bo@corp.example")
    estate.account.workspaces["main"].assigned[bo] = ["ADMIN"]
    proxy = "/api/2.0/account/scim/v2/Groups"

    assert estate.call("GET", f"{proxy}/500", caller="bo@corp.example")["members"]
    assert estate.send("POST", proxy, {"displayName": "x"}, caller="bo@corp.example").status == 403
    assert estate.send("POST", proxy, {"displayName": "x"}, caller="reconciler").status == 201


def test_admins_come_through_groups(estate: Estate) -> None:
    estate.call("PUT", "/api/2.0/preview/permissionassignments/principals/500", {"permissions": ["ADMIN"]})
    assert estate.send("GET", f"{SCIM}/Groups/500", caller="ana@corp.example").status == 200

    ana = estate.id_of("user:ana@corp.example")
    removal = {"op": "remove", "path": f'members[value eq "{ana}"]'}
    estate.patch(f"{ACCOUNT_SCIM}/Groups/500", removal, endpoint="databricks-account")
    assert estate.send("GET", f"{SCIM}/Groups/500", caller="ana@corp.example").status == 403


def test_an_account_admin_is_a_stranger_to_a_workspace_that_it_is_not_assigned_to(estate: Estate) -> None:
    workspace = estate.account.workspaces["other"]
    workspace.assigned.clear()
    estate.account.version += 1

    status, error = estate.refused("GET", f"{SCIM}/Me", endpoint="databricks/other")

    assert (status, error["message"]) == (403, f"Unauthorized access to workspace: {workspace.id}")


def test_the_account_admin_role_is_given_and_taken_but_for_the_last(estate: Estate) -> None:
    reader = f"{ACCOUNT_SCIM}/ServicePrincipals/{estate.id_of('sp:reader')}"
    grant = {"op": "add", "path": "roles", "value": [{"value": "account_admin"}]}
    estate.patch(reader, grant, endpoint="databricks-account")
    assert estate.at_account("GET", f"{ACCOUNT_SCIM}/Groups", caller="reader")

    removal = {"op": "remove", "path": 'roles[value eq "account_admin"]'}
    estate.patch(reader, removal, endpoint="databricks-account")
    last = f"{ACCOUNT_SCIM}/ServicePrincipals/{estate.id_of('sp:reconciler')}"
    status, error = estate.refused("PATCH", last, {"Operations": [removal]}, endpoint="databricks-account")
    assert (status, error["scimType"]) == (400, "invalidValue")
