"""The second identity API: one member and one assignment at a time, paged by token."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.databricks.estate import ACCOUNT, SCIM, WORKSPACE, Estate

ROOT = f"/api/2.0/identity/accounts/{ACCOUNT}"
ASSIGNMENTS = f"{ROOT}/workspaces/{WORKSPACE}/workspace-assignments"


@pytest.fixture
def estate() -> Estate:
    return Estate()


def test_groups_are_listed_by_page_and_read_by_id(estate: Estate) -> None:
    first = estate.at_account("GET", f"{ROOT}/groups?page_size=1")
    rest = estate.at_account("GET", f"{ROOT}/groups?page_size=1&page_token={first['next_page_token']}")

    names = [each["group_name"] for each in first["groups"] + rest["groups"]]
    assert names == ["platform", "pricing-ds"]
    assert "next_page_token" not in rest
    assert estate.at_account("GET", f"{ROOT}/groups/500")["group_name"] == "platform"
    assert estate.call("GET", "/api/2.0/identity/groups/500")["group_name"] == "platform"


def test_members_tell_where_they_come_from(estate: Estate) -> None:
    pricing, bo = estate.id_of("group:pricing-ds"), estate.id_of("user:bo@corp.example")
    target = f"{ROOT}/groups/{pricing}/direct-members"
    estate.at_account("POST", target, {"principal_id": bo})

    listed = estate.at_account("GET", target)["direct_group_members"]

    assert {each["display_name"]: each["membership_source"] for each in listed} == {
        "Ana Example": "IDENTITY_PROVIDER",
        "Bo Example": "INTERNAL",
    }
    assert estate.at_account("GET", f"{target}/{bo}")["principal_type"] == "USER"
    estate.at_account("DELETE", f"{target}/{bo}")
    assert estate.refused("GET", f"{target}/{bo}", endpoint="databricks-account")[0] == 404


def test_parents_are_found_through_entras_nesting(estate: Estate) -> None:
    cy = estate.id_of("user:cy@corp.example")

    found = estate.at_account("GET", f"{ROOT}/principals/{cy}/transitive-parent-groups")

    assert [each["group_name"] for each in found["transitive_parent_groups"]] == ["pricing-ds"]


def test_an_assignment_carries_its_entitlements_and_never_none(estate: Estate) -> None:
    body = {"principal_id": 500, "entitlements": ["WORKSPACE_ACCESS", "WORKSPACE_ADMIN"]}
    created = estate.at_account("POST", ASSIGNMENTS, body)
    assert created["entitlements"] == ["WORKSPACE_ACCESS", "WORKSPACE_ADMIN"]

    shown = estate.call("GET", f"{SCIM}/Groups/500?attributes=entitlements")
    assert shown["entitlements"] == [{"value": "workspace-access"}]
    assert estate.account.workspaces["main"].assigned["500"] == ["ADMIN"]

    changed = estate.at_account("PATCH", f"{ASSIGNMENTS}/500", {"entitlements": ["ALLOW_CLUSTER_CREATE"]})
    assert changed["entitlements"] == ["ALLOW_CLUSTER_CREATE"]
    for bad in ([], ["FLY"]):
        body = {"entitlements": bad}
        assert estate.refused("PATCH", f"{ASSIGNMENTS}/500", body, endpoint="databricks-account")[0] == 400
    estate.at_account("DELETE", f"{ASSIGNMENTS}/500")
    assert estate.refused("GET", f"{ASSIGNMENTS}/500", endpoint="databricks-account")[0] == 404


def test_the_list_of_assignments_leaves_entitlements_out(estate: Estate) -> None:
    listed = estate.at_account("GET", ASSIGNMENTS)["workspace_assignments"]
    one = estate.at_account("GET", f"{ASSIGNMENTS}/{listed[0]['principal_id']}")

    assert not any("entitlements" in each for each in listed)
    assert "entitlements" in one and "effective_entitlements" in one


def test_access_is_direct_or_indirect(estate: Estate) -> None:
    def access(reference: str) -> Any:
        path = f"{ROOT}/workspaces/{WORKSPACE}/workspace-access-details/{estate.id_of(reference)}?view=FULL"
        return estate.at_account("GET", path)

    assert access("group:pricing-ds")["access_type"] == "DIRECT"
    assert access("user:cy@corp.example")["access_type"] == "INDIRECT"
    assert access("sp:reconciler")["permissions"] == ["ADMIN_PERMISSION"]


def test_external_ids_are_resolved_not_written(estate: Estate) -> None:
    body = {"group_name": "x", "external_id": "y"}
    assert estate.refused("POST", f"{ROOT}/groups", body, endpoint="databricks-account")[0] == 400

    created = estate.at_account("POST", f"{ROOT}/groups", {"group_name": "plain"})
    renamed = estate.at_account("PATCH", f"{ROOT}/groups/{created['group_id']}", {"group_name": "renamed"})
    assert renamed["group_name"] == "renamed"
    pricing = f"{ROOT}/groups/{estate.id_of('group:pricing-ds')}"
    assert estate.refused("PATCH", pricing, {"group_name": "z"}, endpoint="databricks-account")[0] == 400
    estate.at_account("DELETE", f"{ROOT}/groups/{created['group_id']}")
    assert (
        estate.refused("GET", f"{ROOT}/groups/{created['group_id']}", endpoint="databricks-account")[0] == 404
    )


def test_reading_an_external_group_imports_it(estate: Estate) -> None:
    external = estate.world.directory.by_group_name("unresolved")[0].id

    found = estate.at_account("GET", f"{ROOT}/external-groups/{external}")

    assert found["display_name"] == "unresolved"
    assert estate.account.by_external[external] == found["internal_id"]


def test_only_admins(estate: Estate) -> None:
    assert estate.refused("GET", "/api/2.0/identity/groups", caller="reader")[0] == 403
    assert estate.refused("GET", f"{ROOT}/rockets", endpoint="databricks-account")[0] == 404
