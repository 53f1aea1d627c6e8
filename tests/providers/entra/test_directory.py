"""Who is who: names stand for one object or for none, pins notice what moved, and nothing is guessed."""

from __future__ import annotations

import pytest

from reconciler.core.model import Attribute, Presence
from reconciler.emulator.directory import Group, User
from reconciler.emulator.faults import Fault
from tests.providers.entra.conftest import Open
from tests.providers.entra.tenant import (
    ANA,
    APP,
    BO,
    PLANNER,
    Tenant,
    address,
    holders,
    plan,
    read,
    told,
    user,
    want,
)

pytestmark = pytest.mark.emulator

PEOPLE = [user("ana"), user("bo"), user("lea"), user("mia")]
ONE, TWO = "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"
NAMESAKES = [{"name": "leads", "id": ONE, "members": [BO]}, {"name": "leads", "id": TWO}]


def test_every_name_has_an_answer(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[{"name": "pricing-ds"}, *NAMESAKES])
    provider = estate.provider(PLANNER)
    names = [ANA, "group:pricing-ds", f"sp:{PLANNER}", "group:leads", "user:nobody@corp.example", "sp:nope"]
    found = provider.directory.resolve(names)
    assert list(found) == names
    assert {name: one.presence for name, one in found.items()} == {
        ANA: Presence.KNOWN,
        "group:pricing-ds": Presence.KNOWN,
        f"sp:{PLANNER}": Presence.KNOWN,
        "group:leads": Presence.AMBIGUOUS,
        "user:nobody@corp.example": Presence.UNKNOWN,
        "sp:nope": Presence.UNKNOWN,
    }
    assert found[ANA].object_id == estate.id(ANA)
    assert found[f"sp:{PLANNER}"].app_id == APP[PLANNER]
    assert ONE in found["group:leads"].reason and TWO in found["group:leads"].reason
    asked = estate.requests()
    assert provider.directory.resolve(names) == found and estate.requests() == asked


def test_a_service_principal_may_be_named_by_application_id(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[{"name": "pricing-ds", "members": [f"sp:{PLANNER}"]}])
    provider = estate.provider(PLANNER)
    spelt = f"sp:{APP[PLANNER]}"
    assert provider.directory.resolve([spelt])[spelt].object_id == estate.id(f"sp:{PLANNER}")
    # What the policies call it is what live state calls it, or the two would never be in step.
    assert holders(read(provider, [want("pricing-ds", [spelt])]), "pricing-ds") == {spelt}


def test_two_spellings_of_one_object_are_refused(tenant: Open) -> None:
    estate = tenant(users=PEOPLE)
    spelt = f"sp:{APP[PLANNER]}"
    found = estate.provider(PLANNER).directory.resolve([spelt, f"sp:{PLANNER}"])
    assert found[f"sp:{PLANNER}"].presence is Presence.KNOWN
    assert found[spelt].presence is Presence.AMBIGUOUS and f"sp:{PLANNER}" in found[spelt].reason


def test_letter_case_counts_except_in_user_names(tenant: Open) -> None:
    estate = tenant(users=[user("Ana")], groups=[{"name": "Leads"}])
    found = estate.provider(PLANNER).directory.resolve([ANA, "group:leads"])
    assert found[ANA].presence is Presence.KNOWN
    assert found["group:leads"].presence is Presence.UNKNOWN
    assert "did you mean group:Leads" in found["group:leads"].reason


def test_a_pin_that_fits_needs_no_look_up_and_tells_namesakes_apart(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=NAMESAKES)
    provider = estate.provider(PLANNER, {"group:leads": TWO, ANA: estate.id(ANA)})
    found = provider.directory.resolve(["group:leads", ANA])
    assert {one.presence for one in found.values()} == {Presence.KNOWN}
    assert found["group:leads"].object_id == TWO and found[ANA].pinned
    assert estate.requests() == 1


