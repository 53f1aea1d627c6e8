"""How Entra's objects come into the account: resolved one by one, or copied by the connector."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from reconciler.emulator.directory import Group, object_id
from tests.emulator.databricks.estate import ACCOUNT, ACCOUNT_SCIM, SCIM, SEED, Estate, filtered

IDENTITY = f"/api/2.0/identity/accounts/{ACCOUNT}"


def seeded(sync: str) -> dict[str, Any]:
    seed = copy.deepcopy(SEED)
    seed["account"]["identity-sync"] = sync
    return seed


@pytest.fixture
def aim() -> Estate:
    return Estate(seeded("aim"))


@pytest.fixture
def copied() -> Estate:
    return Estate(seeded("scim"))


def groups(estate: Estate) -> set[str]:
    listed = estate.at_account("GET", f"{ACCOUNT_SCIM}/Groups")["Resources"]
    return {each["displayName"] for each in listed}


def members(estate: Estate, group: str) -> set[str]:
    shown = estate.at_account("GET", f"{ACCOUNT_SCIM}/Groups/{group}")
    return {each["display"] for each in shown.get("members", [])}


def entra(estate: Estate, name: str) -> str:
    return str(estate.world.directory.by_group_name(name)[0].id)


def oid(name: str) -> str:
    return object_id("user", f"{name}@corp.example")


def test_an_unresolved_group_is_invisible(aim: Estate) -> None:
    found = aim.at_account("GET", f"{ACCOUNT_SCIM}/Groups?" + filtered('displayName eq "unresolved"'))

    assert found["totalResults"] == 0
    assert groups(aim) == {"pricing-ds", "platform"}


def test_resolving_imports_a_group_once(aim: Estate) -> None:
    body = {"external_id": entra(aim, "unresolved")}

    first = aim.at_account("POST", f"{IDENTITY}/groups/resolve-by-external-id", body)
    second = aim.at_account("POST", f"{IDENTITY}/groups/resolve-by-external-id", body)

    assert first == second
    assert first["group"]["group_name"] == "unresolved"
    shown = aim.at_account("GET", f"{ACCOUNT_SCIM}/Groups/{first['group']['group_id']}")
    assert shown["externalId"] == body["external_id"]
    assert members(aim, first["group"]["group_id"]) == {"Bo Example"}


def test_members_appear_when_they_are_resolved(aim: Estate) -> None:
    group = aim.id_of("group:pricing-ds")
    assert members(aim, group) == {"Ana Example"}

    nested = {"external_id": entra(aim, "pricing-nested")}
    aim.at_account("POST", f"{IDENTITY}/groups/resolve-by-external-id", nested)

    assert members(aim, group) == {"Ana Example", "pricing-nested"}


def test_a_login_makes_a_user_of_somebody_in_an_assigned_group(aim: Estate) -> None:
    assert aim.account.named("Users", "cy@corp.example") is None

    me = aim.call("GET", f"{SCIM}/Me", caller="cy@corp.example")

    assert me["userName"] == "cy@corp.example"
    assert aim.account.named("Users", "cy@corp.example") is not None


def test_a_stranger_does_not_get_in(copied: Estate) -> None:
    assert copied.send("GET", f"{SCIM}/Me", caller="cy@corp.example").status == 403


def test_the_connector_copies_users_and_groups_and_skips_what_is_nested(copied: Estate) -> None:
    assert groups(copied) == {"pricing-ds", "pricing-nested", "unresolved", "platform"}
    assert members(copied, copied.id_of("group:pricing-ds")) == {"Ana Example"}
    assert members(copied, copied.id_of("group:pricing-nested")) == {"Cy Example"}


def test_the_connector_knows_nothing_of_resolving(copied: Estate) -> None:
    body = {"external_id": entra(copied, "unresolved")}

    status, error = copied.refused(
        "POST", f"{IDENTITY}/groups/resolve-by-external-id", body, endpoint="databricks-account"
    )

    assert (status, error["error_code"]) == (400, "FEATURE_DISABLED")


@pytest.mark.parametrize("sync", ["aim", "scim"])
def test_membership_follows_entra_after_the_lag(sync: str) -> None:
    estate = Estate(seeded(sync), sync_lag_seconds=600)
    group = estate.id_of("group:pricing-ds")
    assert members(estate, group) == {"Ana Example"}
    estate.id_of("user:bo@corp.example")

    directory = estate.world.directory
    directory.link(entra(estate, "pricing-ds"), "members", oid("bo"))
    directory.unlink(entra(estate, "pricing-ds"), "members", oid("ana"))

    assert members(estate, group) == {"Ana Example"}
    estate.world.clock.advance(601)
    assert members(estate, group) == {"Bo Example"}


def test_a_member_added_by_hand_stays_when_entra_changes() -> None:
    estate = Estate(seeded("scim"), external_groups="writable")
    group, bo = estate.id_of("group:pricing-ds"), estate.id_of("user:bo@corp.example")
    estate.patch(f"{SCIM}/Groups/{group}", {"op": "add", "path": "members", "value": [{"value": bo}]})

    directory = estate.world.directory
    directory.link(entra(estate, "pricing-ds"), "members", oid("cy"))

    assert members(estate, group) == {"Ana Example", "Bo Example", "Cy Example"}


def test_ids_are_stable_decimals(aim: Estate, copied: Estate) -> None:
    first, second = aim.id_of("group:pricing-ds"), copied.id_of("group:pricing-ds")

    assert first == second
    assert first.isdecimal()
    assert aim.id_of("sp:reader") != first


def test_a_user_made_by_hand_is_linked_not_doubled() -> None:
    seed = seeded("aim")
    seed["account"]["users"] = [{"name": "cy@corp.example", "id": "42"}]
    estate = Estate(seed)

    cy = estate.world.directory.by_upn("cy@corp.example")
    assert cy is not None
    body = {"external_id": cy.id}
    answer = estate.at_account("POST", f"{IDENTITY}/users/resolve-by-external-id", body)

    assert answer["user"]["user_id"] == "42"
    assert answer["user"]["external_id"] == cy.id


def name_of(estate: Estate, group: str) -> str:
    return str(
        estate.at_account("GET", f"{ACCOUNT_SCIM}/Groups/{group}?attributes=displayName")["displayName"]
    )


@pytest.mark.parametrize("sync", ["aim", "scim"])
def test_a_rename_in_entra_arrives_and_one_in_databricks_stands_until_then(sync: str) -> None:
    estate = Estate(seeded(sync))
    group = estate.id_of("group:pricing-ds")
    local = {"op": "replace", "path": "displayName", "value": "renamed-here"}
    estate.patch(f"{ACCOUNT_SCIM}/Groups/{group}", local, endpoint="databricks-account")
    assert name_of(estate, group) == "renamed-here"

    directory = estate.world.directory
    directory.rename(directory.groups[entra(estate, "pricing-ds")], "renamed-there")

    assert name_of(estate, group) == "renamed-there"


def test_the_connector_copies_what_is_new(copied: Estate, aim: Estate) -> None:
    for estate, expected in ((copied, 1), (aim, 0)):
        estate.world.directory.add(Group(id=object_id("group", "brand-new"), display_name="brand-new"))
        target = f"{ACCOUNT_SCIM}/Groups?" + filtered('displayName eq "brand-new"')
        assert estate.at_account("GET", target)["totalResults"] == expected
