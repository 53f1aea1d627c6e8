"""What could not be seen is a gap, and takes nothing from anybody."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.model import Address, Attribute
from reconciler.emulator import directory as emulated
from reconciler.emulator.faults import Fault
from tests.providers.databricks.asking import ALL, at, local_group, told, wanted
from tests.providers.databricks.estate import Estate, databricks, entitlements, estate, grant, scope

X = "group:pricing-ds"
BOTH = (
    entitlements(grant(X, "workspace-access"), grant("user:lea@corp.example", "workspace-access")),
    scope("PRICING", grant(X, "read"), grant("sp:pricing-airflow", "write")),
)


def test_a_scope_that_is_not_there_is_neither_found_nor_a_gap(here: Estate) -> None:
    live = here.read(wanted(here, scope("nowhere", grant(X, "read"))))
    assert (live.found, live.gaps) == ({}, {})


def test_an_account_that_cannot_be_asked_is_told_so(here: Estate) -> None:
    here.emulator.world.faults.add(Fault(target="/account", status=403, body="{}", times=None))
    live = here.read(wanted(here, entitlements(grant("group:newcomers", "workspace-access"))))
    (finding,) = told(live, "unresolved")
    assert "could not be read" in finding.text
    assert live.gaps == {}


def test_a_namesake_of_the_workspace_is_a_gap_that_names_both_ids(here: Estate) -> None:
    local = local_group(here, "Newcomers")
    here.workspace.scopes["pricing"].acls[local.id] = "MANAGE"
    want = wanted(
        here,
        entitlements(grant("group:newcomers", "workspace-access"), grant(X, "workspace-access")),
        scope("pricing", grant("group:newcomers", "manage")),
        scope("leftover", grant(X, "read")),
    )
    live = here.read(want)
    oid = here.directory.state.by_group_name("newcomers")[0].id
    for address in (at("entitlements", "group:newcomers"), at("secret-scope", "pricing")):
        assert local.id in live.gaps[address].reason
        assert oid in live.gaps[address].reason
    assert set(live.found) == {at("entitlements", X), at("secret-scope", "leftover")}


def test_a_group_with_another_external_id_is_a_gap(here: Estate) -> None:
    identity = databricks(here.emulator).identities.principal(X)
    account = databricks(here.emulator).account
    account.unindex(identity)
    identity.attrs["externalId"] = "ffffffff-0000-4000-8000-00000000000f"
    account.index(identity)
    live = here.read(wanted(here, *BOTH))
    assert "ffffffff-0000" in live.gaps[at("entitlements", X)].reason
    assert "ffffffff-0000" in live.gaps[at("secret-scope", "pricing")].reason


def test_who_is_no_admin_sees_gaps_and_nothing_else(tmp_path: Path) -> None:
    change = {"workspaces": {"ml-prod": {"admins": ["user:lea@corp.example"]}}, "account": {"admins": []}}
    with estate(tmp_path, databricks=change) as here:
        here.assign("sp:reconciler", "USER")
        want = wanted(here, *BOTH)
        live = here.read(want, ALL)
        assert live.found == {}
        assert {each.address for each in want} <= set(live.gaps)
        assert at("entitlements", "*") in live.gaps
        assert all(gap.status.startswith("403") for gap in live.gaps.values())


@pytest.mark.parametrize(
    ("target", "gapped"),
    [
        ("permissionassignments", {at("entitlements", X), at("entitlements", "*")}),
        ("scopes/list", {at("secret-scope", "pricing"), at("secret-scope", "*")}),
        ("scim/v2/Me", {at("secret-scope", "pricing"), at("secret-scope", "*")}),
        ("acls/list", {at("secret-scope", "pricing")}),
        (
            "scim/v2/Groups",
            {at("entitlements", X), at("secret-scope", "pricing"), at("secret-scope", "*")},
        ),
    ],
)
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 403, "body": '{"error_code":"PERMISSION_DENIED","message":"no"}'},
        {"status": 200, "body": '{"Resources": 3, "scopes": 3, "items": 3, "permission_assignments": 3}'},
        {"status": 200, "body": "<html>sign in</html>"},
        {"kind": "truncate"},
        {"kind": "html", "status": 502},
    ],
)
def test_what_cannot_be_read_is_a_gap_and_never_an_absence(
    here: Estate, target: str, gapped: set[Address], fault: dict[str, Any]
) -> None:
    want = wanted(here, entitlements(grant(X, "workspace-access")), BOTH[1])
    here.emulator.world.faults.add(Fault(target=target, times=None, **fault))
    live = here.read(want)
    assert set(live.gaps) == gapped
    assert not {each.address for each in want} & gapped & set(live.found)
    assert (
        here.diff(want, live).actions == []
        or not {action.address for action in here.diff(want, live).actions} & gapped
    )


def test_one_unreadable_scope_leaves_the_others_alone(here: Estate) -> None:
    here.emulator.world.faults.add(
        Fault(target="acls/list.*leftover", status=403, body="{}", times=None, name="one")
    )
    want = wanted(here, scope("pricing", grant(X, "read")), scope("leftover", grant(X, "read")))
    live = here.read(want)
    assert set(live.found) == {at("secret-scope", "pricing")}
    assert set(live.gaps) == {at("secret-scope", "leftover")}


def test_a_workspace_that_is_down_is_gaps_and_the_others_go_on(tmp_path: Path) -> None:
    with estate(tmp_path, databricks={"workspaces": {"ml-dev": {"admins": ["sp:reconciler"]}}}) as here:
        here.emulator.world.faults.add(Fault(service="databricks/ml-dev", kind="reset", times=None))
        dev = {**entitlements(grant(X, "workspace-access")), "workspace": "ml-dev"}
        live = here.read(wanted(here, dev, BOTH[1], {**scope("s"), "workspace": "ml-dev"}))
        assert set(live.found) == {at("secret-scope", "pricing")}
        assert {str(address) for address in live.gaps} == {
            f"databricks/ml-dev/{rest}"
            for rest in (f"entitlements/{X}", "entitlements/*", "secret-scope/s", "secret-scope/*")
        }


def test_a_directory_that_cannot_say_who_somebody_is_makes_gaps(here: Estate) -> None:
    here.directory.unreadable = frozenset({X})
    live = here.read(wanted(here, entitlements(grant(X, "workspace-access"))))
    assert "could not be read" in live.gaps[at("entitlements", X)].reason


def test_an_assignment_that_scim_does_not_show_yet_is_a_gap(here: Estate) -> None:
    body = json.dumps({"totalResults": 0, "Resources": []})
    here.emulator.world.faults.add(Fault(target="scim/v2/Groups", status=200, body=body, times=None))
    live = here.read(wanted(here, entitlements(grant(X, "workspace-access"))))
    assert "SCIM does not show it" in live.gaps[at("entitlements", X)].reason


def test_keys_that_cannot_be_listed_are_a_gap_beside_the_scope(here: Estate) -> None:
    here.emulator.world.faults.add(Fault(target="secrets/list", status=403, body="{}", times=None))
    live = here.read(wanted(here, scope("pricing", grant(X, "read"), keys=[{"name": "old"}])))
    assert set(live.gaps) == {at("secret-scope", "pricing/keys")}
    assert at("secret-scope", "pricing") in live.found
    assert told(live, "missing-key") == []


def test_a_workspace_that_the_environment_does_not_map_is_a_gap(here: Estate) -> None:
    (want,) = wanted(here, scope("pricing"))
    lost = replace(want, address=Address("databricks", "elsewhere", "secret-scope", "pricing"))
    live = here.read([lost])
    assert "maps no workspace elsewhere" in live.gaps[lost.address].reason


@pytest.mark.parametrize("trouble", ["deleted", "ambiguous"])
def test_whoever_bears_the_name_of_somebody_unresolvable_keeps_what_they_hold(
    here: Estate, trouble: str
) -> None:
    """A group that was deleted by mistake, or that somebody gave a namesake, loses nothing by it."""
    directory = here.directory.state
    group = directory.by_group_name("pricing-ds")[0]
    if trouble == "deleted":
        directory.remove(group.id, 0)
    else:
        directory.add(emulated.Group(id="twin", display_name="pricing-ds"))
    want = wanted(here, *BOTH)
    live = here.read(want)
    drift = here.diff(want, live)
    assert {(action.verb, action.attribute.principal) for action in drift.actions} == {
        ("grant", "sp:pricing-airflow"),
        ("grant", "user:lea@corp.example"),
    }
    assert {blocked.attribute.principal for blocked in drift.blocked} == {X}
    kept = live.found[at("secret-scope", "pricing")].kept
    assert Attribute("acl", f"id:{group.id}") in kept


def test_a_scope_is_a_gap_while_the_directory_cannot_say_who_is_on_its_acl(here: Estate) -> None:
    want = wanted(here, scope("pricing", grant("group:pricing-eng", "read")))
    oid = here.directory.state.by_group_name("pricing-ds")[0].id
    here.directory.unreadable = frozenset({oid})
    assert "could not be read" in here.read(want).gaps[at("secret-scope", "pricing")].reason
    here.directory.unreadable = frozenset({"group:pricing-eng"})
    assert "could not be read" in here.read(want).gaps[at("secret-scope", "pricing")].reason


def test_somebody_whose_name_is_not_theirs_alone_is_kept_and_not_called_dangling(here: Estate) -> None:
    here.allow("pricing", "group:pricing-eng", "WRITE")
    here.directory.state.add(emulated.Group(id="twin", display_name="pricing-eng"))
    want = wanted(here, scope("pricing", grant(X, "read")))
    live = here.read(want)
    assert told(live, "dangling") == []
    assert here.diff(want, live).actions == []
