"""Reading users, groups and service principals: paging, filters, attributes, and what each place shows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.emulator.databricks.estate import ACCOUNT, ACCOUNT_SCIM, APP, SCIM, Estate, filtered


@pytest.fixture
def estate() -> Estate:
    return Estate()


def names(body: Any) -> list[str]:
    return [each.get("displayName") or each["userName"] for each in body["Resources"]]


def test_a_list_pages_from_one_and_ends_with_an_empty_page(estate: Estate) -> None:
    first = estate.call("GET", f"{SCIM}/Groups?startIndex=1&count=3")
    second = estate.call("GET", f"{SCIM}/Groups?startIndex=4&count=3")
    beyond = estate.call("GET", f"{SCIM}/Groups?startIndex=5&count=3")

    assert names(first) + names(second) == ["admins", "users", "local-team", "pricing-ds"]
    assert (first["totalResults"], first["itemsPerPage"], second["startIndex"]) == (4, 3, 4)
    assert beyond["Resources"] == []


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('displayName eq "pricing-ds"', ["pricing-ds"]),
        ('displayName eq "PRICING-DS"', ["pricing-ds"]),
        ("displayName eq 'pricing-ds'", ["pricing-ds"]),
        ("displayName eq pricing-ds", ["pricing-ds"]),
        ('displayName sw "pr" or displayName eq "users"', ["users", "pricing-ds"]),
        ('displayName co "i" and displayName ne "admins"', ["pricing-ds"]),
        ('(displayName co "i") and (displayName ne "admins")', ["pricing-ds"]),
        ('displayName eq "unresolved"', []),
        ('entitlements.value eq "workspace-access"', ["admins", "users", "pricing-ds"]),
    ],
)
def test_filters(estate: Estate, expression: str, expected: list[str]) -> None:
    assert names(estate.call("GET", f"{SCIM}/Groups?" + filtered(expression))) == expected


@pytest.mark.parametrize(
    ("expression", "detail"),
    [
        ('displayName gt "a"', "Given filter operator is not supported"),
        ("displayName pr", "Unable to parse filter expression: displayName pr"),
        ('displayName eq "a" displayName', "Unable to parse filter expression"),
        (" or ".join(f'id eq "{number}"' for number in range(201)), "INVALID_FILTER"),
    ],
)
def test_filters_that_are_refused(estate: Estate, expression: str, detail: str) -> None:
    status, body = estate.refused("GET", f"{SCIM}/Groups?" + filtered(expression))

    assert status == 400
    assert body["detail"].startswith(detail)
    assert body["status"] == "400"


def test_filters_by_external_id_and_application_id(estate: Estate) -> None:
    group = estate.account.identities[estate.id_of("group:pricing-ds")]
    sp = estate.account.identities[estate.id_of("sp:reader")]

    by_external = estate.call("GET", f"{SCIM}/Groups?" + filtered(f'externalId eq "{group.external_id}"'))
    by_app = estate.call("GET", f"{SCIM}/ServicePrincipals?" + filtered(f'applicationId eq "{sp.name}"'))

    assert names(by_external) == ["pricing-ds"]
    assert names(by_app) == ["reader"]


def test_sorting(estate: Estate) -> None:
    up = estate.call("GET", f"{SCIM}/Groups?sortBy=displayName&sortOrder=ascending")
    down = estate.call("GET", f"{SCIM}/Groups?sortBy=displayName&sortOrder=descending")

    assert names(up) == ["admins", "local-team", "pricing-ds", "users"]
    assert names(down) == names(up)[::-1]


def test_attributes_choose_and_exclude(estate: Estate) -> None:
    group = estate.id_of("group:pricing-ds")

    chosen = estate.call("GET", f"{SCIM}/Groups/{group}?attributes=displayName,members.value")
    excluded = estate.call("GET", f"{SCIM}/Groups/{group}?excludedAttributes=members,entitlements")

    assert set(chosen) == {"schemas", "id", "displayName", "members"}
    assert chosen["members"] == [{"value": estate.id_of("user:ana@corp.example")}]
    assert not {"members", "entitlements"} & set(excluded)
    assert excluded["displayName"] == "pricing-ds"


def test_entitlements_are_those_held_directly(estate: Estate) -> None:
    admins = estate.call("GET", f"{SCIM}/Groups?" + filtered('displayName eq "admins"'))["Resources"][0]
    bo = estate.call("GET", f"{SCIM}/Users/{estate.id_of('user:bo@corp.example')}?attributes=entitlements")

    assert [each["value"] for each in admins["entitlements"]] == ["workspace-access", "databricks-sql-access"]
    assert "entitlements" not in bo


def test_groups_tell_where_they_belong_and_members_what_they_are(estate: Estate) -> None:
    account_group = estate.call("GET", f"{SCIM}/Groups/{estate.id_of('group:pricing-ds')}")
    local = estate.call("GET", f"{SCIM}/Groups/{estate.id_of('group:local-team')}")

    assert account_group["meta"] == {"resourceType": "Group"}
    assert local["meta"] == {"resourceType": "WorkspaceGroup"}
    assert [member["$ref"].partition("/")[0] for member in local["members"]] == ["Users"]


def test_the_account_lists_groups_without_members_unless_it_is_an_old_one() -> None:
    young, old = Estate(), Estate(account_groups_list_members=True)

    assert "members" not in young.at_account("GET", f"{ACCOUNT_SCIM}/Groups")["Resources"][0]
    assert old.at_account("GET", f"{ACCOUNT_SCIM}/Groups")["Resources"][0]["members"]
    assert young.at_account("GET", f"{ACCOUNT_SCIM}/Groups/500")["members"]


def test_the_account_knows_no_entitlements_and_users_of_it_no_groups(estate: Estate) -> None:
    ana = estate.id_of("user:ana@corp.example")

    group = estate.at_account("GET", f"{ACCOUNT_SCIM}/Groups/{estate.id_of('group:pricing-ds')}")
    user = estate.at_account("GET", f"{ACCOUNT_SCIM}/Users/{ana}")

    assert "entitlements" not in group
    assert "groups" not in user


def test_the_two_point_one_path_is_the_same_account(estate: Estate) -> None:
    ours = estate.at_account("GET", f"/api/2.1/accounts/{ACCOUNT}/scim/v2/Groups/500")

    assert ours == estate.at_account("GET", f"{ACCOUNT_SCIM}/Groups/500")


def test_a_workspace_shows_the_account_through_its_proxy(estate: Estate) -> None:
    seen = estate.call("GET", "/api/2.0/account/scim/v2/Groups?attributes=id,displayName,externalId")

    assert "platform" in names(seen)
    assert seen == estate.at_account(
        "GET", "/api/2.0/account/scim/v2/Groups?attributes=id,displayName,externalId"
    )


def test_a_service_principal_reads_itself_as_a_user_of_that_name(estate: Estate) -> None:
    assert estate.call("GET", f"{SCIM}/Me")["userName"] == APP


def test_only_what_is_assigned_is_in_a_workspace(estate: Estate) -> None:
    groups = names(estate.call("GET", f"{SCIM}/Groups"))
    status, body = estate.refused("GET", f"{SCIM}/Groups/500")

    assert "platform" not in groups
    assert (status, body["detail"]) == (404, "Group not found.")


def test_people_in_an_assigned_group_are_in_the_workspace(estate: Estate) -> None:
    ana = estate.id_of("user:ana@corp.example")

    shown = estate.call("GET", f"{SCIM}/Users/{ana}")

    assert [group["display"] for group in shown["groups"]] == ["platform", "pricing-ds"]


def test_an_unknown_scim_path_is_not_supported(estate: Estate) -> None:
    assert estate.refused("GET", f"{SCIM}/Schemas")[1]["detail"] == "Endpoint not supported."
    assert estate.refused("GET", "/api/2.0/jobs/list")[1]["error_code"] == "ENDPOINT_NOT_FOUND"


def test_answers_name_their_content_type_and_the_workspace(estate: Estate) -> None:
    headers = dict(estate.send("GET", f"{SCIM}/Me").headers)

    assert headers["Content-Type"].startswith("application/scim+json")
    assert headers["X-Databricks-Org-Id"] == "900800700600"


def test_a_client_of_the_rfc_alone_sees_no_foreign_attributes_in_lists(estate: Estate) -> None:
    strict = estate.send("GET", f"{SCIM}/Groups", headers={"accept": "*/*"})
    loose = estate.send("GET", f"{SCIM}/Groups")

    assert not any("entitlements" in each for each in json.loads(strict.body)["Resources"])
    assert any("entitlements" in each for each in json.loads(loose.body)["Resources"])
