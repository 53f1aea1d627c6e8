"""Role assignments: listing, writing, deleting, and who may."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from reconciler.emulator.arm.assignments import deterministic_name
from reconciler.emulator.arm.service import ArmService
from reconciler.emulator.graph.service import GraphService
from reconciler.emulator.wire import Caller, Request
from reconciler.emulator.world import World

SUBSCRIPTION = "5ab5c81e-0000-4000-8000-000000000001"
ROOT = f"/subscriptions/{SUBSCRIPTION}"
ACCOUNT = f"{ROOT}/resourceGroups/lake/providers/Microsoft.Storage/storageAccounts/datalake"
CONTAINER = f"{ACCOUNT}/blobServices/default/containers/curated"
API = "2022-04-01"
READER, OWNER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
DIRECTORY = {
    "users": [{"upn": "ana@corp.example"}, {"upn": "bo@corp.example"}],
    "service-principals": [{"name": "owner"}, {"name": "reader"}, {"name": "nobody"}, {"name": "lister"}],
    "groups": [
        {"name": "pricing", "members": ["user:ana@corp.example", "group:leads"]},
        {"name": "leads", "members": ["user:bo@corp.example"]},
    ],
}
SEED: Mapping[str, Any] = {
    "subscriptions": {SUBSCRIPTION: {"management-groups": ["platform", "tenant-root"]}},
    "storage-accounts": {"datalake": {}},
    "role-assignments": [
        {"scope": "/", "role": "User Access Administrator", "principal": "sp:owner"},
        {
            "scope": "/providers/Microsoft.Management/managementGroups/platform",
            "role": "Reader",
            "principal": "sp:reader",
        },
        {"scope": "subscription", "role": "Owner", "principal": "sp:owner"},
        {"scope": "datalake", "role": "Storage Blob Data Reader", "principal": "group:pricing"},
        {"scope": "datalake/curated", "role": "Storage Blob Data Owner", "principal": "group:leads"},
        {"scope": "datalake/raw", "role": "Storage Blob Data Owner", "principal": "user:ana@corp.example"},
    ],
    "readers": ["sp:lister"],
}


@dataclass(slots=True)
class Cloud:
    """ARM over a small tenant, and who is calling."""

    who: str = "sp:owner"
    world: World = field(default_factory=World)
    arm: ArmService = field(init=False)

    def __post_init__(self) -> None:
        GraphService(self.world).seed(DIRECTORY)
        self.world.clock.freeze()
        self.arm = ArmService(self.world)
        self.arm.seed(SEED)

    def id(self, reference: str) -> str:
        return self.world.directory.resolve(reference)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        audience: str = "https://management.azure.com",
        **query: str,
    ) -> tuple[int, Mapping[str, str], Any]:
        pairs = {"api-version": API} | query
        caller = Caller(object_id=self.id(self.who), audience=audience) if self.who else None
        request = Request(
            service="arm",
            method=method,
            path=path,
            query=parse_qsl(urlencode({name: value for name, value in pairs.items() if value})),
            headers={"authorization": "Bearer x"} if self.who else {},
            body=b"" if body is None else json.dumps(body).encode(),
            base="https://management.azure.com",
            caller=caller,
        )
        response = self.arm.handle(request)
        headers = {name.lower(): value for name, value in response.headers}
        return response.status, headers, json.loads(response.body) if response.body else None

    def list(self, scope: str, filter_text: str = "") -> list[tuple[str, str]]:
        """(scope, principal) of every assignment that a listing shows."""
        path = f"{scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments"
        status, _, body = self.send("GET", path, **{"$filter": filter_text})
        assert status == 200, body
        return [(one["properties"]["scope"], one["properties"]["principalId"]) for one in body["value"]]

    def put(
        self, scope: str, name: str, role: str, principal: str, **more: str
    ) -> tuple[int, Mapping[str, str], Any]:
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"
        definition = f"{ROOT}/providers/Microsoft.Authorization/roleDefinitions/{role}"
        properties = {"roleDefinitionId": definition, "principalId": principal} | more
        return self.send("PUT", path, {"properties": properties})


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def test_at_scope_shows_what_holds_there_and_nothing_below(cloud: Cloud) -> None:
    scopes = [scope for scope, _ in cloud.list(ACCOUNT, "atScope()")]
    assert scopes == ["/", ROOT, ACCOUNT, "/providers/Microsoft.Management/managementGroups/platform"]


def test_without_at_scope_what_is_below_is_shown_too(cloud: Cloud) -> None:
    scopes = {scope for scope, _ in cloud.list(ACCOUNT)}
    assert {CONTAINER, f"{ACCOUNT}/blobServices/default/containers/raw", "/", ROOT} <= scopes
    assert {scope for scope, _ in cloud.list(CONTAINER)} == scopes - {
        f"{ACCOUNT}/blobServices/default/containers/raw"
    }


def test_a_principal_is_found_above_at_and_below(cloud: Cloud) -> None:
    leads, ana = cloud.id("group:leads"), cloud.id("user:ana@corp.example")
    assert cloud.list(ROOT, f"principalId eq '{leads}'") == [(CONTAINER, leads)]
    assert cloud.list(CONTAINER, f"principalId eq '{ana}'") == []


def test_assigned_to_follows_groups(cloud: Cloud) -> None:
    bo = cloud.id("user:bo@corp.example")
    assert {scope for scope, _ in cloud.list(ROOT, f"assignedTo('{bo}')")} == {ACCOUNT, CONTAINER}
    assert [scope for scope, _ in cloud.list(ACCOUNT, f"atScope() and assignedTo('{bo}')")] == [ACCOUNT]


def test_an_unknown_filter_is_refused(cloud: Cloud) -> None:
    path = f"{ROOT}/providers/Microsoft.Authorization/roleAssignments"
    assert cloud.send("GET", path, **{"$filter": "colour eq 'red'"})[0] == 400


def test_the_answer_to_a_put_differs_from_what_is_read_afterwards(cloud: Cloud) -> None:
    name, bo = deterministic_name(ACCOUNT, "bo"), cloud.id("user:bo@corp.example")
    status, headers, body = cloud.put(ACCOUNT, name, READER, bo, principalType="User")
    assert status == 201
    assert body["properties"]["createdBy"] is None
    assert body["properties"]["updatedBy"] == cloud.id("sp:owner")
    assert headers["x-ms-ratelimit-remaining-subscription-writes"] == "199"
    path = f"{ACCOUNT}/providers/Microsoft.Authorization/roleAssignments/{name}"
    status, headers, read = cloud.send("GET", path)
    assert status == 200
    assert read["properties"]["createdBy"] == cloud.id("sp:owner")
    assert read["properties"]["createdOn"] == read["properties"]["updatedOn"]
    assert headers["x-ms-ratelimit-remaining-subscription-global-reads"] == "3749"


def test_the_same_right_is_not_given_twice(cloud: Cloud) -> None:
    pricing = cloud.id("group:pricing")
    status, _, body = cloud.put(ACCOUNT, deterministic_name("other"), READER, pricing)
    assert (status, body["error"]["code"]) == (409, "RoleAssignmentExists")
    kept = next(one for one in cloud.arm.assignments.by_name.values() if one.principal == pricing)
    assert kept.name.replace("-", "") in body["error"]["message"]
    status, _, body = cloud.put(ACCOUNT, kept.name, READER, pricing)
    assert (status, body["error"]["code"]) == (409, "RoleAssignmentExists")


def test_condition_and_description_change_and_nothing_else(cloud: Cloud) -> None:
    name, bo = deterministic_name("bo"), cloud.id("user:bo@corp.example")
    cloud.put(ACCOUNT, name, READER, bo)
    cloud.world.clock.advance(60)
    status, _, body = cloud.put(ACCOUNT, name, READER, bo, description="why")
    assert (status, body["properties"]["description"], body["properties"]["createdBy"]) == (201, "why", None)
    kept = cloud.arm.assignments.by_name[name]
    assert kept.created < kept.updated and kept.created_by == cloud.id("sp:owner")
    for scope, role, principal in (
        (ACCOUNT, READER, cloud.id("user:ana@corp.example")),
        (CONTAINER, READER, bo),
        (ACCOUNT, OWNER, bo),
    ):
        status, _, body = cloud.put(scope, name, role, principal)
        assert (status, body["error"]["code"]) == (400, "RoleAssignmentUpdateNotPermitted")


def test_principals_must_exist_unless_their_type_is_given(cloud: Cloud) -> None:
    stranger = "99999999-0000-4000-8000-000000000000"
    status, _, body = cloud.put(ACCOUNT, deterministic_name("a"), READER, stranger)
    assert (status, body["error"]["code"]) == (400, "PrincipalNotFound")
    assert "99999999000040008000000000000000" in body["error"]["message"]
    more = {"principalType": "ServicePrincipal"}
    assert cloud.put(ACCOUNT, deterministic_name("a"), READER, stranger, **more)[0] == 201
    bo = cloud.id("user:bo@corp.example")
    status, _, body = cloud.put(ACCOUNT, deterministic_name("b"), READER, bo, principalType="Group")
    assert (status, body["error"]["code"]) == (400, "UnmatchedPrincipalType")


@pytest.mark.parametrize(
    ("name", "role", "code"),
    [
        ("not-a-guid", READER, "InvalidRoleAssignmentId"),
        (deterministic_name("x"), "99999999-0000-4000-8000-000000000000", "RoleDefinitionDoesNotExist"),
    ],
)
def test_names_are_guids_and_roles_exist(cloud: Cloud, name: str, role: str, code: str) -> None:
    status, _, body = cloud.put(ACCOUNT, name, role, cloud.id("user:bo@corp.example"))
    assert (status, body["error"]["code"]) == (400, code)


@pytest.mark.parametrize("body", [None, [], {}, {"properties": 1}, {"properties": {"principalId": "x"}}])
def test_a_malformed_body_is_refused(cloud: Cloud, body: Any) -> None:
    path = f"{ACCOUNT}/providers/Microsoft.Authorization/roleAssignments/{deterministic_name('x')}"
    status, _, answer = cloud.send("PUT", path, body)
    assert (status, answer["error"]["code"]) == (400, "InvalidCreateRoleAssignmentRequest")


def test_a_subscription_has_room_for_so_many(cloud: Cloud) -> None:
    cloud.world.switches["arm.assignments-limit"] = 5
    bo = cloud.id("user:bo@corp.example")
    assert cloud.put(ACCOUNT, deterministic_name("1"), READER, bo)[0] == 201
    status, _, body = cloud.put(ACCOUNT, deterministic_name("2"), OWNER, bo)
    assert (status, body["error"]["code"]) == (400, "RoleAssignmentLimitExceeded")


def test_deletion_answers_what_was_deleted_and_then_nothing(cloud: Cloud) -> None:
    kept = next(one for one in cloud.arm.assignments.by_name.values() if one.scope == CONTAINER)
    path = f"{CONTAINER}/providers/Microsoft.Authorization/roleAssignments/{kept.name}"
    status, headers, body = cloud.send("DELETE", path)
    assert (status, body["name"], body["properties"]["updatedBy"]) == (200, kept.name, cloud.id("sp:owner"))
    assert headers["x-ms-ratelimit-remaining-subscription-deletes"] == "199"
    assert cloud.send("DELETE", path)[0] == 204
    status, _, body = cloud.send("GET", path)
    assert (status, body["error"]["code"]) == (404, "RoleAssignmentNotFound")


@pytest.mark.parametrize(
    ("who", "may"),
    [
        ("sp:owner", {"GET", "PUT", "DELETE"}),
        ("sp:reader", {"GET"}),
        ("sp:lister", {"GET"}),
        ("sp:nobody", set()),
        ("user:ana@corp.example", set()),
    ],
)
def test_rights_come_from_assignments_or_the_list_of_readers(cloud: Cloud, who: str, may: set[str]) -> None:
    cloud.who = who
    bo = cloud.id("user:bo@corp.example")
    name = deterministic_name("x")
    path = f"{ACCOUNT}/providers/Microsoft.Authorization/roleAssignments"
    attempts = {
        "GET": cloud.send("GET", path),
        "PUT": cloud.put(ACCOUNT, name, READER, bo),
        "DELETE": cloud.send("DELETE", f"{path}/{name}"),
    }
    for method, (status, _, body) in attempts.items():
        if method in may:
            assert status in (200, 201)
        else:
            assert (status, body["error"]["code"]) == (403, "AuthorizationFailed")
            assert f"scope '{ACCOUNT}'" in body["error"]["message"]
    assert (name in cloud.arm.assignments.by_name) is False


def test_data_roles_follow_scopes_and_groups(cloud: Cloud) -> None:
    bo, ana = cloud.id("user:bo@corp.example"), cloud.id("user:ana@corp.example")
    roles = cloud.arm.data_roles
    assert roles(bo, "datalake") == {"Storage Blob Data Reader"}
    assert roles(bo, "datalake", "curated") == {"Storage Blob Data Reader", "Storage Blob Data Owner"}
    assert roles(ana, "datalake", "curated") == {"Storage Blob Data Reader"}
    cloud.world.directory.unlink(cloud.id("group:leads"), "members", bo)
    assert roles(bo, "datalake", "curated") == frozenset()
    cloud.put(CONTAINER, deterministic_name("z"), OWNER, bo)
    assert roles(bo, "datalake", "curated") == {"Storage Blob Data Owner"}


def test_role_definitions_are_found_by_name_and_by_id(cloud: Cloud) -> None:
    path = f"{ACCOUNT}/providers/Microsoft.Authorization/roleDefinitions"
    status, _, body = cloud.send("GET", path, **{"$filter": "roleName eq 'storage blob data owner'"})
    assert (status, [one["name"] for one in body["value"]]) == (200, [OWNER])
    assert body["value"][0]["id"] == f"{ROOT}/providers/Microsoft.Authorization/roleDefinitions/{OWNER}"
    assert cloud.send("GET", f"{path}/{OWNER}")[2]["properties"]["roleName"] == "Storage Blob Data Owner"
    assert cloud.send("GET", f"{path}/99999999-0000-4000-8000-000000000000")[0] == 404
    assert len(cloud.send("GET", path)[2]["value"]) > 8
    assert cloud.send("GET", path, **{"$filter": "type eq 'CustomRole'"})[2]["value"] == []


def test_resources_exist_or_do_not(cloud: Cloud) -> None:
    status, _, body = cloud.send("GET", ACCOUNT, **{"api-version": "2023-01-01"})
    assert (status, body["id"], body["properties"]["isHnsEnabled"]) == (200, ACCOUNT, True)
    assert cloud.send("GET", ACCOUNT.replace("datalake", "other"))[2]["error"]["code"] == "ResourceNotFound"
    assert cloud.send("GET", f"{ROOT}/resourcegroups/lake")[2]["name"] == "lake"
    assert cloud.send("GET", f"{ROOT}/resourcegroups/x")[2]["error"]["code"] == "ResourceGroupNotFound"
    assert cloud.send("GET", ROOT)[2]["state"] == "Enabled"
    other = "/subscriptions/99999999-0000-4000-8000-000000000000"
    path = f"{other}/providers/Microsoft.Authorization/roleAssignments"
    assert cloud.send("GET", path)[2]["error"]["code"] == "SubscriptionNotFound"
    path = f"{ACCOUNT.replace('datalake', 'other')}/providers/Microsoft.Authorization/roleAssignments"
    assert cloud.send("GET", path)[0] == 404


def test_requests_carry_a_version_and_a_token_for_arm(cloud: Cloud) -> None:
    assert cloud.send("GET", ROOT, **{"api-version": ""})[2]["error"]["code"] == "MissingApiVersionParameter"
    status, _, body = cloud.send("GET", ROOT, audience="https://storage.azure.com")
    assert (status, body["error"]["code"]) == (401, "InvalidAuthenticationTokenAudience")
    cloud.who = ""
    status, headers, body = cloud.send("GET", ROOT)
    assert (status, body["error"]["code"]) == (401, "AuthenticationFailed")
    assert headers["www-authenticate"].startswith("Bearer authorization_uri=")


def test_requests_are_throttled_by_kind(cloud: Cloud) -> None:
    cloud.world.throttle.limit("arm/read", 1, 10, cloud.world.clock.now())
    assert cloud.send("GET", ROOT)[0] == 200
    status, headers, body = cloud.send("GET", ROOT)
    assert (status, headers["retry-after"]) == (429, "10")
    assert body["error"]["code"] == "SubscriptionRequestsThrottled"


def test_a_managed_identity_becomes_a_service_principal(cloud: Cloud) -> None:
    path = f"{ROOT}/resourceGroups/lake/providers/Microsoft.ManagedIdentity/userAssignedIdentities/loader"
    status, _, body = cloud.send("PUT", path, {"location": "westeurope"})
    assert status == 201
    assert body["properties"]["principalId"] in cloud.world.directory.service_principals
    assert cloud.send("PUT", path, {"location": "westeurope"})[0] == 200


def test_a_dump_is_a_fixed_point_of_seeding(cloud: Cloud) -> None:
    cloud.put(
        ACCOUNT, deterministic_name("b"), READER, "99999999-0000-4000-8000-000000000000", principalType="User"
    )
    again = ArmService(cloud.world)
    again.seed(cloud.arm.dump())
    assert again.dump() == cloud.arm.dump()
    assert again.assignments.by_name == cloud.arm.assignments.by_name
    assert (again.estate, again.readers) == (cloud.arm.estate, cloud.arm.readers)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"colour": 1}, "arm has unknown key 'colour'"),
        (
            {"role-assignments": [{"scope": "/", "role": "King", "principal": "sp:owner"}]},
            "unknown role 'King'",
        ),
        ({"role-assignments": [{"scope": "/", "role": "Owner", "principal": "sp:x"}]}, "names 0 objects"),
    ],
)
def test_a_wrong_entry_is_named(cloud: Cloud, section: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cloud.arm.seed(section)
