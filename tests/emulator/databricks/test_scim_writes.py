"""Writing users, groups and service principals: every shape of PATCH, and what is refused in which words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.emulator.databricks.estate import ACCOUNT_SCIM, PATCH, SCIM, Estate

BROKEN = "Error in performing the patch operation on group resource."


@pytest.fixture
def estate() -> Estate:
    return Estate()


def entitlements(estate: Estate, path: str) -> list[str]:
    shown = estate.call("GET", f"{path}?attributes=entitlements")
    return [each["value"] for each in shown.get("entitlements", [])]


def given_(op: str, *names: str) -> dict[str, Any]:
    return {"op": op, "path": "entitlements", "value": [{"value": name} for name in names]}


@pytest.mark.parametrize("reference", ["group:pricing-ds", "user:bo@corp.example", "sp:reader"])
def test_entitlements_in_every_shape(estate: Estate, reference: str) -> None:
    kind = {"group": "Groups", "user": "Users", "sp": "ServicePrincipals"}[reference.partition(":")[0]]
    path = f"{SCIM}/{kind}/{estate.id_of(reference)}"

    estate.patch(path, given_("replace", "workspace-access"))
    estate.patch(path, given_("add", "allow-cluster-create", "workspace-access"))
    assert entitlements(estate, path) == ["workspace-access", "allow-cluster-create"]

    estate.patch(path, given_("remove", "workspace-access"))
    assert entitlements(estate, path) == ["allow-cluster-create"]

    estate.patch(path, given_("add", "databricks-sql-access"), given_("remove", "allow-cluster-create"))
    assert entitlements(estate, path) == ["databricks-sql-access"]

    estate.patch(path, {"op": "remove", "path": 'entitlements[value eq "databricks-sql-access"]'})
    assert entitlements(estate, path) == []

    estate.patch(path, {"op": "add", "value": {"entitlements": [{"value": "workspace-consume"}]}})
    estate.patch(path, given_("replace", ""))
    assert entitlements(estate, path) == []


def test_removing_entitlements_that_nobody_holds_is_refused(estate: Estate) -> None:
    path = f"{SCIM}/Groups/{estate.id_of('group:local-team')}"
    body = {"schemas": [PATCH], "Operations": [given_("remove", "workspace-access")]}

    status, error = estate.refused("PATCH", path, body)

    assert status == 400
    assert f"{error['scimType']} {error['detail']}" == (
        "invalidPath No such attribute with the name : entitlements in the current resource"
    )


@pytest.mark.parametrize(
    ("value", "status", "detail"),
    [
        (None, 500, BROKEN),
        ("workspace-access", 400, "Request is unparsable, syntactically incorrect, or violates schema."),
        (["workspace-access"], 400, "Request is unparsable, syntactically incorrect, or violates schema."),
    ],
)
def test_malformed_entitlements(estate: Estate, value: Any, status: int, detail: str) -> None:
    path = f"{SCIM}/Groups/{estate.id_of('group:local-team')}"
    operation = {"op": "add", "path": "entitlements", "value": value}

    found, error = estate.refused("PATCH", path, {"schemas": [PATCH], "Operations": [operation]})

    assert (found, error["detail"]) == (status, detail)


def test_the_admins_keep_their_entitlements(estate: Estate) -> None:
    admins = estate.account.workspaces["main"].local_names["admins"]
    body = {"schemas": [PATCH], "Operations": [given_("replace", "allow-cluster-create")]}

    assert estate.refused("PATCH", f"{SCIM}/Groups/{admins}", body)[0] == 400
    assert entitlements(estate, f"{SCIM}/Groups/{admins}") == ["workspace-access", "databricks-sql-access"]


def test_the_account_takes_entitlements_and_forgets_them(estate: Estate) -> None:
    body = {"schemas": [PATCH], "Operations": [given_("replace", "workspace-access")]}

    estate.at_account("PATCH", f"{ACCOUNT_SCIM}/Groups/500", body)

    assert "entitlements" not in estate.at_account("GET", f"{ACCOUNT_SCIM}/Groups/500")
    status, error = estate.refused("PATCH", f"{SCIM}/Groups/500", body, endpoint="databricks-account")
    assert (status, error["detail"]) == (400, "entitlements can only be managed at the workspace level")


def test_unknown_entitlements_by_switch() -> None:
    lenient, strict = Estate(), Estate(unknown_entitlements="refuse")
    body = {"schemas": [PATCH], "Operations": [given_("add", "fly")]}

    for estate in (lenient, strict):
        path = f"{SCIM}/Groups/{estate.id_of('group:local-team')}"
        status = estate.send("PATCH", path, body).status
        assert status == (200 if estate is lenient else 400)


NAMES = ["workspace-access", "databricks-sql-access", "allow-cluster-create", "allow-instance-pool-create"]


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "remove", "replace"]), st.sets(st.sampled_from(NAMES))), max_size=8
    )
)
def test_patching_entitlements_is_set_arithmetic(steps: list[tuple[str, set[str]]]) -> None:
    estate = Estate()
    path = f"{SCIM}/Groups/{estate.id_of('group:local-team')}"
    held: set[str] = set()
    for op, names in steps:
        body = {"schemas": [PATCH], "Operations": [given_(op, *sorted(names))]}
        if op == "remove" and not held:
            assert estate.send("PATCH", path, body).status == 400
            continue
        estate.call("PATCH", path, body)
        if op == "remove" and not names:
            held = set()  # without values the whole attribute goes
        else:
            held = {"add": held | names, "remove": held - names, "replace": names}[op]
        assert set(entitlements(estate, path)) == held


def test_members_in_every_shape(estate: Estate) -> None:
    path = f"{SCIM}/Groups/{estate.id_of('group:local-team')}"
    ana, bo, reader = (
        estate.id_of(each) for each in ("user:ana@corp.example", "user:bo@corp.example", "sp:reader")
    )

    def members() -> set[str]:
        return {each["value"] for each in estate.call("GET", path).get("members", [])}

    estate.patch(path, {"op": "add", "path": "members", "value": [{"value": ana}, {"value": reader}]})
    assert members() == {ana, bo, reader}
    estate.patch(path, {"op": "remove", "path": f'members[value eq "{bo}"]'})
    assert members() == {ana, reader}
    estate.patch(path, {"op": "remove", "path": f'members[value eq "{bo}"]'})
    estate.patch(path, {"op": "add", "value": {"members": [{"value": bo}]}})
    assert members() == {ana, bo, reader}
    estate.patch(path, {"op": "replace", "path": "members", "value": [{"value": bo}]})
    assert members() == {bo}
    estate.patch(path, {"op": "remove", "path": "members"})
    assert members() == set()


def test_put_replaces_the_whole_group(estate: Estate) -> None:
    created = estate.call(
        "POST",
        f"{SCIM}/Groups",
        {"displayName": "team", "roles": [{"value": "r"}], "members": [{"value": "77"}], "externalId": "x"},
    )

    estate.call("PUT", f"{SCIM}/Groups/{created['id']}", {"displayName": "renamed"})

    shown = estate.call("GET", f"{SCIM}/Groups/{created['id']}")
    assert shown["displayName"] == "renamed"
    assert not {"roles", "members"} & set(shown)


def test_disabling_in_terraforms_words(estate: Estate) -> None:
    path = f"{SCIM}/Users/{estate.id_of('user:bo@corp.example')}"

    estate.patch(path, {"op": "replace", "path": "active", "value": [{"value": "false"}]})

    assert estate.call("GET", path)["active"] is False
    assert estate.send("GET", f"{SCIM}/Me", caller="bo@corp.example").status == 403


def test_groups_that_entra_owns_are_read_only_in_a_workspace(estate: Estate) -> None:
    group, bo = estate.id_of("group:pricing-ds"), estate.id_of("user:bo@corp.example")
    body = {"schemas": [PATCH], "Operations": [{"op": "add", "path": "members", "value": [{"value": bo}]}]}

    status, error = estate.refused("PATCH", f"{SCIM}/Groups/{group}", body)
    assert (status, error["detail"]) == (500, BROKEN)

    estate.at_account("PATCH", f"{ACCOUNT_SCIM}/Groups/{group}", body)
    assert bo in {
        each["value"] for each in estate.at_account("GET", f"{ACCOUNT_SCIM}/Groups/{group}")["members"]
    }


@pytest.mark.parametrize(("rule", "workspace", "account"), [("read-only", 500, 500), ("writable", 200, 200)])
def test_the_rule_of_external_groups_is_a_switch(rule: str, workspace: int, account: int) -> None:
    for root, endpoint, expected in (
        (SCIM, "databricks/main", workspace),
        (ACCOUNT_SCIM, "databricks-account", account),
    ):
        estate = Estate(external_groups=rule)
        group = estate.id_of("group:pricing-ds")
        body = {
            "schemas": [PATCH],
            "Operations": [{"op": "add", "path": "members", "value": [{"value": "1"}]}],
        }
        assert estate.send("PATCH", f"{root}/Groups/{group}", body, endpoint=endpoint).status == expected


def test_creating_in_a_workspace_makes_a_local_group_whatever_its_external_id(estate: Estate) -> None:
    external = estate.world.directory.by_group_name("unresolved")[0].id

    created = estate.call("POST", f"{SCIM}/Groups", {"displayName": "unresolved", "externalId": external})

    assert created["meta"]["resourceType"] == "WorkspaceGroup"
    assert external not in estate.account.by_external


@pytest.mark.parametrize(
    ("kind", "body", "detail"),
    [
        ("Groups", {"displayName": "admins"}, "Group with name admins already exists."),
        (
            "ServicePrincipals",
            {"applicationId": "22222222-2222-4222-8222-222222222222"},
            "Service principal with application ID 22222222-2222-4222-8222-222222222222 already exists.",
        ),
    ],
)
def test_what_exists_cannot_be_created_again(estate: Estate, kind: str, body: Any, detail: str) -> None:
    assert estate.refused("POST", f"{SCIM}/{kind}", body) == (
        409,
        {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "detail": detail, "status": "409"},
    )


def test_a_user_of_the_account_is_a_conflict_there_and_welcome_in_a_workspace(estate: Estate) -> None:
    body = {"userName": "ana@corp.example"}

    status, error = estate.refused("POST", f"{ACCOUNT_SCIM}/Users", body, endpoint="databricks-account")
    assert (status, error["detail"]) == (
        409,
        "User with email ana@corp.example already exists in this account",
    )

    other = estate.call("POST", f"{SCIM}/Users", body, endpoint="databricks/other")
    assert other["id"] == estate.id_of("user:ana@corp.example")


def test_creation_is_answered_two_hundred_and_one_where_docs_say_so(estate: Estate) -> None:
    group = {"displayName": "new"}

    assert estate.send("POST", f"{SCIM}/Groups", group).status == 200
    assert estate.send("POST", f"{ACCOUNT_SCIM}/Groups", group, endpoint="databricks-account").status == 201
    assert (
        estate.send("POST", f"{SCIM}/Groups", {"displayName": "b"}, headers={"accept": "*/*"}).status == 201
    )


def test_deleting_from_a_workspace_takes_out_of_it_and_keeps_in_the_account(estate: Estate) -> None:
    bo = estate.id_of("user:bo@corp.example")

    assert estate.send("DELETE", f"{SCIM}/Users/{bo}").status == 204

    assert bo not in estate.account.workspaces["main"].assigned
    assert estate.at_account("GET", f"{ACCOUNT_SCIM}/Users/{bo}")["id"] == bo


@pytest.mark.parametrize("name", ["admins", "users"])
def test_system_groups_can_neither_be_deleted_nor_renamed(estate: Estate, name: str) -> None:
    path = f"{SCIM}/Groups/{estate.account.workspaces['main'].local_names[name]}"
    rename = {"op": "replace", "path": "displayName", "value": "mine"}

    assert estate.refused("DELETE", path)[0] == 400
    assert estate.refused("PATCH", path, {"schemas": [PATCH], "Operations": [rename]})[0] == 400


def test_members_join_users_and_admins_and_never_leave_users(estate: Estate) -> None:
    workspace = estate.account.workspaces["main"]
    users, admins = (f"{SCIM}/Groups/{workspace.local_names[name]}" for name in ("users", "admins"))
    ana, bo = estate.id_of("user:ana@corp.example"), estate.id_of("user:bo@corp.example")

    estate.patch(users, {"op": "add", "path": "members", "value": [{"value": ana}]})
    estate.patch(admins, {"op": "add", "path": "members", "value": [{"value": bo}]})
    assert (workspace.assigned[ana], workspace.assigned[bo]) == (["USER"], ["ADMIN"])

    estate.patch(admins, {"op": "remove", "path": f'members[value eq "{bo}"]'})
    assert workspace.assigned[bo] == ["USER"]
    removal = {"op": "remove", "path": f'members[value eq "{bo}"]'}
    assert estate.refused("PATCH", users, {"schemas": [PATCH], "Operations": [removal]})[0] == 400


def test_a_refused_patch_changes_nothing(estate: Estate) -> None:
    group = estate.id_of("group:pricing-ds")
    before = estate.call("GET", f"{SCIM}/Groups/{group}")
    operations = [
        given_("add", "allow-cluster-create"),
        {"op": "add", "path": "members", "value": [{"value": "1"}]},
    ]

    estate.refused("PATCH", f"{SCIM}/Groups/{group}", {"schemas": [PATCH], "Operations": operations})

    assert estate.call("GET", f"{SCIM}/Groups/{group}") == before


def test_acls_follow_a_rename_and_keep_the_name_of_the_departed(estate: Estate) -> None:
    local = estate.id_of("group:local-team")
    grant = {"scope": "pricing", "principal": "local-team", "permission": "READ"}
    estate.call("POST", "/api/2.0/secrets/acls/put", grant)

    def principals() -> set[str]:
        listed = estate.call("GET", "/api/2.0/secrets/acls/list?scope=pricing")
        return {each["principal"] for each in listed["items"]}

    estate.patch(f"{SCIM}/Groups/{local}", {"op": "replace", "path": "displayName", "value": "renamed"})
    assert "renamed" in principals() and "local-team" not in principals()
    estate.send("DELETE", f"{SCIM}/Groups/{local}")
    assert "renamed" in principals()


def test_account_users_are_all_users_and_cannot_be_changed() -> None:
    estate = Estate(
        {
            "account": {
                "admins": ["sp:reconciler"],
                "account-users": "999",
                "resolved": ["user:bo@corp.example"],
            }
        }
    )
    path = f"{ACCOUNT_SCIM}/Groups/999"

    shown = estate.at_account("GET", path)
    assert (shown["displayName"], [each["display"] for each in shown["members"]]) == (
        "account users",
        ["Bo Example"],
    )
    body = {"Operations": [{"op": "add", "path": "members", "value": [{"value": "1"}]}]}
    assert estate.refused("PATCH", path, body, endpoint="databricks-account")[0] == 400
    assert estate.refused("DELETE", path, endpoint="databricks-account")[0] == 400
    assert Estate(estate.service.dump()).service.dump() == estate.service.dump()
