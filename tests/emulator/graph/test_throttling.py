"""Resource units, write units, and what is said when they run out."""

from __future__ import annotations

import pytest

from reconciler.emulator.graph.costs import PUBLISHED_LIMITS, read_bucket
from tests.emulator.graph.tenant import EVENTUAL, SEED, Tenant


@pytest.fixture
def tenant() -> Tenant:
    tenant = Tenant()
    tenant.world.clock.freeze()
    return tenant


@pytest.mark.parametrize(
    ("path", "units"),
    [
        ("/groups", 1),
        ("/groups?$select=id&$top=999", 1),
        ("/users", 2),
        ("/users?$select=id", 1),
        ("/users/ana@corp.example", 1),
        ("/groups/{group}/members", 3),
        ("/groups/{group}/members?$select=id&$top=999", 2),
        ("/groups/{group}/members?$select=id&$top=5", 1),
        ("/groups/{group}/transitiveMembers", 5),
        ("/groups/{group}/owners", 1),
        ("/groups/{group}?$expand=members", 2),
        ("/users/ana@corp.example/memberOf", 2),
        ("/users('ana@corp.example')/memberOf", 2),
        ("/users('ana@corp.example')", 1),
        ("/applications", 2),
    ],
)
def test_reads_cost_what_is_published(tenant: Tenant, path: str, units: int) -> None:
    answer = tenant.get("/v1.0" + path.replace("{group}", tenant.id("group:pricing-ds")))
    assert answer.status == 200
    assert answer.headers["x-ms-resource-unit"] == str(units)


def test_an_exhausted_bucket_answers_429_and_refills(tenant: Tenant) -> None:
    tenant.world.throttle.limit("graph/read", 3, 10, tenant.world.clock.now())
    members = tenant.group("pricing-ds", "/members")
    passed = tenant.get(members)
    assert passed.headers["x-ms-throttle-limit-percentage"] == "1.0"
    refused = tenant.get(members)
    assert (refused.status, refused.code) == (429, "TooManyRequests")
    assert refused.headers["retry-after"] == "10"
    scope = f"Tenant_Application/ReadWrite/app/{tenant.directory.tenant_id}"
    assert refused.headers["x-ms-throttle-scope"] == scope
    assert refused.headers["x-ms-throttle-information"] == "ResourceUnitLimitExceeded"
    tenant.world.clock.advance(10)
    assert tenant.get(members).status == 200


def test_writes_have_a_budget_of_their_own_and_are_not_done_when_refused(tenant: Tenant) -> None:
    tenant.world.throttle.limit("graph/write", 1, 150, tenant.world.clock.now())
    assert tenant.add("empty", "user:ana@corp.example").status == 204
    refused = tenant.add("empty", "user:bo@corp.example")
    assert refused.headers["x-ms-throttle-information"] == "WriteLimitExceeded"
    assert tenant.members("empty") == [tenant.id("user:ana@corp.example")]
    # Actions that only read cost no write.
    assert tenant.post("/v1.0/directoryObjects/getByIds", {"ids": []}).status == 200


@pytest.mark.parametrize(("users", "size"), [(49, "small"), (50, "medium"), (500, "medium"), (501, "large")])
def test_the_tenants_size_chooses_the_bucket(users: int, size: str) -> None:
    seed = {**SEED, "groups": [], "users": [{"upn": f"u{number}@corp.example"} for number in range(users)]}
    tenant = Tenant(seed)
    assert read_bucket(tenant.world) == f"graph/read-{size}"
    assert set(PUBLISHED_LIMITS) >= {read_bucket(tenant.world), "graph/write"}
    tenant.world.throttle.limit(f"graph/read-{size}", 1, 1000, tenant.world.clock.now())
    assert tenant.get("/v1.0/groups").status == 200
    assert tenant.get("/v1.0/groups/$count", **EVENTUAL).status == 429


def test_without_limits_nothing_is_throttled(tenant: Tenant) -> None:
    assert all(tenant.get("/v1.0/users").status == 200 for _ in range(200))
