"""Who may enter a workspace: by id, by name, and by mistake."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.databricks.estate import ACCOUNT, APP, SCIM, WORKSPACE, Estate

LOCAL = "/api/2.0/preview/permissionassignments"
CENTRAL = f"/api/2.0/accounts/{ACCOUNT}/workspaces/{WORKSPACE}/permissionassignments"


@pytest.fixture
def estate() -> Estate:
    return Estate()


def assigned(estate: Estate) -> dict[str, list[str]]:
    listed = estate.at_account("GET", CENTRAL)["permission_assignments"]
    return {each["principal"]["display_name"]: each["permissions"] for each in listed}


def test_both_apis_show_the_same(estate: Estate) -> None:
    assert estate.call("GET", LOCAL) == estate.at_account("GET", CENTRAL)
    assert assigned(estate)["pricing-ds"] == ["USER"]


@pytest.mark.parametrize("root", [LOCAL, CENTRAL])
def test_assigning_by_id_makes_a_group_visible_and_taking_it_back_hides_it(estate: Estate, root: str) -> None:
    endpoint = "databricks-account" if root == CENTRAL else "databricks/main"
    target = f"{root}/principals/500"

    answer = estate.call("PUT", target, {"permissions": ["USER"]}, endpoint=endpoint)

    assert answer == {
        "permissions": ["USER"],
        "principal": {"principal_id": 500, "group_name": "platform", "display_name": "platform"},
    }
    assert estate.call("GET", f"{SCIM}/Groups/500")["displayName"] == "platform"
    estate.call("DELETE", target, endpoint=endpoint)
    assert estate.refused("GET", f"{SCIM}/Groups/500")[0] == 404
    assert estate.refused("DELETE", target, endpoint=endpoint)[0] == 404


def test_admin_wins_over_user(estate: Estate) -> None:
    estate.call("PUT", f"{LOCAL}/principals/500", {"permissions": ["USER", "ADMIN"]})

    assert assigned(estate)["platform"] == ["ADMIN"]


@pytest.mark.parametrize("permissions", [[], ["USERS"]])
def test_no_permission_and_a_misspelt_one_take_the_assignment_away(
    estate: Estate, permissions: list[str]
) -> None:
    estate.call("PUT", f"{LOCAL}/principals/500", {"permissions": ["USER"]})

    estate.call("PUT", f"{LOCAL}/principals/500", {"permissions": permissions})

    assert "platform" not in assigned(estate)


def test_an_unassigned_principal_loses_its_entitlements(estate: Estate) -> None:
    group = estate.id_of("group:pricing-ds")

    estate.call("DELETE", f"{LOCAL}/principals/{group}")
    estate.call("PUT", f"{LOCAL}/principals/{group}", {"permissions": ["USER"]})

    assert "entitlements" not in estate.call("GET", f"{SCIM}/Groups/{group}")


def post(estate: Estate, *items: dict[str, Any]) -> Any:
    return estate.call("POST", LOCAL, {"permission_assignments": list(items)})["permission_assignments"]


def test_by_name_in_both_forms(estate: Estate) -> None:
    first = post(estate, {"group_name": "platform", "permissions": ["USER"]})
    second = post(estate, {"principal_info": {"user_name": "ana@corp.example"}, "permissions": ["USER"]})

    assert first[0]["principal"]["principal_id"] == 500
    assert second[0]["principal"]["user_name"] == "ana@corp.example"


def test_errors_by_name_come_with_status_two_hundred(estate: Estate) -> None:
    found = post(
        estate,
        {"group_name": "unresolved", "permissions": ["USER"]},
        {"group_name": "platform", "permissions": ["ADMIN"]},
        {"permissions": ["USER"]},
    )

    assert found[0]["error"] == "RESOURCE_DOES_NOT_EXIST: Principal not found in account."
    assert all(each["error"] for each in found)
    assert "platform" not in assigned(estate)


def test_by_name_twice_is_a_bad_request(estate: Estate) -> None:
    body = {"permission_assignments": [{"group_name": "pricing-ds", "permissions": ["USER"]}]}

    assert estate.refused("POST", LOCAL, body)[0] == 400


def test_without_identity_federation_there_are_no_assignments(estate: Estate) -> None:
    estate.account.workspaces["main"].federated = False

    assert estate.refused("GET", LOCAL) == (
        400,
        {
            "error_code": "INVALID_PARAMETER_VALUE",
            "message": "Permission assignment APIs are not available for this workspace",
        },
    )


def test_only_admins_assign(estate: Estate) -> None:
    assert estate.refused("GET", LOCAL, caller="reader")[0] == 403
    assert estate.refused("GET", CENTRAL, caller="reader", endpoint="databricks-account")[0] == 403


def test_unknown_principals_and_workspaces(estate: Estate) -> None:
    assert estate.refused("PUT", f"{LOCAL}/principals/1", {"permissions": ["USER"]})[0] == 404
    elsewhere = CENTRAL.replace(WORKSPACE, "1")
    assert estate.refused("GET", elsewhere, endpoint="databricks-account")[0] == 404
    foreign = CENTRAL.replace(ACCOUNT, "00000000-0000-0000-0000-000000000000")
    assert estate.refused("GET", foreign, endpoint="databricks-account")[0] == 403


def test_the_account_lists_its_workspaces(estate: Estate) -> None:
    found = estate.at_account("GET", f"/api/2.0/accounts/{ACCOUNT}/workspaces")

    assert [each["workspace_name"] for each in found] == ["main", "other"]
    assert found[0]["workspace_id"] == int(WORKSPACE)


def test_service_principals_are_named_by_application_id(estate: Estate) -> None:
    listed = estate.call("GET", LOCAL)["permission_assignments"]

    assert APP in {each["principal"].get("service_principal_name") for each in listed}
