"""Reading: what is there, in the words of the policies, and what nobody asked for."""

from __future__ import annotations

from pathlib import Path

from reconciler.core.model import Attribute, Source, Wanted
from reconciler.core.vocabulary import Boundary
from reconciler.providers.contract import Question
from tests.providers.databricks.asking import ALL, at, facts, told, wanted
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


def test_unclaimed_people_are_called_what_the_policies_would_call_them(here: Estate) -> None:
    locators = {finding.address.locator for finding in told(here.read([], ALL), "unmanaged")}
    assert {"user:lea@corp.example", "sp:pricing-airflow", "group:pricing-ds"} <= locators


def test_what_no_document_speaks_of_any_more_is_read_and_held_against_nothing(here: Estate) -> None:
    here.workspace.scopes["leftover"].backend = "AZURE_KEYVAULT"
    former = [
        Wanted(address=at("secret-scope", "leftover"), tenant="t", source=Source("f", 1), grants={}),
        Wanted(address=at("entitlements", "group:newcomers"), tenant="t", source=Source("f", 1), grants={}),
        Wanted(address=at("entitlements", X), tenant="t", source=Source("f", 1), grants={}),
    ]
    live = here.read(former)
    assert facts(live, "entitlements", X) == {("assignment", X): "USER", ("workspace-access", X): "held"}
    assert at("secret-scope", "leftover") in live.found
    assert list(live.findings) == []
