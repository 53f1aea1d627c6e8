"""Delta queries: following the feed from the start gives the state."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.emulator.graph import delta
from tests.emulator.graph.tenant import SEED, Tenant

START = "/beta/groups/delta?$select=displayName,members"


class Reader:
    """Merges the feed as a client must: additions and removals, told once or more often."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.groups: dict[str, set[str]] = {}
        self.names: dict[str, str] = {}
        self.link = START

    def page(self) -> bool:
        """Read one page; True when it was the last one."""
        body = self.tenant.get(self.link).body
        for entry in body["value"]:
            self.merge(entry)
        self.link = body.get("@odata.nextLink") or body["@odata.deltaLink"]
        return "@odata.deltaLink" in body

    def follow(self) -> None:
        """Read until the service says that there is no more for now."""
        for _ in range(500):
            if self.page():
                return
        raise AssertionError("the feed does not end")

    def merge(self, entry: dict[str, Any]) -> None:
        if "@removed" in entry:
            self.groups.pop(entry["id"], None)
            return
        members = self.groups.setdefault(entry["id"], set())
        self.names[entry["id"]] = entry.get("displayName", self.names.get(entry["id"], ""))
        for link in entry.get("members@delta", ()):
            (members.discard if "@removed" in link else members.add)(link["id"])

    def agrees(self) -> bool:
        facts = {oid: set(group.members) for oid, group in self.tenant.directory.groups.items()}
        names = {oid: group.display_name for oid, group in self.tenant.directory.groups.items()}
        return self.groups == facts and {oid: self.names[oid] for oid in names} == names


def test_the_first_round_tells_everything_and_the_second_nothing() -> None:
    reader = Reader(Tenant())
    reader.follow()
    assert reader.agrees()
    assert reader.tenant.get(reader.link).body["value"] == []


@pytest.mark.parametrize("path", ["groups/delta", "groups/delta()", "groups/microsoft.graph.delta()"])
def test_the_function_is_known_by_every_name(path: str) -> None:
    answer = Tenant().get(f"/v1.0/{path}?$select=id")
    assert answer.status == 200 and "@odata.deltaLink" in answer.body


def test_changes_are_told_as_additions_and_removals() -> None:
    tenant = Tenant()
    reader = Reader(tenant)
    reader.follow()
    tenant.add("empty", "user:ana@corp.example")
    ana = tenant.id("user:ana@corp.example")
    tenant.delete(tenant.group("pricing-ds", f"/members/{ana}/$ref"))
    tenant.delete(tenant.group("admins"))
    value = {entry["id"]: entry for entry in tenant.get(reader.link).body["value"]}
    assert value[tenant.id("group:empty")]["members@delta"] == [
        {"@odata.type": "#microsoft.graph.user", "id": ana}
    ]
    gone = value[tenant.id("group:pricing-ds")]["members@delta"]
    assert gone == [{"@odata.type": "#microsoft.graph.user", "id": ana, "@removed": {"reason": "deleted"}}]
    deleted = [entry for entry in value.values() if "@removed" in entry]
    assert [entry["@removed"] for entry in deleted] == [{"reason": "changed"}]


def test_a_group_without_members_has_no_member_list_and_a_big_one_comes_in_pieces() -> None:
    users = [{"upn": f"u{number}@corp.example"} for number in range(1_201)]
    big = {"name": "big", "members": [f"user:{user['upn']}" for user in users]}
    tenant = Tenant({**SEED, "users": users, "groups": [big, {"name": "empty"}]})
    pages = []
    link = START
    while link:
        pages.append(tenant.get(link).body)
        link = pages[-1].get("@odata.nextLink", "")
    entries = [entry for page in pages for entry in page["value"]]
    pieces = [len(entry["members@delta"]) for entry in entries if entry["displayName"] == "big"]
    assert pieces == [500, 500, 201]
    assert all("members@delta" not in entry for entry in entries if entry["displayName"] == "empty")
    reader = Reader(tenant)
    reader.follow()
    assert reader.agrees()


def test_latest_tells_only_what_comes_after() -> None:
    tenant = Tenant()
    body = tenant.get("/v1.0/groups/delta?$deltatoken=latest").body
    assert body["value"] == []
    tenant.add("empty", "user:ana@corp.example")
    assert tenant.get(body["@odata.deltaLink"]).ids == [tenant.id("group:empty")]


def test_a_token_lives_a_week() -> None:
    tenant = Tenant()
    reader = Reader(tenant)
    reader.follow()
    tenant.world.clock.advance(delta.LIFETIME - 60)
    assert tenant.get(reader.link).status == 200
    tenant.world.clock.advance(120)
    answer = tenant.get(reader.link)
    assert (answer.status, answer.code) == (400, "syncStateNotFound")
    assert tenant.get("/v1.0/groups/delta?$deltatoken=garbage").status == 400


def test_a_filter_by_ids_limits_the_feed() -> None:
    tenant = Tenant()
    empty, admins = tenant.id("group:empty"), tenant.id("group:admins")
    answer = tenant.get(f"/v1.0/groups/delta?$filter=id eq '{empty}' or id eq '{admins}'")
    assert set(answer.ids) == {empty, admins}
    assert tenant.get("/v1.0/groups/delta?$filter=displayName eq 'x'").status == 400


STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "rename", "delete", "restore", "page"]), st.integers(0, 11)),
    max_size=25,
)


@given(STEPS)
def test_whatever_happens_between_pages_the_feed_ends_in_the_state(steps: list[tuple[str, int]]) -> None:
    users = [{"upn": f"u{number}@corp.example"} for number in range(4)]
    groups = [{"name": f"g{number}", "members": ["user:u0@corp.example"]} for number in range(3)]
    tenant = Tenant({**SEED, "users": users, "groups": groups})
    directory = tenant.directory
    ids = [tenant.id(f"group:g{number}") for number in range(3)]
    people = [tenant.id(f"user:{user['upn']}") for user in users]
    reader = Reader(tenant)
    patch = pytest.MonkeyPatch()
    with patch.context() as small:
        small.setattr(delta, "GROUPS_PER_PAGE", 1)
        small.setattr(delta, "MEMBERS_PER_PAGE", 2)
        for action, number in steps:
            group, person = ids[number % 3], people[number % 4]
            if action == "page":
                reader.page()
            elif action == "restore" and group in directory.deleted:
                directory.restore(group)
            elif group not in directory.groups:
                continue
            elif action == "add":
                directory.link(group, "members", person)
            elif action == "remove":
                directory.unlink(group, "members", person)
            elif action == "rename":
                directory.rename(directory.groups[group], f"renamed {number}")
            elif action == "delete":
                directory.remove(group, 0)
        reader.follow()
        reader.follow()
    assert reader.agrees()
