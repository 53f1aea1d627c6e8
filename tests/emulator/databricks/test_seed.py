"""Seeds and dumps: what a dump says, seeding it again makes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.emulator.databricks.scim.writes import ENTITLEMENTS
from tests.emulator.databricks.estate import SCIM, SEED, Estate

PRINCIPALS = [
    "user:ana@corp.example",
    "user:bo@corp.example",
    "group:pricing-ds",
    "sp:reader",
    "group:platform",
]


@st.composite
def seeds(draw: st.DrawFn) -> dict[str, Any]:
    """Accounts with some groups, assignments, entitlements and scopes."""
    some = st.lists(st.sampled_from(PRINCIPALS), unique=True)
    scope = st.fixed_dictionaries(
        {
            "acls": st.dictionaries(
                st.sampled_from(PRINCIPALS), st.sampled_from(["READ", "WRITE", "MANAGE"])
            ),
            "secrets": st.dictionaries(
                st.from_regex(r"[a-z]{1,4}", fullmatch=True),
                st.fixed_dictionaries({"value": st.text(max_size=5), "updated": st.integers(0, 2**40)}),
            ),
        }
    )
    held = st.lists(st.sampled_from(ENTITLEMENTS), unique=True)
    names = st.lists(st.from_regex(r"[a-z]{1,6}", fullmatch=True), unique=True, max_size=3)
    return {
        "account": {
            "identity-sync": draw(st.sampled_from(["aim", "scim"])),
            "admins": ["sp:reconciler"],
            "groups": [
                {"name": "platform", "members": [each for each in draw(some) if each != "group:platform"]}
            ],
        },
        "workspaces": {
            "main": {
                "admins": ["sp:reconciler"],
                "assigned": [{"principal": each} for each in draw(some)],
                "groups": [{"name": f"local-{name}"} for name in draw(names)],
                "entitlements": draw(st.dictionaries(st.sampled_from(PRINCIPALS), held)),
                "scopes": [{"name": name, **draw(scope)} for name in draw(names)],
            }
        },
    }


@given(seeds())
def test_seeding_a_dump_is_a_fixed_point(seed: dict[str, Any]) -> None:
    first = Estate(seed).service.dump()

    assert Estate(copy.deepcopy(first)).service.dump() == first
    assert yaml.safe_load(yaml.safe_dump(first)) == first


def by_id(body: Any) -> Any:
    """A list in an order of its own: identities of the account are dumped before those of a workspace."""
    return sorted(body["Resources"], key=lambda each: str(each["id"])) if "Resources" in body else body


def test_a_dump_keeps_what_clients_did() -> None:
    estate = Estate()
    group = estate.id_of("group:local-team")
    users = estate.account.workspaces["main"].local_names["users"]
    estate.patch(
        f"{SCIM}/Groups/{group}", {"op": "replace", "path": "members", "value": [{"value": "9", "type": "x"}]}
    )
    estate.patch(
        f"{SCIM}/Groups/{users}", {"op": "replace", "path": "entitlements", "value": [{"value": ""}]}
    )
    estate.call("DELETE", "/api/2.0/preview/permissionassignments/principals/" + estate.id_of("sp:reader"))

    again = Estate(estate.service.dump())

    for path in (
        f"{SCIM}/Groups",
        f"{SCIM}/Users",
        f"{SCIM}/ServicePrincipals",
        "/api/2.0/preview/permissionassignments",
        "/api/2.0/secrets/scopes/list",
        "/api/2.0/secrets/list?scope=pricing",
        "/api/2.0/secrets/get?scope=pricing&key=api-key",
        "/api/2.0/secrets/acls/list?scope=pricing",
    ):
        assert by_id(again.call("GET", path)) == by_id(estate.call("GET", path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"account": {"identity-sync": "ldap"}}, "neither aim nor scim"),
        ({"account": {"admins": ["user:nobody"]}}, "user:nobody"),
        ({"account": {"nonsense": 1}}, "unknown key 'nonsense'"),
        ({"workspaces": {"w": {"nonsense": 1}}}, "databricks.workspaces.w: unknown key 'nonsense'"),
        ({"workspaces": {"w": {"entitlements": {"sp:reader": ["fly"]}}}}, "unknown entitlement 'fly'"),
        (
            {"account": {"groups": [{"name": "a", "id": "1"}, {"name": "b", "id": "1"}]}},
            "already that of 'a'",
        ),
        ({"nonsense": {}}, "unknown key 'nonsense'"),
    ],
)
def test_seeds_that_are_refused_name_the_entry(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Estate(change)


def test_principals_may_be_given_ids() -> None:
    estate = Estate({"account": {"ids": {"user:ana@corp.example": "77"}}, "workspaces": {}})

    assert estate.id_of("user:ana@corp.example") == "77"


def test_permissions_of_objects_name_principals() -> None:
    seed = copy.deepcopy(SEED)
    acl = {"sp:reconciler": "IS_OWNER", "pricing-ds": "CAN_VIEW"}
    inherited = [{"principal": "user:bo@corp.example", "level": "CAN_MANAGE", "from": "/jobs/"}]
    seed["workspaces"]["main"]["permissions"] = {"jobs/1": {"acl": acl, "inherited": inherited}}

    estate = Estate(seed)

    shown = estate.call("GET", "/api/2.0/permissions/jobs/1")["access_control_list"]
    assert [each.get("group_name") or each["display_name"] for each in shown] == [
        "reconciler",
        "pricing-ds",
        "Bo Example",
        "admins",
    ]
    dumped = estate.service.dump()
    assert Estate(copy.deepcopy(dumped)).service.dump() == dumped


def test_bare_names_of_acls_are_looked_up_in_the_directory() -> None:
    scopes = [{"name": "s", "acls": {"unresolved": "READ", "long-gone": "WRITE"}}]
    seed = copy.deepcopy(SEED)
    seed["workspaces"]["main"]["scopes"] = scopes
    found = Estate(seed)

    acls = found.account.workspaces["main"].scopes["s"].acls
    assert acls == {found.id_of("group:unresolved"): "READ", "long-gone": "WRITE"}
    listed = found.call("GET", "/api/2.0/secrets/acls/list?scope=s")["items"]
    assert {each["principal"] for each in listed} == {"unresolved", "long-gone"}