def moved(estate: Tenant) -> None:
    """The pinned Ana gives her name to somebody else."""
    ana = estate.directory.users[estate.id(ANA)]
    estate.directory.rename(ana, "ana.old@corp.example")
    estate.directory.add(User(id=ONE, upn="ana@corp.example", display_name="Ana the other"))


def test_a_pinned_name_that_moved_is_refused_naming_both(tenant: Open) -> None:
    estate = tenant(users=PEOPLE)
    pin = estate.id(ANA)
    moved(estate)
    found = estate.provider(PLANNER, {ANA: pin}).directory.resolve([ANA])[ANA]
    assert found.presence is Presence.MOVED and found.object_id == pin
    assert "ana.old@corp.example" in found.reason and ONE in found.reason


def test_whoever_took_a_pinned_name_is_not_taken_for_its_owner(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[{"name": "pricing-ds", "members": [ANA]}])
    pin = estate.id(ANA)
    moved(estate)
    estate.directory.link(estate.id("group:pricing-ds"), "members", ONE)
    live = read(estate.provider(PLANNER, {ANA: pin}), [want("pricing-ds", [ANA])])
    assert holders(live, "pricing-ds") == {"user:ana.old@corp.example", f"id:{ONE}"}


def test_a_pinned_object_that_is_gone_is_unknown_and_its_bin_is_searched(tenant: Open) -> None:
    estate = tenant(users=PEOPLE)
    pin = estate.id(ANA)
    estate.directory.remove(pin, estate.world.clock.now())
    found = estate.provider(PLANNER, {ANA: pin}).directory.resolve([ANA])[ANA]
    assert found.presence is Presence.UNKNOWN and "can be restored" in found.reason
    never = estate.provider(PLANNER, {BO: TWO}).directory.resolve([BO])[BO]
    assert never.presence is Presence.MOVED and TWO in never.reason


def test_a_deleted_group_is_told_by_its_name(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[{"name": "leads"}, {"name": "other"}])
    for name in ("leads", "other"):
        estate.directory.remove(estate.id(f"group:{name}"), estate.world.clock.now())
    found = estate.provider(PLANNER).directory.resolve(["group:leads", "group:never"])
    assert "can be restored" in found["group:leads"].reason
    assert "restored" not in found["group:never"].reason


def test_what_cannot_be_asked_is_unreadable_and_asked_again(tenant: Open) -> None:
    estate = tenant(users=PEOPLE)
    body = '{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges."}}'
    estate.world.faults.add(Fault(service="graph", status=403, body=body))
    provider = estate.provider(PLANNER)
    found = provider.directory.resolve([ANA])[ANA]
    assert found.presence is Presence.UNREADABLE and "Insufficient privileges" in found.reason
    assert provider.directory.resolve([ANA])[ANA].presence is Presence.KNOWN


def test_ids_have_names_where_the_name_is_theirs_alone(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=NAMESAKES)
    provider = estate.provider(PLANNER)
    ana = estate.id(ANA)
    found = provider.directory.name([ana, ana.upper(), ONE, "00000000-0000-4000-8000-0000000000ff"])
    assert [one.principal for one in found.values()] == [
        ANA,
        ANA,
        f"id:{ONE}",
        "id:00000000-0000-4000-8000-0000000000ff",
    ]
    assert [one.presence for one in found.values()] == [Presence.KNOWN] * 3 + [Presence.UNKNOWN]
    assert found[ONE].display == "leads"


def test_an_id_may_be_resolved_like_a_name(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=NAMESAKES)
    found = estate.provider(PLANNER).directory.resolve([f"id:{ONE}", f"id:{TWO[:-1]}f"])
    assert [one.presence for one in found.values()] == [Presence.KNOWN, Presence.UNKNOWN]
    assert found[f"id:{ONE}"].object_id == ONE


