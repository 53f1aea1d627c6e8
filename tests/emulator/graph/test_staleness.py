"""Reads that lag behind writes when the switch says so."""

from __future__ import annotations

from tests.emulator.graph.tenant import Tenant


def lagging(seconds: float = 30) -> Tenant:
    tenant = Tenant()
    tenant.world.clock.freeze()
    tenant.world.switches["graph.stale-seconds"] = seconds
    return tenant


def test_by_default_a_write_is_read_at_once() -> None:
    tenant = Tenant()
    tenant.add("empty", "user:ana@corp.example")
    assert all(len(tenant.get(tenant.group("empty", "/members")).ids) == 1 for _ in range(20))


def test_after_a_write_reads_disagree_and_are_not_monotonic() -> None:
    tenant = lagging()
    tenant.add("empty", "user:ana@corp.example")
    tenant.world.clock.advance(15)
    seen = [len(tenant.get(tenant.group("empty", "/members")).ids) for _ in range(60)]
    assert set(seen) == {0, 1}
    assert seen != sorted(seen), "a later read may be older than an earlier one"
    assert len(tenant.members("empty")) == 1, "the write itself is not in doubt"


def test_after_the_longest_lag_all_reads_agree() -> None:
    tenant = lagging()
    tenant.add("empty", "user:ana@corp.example")
    tenant.world.clock.advance(31)
    assert all(len(tenant.get(tenant.group("empty", "/members")).ids) == 1 for _ in range(60))


def test_a_new_group_may_be_missing_and_a_deleted_one_still_there() -> None:
    tenant = lagging()
    body = {"displayName": "n", "mailNickname": "n", "mailEnabled": False, "securityEnabled": True}
    oid = tenant.post("/v1.0/groups", body).body["id"]
    tenant.world.clock.advance(15)
    assert {tenant.get(f"/v1.0/groups/{oid}").status for _ in range(60)} == {200, 404}
    listed = {oid in tenant.get("/v1.0/groups").ids for _ in range(60)}
    assert listed == {True, False}
    tenant.world.clock.advance(60)
    tenant.delete(f"/v1.0/groups/{oid}")
    tenant.world.clock.advance(15)
    assert {tenant.get(f"/v1.0/groups/{oid}").status for _ in range(60)} == {200, 404}


def test_writes_are_decided_on_the_truth_not_on_what_reads_show() -> None:
    tenant = lagging()
    assert tenant.add("empty", "user:ana@corp.example").status == 204
    assert all(tenant.add("empty", "user:ana@corp.example").status == 400 for _ in range(20))


def test_the_same_draws_give_the_same_reads() -> None:
    def reads() -> list[int]:
        tenant = lagging()
        tenant.world.clock.frozen_at = 1_700_000_000.0
        tenant.add("empty", "user:ana@corp.example")
        tenant.world.clock.advance(15)
        return [len(tenant.get(tenant.group("empty", "/members")).ids) for _ in range(40)]

    assert reads() == reads()
