"""Reading groups: whole or as a gap, never in between; facts are the emulator's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.core.model import Attribute, Lifecycle, Unlisted
from reconciler.emulator.faults import Fault
from reconciler.providers.contract import Question
from tests.providers.entra.conftest import Open
from tests.providers.entra.tenant import (
    ANA,
    BO,
    LEA,
    PLANNER,
    TODAY,
    address,
    boundary,
    holders,
    read,
    user,
    want,
)

pytestmark = pytest.mark.emulator

PEOPLE = [user("ana"), user("bo"), user("lea"), user("mia")]
ELSE = "00000000-0000-4000-8000-0000000000aa"
DS = {"name": "pricing-ds", "members": [ANA, BO], "owners": [LEA]}


def test_everything_that_holds_is_found(tenant: Open) -> None:
    nested = {"name": "pricing-leads", "members": [LEA]}
    estate = tenant(
        users=PEOPLE,
        groups=[
            nested,
            {**DS, "members": [ANA, "group:pricing-leads", f"sp:{PLANNER}"], "description": "data people"},
        ],
    )
    provider = estate.provider(PLANNER)
    asked = [want("pricing-ds", [ANA], [LEA], description="x"), want("pricing-gone")]
    live = read(provider, asked)
    found = live.found[address("pricing-ds")]
    assert found.grants == {
        Attribute("exists"): "present",
        Attribute("description"): "data people",
        Attribute("member", ANA): "member",
        Attribute("member", "group:pricing-leads"): "member",
        Attribute("member", f"sp:{PLANNER}"): "member",
        Attribute("owner", LEA): "owner",
    }
    assert found.object_id == estate.id("group:pricing-ds")
    assert live.gaps == {} and address("pricing-gone") not in live.found
    assert read(provider, asked) == live


def test_owners_and_description_are_left_alone_unless_declared(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[{**DS, "description": "data people"}])
    live = read(estate.provider(PLANNER), [want("pricing-ds", [ANA, BO])])
    assert live.found[address("pricing-ds")].grants == want("pricing-ds", [ANA, BO]).grants
    assert not [entry for entry in estate.world.log.entries if "owners" in entry.path]


def test_service_principals_are_found_where_there_is_no_beta(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[{"name": "pricing-ds", "members": [ANA, f"sp:{PLANNER}"]}])
    estate.world.faults.add(
        Fault(service="graph", target="/beta/", status=404, body='{"error":{"code":"NotFound"}}', times=None)
    )
    live = read(estate.provider(PLANNER), [want("pricing-ds", [ANA])])
    assert holders(live, "pricing-ds") == {ANA, f"sp:{PLANNER}"}


def test_a_thousand_and_one_members_over_pages_that_may_be_empty(tenant: Open) -> None:
    people = [user(f"u{number}") for number in range(1001)]
    names = {f"user:u{number}@corp.example" for number in range(1001)}
    estate = tenant(
        {"switches": {"graph.empty-pages": True}},
        users=people,
        groups=[{"name": "pricing-ds", "members": sorted(names)}],
    )
    provider = estate.provider(PLANNER)
    assert holders(read(provider, [want("pricing-ds")]), "pricing-ds") == names
    estate.world.switches["graph.page-limit"] = 100
    assert holders(read(provider, [want("pricing-ds")]), "pricing-ds") == names


@pytest.mark.parametrize("name", ["Pricing DS", "O'Brien & Söhne", "a/b#c%d+e?f", "日本", "x" * 200])
def test_names_are_taken_letter_by_letter(tenant: Open, name: str) -> None:
    estate = tenant(users=PEOPLE, groups=[{"name": name, "members": [ANA]}, {"name": "other"}])
    live = read(estate.provider(PLANNER), [want(name, [ANA])])
    assert holders(live, name) == {ANA} and live.gaps == {}


def test_another_letter_case_is_another_group_and_is_told(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[{"name": "Pricing-DS", "members": [ANA]}])
    live = read(estate.provider(PLANNER), [want("pricing-ds", [ANA])])
    assert live.found == {} and live.gaps == {}
    assert [(each.rule, "Pricing-DS" in each.text) for each in live.findings] == [("look-alike", True)]


def test_two_groups_of_one_name_are_a_gap_until_one_is_pinned(tenant: Open) -> None:
    one, two = "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"
    estate = tenant(
        users=PEOPLE,
        groups=[{"name": "pricing-ds", "id": one, "members": [ANA]}, {"name": "pricing-ds", "id": two}],
    )
    live = read(estate.provider(PLANNER), [want("pricing-ds", [ANA])])
    gap = live.gaps[address("pricing-ds")]
    assert one in gap.reason and two in gap.reason and live.found == {}
    pinned = read(estate.provider(PLANNER, {"group:pricing-ds": one}), [want("pricing-ds", [ANA])])
    assert pinned.found[address("pricing-ds")].object_id == one


@pytest.mark.parametrize(
    ("group", "words"),
    [
        ({"membership-rule": 'user.department -eq "pricing"'}, "follows a rule"),
        ({"on-premises": True}, "on-premises"),
        ({"mail-enabled": True}, "mail-enabled"),
        ({}, ""),
    ],
)
def test_groups_that_others_manage_are_read_only(tenant: Open, group: dict[str, Any], words: str) -> None:
    estate = tenant(users=PEOPLE, groups=[{**DS, **group}])
    found = read(estate.provider(PLANNER), [want("pricing-ds")]).found[address("pricing-ds")]
    assert words in found.read_only and bool(found.read_only) == bool(words)


def test_a_right_that_is_missing_is_a_gap_and_not_an_empty_group(tenant: Open) -> None:
    estate = tenant(
        users=PEOPLE,
        groups=[DS, {"name": "pricing-eng"}],
        denied={f"sp:{PLANNER}": ["group:pricing-ds"]},
    )
    live = read(estate.provider(PLANNER), [want("pricing-ds", [ANA]), want("pricing-eng")])
    assert set(live.found) == {address("pricing-eng")}
    gap = live.gaps[address("pricing-ds")]
    assert gap.status == "403 Authorization_RequestDenied" and "Insufficient privileges" in gap.reason


def test_a_member_of_a_type_that_may_not_be_read_makes_the_group_a_gap(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[{"name": "pricing-ds", "members": [ANA, f"sp:{PLANNER}"]}, DS_ENG])
    estate.directory.service_principals[estate.id(f"sp:{PLANNER}")].app_roles = frozenset(
        {"Group.Read.All", "User.Read.All"}
    )
    live = read(estate.provider(PLANNER), [want("pricing-ds", [ANA]), want("pricing-eng", [BO])])
    assert "Directory.Read.All" in live.gaps[address("pricing-ds")].reason
    assert set(live.found) == {address("pricing-eng")}


DS_ENG = {"name": "pricing-eng", "members": [BO]}


@pytest.mark.parametrize("shown", ["deny", "empty"])
def test_a_hidden_membership_is_a_gap_however_the_service_hides_it(tenant: Open, shown: str) -> None:
    estate = tenant(
        {"switches": {"graph.hidden-membership": shown}}, users=PEOPLE, groups=[{**DS, "hidden": True}]
    )
    live = read(estate.provider(PLANNER), [want("pricing-ds", [ANA])])
    assert set(live.gaps) == {address("pricing-ds")} and live.found == {}


def page(value: list[Any], link: str | None) -> str:
    return json.dumps({"value": value, **({"@odata.nextLink": link} if link else {})})


@pytest.mark.parametrize("where", ["circle", "elsewhere", "other-version"])
def test_a_link_that_leads_nowhere_is_a_gap(tenant: Open, where: str) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    base = estate.emulator.url("graph")
    link = {
        "circle": f"{base}/beta/groups/x/members?$skiptoken=1",
        "elsewhere": "https://graph.example/beta/groups/x/members?$skiptoken=1",
        "other-version": f"{base}/v1.0/groups/x/members?$skiptoken=1",
    }[where]
    estate.world.faults.add(
        Fault(service="graph", target="/members", status=200, body=page([{"id": "1"}], link), times=None)
    )
    live = read(estate.provider(PLANNER), [want("pricing-ds", [ANA])])
    assert live.found == {}
    words = "repeats a page" if where == "circle" else "another service"
    assert words in live.gaps[address("pricing-ds")].reason


@pytest.mark.parametrize(
    "fault",
    [
        Fault(service="graph", target="/members", status=200, body='{"value"', times=None),
        Fault(service="graph", target="/members", status=200, body='{"odd":1}', times=None),
        Fault(service="graph", target="/members", status=200, body='{"value":[{"odd":1}]}', times=None),
        Fault(service="graph", target="/members", status=200, body='{"value":["odd"]}', times=None),
        Fault(service="graph", target="/groups[?]", status=200, body='{"value":[{}]}', times=None),
        Fault(service="graph", target="/members", kind="html", status=502, times=None),
        Fault(service="graph", target="/members", kind="truncate", times=None),
        Fault(service="graph", target="/members", kind="reset", times=None),
        Fault(service="graph", target="/members", status=500, body="", times=None),
        Fault(service="graph", target="/members", status=429, headers={"Retry-After": "600"}, times=None),
    ],
    ids=[
        "half a body",
        "another shape",
        "no ids",
        "no objects",
        "no groups",
        "a proxy's page",
        "truncated",
        "reset",
        "500",
        "429 for long",
    ],
)
def test_what_cannot_be_understood_is_a_gap(tenant: Open, fault: Fault) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    estate.world.faults.add(fault)
    live = read(estate.provider(PLANNER), [want("pricing-ds", [ANA])])
    assert live.found == {} and set(live.gaps) - {address("*")} == {address("pricing-ds")}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(service="graph", target="/members", kind="reset", times=2),
        Fault(service="graph", target="/members", kind="truncate"),
        Fault(service="graph", target="/members", status=503, times=2),
        Fault(service="graph", target="/members", kind="html", status=502),
        Fault(service="graph", target="/members", status=429, headers={"Retry-After": "7"}, times=3),
    ],
    ids=["reset", "truncated", "503", "502", "429"],
)
def test_what_passes_is_waited_for(tenant: Open, fault: Fault) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    estate.world.faults.add(fault)
    started = estate.world.clock.now()
    live = read(estate.provider(PLANNER), [want("pricing-ds", [ANA])])
    assert holders(live, "pricing-ds") == {ANA, BO} and fault.struck == fault.times
    if fault.status == 429:
        assert estate.world.clock.now() - started >= 21


def test_what_lies_unclaimed_within_a_boundary_is_told(tenant: Open) -> None:
    names = ["pricing-ds", "pricing-old", "pricing-was", "Pricing-Odd", "finance-ds", "pricing/x"]
    estate = tenant(users=PEOPLE, groups=[{"name": name} for name in names])
    asked = [want("pricing-ds"), want("pricing-now", was="pricing-was")]
    live = read(estate.provider(PLANNER), asked, [boundary("pricing-*", "fin?nce-d*")])
    told = {(each.address.locator, each.tenant) for each in live.findings if each.rule == "unmanaged"}
    assert told == {("pricing-old", "pricing"), ("finance-ds", "pricing")}
    assert set(live.found) == {address("pricing-ds"), address("pricing-was")}


def test_a_boundary_that_cannot_be_looked_through_is_a_gap_of_its_own(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    body = '{"error":{"code":"Authorization_RequestDenied","message":"no"}}'
    estate.world.faults.add(
        Fault(service="graph", target="startsWith|batch", status=403, body=body, times=None)
    )
    live = read(estate.provider(PLANNER), [], [boundary("pricing-*")])
    assert set(live.gaps) == {address("*")} and not live.findings


def test_leavers_are_told(tenant: Open) -> None:
    estate = tenant(users=[user("ana"), user("bo", enabled=False)], groups=[{**DS, "owners": [BO]}])
    live = read(estate.provider(PLANNER), [want("pricing-ds", [ANA, BO], [])])
    assert [(each.rule, each.text.split()[0]) for each in live.findings] == [("leaver", BO)] * 2


PIM = {"group": "group:pricing-ds", "principal": BO, "end": "2999-01-01T00:00:00Z", "activated": True}


def test_what_pim_lent_for_a_time_is_kept(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[{**DS, "members": [ANA, LEA]}], pim_assignments=[PIM])
    live = read(estate.provider(PLANNER), [want("pricing-ds", [ANA])])
    found = live.found[address("pricing-ds")]
    assert holders(live, "pricing-ds") == {ANA, BO, LEA}
    assert list(found.kept) == [Attribute("member", BO)] and "2999" in found.kept[Attribute("member", BO)]


def test_an_assignment_without_end_is_nobody_visiting(tenant: Open) -> None:
    lasting = {"group": "group:pricing-ds", "principal": BO}
    estate = tenant(users=PEOPLE, groups=[DS], pim_assignments=[lasting])
    assert read(estate.provider(PLANNER), [want("pricing-ds", [ANA])]).found[address("pricing-ds")].kept == {}


def test_pim_that_cannot_be_read_is_a_gap_only_where_somebody_could_lose(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS, DS_ENG, {"name": "pricing-keep", "members": [BO]}])
    estate.directory.service_principals[estate.id(f"sp:{PLANNER}")].app_roles = frozenset(
        {"Directory.Read.All"}
    )
    asked = [
        want("pricing-ds", [ANA]),
        want("pricing-eng", [BO, LEA]),
        want("pricing-keep", unlisted=Unlisted.KEEP),
    ]
    live = read(estate.provider(PLANNER), asked)
    assert set(live.gaps) == {address("pricing-ds")}
    assert "PrivilegedAssignmentSchedule.Read.AzureADGroup" in live.gaps[address("pricing-ds")].reason
    calm = read(estate.provider(PLANNER), [want("pricing-ds", [ANA], adopted=False)])
    assert calm.gaps == {}
    retired = read(estate.provider(PLANNER), [want("pricing-eng", [BO], lifecycle=Lifecycle.RETIRED)])
    assert set(retired.gaps) == {address("pricing-eng")}


def test_a_tenant_without_a_licence_for_pim_has_no_activations(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    body = '{"error":{"code":"AadPremiumLicenseRequired","message":"The tenant needs a licence."}}'
    estate.world.faults.add(Fault(service="graph", target="privilegedAccess", status=400, body=body))
    live = read(estate.provider(PLANNER), [want("pricing-ds", [ANA])])
    assert live.gaps == {} and live.found[address("pricing-ds")].kept == {}


def test_a_rename_shows_both_names(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    live = read(estate.provider(PLANNER), [want("pricing-data", [ANA, BO], was="pricing-ds")])
    found = live.found[address("pricing-ds")]
    assert found.grants[Attribute("name")] == "pricing-ds" and set(live.found) == {address("pricing-ds")}


def test_a_pin_does_not_mistake_a_declared_rename_for_a_theft(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    oid = estate.id("group:pricing-ds")
    asked = [want("pricing-data", [ANA, BO], was="pricing-ds")]
    pins = {"group:pricing-ds": oid, "group:pricing-data": oid}
    before = read(estate.provider(PLANNER, pins), asked)
    assert before.gaps == {} and set(before.found) == {address("pricing-ds")}
    estate.directory.rename(estate.directory.groups[oid], "pricing-data")
    after = read(estate.provider(PLANNER, pins), asked)
    assert after.gaps == {} and set(after.found) == {address("pricing-data")}


def test_a_group_that_is_unreadable_under_its_former_name_is_not_made_anew(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS], denied={f"sp:{PLANNER}": ["group:pricing-ds"]})
    asked = [want("pricing-data", [ANA], was="pricing-ds")]
    live = read(estate.provider(PLANNER), asked)
    assert set(live.gaps) == {address("pricing-data")} and live.found == {}
    stolen = read(estate.provider(PLANNER, {"group:pricing-ds": ELSE}), asked)
    assert set(stolen.gaps) == {address("pricing-data")}


def test_a_new_name_that_is_taken_while_the_pinned_group_waits_is_a_gap(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS, {"name": "pricing-data"}])
    pins = {"group:pricing-data": estate.id("group:pricing-ds")}
    live = read(estate.provider(PLANNER, pins), [want("pricing-data", [ANA], was="pricing-ds")])
    assert estate.id("group:pricing-data") in live.gaps[address("pricing-data")].reason


def test_a_group_that_was_deleted_and_can_be_restored_is_not_made_anew(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    oid = estate.id("group:pricing-ds")
    estate.directory.remove(oid, estate.world.clock.now())
    provider = estate.provider(PLANNER, {"group:pricing-ds": oid})
    live = read(provider, [want("pricing-ds", [ANA])])
    assert "can be restored" in live.gaps[address("pricing-ds")].reason


def test_a_name_that_another_group_took_is_a_gap(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS, {"name": "pricing-old", "members": [BO]}])
    old = estate.id("group:pricing-old")
    live = read(estate.provider(PLANNER, {"group:pricing-ds": old}), [want("pricing-ds", [ANA])])
    assert live.found == {}
    reason = live.gaps[address("pricing-ds")].reason
    assert "pricing-old" in reason and estate.id("group:pricing-ds") in reason


def test_progress_counts_groups(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[{"name": f"g{number}"} for number in range(45)])
    provider = estate.provider(PLANNER)
    told: list[tuple[str, int, int]] = []
    provider.read(
        Question(
            wanted=[want(f"g{number}") for number in range(45)],
            directory=provider.directory,
            as_of=TODAY,
            progress=lambda *said: told.append(said),
        )
    )
    assert told[-1] == ("Entra groups", 45, 45)