def test_a_namesake_that_somebody_adds_has_nobody_revoked(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[{"name": "leads", "id": ONE}, {"name": "pricing-ds"}])
    estate.directory.link(estate.id("group:pricing-ds"), "members", ONE)
    asked = [want("pricing-ds", ["group:leads"])]
    assert plan(estate.provider(PLANNER), asked) == []
    estate.directory.add(Group(id=TWO, display_name="leads"))
    provider = estate.provider(PLANNER)
    found = read(provider, asked).found[address("pricing-ds")]
    assert found.kept.keys() == {Attribute("member", f"id:{ONE}")}
    assert [told(each) for each in plan(provider, asked)] == []


def test_whoever_did_not_exist_when_first_asked_is_known_once_met(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[{"name": "pricing-ds"}])
    provider = estate.provider(PLANNER)
    assert provider.directory.resolve(["group:leads"])["group:leads"].presence is Presence.UNKNOWN
    estate.directory.add(Group(id=ONE, display_name="leads"))
    estate.directory.link(estate.id("group:pricing-ds"), "members", ONE)
    assert holders(read(provider, [want("pricing-ds")]), "pricing-ds") == {"group:leads"}


def test_a_directory_that_cannot_say_whose_a_name_is_has_nobody_revoked(tenant: Open) -> None:
    estate = tenant(
        users=PEOPLE, groups=[{"name": "leads"}, {"name": "pricing-ds", "members": ["group:leads"]}]
    )
    body = '{"error":{"code":"Authorization_RequestDenied","message":"no"}}'
    look_up = r"displayName%20eq%20'leads'"
    estate.world.faults.add(Fault(service="graph", target=look_up, status=403, body=body, times=None))
    live = read(estate.provider(PLANNER), [want("pricing-ds")])
    assert set(live.gaps) == {address("pricing-ds")}


def test_members_are_told_by_object_id(tenant: Open) -> None:
    estate = tenant(
        users=PEOPLE,
        groups=[{"name": "pricing-ds", "members": [ANA, BO]}, {"name": "secret", "members": [BO]}],
        denied={f"sp:{PLANNER}": ["group:secret"]},
    )
    provider = estate.provider(PLANNER)
    ds, secret = estate.id("group:pricing-ds"), estate.id("group:secret")
    found = provider.directory.members([ds, secret])
    assert found == {ds: frozenset({estate.id(ANA), estate.id(BO)}), secret: None}
    asked = estate.requests()
    assert provider.directory.members([ds])[ds] and estate.requests() == asked


@pytest.mark.parametrize("pinned", [True, False])
def test_thousands_of_names_take_few_requests(tenant: Open, pinned: bool) -> None:
    estate = tenant(users=[user(f"u{number}") for number in range(2500)])
    names = [f"user:u{number}@corp.example" for number in range(2500)]
    pins = {name: estate.id(name) for name in names} if pinned else {}
    found = estate.provider(PLANNER, pins).directory.resolve(names)
    assert {one.presence for one in found.values()} == {Presence.KNOWN}
    assert estate.requests() <= 3


def test_a_large_directory_is_not_listed_for_a_few_names(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[{"name": f"g{number:05}"} for number in range(5000)])
    names = [f"group:g{number:05}" for number in range(0, 5000, 5)]
    found = estate.provider(PLANNER).directory.resolve(names)
    assert {one.presence for one in found.values()} == {Presence.KNOWN}
    # Four batches of look-ups, and the one request that learnt how large the directory is.
    assert estate.requests() == 5


def test_an_index_that_lags_is_not_taken_at_its_word(tenant: Open) -> None:
    estate = tenant(users=[user(f"u{number}") for number in range(1000)], groups=[])
    names = [f"user:u{number}@corp.example" for number in range(1000)]
    page = '{"@odata.count":1000,"value":[]}'
    estate.world.faults.add(Fault(service="graph", target=r"/users\?.*count=true", status=200, body=page))
    found = estate.provider(PLANNER).directory.resolve(names)
    assert {one.presence for one in found.values()} == {Presence.KNOWN}
