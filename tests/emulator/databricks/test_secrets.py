"""Secret scopes: names, limits, ACLs, key vaults, and writes that are answered and forgotten."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from reconciler.emulator.databricks.state import Scope, Secret
from tests.emulator.databricks.estate import APP, READER, SEED, Estate

ROOT = "/api/2.0/secrets"
VAULT = {"resource_id": "/subscriptions/s/vaults/kv", "dns_name": "https://kv.vault.azure.net/"}


@pytest.fixture
def estate() -> Estate:
    return Estate()


def put_acl(estate: Estate, principal: str, permission: str, scope: str = "pricing", **options: Any) -> None:
    grant = {"scope": scope, "principal": principal, "permission": permission}
    estate.call("POST", f"{ROOT}/acls/put", grant, **options)


def acls(estate: Estate, scope: str = "pricing") -> dict[str, str]:
    listed = estate.call("GET", f"{ROOT}/acls/list?scope={scope}")
    return {each["principal"]: each["permission"] for each in listed.get("items", [])}


def test_a_workspace_without_scopes_answers_an_empty_object() -> None:
    estate = Estate({"account": {}, "workspaces": {"main": {"admins": ["sp:reconciler"]}}})

    assert estate.call("GET", f"{ROOT}/scopes/list") == {}


def test_the_creator_manages_what_it_created(estate: Estate) -> None:
    assert estate.call("POST", f"{ROOT}/scopes/create", {"scope": "mine"}) == {}

    assert acls(estate, "mine") == {APP: "MANAGE"}
    assert {"name": "mine", "backend_type": "DATABRICKS"} in estate.call("GET", f"{ROOT}/scopes/list")[
        "scopes"
    ]
    assert estate.call("GET", f"{ROOT}/list?scope=mine") == {}


def test_users_may_manage_from_the_start(estate: Estate) -> None:
    estate.call("POST", f"{ROOT}/scopes/create", {"scope": "open", "initial_manage_principal": "users"})

    assert acls(estate, "open") == {"users": "MANAGE"}
    body = {"scope": "odd", "initial_manage_principal": "admins"}
    assert estate.refused("POST", f"{ROOT}/scopes/create", body)[1]["error_code"] == "INVALID_PARAMETER_VALUE"


def test_names_do_not_distinguish_case(estate: Estate) -> None:
    assert estate.refused("POST", f"{ROOT}/scopes/create", {"scope": "PRICING"}) == (
        400,
        {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "Scope PRICING already exists!"},
    )
    estate.call("POST", f"{ROOT}/put", {"scope": "Pricing", "key": "API-KEY", "string_value": "new"})
    assert [each["key"] for each in estate.call("GET", f"{ROOT}/list?scope=pricing")["secrets"]] == [
        "api-key"
    ]


@pytest.mark.parametrize("name", ["", "with space", "x" * 129, "semi;colon"])
def test_bad_scope_names(estate: Estate, name: str) -> None:
    assert estate.refused("POST", f"{ROOT}/scopes/create", {"scope": name})[0] == 400


@pytest.mark.parametrize("name", ["a.b", "team/branch", "a@b", "x" * 128])
def test_good_scope_names(estate: Estate, name: str) -> None:
    estate.call("POST", f"{ROOT}/scopes/create", {"scope": name})


def test_values_are_put_got_and_deleted(estate: Estate) -> None:
    encoded = base64.b64encode(b"\x00\x01").decode()
    estate.call("POST", f"{ROOT}/put", {"scope": "pricing", "key": "bin", "bytes_value": encoded})

    assert estate.call("GET", f"{ROOT}/get?scope=pricing&key=bin") == {"key": "bin", "value": encoded}
    stamp = estate.call("GET", f"{ROOT}/list?scope=pricing")["secrets"][-1]["last_updated_timestamp"]
    assert stamp == int(estate.world.clock.now() * 1000)
    estate.call("POST", f"{ROOT}/delete", {"scope": "pricing", "key": "bin"})
    assert estate.refused("GET", f"{ROOT}/get?scope=pricing&key=bin")[0] == 404
    assert estate.refused("POST", f"{ROOT}/delete", {"scope": "pricing", "key": "bin"})[0] == 404


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"string_value": "a", "bytes_value": "YQ=="},
        {"bytes_value": "?"},
        {"string_value": "x" * (128 * 1024 + 1)},
    ],
)
def test_values_that_are_refused(estate: Estate, value: dict[str, str]) -> None:
    body = {"scope": "pricing", "key": "k", **value}

    assert estate.refused("POST", f"{ROOT}/put", body)[1]["error_code"] == "INVALID_PARAMETER_VALUE"


def test_limits(estate: Estate) -> None:
    workspace = estate.account.workspaces["main"]
    workspace.scopes["pricing"].secrets = {str(each): Secret(str(each), b"", 0) for each in range(1000)}
    body = {"scope": "pricing", "key": "one-more", "string_value": ""}
    assert estate.refused("POST", f"{ROOT}/put", body)[1]["error_code"] == "RESOURCE_LIMIT_EXCEEDED"

    workspace.scopes.update({str(each): Scope(str(each)) for each in range(999)})
    status, error = estate.refused("POST", f"{ROOT}/scopes/create", {"scope": "one-more"})
    assert (status, error["error_code"]) == (400, "RESOURCE_LIMIT_EXCEEDED")


def test_acls_are_overwritten_read_and_deleted(estate: Estate) -> None:
    put_acl(estate, "bo@corp.example", "READ")
    put_acl(estate, "bo@corp.example", "WRITE")
    put_acl(estate, READER, "READ")

    assert acls(estate) == {"pricing-ds": "READ", APP: "MANAGE", "bo@corp.example": "WRITE", READER: "READ"}
    one = estate.call("GET", f"{ROOT}/acls/get?scope=pricing&principal=bo@corp.example")
    assert one == {"principal": "bo@corp.example", "permission": "WRITE"}
    estate.call("POST", f"{ROOT}/acls/delete", {"scope": "pricing", "principal": "bo@corp.example"})
    assert "bo@corp.example" not in acls(estate)
    body = {"scope": "pricing", "principal": "bo@corp.example"}
    assert estate.refused("POST", f"{ROOT}/acls/delete", body)[0] == 404


def test_acls_of_nobody_and_of_nothing(estate: Estate) -> None:
    body = {"scope": "pricing", "principal": "nobody", "permission": "READ"}
    assert estate.refused("POST", f"{ROOT}/acls/put", body)[1]["error_code"] == "INVALID_PARAMETER_VALUE"
    assert estate.refused("POST", f"{ROOT}/acls/put", {**body, "permission": "OWN"})[0] == 400
    assert estate.refused("GET", f"{ROOT}/acls/list?scope=gone") == (
        404,
        {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Scope gone does not exist!"},
    )


def test_a_group_that_is_not_assigned_is_nobody(estate: Estate) -> None:
    body = {"scope": "pricing", "principal": "platform", "permission": "READ"}

    assert estate.refused("POST", f"{ROOT}/acls/put", body)[0] == 400


def test_what_each_permission_allows(estate: Estate) -> None:
    denied = f"User {READER} does not have READ permission on scope pricing to perform this action."
    assert estate.refused("GET", f"{ROOT}/list?scope=pricing", caller="reader") == (
        403,
        {"error_code": "PERMISSION_DENIED", "message": denied},
    )
    put_acl(estate, READER, "READ")
    estate.call("GET", f"{ROOT}/get?scope=pricing&key=api-key", caller="reader")
    body = {"scope": "pricing", "key": "k", "string_value": "v"}
    assert estate.refused("POST", f"{ROOT}/put", body, caller="reader")[0] == 403
    put_acl(estate, READER, "WRITE")
    estate.call("POST", f"{ROOT}/put", body, caller="reader")
    assert estate.refused("GET", f"{ROOT}/acls/list?scope=pricing", caller="reader")[0] == 403
    put_acl(estate, READER, "MANAGE")
    estate.call("GET", f"{ROOT}/acls/list?scope=pricing", caller="reader")


def test_permissions_come_through_groups_too(estate: Estate) -> None:
    assert estate.call("GET", f"{ROOT}/list?scope=pricing", caller="ana@corp.example")["secrets"]
    # Entra's nesting counts where automatic identity management is on.
    assert estate.call("GET", f"{ROOT}/list?scope=pricing", caller="cy@corp.example")["secrets"]


def test_a_key_vault_scope_is_read_only(estate: Estate) -> None:
    body = {"scope": "kv", "scope_backend_type": "AZURE_KEYVAULT", "backend_azure_keyvault": VAULT}
    estate.call("POST", f"{ROOT}/scopes/create", body)

    shown = estate.call("GET", f"{ROOT}/scopes/list")["scopes"][-1]
    assert (shown["backend_type"], shown["keyvault_metadata"]) == ("AZURE_KEYVAULT", VAULT)
    put = {"scope": "kv", "key": "k", "string_value": "v"}
    assert estate.refused("POST", f"{ROOT}/put", put)[1]["error_code"] == "BAD_REQUEST"
    assert (
        estate.refused("POST", f"{ROOT}/delete", {"scope": "kv", "key": "k"})[1]["error_code"]
        == "BAD_REQUEST"
    )


def test_deleting_a_scope_takes_its_secrets_and_acls_with_it(estate: Estate) -> None:
    estate.call("POST", f"{ROOT}/scopes/delete", {"scope": "pricing"})
    estate.call("POST", f"{ROOT}/scopes/create", {"scope": "pricing"})

    assert acls(estate) == {APP: "MANAGE"}
    assert estate.call("GET", f"{ROOT}/list?scope=pricing") == {}


def test_an_acl_for_a_group_just_assigned_is_answered_and_forgotten(estate: Estate) -> None:
    estate.call("PUT", "/api/2.0/preview/permissionassignments/principals/500", {"permissions": ["USER"]})

    put_acl(estate, "platform", "READ")
    assert "platform" not in acls(estate)

    estate.world.clock.advance(61)
    put_acl(estate, "platform", "READ")
    assert acls(estate)["platform"] == "READ"


def test_parallel_acl_writes_of_one_scope_get_lost_by_switch() -> None:
    estate = Estate(acl_race_ms=50)

    put_acl(estate, "bo@corp.example", "READ", peer="1")
    put_acl(estate, READER, "READ", peer="2")
    assert READER not in acls(estate)

    put_acl(estate, READER, "READ", peer="2")
    assert acls(estate)[READER] == "READ"


def test_malformed_requests(estate: Estate) -> None:
    assert estate.refused("POST", f"{ROOT}/put", b"{")[1]["error_code"] == "MALFORMED_REQUEST"
    assert (
        estate.refused("POST", f"{ROOT}/put", {"key": "k"})[1]["message"] == "Missing required field: scope"
    )
    assert estate.refused("GET", f"{ROOT}/nothing")[1]["error_code"] == "ENDPOINT_NOT_FOUND"


def test_values_cannot_be_read_where_the_switch_says_so() -> None:
    estate = Estate(SEED, secrets_get=False)

    assert estate.refused("GET", f"{ROOT}/get?scope=pricing&key=api-key")[0] == 403
