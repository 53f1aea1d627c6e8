"""Payloads to rows: nothing malformed is taken for empty, and equal access reads equal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.model import Attribute
from reconciler.providers.databricks import canonical
from reconciler.providers.databricks.canonical import Malformed, Resident
from reconciler.providers.databricks.entitlements_reading import facts_of as entitlement_facts
from reconciler.providers.databricks.roster import Labels, Roster
from reconciler.providers.databricks.scopes_reading import facts_of as acl_facts

ROW = {"id": "7", "displayName": "pricing-ds", "meta": {"resourceType": "Group"}}


@pytest.mark.parametrize(
    ("parse", "payload"),
    [
        (lambda each: canonical.page("group", each), {}),
        (lambda each: canonical.page("group", each), {"Resources": {}, "totalResults": 1}),
        (lambda each: canonical.page("group", each), {"Resources": [], "totalResults": "many"}),
        (lambda each: canonical.page("group", each), {"Resources": [{"id": "1"}], "totalResults": 1}),
        (lambda each: canonical.page("user", each), {"Resources": ["x"], "totalResults": 1}),
        (lambda each: canonical.resident("group", each), {**ROW, "entitlements": {"value": "x"}}),
        (lambda each: canonical.resident("group", each), {**ROW, "entitlements": ["workspace-access"]}),
        (canonical.assignments, {"permission_assignments": "none"}),
        (canonical.assignments, {"permission_assignments": [{"permissions": ["USER"]}]}),
        (canonical.scopes, {"scopes": [{}]}),
        (canonical.scopes, {"scopes": None}),
        (canonical.acl, {"items": [{"principal": "x"}]}),
        (canonical.acl, {"items": {"x": "READ"}}),
        (canonical.secrets, {"secrets": [{"last_updated_timestamp": 1}]}),
        (canonical.secrets, {"secrets": [{"key": "k", "last_updated_timestamp": "yesterday"}]}),
    ],
)
def test_what_is_malformed_is_never_taken_for_empty(parse: Callable[[Any], Any], payload: Any) -> None:
    with pytest.raises(Malformed):
        parse(payload)


def test_a_page_beyond_the_end_has_no_resources() -> None:
    assert canonical.page("group", {"totalResults": 3}) == ([], 3)


def test_absent_entitlements_are_none_and_unknown_ones_stay() -> None:
    assert canonical.resident("group", ROW).entitlements == frozenset()
    row = {**ROW, "entitlements": [{"value": "workspace-access"}, {"value": "quantum-access"}, {"value": ""}]}
    assert canonical.resident("group", row).entitlements == {"workspace-access", "quantum-access"}


def test_empty_answers_of_the_secrets_api_are_empty() -> None:
    assert canonical.scopes({}) == {}
    assert canonical.acl({}) == []
    assert canonical.secrets({}) == {}


def test_permissions_that_are_new_to_us_keep_their_name() -> None:
    payload = {
        "permission_assignments": [
            {"permissions": ["USER"], "principal": {"principal_id": 1, "group_name": "g"}},
            {"permissions": ["USER", "ADMIN"], "principal": {"principal_id": 2, "user_name": "u"}},
            {"permissions": ["GUEST"], "principal": {"principal_id": 3, "service_principal_name": "s"}},
            {"error": "gone", "principal": {"principal_id": 4}},
        ]
    }
    held = canonical.assignments(payload)
    assert {ident: each.permission for ident, each in held.items()} == {
        "1": "USER",
        "2": "ADMIN",
        "3": "GUEST",
    }
    assert canonical.acl({"items": [{"principal": "g", "permission": "rotate"}]}) == [("g", "ROTATE")]


@pytest.mark.parametrize("stamp", [1602168336000, "1602168336000"])
def test_ages_come_as_numbers_and_as_text(stamp: Any) -> None:
    payload = {"secrets": [{"key": "Token", "last_updated_timestamp": stamp}]}
    assert canonical.secrets(payload) == {"token": 1602168336.0}


ENTITLEMENTS = st.frozensets(
    st.sampled_from(
        ["workspace-access", "databricks-sql-access", "workspace-consume", "allow-cluster-create"]
    )
)


@given(ENTITLEMENTS, st.sampled_from([None, "USER", "ADMIN"]), st.booleans())
def test_settling_is_a_fixed_point(held: frozenset[str], place: str | None, listed: bool) -> None:
    once = canonical.settle(held, place, listed)
    assert canonical.settle(once, place, listed) == once
    assert held - once <= {"workspace-consume"}


@given(ENTITLEMENTS)
def test_shown_or_not_implied_consumer_access_reads_the_same(held: frozenset[str]) -> None:
    def facts(entitlements: frozenset[str]) -> dict[Attribute, str]:
        resident = Resident(kind="group", id="1", name="x", entitlements=entitlements)
        return entitlement_facts("group:x", resident, "ADMIN", {})

    assert facts(held | {"workspace-consume"}) == facts(held - {"workspace-consume"})


def test_consumer_access_that_is_asked_for_is_seen() -> None:
    resident = Resident(
        kind="group", id="1", name="x", entitlements=frozenset({"workspace-access", "workspace-consume"})
    )
    listed = {Attribute("workspace-consume", "group:x"): "held"}
    assert Attribute("workspace-consume", "group:x") in entitlement_facts("group:x", resident, "USER", listed)


ROSTER = Roster()
ROSTER.add(
    [
        Resident(kind="group", id="1", name="pricing-ds", external_id="oid-1"),
        Resident(kind="sp", id="2", name="22222222-0000-4000-8000-000000000002", external_id="oid-2"),
    ]
)
LABELS = Labels(ROSTER, {("group", "oid-1"): "group:pricing-ds", ("sp", "oid-2"): "sp:airflow"})
ENTRIES = {
    "pricing-ds": "READ",
    "Ana@Corp.Example": "MANAGE",
    "22222222-0000-4000-8000-000000000002": "WRITE",
    "admins": "MANAGE",
}


@given(st.permutations(sorted(ENTRIES.items())), st.booleans())
def test_order_and_letter_case_of_an_acl_make_no_difference(entries: Any, lower: bool) -> None:
    shown = [(wire.lower() if "@" in wire and lower else wire, permission) for wire, permission in entries]
    assert acl_facts(shown, LABELS, frozenset()).grants == {
        Attribute("exists"): "present",
        Attribute("acl", "group:pricing-ds"): "READ",
        Attribute("acl", "user:ana@corp.example"): "MANAGE",
        Attribute("acl", "sp:airflow"): "WRITE",
        Attribute("acl", "databricks:admins"): "MANAGE",
    }


def test_two_spellings_of_one_name_hold_the_wider_right() -> None:
    facts = acl_facts([("ana@x.y", "READ"), ("Ana@x.y", "MANAGE")], LABELS, frozenset())
    assert facts.grants[Attribute("acl", "user:ana@x.y")] == "MANAGE"
    assert facts.wires["user:ana@x.y"] == ["ana@x.y", "Ana@x.y"]


def test_our_own_manage_and_the_admins_are_kept() -> None:
    facts = acl_facts(
        [("ME-1", "MANAGE"), ("admins", "MANAGE"), ("other@x.y", "MANAGE"), ("me-1", "READ")],
        Labels(Roster(), {}),
        frozenset({"me-1"}),
    )
    assert {fact.principal for fact in facts.kept} == {"databricks:ME-1", "databricks:admins"}


def exchanges(path: Path) -> Iterator[dict[str, Any]]:
    """Every recorded exchange that was answered with success and a body."""
    for test in json.loads(path.read_text(encoding="utf-8"))["tests"]:
        for each in test["exchange"]:
            if each.get("status") == 200 and isinstance(each.get("response"), dict):
                yield each


@pytest.mark.recordings
def test_recorded_answers_are_understood(recording: Callable[[str], Path]) -> None:
    seen = 0
    for name, path, parse in (
        ("tf_secrets", "/api/2.0/secrets/scopes/list", canonical.scopes),
        ("tf_secrets", "/api/2.0/secrets/acls/list", canonical.acl),
        ("tf_secrets", "/api/2.0/secrets/list", canonical.secrets),
        (
            "tf_workspace_permission_assignments",
            "/api/2.0/preview/permissionassignments",
            canonical.assignments,
        ),
    ):
        for each in exchanges(recording(f"databricks/{name}.json")):
            if each["method"] == "GET" and each["resource"].partition("?")[0] == path and each["response"]:
                assert parse(each["response"])
                seen += 1
    assert seen >= 3


@pytest.mark.recordings
def test_recorded_entitlements_are_understood(recording: Callable[[str], Path]) -> None:
    found: set[str] = set()
    for each in exchanges(recording("databricks/tf_scim_entitlements.json")):
        if each["method"] == "GET" and "/Groups/" in each["resource"] and "displayName" in each["response"]:
            found |= canonical.resident("group", each["response"]).entitlements
    assert found >= {"allow-cluster-create", "allow-instance-pool-create", "databricks-sql-access"}
