"""Writing groups: exactly what was approved, merged into what is there; facts are the emulator's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.core.model import Verb
from reconciler.core.plan import Status
from reconciler.emulator.faults import Fault
from tests.providers.entra.conftest import Open
from tests.providers.entra.tenant import (
    ANA,
    APPLIER,
    BO,
    LEA,
    MIA,
    PLANNER,
    Tenant,
    action,
    address,
    apply,
    grant,
    revoke,
    statuses,
    user,
)

pytestmark = pytest.mark.emulator

PEOPLE = [user("ana"), user("bo"), user("lea"), user("mia")]
DS = {"name": "pricing-ds", "members": [ANA, BO], "owners": [LEA]}
GHOST = "00000000-0000-4000-8000-0000000000ff"


def outcome(ends: dict[str, Any]) -> tuple[Status, str]:
    (only,) = ends.values()
    return only.status, only.reason


def test_members_come_and_go_and_nobody_else_is_touched(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS, {"name": "other", "members": [ANA]}])
    ends = apply(estate.provider(), [grant(estate, "pricing-ds", MIA), revoke(estate, "pricing-ds", BO)])
    assert set(statuses(ends).values()) == {Status.ACCEPTED}
    assert estate.members("pricing-ds") == {ANA, MIA} and estate.members("other") == {ANA}
    assert set(estate.directory.users) == {estate.id(one) for one in (ANA, BO, LEA, MIA)}


def test_a_half_that_was_approved_is_all_that_happens(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    apply(estate.provider(), [grant(estate, "pricing-ds", MIA)])
    assert estate.members("pricing-ds") == {ANA, BO, MIA}


def test_a_portal_edit_between_planning_and_writing_survives(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    planned = [grant(estate, "pricing-ds", MIA), revoke(estate, "pricing-ds", BO)]
    estate.directory.link(estate.id("group:pricing-ds"), "members", estate.id(LEA))
    apply(estate.provider(), planned)
    assert estate.members("pricing-ds") == {ANA, LEA, MIA}


def test_what_holds_already_is_accepted_without_a_request(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    planned = [
        grant(estate, "pricing-ds", ANA),
        revoke(estate, "pricing-ds", MIA),
        grant(estate, "pricing-ds", LEA, "owner"),
        action(estate, Verb.SET, "pricing-ds", "name", before="pricing-old", after="pricing-ds"),
    ]
    assert set(statuses(apply(estate.provider(), planned)).values()) == {Status.ACCEPTED}
    assert estate.writes() == []


def test_forty_five_members_take_three_requests(tenant: Open) -> None:
    estate = tenant(users=[user(f"u{number}") for number in range(45)], groups=[{"name": "pricing-ds"}])
    planned = [grant(estate, "pricing-ds", f"user:u{number}@corp.example") for number in range(45)]
    ends = apply(estate.provider(), planned)
    assert set(statuses(ends).values()) == {Status.ACCEPTED} and len(estate.members("pricing-ds")) == 45
    oid = estate.id("group:pricing-ds")
    assert estate.writes() == [f"PATCH /v1.0/groups/{oid}"] * 3


def test_forty_five_removals_go_in_batches_and_only_with_ref(tenant: Open) -> None:
    names = [f"user:u{number}@corp.example" for number in range(45)]
    estate = tenant(
        users=[user(f"u{number}") for number in range(45)], groups=[{"name": "pricing-ds", "members": names}]
    )
    ends = apply(estate.provider(), [revoke(estate, "pricing-ds", name) for name in names])
    assert set(statuses(ends).values()) == {Status.ACCEPTED} and estate.members("pricing-ds") == set()
    assert len(estate.directory.users) == 45
    assert len(estate.writes()) == 45 and len(estate.world.log.entries) < 20
    assert all(each.startswith("DELETE ") and each.endswith("/$ref") for each in estate.writes())


def test_one_bad_principal_does_not_stop_the_others(tenant: Open) -> None:
    nested = {"name": "role-group", "role-assignable": True}
    estate = tenant(users=PEOPLE, groups=[nested, {"name": "inner"}])
    roles = estate.directory.service_principals[estate.id(f"sp:{APPLIER}")]
    roles.app_roles |= {"RoleManagement.ReadWrite.Directory"}
    planned = [grant(estate, "role-group", one) for one in (ANA, "group:inner", BO)]
    ends = apply(estate.provider(), planned)
    assert estate.members("role-group") == {ANA, BO}
    failed = ends["grant member group:inner"]
    assert failed.status is Status.FAILED and "Nested groups are not supported" in failed.reason


def test_a_principal_that_was_added_meanwhile_does_not_stop_the_others(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[{"name": "pricing-ds"}])
    planned = [grant(estate, "pricing-ds", one) for one in (ANA, BO)]
    # Another administrator adds Ana after the last reading and before the request.
    body = (
        '{"error":{"code":"Request_BadRequest","message":"One or more added object references already exist '
        "for the following modified properties: 'members'.\"}}"
    )
    estate.world.faults.add(Fault(service="graph", method="PATCH", status=400, body=body))
    estate.world.faults.add(Fault(service="graph", method="POST", target=r"\$ref", status=400, body=body))
    ends = apply(estate.provider(), planned)
    assert set(statuses(ends).values()) == {Status.ACCEPTED}
    assert estate.members("pricing-ds") == {BO}


def test_a_name_that_means_somebody_else_now_is_refused(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[{**DS, "members": [BO]}])
    planned = [grant(estate, "pricing-ds", ANA), revoke(estate, "pricing-ds", BO)]
    estate.directory.rename(estate.directory.users[estate.id(ANA)], "ana.old@corp.example")
    ends = apply(estate.provider(), planned)
    refused = ends[f"grant member {ANA}"]
    assert refused.status is Status.REFUSED and "ana.old@corp.example" in refused.reason
    assert estate.members("pricing-ds") == set()


def test_a_principal_without_an_object_or_an_id_is_refused(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    group = {str(address("pricing-ds")): estate.id("group:pricing-ds")}
    gone = grant(estate, "pricing-ds", MIA, ids={**group, MIA: GHOST})
    nameless = grant(estate, "pricing-ds", LEA, ids=group)
    ends = apply(estate.provider(), [gone, nameless])
    assert set(statuses(ends).values()) == {Status.REFUSED} and estate.writes() == []
    # Whoever no longer exists holds nothing: there is nothing left to revoke.
    left = revoke(estate, "pricing-ds", MIA, ids={**group, MIA: GHOST})
    assert outcome(apply(estate.provider(), [left]))[0] is Status.ACCEPTED


def test_another_group_of_the_same_name_is_refused_and_so_is_the_same_of_another_name(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS, {"name": "other"}])
    planned = grant(estate, "pricing-ds", MIA)
    foreign = grant(
        estate,
        "pricing-ds",
        MIA,
        ids={str(address("pricing-ds")): estate.id("group:other"), MIA: estate.id(MIA)},
    )
    assert outcome(apply(estate.provider(), [foreign])) == (
        Status.REFUSED,
        f"group {estate.id('group:other')} is called 'other' now, not 'pricing-ds': plan again",
    )
    estate.directory.rename(estate.directory.groups[estate.id("group:pricing-ds")], "pricing-x")
    status, reason = outcome(apply(estate.provider(), [planned]))
    assert status is Status.REFUSED and "'pricing-x'" in reason and "'pricing-ds'" in reason
    estate.directory.remove(estate.id("group:pricing-x"), 0)
    assert outcome(apply(estate.provider(), [planned]))[0] is Status.REFUSED
    assert estate.writes() == []


@pytest.mark.parametrize("managed", [{"membership-rule": "true"}, {"on-premises": True}])
def test_a_group_that_became_read_only_is_refused(tenant: Open, managed: dict[str, Any]) -> None:
    estate = tenant(users=PEOPLE, groups=[{**DS, **managed}])
    assert outcome(apply(estate.provider(), [grant(estate, "pricing-ds", MIA)]))[0] is Status.REFUSED
    assert estate.writes() == []


def test_a_pim_activation_that_came_meanwhile_is_refused(tenant: Open) -> None:
    pim = {"group": "group:pricing-ds", "principal": MIA, "end": "2999-01-01T00:00:00Z", "activated": True}
    estate = tenant(users=PEOPLE, groups=[DS], pim_assignments=[pim])
    provider = estate.provider()
    ends = apply(provider, [revoke(estate, "pricing-ds", MIA), revoke(estate, "pricing-ds", BO)])
    assert ends[f"revoke member {MIA}"].status is Status.REFUSED
    assert estate.members("pricing-ds") == {ANA, MIA}
    reader = estate.directory.service_principals[estate.id(f"sp:{APPLIER}")]
    reader.app_roles -= {"PrivilegedAssignmentSchedule.Read.AzureADGroup"}
    status, reason = outcome(apply(provider, [revoke(estate, "pricing-ds", ANA)]))
    assert status is Status.FAILED and "nothing was sent" in reason
    assert estate.members("pricing-ds") == {ANA, MIA}


def test_owners_come_and_go_but_never_the_last_one(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    group = estate.directory.groups[estate.id("group:pricing-ds")]
    last = revoke(estate, "pricing-ds", LEA, "owner")
    status, reason = outcome(apply(estate.provider(), [last]))
    assert status is Status.REFUSED and "last owner" in reason and estate.writes() == []
    both = [grant(estate, "pricing-ds", ANA, "owner"), grant(estate, "pricing-ds", f"sp:{PLANNER}", "owner")]
    assert set(statuses(apply(estate.provider(), both)).values()) == {Status.ACCEPTED}
    assert outcome(apply(estate.provider(), [last]))[0] is Status.ACCEPTED
    assert set(group.owners) == {estate.id(ANA), estate.id(f"sp:{PLANNER}")}
    # A service principal beside the last user does not help: Entra counts users.
    last_user = revoke(estate, "pricing-ds", ANA, "owner")
    assert outcome(apply(estate.provider(), [last_user]))[0] is Status.REFUSED


def test_a_group_is_made_once(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[])
    name = "Preis – Gruppe (neu) " + "ü" * 60
    create = action(estate, Verb.CREATE, name, "exists", after="present")
    provider = estate.provider()
    assert outcome(apply(provider, [create]))[0] is Status.ACCEPTED
    (group,) = estate.directory.groups.values()
    assert group.display_name == name and group.security_enabled and not group.mail_enabled
    assert group.mail_nickname.isascii() and len(group.mail_nickname) <= 64 and " " not in group.mail_nickname
    status, reason = outcome(apply(provider, [create]))
    assert status is Status.ACCEPTED and "already" in reason and len(estate.directory.groups) == 1


def test_a_group_is_made_with_what_comes_with_it(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[])
    ids = {ANA: estate.id(ANA)}
    planned = [
        action(estate, Verb.CREATE, "pricing-ds", "exists", after="present"),
        grant(estate, "pricing-ds", ANA, ids=ids),
        action(estate, Verb.SET, "pricing-ds", "description", after="data people", ids={}),
    ]
    assert set(statuses(apply(estate.provider(), planned)).values()) == {Status.ACCEPTED}
    assert estate.members("pricing-ds") == {ANA}
    assert estate.directory.groups[estate.id("group:pricing-ds")].description == "data people"


def test_a_lost_answer_to_a_creation_is_unknown_and_never_sent_twice(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[])
    create = action(estate, Verb.CREATE, "pricing-ds", "exists", after="present")
    for fault in (
        Fault(service="graph", method="POST", target="/groups$", kind="reset", after=True),
        Fault(service="graph", method="POST", target="/groups$", status=503, after=True),
    ):
        estate.world.faults.add(fault)
    provider = estate.provider()
    assert outcome(apply(provider, [create]))[0] is Status.UNKNOWN
    assert len(estate.directory.groups) == 1
    assert outcome(apply(provider, [create]))[0] is Status.ACCEPTED
    assert len(estate.directory.groups) == 1


@pytest.mark.parametrize("kind", ["reset", "respond", "html", "truncate"])
@pytest.mark.parametrize("verb", [Verb.GRANT, Verb.REVOKE])
def test_effect_kept_and_answer_lost_converges(tenant: Open, kind: str, verb: Verb) -> None:
    estate = tenant(users=PEOPLE, groups=[{**DS, "description": "x"}])
    make = {
        Verb.GRANT: lambda: grant(estate, "pricing-ds", MIA),
        Verb.REVOKE: lambda: revoke(estate, "pricing-ds", BO),
    }
    planned = make[verb]()
    fault = Fault(service="graph", method="POST|DELETE", target=r"\$ref", kind=kind, status=503, after=True)
    estate.world.faults.add(fault)
    provider = estate.provider()
    status, _ = outcome(apply(provider, [planned]))
    # An empty answer cannot be cut: there the effect is simply confirmed.
    assert status is (Status.ACCEPTED if kind == "truncate" else Status.UNKNOWN)
    expected = {ANA, BO, MIA} if verb is Verb.GRANT else {ANA}
    assert estate.members("pricing-ds") == expected
    assert outcome(apply(provider, [planned]))[0] is Status.ACCEPTED
    assert estate.members("pricing-ds") == expected and len(estate.writes()) == 1


def test_too_many_requests_are_waited_out_and_sent_once(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    estate.world.faults.add(
        Fault(service="graph", method="POST", target=r"\$ref", status=429, headers={"Retry-After": "5"})
    )
    started = estate.world.clock.now()
    assert outcome(apply(estate.provider(), [grant(estate, "pricing-ds", MIA)]))[0] is Status.ACCEPTED
    assert estate.world.clock.now() - started >= 5 and estate.members("pricing-ds") == {ANA, BO, MIA}


def test_a_right_that_is_missing_is_named(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    planned = [grant(estate, "pricing-ds", MIA), grant(estate, "pricing-ds", LEA)]
    ends = apply(estate.provider(PLANNER), planned)
    assert set(statuses(ends).values()) == {Status.FAILED}
    assert all("GroupMember.ReadWrite.All" in end.reason and "403" in end.reason for end in ends.values())
    assert estate.members("pricing-ds") == {ANA, BO}


def test_a_right_that_only_some_members_take_stops_only_those(tenant: Open) -> None:
    estate = tenant({"switches": {"graph.member-type-permissions": True}}, users=PEOPLE, groups=[DS])
    ends = apply(estate.provider(), [grant(estate, "pricing-ds", one) for one in (MIA, f"sp:{PLANNER}")])
    assert ends[f"grant member {MIA}"].status is Status.ACCEPTED
    refused = ends[f"grant member sp:{PLANNER}"]
    assert refused.status is Status.FAILED and "Application.ReadWrite.All" in refused.reason
    assert estate.members("pricing-ds") == {ANA, BO, MIA}


def test_what_cannot_be_read_again_is_not_written(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS], denied={f"sp:{APPLIER}": ["group:pricing-ds"]})
    status, reason = outcome(apply(estate.provider(), [grant(estate, "pricing-ds", MIA)]))
    assert status is Status.FAILED and "nothing was sent" in reason and estate.writes() == []
    create = action(estate, Verb.CREATE, "new", "exists", after="present")
    estate.world.faults.add(Fault(service="graph", method="GET", target="/groups", status=403, body="{}"))
    assert outcome(apply(estate.provider(), [create]))[0] is Status.FAILED and estate.writes() == []


def test_a_rename_keeps_everybody_and_never_takes_a_name(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS, {"name": "pricing-taken"}])
    oid = estate.id("group:pricing-ds")

    def rename(to: str) -> tuple[Status, str]:
        ids = {str(address(to)): oid}
        made = action(estate, Verb.SET, to, "name", before="pricing-ds", after=to, ids=ids)
        return outcome(apply(estate.provider(), [made]))

    status, reason = rename("pricing-taken")
    assert status is Status.REFUSED and estate.id("group:pricing-taken") in reason
    assert rename("pricing-data")[0] is Status.ACCEPTED
    assert estate.members("pricing-data") == {ANA, BO} and estate.directory.groups[oid].owners
    status, reason = rename("pricing-more")
    assert status is Status.REFUSED and "'pricing-data'" in reason


def test_a_description_that_moved_is_refused(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[{**DS, "description": "edited in the portal"}])
    made = action(estate, Verb.SET, "pricing-ds", "description", before="old", after="new")
    status, reason = outcome(apply(estate.provider(), [made]))
    assert status is Status.REFUSED and "edited in the portal" in reason and "old" in reason
    assert estate.writes() == []


def test_only_an_empty_group_is_deleted(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    delete = action(estate, Verb.DELETE, "pricing-ds", "exists", before="present")
    status, reason = outcome(apply(estate.provider(), [delete]))
    assert status is Status.REFUSED and "2 members" in reason and estate.writes() == []
    planned = [delete, revoke(estate, "pricing-ds", ANA), revoke(estate, "pricing-ds", BO)]
    assert set(statuses(apply(estate.provider(), planned)).values()) == {Status.ACCEPTED}
    assert estate.directory.groups == {}


def test_a_removal_that_fails_keeps_the_group(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[{**DS, "members": [ANA]}])
    estate.world.faults.add(Fault(service="graph", method="DELETE", target=r"\$ref", status=403, body="{}"))
    planned = [
        action(estate, Verb.DELETE, "pricing-ds", "exists", before="present"),
        revoke(estate, "pricing-ds", ANA),
    ]
    ends = statuses(apply(estate.provider(), planned))
    assert ends == {"delete exists": Status.REFUSED, f"revoke member {ANA}": Status.FAILED}
    assert estate.members("pricing-ds") == {ANA}


def test_another_administrators_removal_is_as_good_as_ours(tenant: Open) -> None:
    estate = tenant({"switches": {"graph.remove-absent": 400}}, users=PEOPLE, groups=[DS])
    planned = revoke(estate, "pricing-ds", BO)
    for status, message in (
        (404, "Resource 'x' does not exist"),
        (400, "removed object references do not exist"),
    ):
        body = json.dumps({"error": {"code": "x", "message": message}})
        estate.world.faults.add(Fault(service="graph", method="DELETE", status=status, body=body))
        assert outcome(apply(estate.provider(), [planned]))[0] is Status.ACCEPTED


def test_a_deletion_of_the_member_itself_cannot_be_spelt() -> None:
    from reconciler.providers.entra.wire import Call

    with pytest.raises(ValueError, match="would delete the object"):
        Call(path="/groups/g/members/u", method="DELETE")
    assert Call(path="/groups/g/members/u/$ref", method="DELETE").units() == 1
    assert Call(path="/groups/g", method="DELETE")


def names_of(estate: Tenant) -> set[str]:
    return {group.display_name for group in estate.directory.groups.values()}


def test_a_name_that_two_groups_have_by_now_is_not_made_a_third_time(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[{"name": "x", "id": GHOST}, {"name": "x", "id": GHOST[:-1] + "e"}])
    create = action(estate, Verb.CREATE, "x", "exists", after="present")
    status, reason = outcome(apply(estate.provider(), [create]))
    assert status is Status.REFUSED and GHOST in reason and names_of(estate) == {"x"}


def test_readings_that_lag_behind_writes_do_no_harm(tenant: Open) -> None:
    estate = tenant({"switches": {"graph.stale-seconds": 60}}, users=PEOPLE, groups=[DS])
    provider = estate.provider()
    planned = [
        grant(estate, "pricing-ds", MIA),
        grant(estate, "pricing-ds", LEA),
        revoke(estate, "pricing-ds", BO),
    ]
    for _ in range(12):
        # Each reading is answered by some replica: it may show what was before the first round.
        assert set(statuses(apply(provider, planned)).values()) == {Status.ACCEPTED}
        assert estate.members("pricing-ds") == {ANA, LEA, MIA}
        estate.world.clock.advance(1)
