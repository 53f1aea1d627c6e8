"""Reading: what is there, what could not be seen, and what nobody asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.model import Address, Attribute, Finding, Live
from reconciler.core.vocabulary import Boundary
from reconciler.emulator import directory as emulated
from reconciler.emulator.databricks.state import GROUPS, Identity, stable_id
from reconciler.emulator.faults import Fault
from reconciler.providers.contract import Question
from tests.providers.databricks.estate import (
    SECRET,
    SECRET_VALUE,
    TODAY,
    Estate,
    databricks,
    entitlements,
    estate,
    grant,
    scope,
)

X = "group:pricing-ds"
ALL = (
    Boundary(tenant="pricing", kind="entitlements", installation="ml-prod", patterns=("**",)),
    Boundary(tenant="pricing", kind="secret-scope", installation="ml-prod", patterns=("*",)),
)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Estate]:
    with estate(tmp_path) as result:
        yield result


def at(kind: str, locator: str) -> Address:
    return Address("databricks", "ml-prod", kind, locator)


def facts(live: Live, kind: str, locator: str) -> dict[tuple[str, str], str]:
    found = live.found[at(kind, locator)]
    return {(fact.role, fact.principal): value for fact, value in found.grants.items()}


def told(live: Live, rule: str) -> list[Finding]:
    return [finding for finding in live.findings if finding.rule == rule]


def wanted(here: Estate, *documents: dict[str, Any]) -> Any:
    result = here.compile(*documents)
    assert result.problems == ()
    return result.wanted


BOTH = (
    entitlements(grant(X, "workspace-access"), grant("user:lea@corp.example", "workspace-access")),
    scope("PRICING", grant(X, "read"), grant("sp:pricing-airflow", "write")),
)


def test_what_is_there_is_told_in_the_words_of_the_policies(here: Estate) -> None:
    live = here.read(wanted(here, *BOTH))
    assert live.gaps == {}
    assert facts(live, "entitlements", X) == {("assignment", X): "USER", ("workspace-access", X): "held"}
    lea = "user:lea@corp.example"
    assert facts(live, "entitlements", lea) == {("assignment", lea): "USER"}
    assert facts(live, "secret-scope", "pricing") == {
        ("exists", ""): "present",
        ("acl", "sp:reconciler"): "MANAGE",
        ("acl", X): "READ",
    }


def test_reading_twice_is_equal_and_by_few_names_or_whole_lists_alike(here: Estate) -> None:
    want = wanted(here, *BOTH)
    first, second = here.read(want), here.read(want)
    assert (first.found, first.gaps) == (second.found, second.gaps)
    whole = here.read(want, ALL)
    assert (first.found, first.gaps) == (whole.found, whole.gaps)


def test_a_scope_that_is_not_there_is_neither_found_nor_a_gap(here: Estate) -> None:
    live = here.read(wanted(here, scope("nowhere", grant(X, "read"))))
    assert (live.found, live.gaps) == ({}, {})


def test_members_and_secret_values_are_never_asked_for(here: Estate) -> None:
    live = here.read(wanted(here, *BOTH, scope("leftover", keys=[{"name": "k"}])), ALL)
    queries = [f"{each.path}?{each.query}" for each in here.requests()]
    assert not [each for each in queries if "members" in each or "/secrets/get" in each]
    assert SECRET_VALUE not in repr(live)
    assert SECRET not in repr(live)


def test_names_with_spaces_accents_and_other_case_are_found(here: Estate) -> None:
    name = "group:Pricing Leads é"
    live = here.read(
        wanted(here, entitlements(grant(name, "workspace-access")), scope("pRiCiNg", grant(name, "read")))
    )
    assert facts(live, "entitlements", name) == {("assignment", name): "USER"}
    assert live.gaps == {}


def test_a_group_that_databricks_knows_by_a_former_name_is_still_the_group(here: Estate) -> None:
    service = databricks(here.emulator)
    identity = service.identities.principal(X)
    service.account.unindex(identity)
    identity.attrs["displayName"] = "former-name"
    service.account.index(identity)
    live = here.read(wanted(here, *BOTH))
    assert facts(live, "entitlements", X)[("workspace-access", X)] == "held"
    assert facts(live, "secret-scope", "pricing")[("acl", X)] == "READ"


def test_somebody_who_is_not_assigned_is_found_with_nothing(here: Estate) -> None:
    live = here.read(wanted(here, entitlements(grant("group:newcomers", "workspace-access"))))
    assert facts(live, "entitlements", "group:newcomers") == {}
    (finding,) = told(live, "unresolved")
    assert "not yet in the account" in finding.text


def test_under_scim_the_provisioning_application_is_named(tmp_path: Path) -> None:
    with estate(tmp_path, sync="scim") as here:
        live = here.read(wanted(here, entitlements(grant("group:newcomers", "workspace-access"))))
        (finding,) = told(live, "unresolved")
        assert "provisioning application" in finding.text


def test_an_account_that_cannot_be_asked_is_told_so(here: Estate) -> None:
    here.emulator.world.faults.add(Fault(target="/account", status=403, body="{}", times=None))
    live = here.read(wanted(here, entitlements(grant("group:newcomers", "workspace-access"))))
    (finding,) = told(live, "unresolved")
    assert "could not be read" in finding.text
    assert live.gaps == {}


def local_group(here: Estate, name: str) -> Identity:
    account = databricks(here.emulator).account
    return account.add(
        Identity(GROUPS, stable_id(GROUPS, f"local/{name}"), {"displayName": name}, home="ml-prod")
    )


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


def test_values_that_are_new_to_us_are_kept(here: Estate) -> None:
    here.entitle(X, "workspace-access", "quantum-access")
    here.allow("pricing", X, "ROTATE")
    live = here.read(wanted(here, *BOTH))
    assert facts(live, "entitlements", X)[("quantum-access", X)] == "held"
    assert facts(live, "secret-scope", "pricing")[("acl", X)] == "ROTATE"


def test_an_admin_is_seen_as_one_without_the_noise_that_comes_with_it(here: Estate) -> None:
    here.assign(X, "ADMIN")
    here.entitle(X, "workspace-access", "workspace-consume")
    live = here.read(wanted(here, *BOTH))
    assert facts(live, "entitlements", X) == {("assignment", X): "ADMIN", ("workspace-access", X): "held"}


def test_our_own_manage_is_kept(here: Estate) -> None:
    live = here.read(wanted(here, *BOTH))
    assert set(live.found[at("secret-scope", "pricing")].kept) == {Attribute("acl", "sp:reconciler")}
    assert (
        here.diff(wanted(here, scope("leftover")), here.read(wanted(here, scope("leftover")))).actions == []
    )


def test_what_no_document_claims_is_told_inside_boundaries_only(here: Estate) -> None:
    want = wanted(here, *BOTH)
    assert told(here.read(want), "unmanaged") == []
    live = here.read(want, ALL)
    assert {str(finding.address) for finding in told(live, "unmanaged")} == {
        f"databricks/ml-prod/{rest}"
        for rest in (
            "entitlements/group:pricing-eng",
            "entitlements/group:Pricing Leads é",
            "entitlements/sp:pricing-airflow",
            "secret-scope/leftover",
        )
    }
    narrow = (
        Boundary(tenant="a", kind="entitlements", installation="ml-prod", patterns=("group:pricing-*",)),
        Boundary(tenant="b", kind="entitlements", installation="ml-prod", patterns=("group:*-eng",)),
        Boundary(tenant="a", kind="secret-scope", installation="ml-dev", patterns=("*",)),
    )
    (finding,) = told(here.read(want, narrow), "unmanaged")
    assert finding.address.locator == "group:pricing-eng"
    assert finding.tenant == "", "two tenants share it, so it is neither's"
    assert "assigned as USER" in finding.text
    assert "allow-cluster-create" in finding.text


def test_system_groups_are_told_when_they_hold_more_than_every_workspace_gives_them(here: Estate) -> None:
    users = here.workspace.local_names["users"]
    assert "databricks:users" not in {f.address.locator for f in here.read([], ALL).findings}
    here.entitle(users, "workspace-access", "allow-cluster-create")
    (finding,) = [f for f in here.read([], ALL).findings if f.address.locator == "databricks:users"]
    assert "holds allow-cluster-create" in finding.text


def test_keys_are_told_by_name_and_age(here: Estate) -> None:
    keys = [
        {"name": "old", "rotate-every": "90d"},
        {"name": "FRESH", "rotate-every": "90d"},
        {"name": "absent"},
    ]
    live = here.read(wanted(here, scope("pricing", grant(X, "read"), keys=keys)))
    assert [finding.text for finding in told(live, "missing-key")] == ["secret absent is not there"]
    (stale,) = told(live, "stale-key")
    assert stale.text == "secret old was last set 323 days ago; it should be rotated every 90"


def test_keys_that_cannot_be_listed_are_a_gap_beside_the_scope(here: Estate) -> None:
    here.emulator.world.faults.add(Fault(target="secrets/list", status=403, body="{}", times=None))
    live = here.read(wanted(here, scope("pricing", grant(X, "read"), keys=[{"name": "old"}])))
    assert set(live.gaps) == {at("secret-scope", "pricing/keys")}
    assert at("secret-scope", "pricing") in live.found
    assert told(live, "missing-key") == []


def test_another_back_end_is_told_and_not_corrected(here: Estate) -> None:
    vault = {"backend": "keyvault", "resource-id": "/s/kv", "dns-name": "https://kv/"}
    want = wanted(here, scope("pricing", grant(X, "read"), **vault))
    live = here.read(want)
    (finding,) = told(live, "backend")
    assert "DATABRICKS" in finding.text
    assert here.diff(want, live).actions == []
    here.workspace.scopes["pricing"].backend = "AZURE_KEYVAULT"
    here.workspace.scopes["pricing"].keyvault = {"resource_id": "/s/other", "dns_name": "https://o/"}
    (finding,) = told(here.read(want), "backend")
    assert "/s/other" in finding.text


def test_a_right_for_a_group_outside_the_workspace_is_told_unless_it_is_on_its_way(here: Estate) -> None:
    grants = scope("pricing", grant("group:newcomers", "read"))
    (finding,) = told(here.read(wanted(here, grants)), "unassigned")
    assert "group:newcomers" in finding.text
    coming = entitlements(grant("group:newcomers", "workspace-access"))
    assert told(here.read(wanted(here, grants, coming)), "unassigned") == []


def test_an_acl_entry_of_somebody_entra_forgot_is_told(here: Estate) -> None:
    group = here.directory.state.by_group_name("pricing-eng")[0]
    here.allow("pricing", "group:pricing-eng", "WRITE")
    here.directory.state.remove(group.id, 0)
    live = here.read(wanted(here, BOTH[1]))
    assert facts(live, "secret-scope", "pricing")[("acl", f"id:{group.id}")] == "WRITE"
    (finding,) = told(live, "dangling")
    assert group.id in finding.text


def test_nested_groups_are_told_under_scim_only(tmp_path: Path) -> None:
    for sync in ("aim", "scim"):
        with estate(tmp_path, sync=sync) as here:
            outer, inner = (
                here.directory.state.by_group_name(n)[0].id for n in ("pricing-ds", "pricing-eng")
            )
            here.directory.state.link(outer, "members", inner)
            live = here.read(wanted(here, *BOTH))
            assert [f.text.partition(",")[0] for f in told(live, "nested-group")] == (
                ["group:pricing-ds contains group:pricing-eng"] if sync == "scim" else []
            )


def test_a_workspace_that_the_environment_does_not_map_is_a_gap(here: Estate) -> None:
    (want,) = wanted(here, scope("pricing"))
    lost = replace(want, address=Address("databricks", "elsewhere", "secret-scope", "pricing"))
    live = here.read([lost])
    assert "maps no workspace elsewhere" in live.gaps[lost.address].reason


def test_progress_is_told(here: Estate) -> None:
    seen: list[tuple[str, int, int]] = []
    want = wanted(here, *BOTH, scope("leftover"))
    here.provider.read(
        Question(
            wanted=want,
            directory=here.directory,
            as_of=TODAY,
            progress=lambda what, done, total: seen.append((what, done, total)),
        )
    )
    assert seen == [
        ("entitlements of ml-prod", 2, 2),
        ("secret scopes of ml-prod", 1, 2),
        ("secret scopes of ml-prod", 2, 2),
    ]


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
