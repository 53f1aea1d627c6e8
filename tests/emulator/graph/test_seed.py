"""The directory section of a seed: what it takes, what it refuses, and that dumping it loses nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.emulator.directory import object_id
from tests.emulator.graph.tenant import SEED, Tenant


def assert_nothing_is_lost(tenant: Tenant) -> None:
    again = Tenant(tenant.service.dump(), tenant.name)
    assert again.service.dump() == tenant.service.dump()
    # Equal dumps alone would let a dump that forgets something pass.
    for facts in ("tenant_id", "users", "groups", "service_principals", "deleted"):
        assert getattr(again.directory, facts) == getattr(tenant.directory, facts), facts
    assert again.service.state.applications == tenant.service.state.applications
    assert again.service.state.schedules == tenant.service.state.schedules
    assert again.service.state.denied == tenant.service.state.denied


def test_a_dump_is_a_fixed_point_of_seeding() -> None:
    pim = {"group": "group:empty", "principal": "user:bo@corp.example", "end": "2199-01-01"}
    tenant = Tenant(
        {
            **SEED,
            "pim-assignments": [pim],
            "pim-eligibilities": [pim | {"access": "owner"}],
            "denied": {"sp:reconciler": ["group:pricing-ds"]},
            "applications": [{"name": "airflow", "owners": ["user:lea@corp.example"]}],
        }
    )
    tenant.world.clock.frozen_at = 1_700_000_000.0
    tenant.delete(tenant.group("pricing-leads"))
    tenant.delete("/v1.0/users/ana@corp.example")
    assert_nothing_is_lost(tenant)


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)


@given(st.lists(st.tuples(NAMES, st.lists(st.integers(0, 5), max_size=4)), max_size=6))
def test_any_estate_survives_a_dump(groups: list[tuple[str, list[int]]]) -> None:
    users = [{"upn": f"u{number}@corp.example"} for number in range(6)]
    entries = [
        {
            "name": name,
            "id": object_id("test", str(position)),
            "members": list(dict.fromkeys(f"user:u{number}@corp.example" for number in members)),
        }
        for position, (name, members) in enumerate(groups)
    ]
    tenant = Tenant({"users": users, "groups": entries}, "user:u0@corp.example")
    assert_nothing_is_lost(tenant)
    assert len(tenant.directory.groups) == len(groups)


def test_ids_are_the_same_for_the_same_names() -> None:
    assert Tenant().id("group:empty") == Tenant().id("group:empty")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"colour": 1}, "directory has unknown key 'colour'"),
        ({"users": [{"upn": "a@b", "nick": "x"}]}, "user a@b has unknown key 'nick'"),
        ({"users": [{"upn": "a@b"}, {"upn": "A@B"}]}, "already in the directory"),
        (
            {"groups": [{"name": "g", "members": ["user:nobody@b"]}]},
            "group g: principal 'user:nobody@b' names 0",
        ),
        ({"groups": [{"name": "g"}, {"name": "g"}]}, "already in the directory"),
        ({"groups": [{"name": "g", "memberz": []}]}, "group g has unknown key 'memberz'"),
        ({"deleted": [{"at": "2024-01-01"}]}, "a deleted entry holds one of"),
    ],
)
def test_a_wrong_entry_is_named(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Tenant(section)
