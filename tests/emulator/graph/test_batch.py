"""Batches: each item is answered, charged and throttled on its own."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.emulator.graph.tenant import Answer, Tenant

BATCH = "/v1.0/$batch"


@pytest.fixture
def tenant() -> Tenant:
    return Tenant()


def send(tenant: Tenant, *items: dict[str, Any]) -> dict[str, dict[str, Any]]:
    answer = tenant.post(BATCH, {"requests": list(items)})
    assert answer.status == 200, answer.body
    return {one["id"]: one for one in answer.body["responses"]}


def get(identifier: str, url: str, **more: Any) -> dict[str, Any]:
    return {"id": identifier, "method": "GET", "url": url} | more


def test_items_succeed_and_fail_independently(tenant: Tenant) -> None:
    found = send(
        tenant,
        get("1", f"/groups/{tenant.id('group:pricing-leads')}/members?$select=id&$top=999"),
        get("2", "groups/00000000-0000-4000-8000-000000000000/members"),
        get("3", "/flowers"),
    )
    assert [found[key]["status"] for key in "123"] == [200, 404, 400]
    assert found["1"]["headers"]["x-ms-resource-unit"] == "2"
    assert [one["id"] for one in found["1"]["body"]["value"]] == [tenant.id("user:bo@corp.example")]
    assert found["2"]["headers"]["Content-Type"] == "application/json"
    assert found["2"]["body"]["error"]["innerError"]["request-id"]


def test_a_link_inside_an_item_is_absolute_and_works(tenant: Tenant) -> None:
    body = send(tenant, get("1", "/groups?$top=3&$select=id"))["1"]["body"]
    assert body["@odata.nextLink"].startswith("https://graph.microsoft.com/v1.0/groups?")
    assert tenant.get(body["@odata.nextLink"]).status == 200


def test_headers_of_an_item_are_its_own(tenant: Tenant) -> None:
    url = "/groups?$filter=displayName ne 'x'&$count=true"
    found = send(tenant, get("1", url), get("2", url, headers={"ConsistencyLevel": "eventual"}))
    assert (found["1"]["status"], found["2"]["status"]) == (400, 200)


def test_a_bare_number_travels_as_base64(tenant: Tenant) -> None:
    item = get("1", "/groups/$count", headers={"ConsistencyLevel": "eventual"})
    assert base64.b64decode(send(tenant, item)["1"]["body"]) == b"8"


def test_writes_take_effect_in_the_order_of_dependence(tenant: Tenant) -> None:
    bo = tenant.id("user:bo@corp.example")
    link = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{bo}"}
    path = f"/groups/{tenant.id('group:empty')}/members"
    remove = {"id": "b", "method": "DELETE", "url": f"{path}/{bo}/$ref", "dependsOn": ["a"]}
    add = {"id": "a", "method": "POST", "url": f"{path}/$ref", "body": link}
    found = send(tenant, remove, add)
    assert (found["a"]["status"], found["b"]["status"]) == (204, 204)
    assert "body" not in found["a"]
    assert tenant.members("empty") == []


def test_what_depends_on_a_failure_is_not_tried(tenant: Tenant) -> None:
    gone = {"id": "2", "method": "DELETE", "url": f"/groups/{tenant.id('group:empty')}", "dependsOn": ["1"]}
    found = send(tenant, get("1", "/flowers"), gone, get("3", "/groups", dependsOn=["2"]))
    assert [found[key]["status"] for key in "123"] == [400, 424, 424]
    assert tenant.directory.by_group_name("empty")


def test_items_are_throttled_one_by_one(tenant: Tenant) -> None:
    tenant.world.clock.freeze()
    tenant.world.throttle.limit("graph/read", 6, 10, tenant.world.clock.now())
    members = f"/groups/{tenant.id('group:pricing-ds')}/members"
    found = send(tenant, *(get(str(number), members) for number in range(4)))
    assert [found[str(number)]["status"] for number in range(4)] == [200, 200, 429, 429]
    headers = found["2"]["headers"]
    assert headers["Retry-After"] == "5"
    assert headers["x-ms-throttle-information"] == "ResourceUnitLimitExceeded"
    tenant.world.clock.advance(5)
    assert send(tenant, get("1", members))["1"]["status"] == 200


@pytest.mark.parametrize(
    "items",
    [
        [],
        [get(str(number), "/groups") for number in range(21)],
        [get("1", "/groups"), get("1", "/users")],
        [get("1", "/groups", dependsOn=["9"])],
        [get("1", "/groups", dependsOn=["2"]), get("2", "/groups", dependsOn=["1"])],
        [{"method": "GET", "url": "/groups"}],
        [{"id": "1", "method": "BREW", "url": "/groups"}],
        [{"id": "1", "method": "GET"}],
        ["x"],
    ],
    ids=["empty", "21", "same id", "unknown", "circle", "no id", "method", "no url", "no object"],
)
def test_a_malformed_batch_is_refused_as_a_whole(tenant: Tenant, items: list[Any]) -> None:
    answer: Answer = tenant.post(BATCH, {"requests": items})
    assert (answer.status, answer.code) == (400, "BadRequest")


def test_absolute_urls_are_taken_when_switched_on(tenant: Tenant) -> None:
    item = get("1", "https://graph.microsoft.com/v1.0/groups")
    assert send(tenant, item)["1"]["status"] == 400
    tenant.world.switches["graph.batch-absolute-urls"] = True
    assert send(tenant, item)["1"]["status"] == 200
