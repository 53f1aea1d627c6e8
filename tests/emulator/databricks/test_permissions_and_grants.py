"""ACLs of workspace objects and Unity Catalog grants, as far as clients of access management need them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.databricks.estate import APP, READER, Estate

JOB = "/api/2.0/permissions/jobs/14"
OWNER = {"service_principal_name": APP, "permission_level": "IS_OWNER"}
CATALOG = "/api/2.1/unity-catalog/permissions/catalog/main"


@pytest.fixture
def estate() -> Estate:
    return Estate()


def levels(body: Any) -> dict[str, list[tuple[str, bool]]]:
    shown = {}
    for entry in body["access_control_list"]:
        name = entry.get("group_name") or entry.get("user_name") or entry.get("service_principal_name")
        shown[name] = [(each["permission_level"], each["inherited"]) for each in entry["all_permissions"]]
    return shown


def put(estate: Estate, target: str, *entries: dict[str, str], method: str = "PUT") -> Any:
    return estate.call(method, target, {"access_control_list": list(entries)})


def test_admins_inherit(estate: Estate) -> None:
    body = estate.call("GET", JOB)

    assert (body["object_id"], body["object_type"]) == ("/jobs/14", "job")
    assert body["access_control_list"] == [
        {
            "group_name": "admins",
            "all_permissions": [
                {"permission_level": "CAN_MANAGE", "inherited": True, "inherited_from_object": ["/jobs/"]}
            ],
        }
    ]


def test_put_sets_and_patch_merges(estate: Estate) -> None:
    user = {"user_name": "bo@corp.example", "permission_level": "CAN_VIEW"}
    group = {"group_name": "pricing-ds", "permission_level": "CAN_MANAGE_RUN"}
    put(estate, JOB, OWNER, user)

    merged = put(estate, JOB, group, method="PATCH")
    assert set(levels(merged)) == {APP, "bo@corp.example", "pricing-ds", "admins"}
    replaced = put(estate, JOB, OWNER)
    assert set(levels(replaced)) == {APP, "admins"}
    assert replaced == estate.call("GET", JOB)


def test_the_last_entry_of_a_principal_wins(estate: Estate) -> None:
    levels_ = ["CAN_MANAGE_RUN", "CAN_VIEW"]
    entries = [{"user_name": "bo@corp.example", "permission_level": level} for level in levels_]

    assert levels(put(estate, JOB, OWNER, *entries))["bo@corp.example"] == [("CAN_VIEW", False)]


@pytest.mark.parametrize(
    ("target", "entries", "status", "message"),
    [
        (JOB, [], 400, "The job must have exactly one owner."),
        (
            JOB,
            [OWNER, {**OWNER, "permission_level": "CAN_MANAGE"}],
            400,
            "The job must have exactly one owner.",
        ),
        (
            JOB,
            [{"group_name": "pricing-ds", "permission_level": "IS_OWNER"}],
            400,
            "Groups can not be owners",
        ),
        (
            JOB,
            [OWNER, {"group_name": "pricing-ds", "permission_level": "CAN_FLY"}],
            400,
            "CAN_FLY is invalid",
        ),
        (
            JOB,
            [OWNER, {"user_name": "x", "permission_level": "CAN_VIEW"}],
            404,
            "Principal: UserName(x) does not exist",
        ),
        (JOB, [OWNER, {"permission_level": "CAN_VIEW"}], 400, "must be set"),
        ("/api/2.0/permissions/directories/0", [], 400, "Cannot remove admins's CAN_MANAGE permission on 0"),
        (
            "/api/2.0/permissions/authorization/tokens",
            [{"group_name": "users", "permission_level": "CAN_USE"}],
            400,
            "Cannot remove admins's CAN_MANAGE permission on tokens",
        ),
        ("/api/2.0/permissions/rockets/1", [], 400, "Unsupported object type: rockets"),
    ],
)
def test_what_is_refused(estate: Estate, target: str, entries: list[Any], status: int, message: str) -> None:
    found, error = estate.refused("PUT", target, {"access_control_list": entries})

    assert found == status
    assert message in error["message"]


def test_token_permissions_are_direct(estate: Estate) -> None:
    tokens = "/api/2.0/permissions/authorization/tokens"
    assert levels(estate.call("GET", tokens)) == {"admins": [("CAN_MANAGE", False)]}

    both = [("admins", "CAN_MANAGE"), ("users", "CAN_USE")]
    put(estate, tokens, *({"group_name": name, "permission_level": level} for name, level in both))

    assert set(levels(estate.call("GET", tokens))) == {"admins", "users"}


def test_warehouses_have_two_paths_and_levels_can_be_asked_for(estate: Estate) -> None:
    entry = {"group_name": "pricing-ds", "permission_level": "CAN_USE"}
    put(estate, "/api/2.0/permissions/sql/warehouses/w", entry)

    assert "pricing-ds" in levels(estate.call("GET", "/api/2.0/permissions/warehouses/w"))
    known = estate.call("GET", "/api/2.0/permissions/clusters/c/permissionLevels")["permission_levels"]
    assert [each["permission_level"] for each in known] == ["CAN_ATTACH_TO", "CAN_RESTART", "CAN_MANAGE"]


def test_whoever_does_not_manage_does_not_give(estate: Estate) -> None:
    body = {"access_control_list": [OWNER]}

    assert estate.refused("PUT", JOB, body, caller="reader")[0] == 403
    put(estate, JOB, OWNER, {"service_principal_name": READER, "permission_level": "CAN_MANAGE"})
    assert estate.send("PUT", JOB, body, caller="reader").status == 200


def grant(estate: Estate, *changes: dict[str, Any], target: str = CATALOG) -> Any:
    return estate.call("PATCH", target, {"changes": list(changes)})


def granted(estate: Estate, target: str = CATALOG) -> dict[str, list[str]]:
    rows = estate.call("GET", target).get("privilege_assignments", [])
    return {row["principal"]: row["privileges"] for row in rows}


def test_no_grants_are_an_empty_object(estate: Estate) -> None:
    assert estate.call("GET", CATALOG) == {}


def test_grants_are_added_removed_and_spelt_with_underscores(estate: Estate) -> None:
    grant(estate, {"principal": "platform", "add": ["USE CATALOG", "SELECT"]})
    grant(estate, {"principal": "platform", "remove": ["SELECT"], "add": ["BROWSE"]})
    assert granted(estate) == {"platform": ["BROWSE", "USE_CATALOG"]}

    grant(estate, {"principal": "platform", "remove": ["BROWSE", "USE_CATALOG"]})
    assert estate.call("GET", CATALOG) == {}


def test_all_privileges_wipe_before_others_are_added(estate: Estate) -> None:
    grant(estate, {"principal": "platform", "add": ["SELECT", "MODIFY"]})

    grant(estate, {"principal": "platform", "add": ["BROWSE"], "remove": ["ALL_PRIVILEGES"]})

    assert granted(estate) == {"platform": ["BROWSE"]}


def test_one_refused_change_undoes_all(estate: Estate) -> None:
    changes = [{"principal": "platform", "add": ["SELECT"]}, {"principal": "local-team", "add": ["SELECT"]}]

    status, error = estate.refused("PATCH", CATALOG, {"changes": changes})

    assert (status, error["error_code"]) == (404, "PRINCIPAL_DOES_NOT_EXIST")
    assert granted(estate) == {}


def test_grants_page_and_small_pages_are_refused(estate: Estate) -> None:
    rows = {f"g{number:03}": ["SELECT"] for number in range(200)}
    estate.account.grants["catalog/main"] = rows

    first = estate.call("GET", f"{CATALOG}?max_results=0")
    rest = estate.call("GET", f"{CATALOG}?max_results=0&page_token={first['next_page_token']}")
    assert len(first["privilege_assignments"]) + len(rest["privilege_assignments"]) == 200
    assert "next_page_token" not in rest
    for bad in ("1", "149", "-1"):
        assert estate.refused("GET", f"{CATALOG}?max_results={bad}")[0] == 400
    assert len(estate.call("GET", f"{CATALOG}?principal=g007")["privilege_assignments"]) == 1


def test_the_metastore_is_known_and_other_catalog_apis_are_not(estate: Estate) -> None:
    found = estate.call("GET", "/api/2.1/unity-catalog/current-metastore-assignment")

    assert found["metastore_id"] == estate.account.metastore
    assert estate.refused("GET", "/api/2.1/unity-catalog/tables")[0] == 404
