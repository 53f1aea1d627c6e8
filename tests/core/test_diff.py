"""Laws of the comparison, judged by carrying actions out on plain facts, never by comparing again."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given

from reconciler.core.diff import diff
from reconciler.core.model import (
    REMOVALS,
    Attribute,
    Gap,
    Identity,
    Lifecycle,
    Live,
    Presence,
    Source,
    Terms,
    Unlisted,
    Verb,
    Wanted,
)
from reconciler.core.plan import Cause
from tests.core.estates import address, after, facts, found, frame, known_identity, live, pairs, wanted

ANA, BO = "user:ana@corp.example", "user:bo@corp.example"
EXISTS = Attribute("exists")


def acl(who: str) -> Attribute:
    return Attribute("acl", who)


@given(pairs())
def test_carrying_out_every_action_gives_what_is_wanted(pair: tuple[Wanted, Live]) -> None:
    want, state = pair
    drift = diff([want], state, frame())
    before = state.found.get(want.address)
    result = after(drift.actions, before, want.address)
    waiting = {each.attribute for each in drift.blocked}
    for fact, value in want.grants.items():
        if fact not in waiting and want.adopted:
            assert result[fact] == {value}
        elif fact not in waiting:
            assert None not in result[fact], "whoever is listed holds something everywhere"
    if want.adopted and want.unlisted is Unlisted.REVOKE:
        assert {fact for fact in result if fact.principal} <= set(want.grants)


@given(pairs())
def test_nothing_is_taken_before_adoption_or_when_unlisted_is_kept(pair: tuple[Wanted, Live]) -> None:
    want, state = pair
    drift = diff([want], state, frame())
    for action in drift.actions:
        if not want.adopted:
            assert action.verb not in REMOVALS
        if want.unlisted is Unlisted.KEEP and action.verb in REMOVALS:
            assert action.attribute in want.grants


@given(pairs())
def test_what_is_in_step_plans_nothing(pair: tuple[Wanted, Live]) -> None:
    want, _ = pair
    drift = diff([want], live(found(want.grants, want.address.kind)), frame())
    assert (drift.actions, drift.blocked, drift.findings) == ([], [], [])


@given(pairs())
def test_a_gap_is_never_touched(pair: tuple[Wanted, Live]) -> None:
    want, state = pair
    gap = Gap(address=want.address, reason="403")
    drift = diff([want], replace(state, gaps={want.address: gap}), frame())
    assert (drift.actions, drift.blocked, drift.managed) == ([], [], 0)


@given(facts("secret-scope"))
def test_every_action_has_an_id_of_its_own_and_names_its_place(grants: dict[Attribute, str]) -> None:
    drift = diff([wanted(grants)], Live(), frame())
    assert len({action.id for action in drift.actions}) == len(drift.actions) == len(grants)
    assert all(action.source.line == 3 for action in drift.actions)


@pytest.mark.parametrize(
    ("before", "after_", "verb"),
    [
        (None, "READ", Verb.GRANT),
        ("READ", "WRITE", Verb.RAISE),
        ("MANAGE", "READ", Verb.LOWER),
        ("READ", None, Verb.REVOKE),
    ],
)
def test_verbs_follow_from_what_rights_are_made_of(
    before: str | None, after_: str | None, verb: Verb
) -> None:
    was = {EXISTS: "present"} | ({acl(ANA): before} if before else {})
    want = {EXISTS: "present"} | ({acl(ANA): after_} if after_ else {})
    (action,) = diff([wanted(want)], live(found(was)), frame()).actions
    assert (action.verb, action.before, action.after) == (verb, (before,), after_)


def test_rights_that_do_not_contain_one_another_are_set() -> None:
    want = wanted({Attribute("access", ANA): "-w-"}, "folder")
    (action,) = diff([want], live(found({Attribute("access", ANA): "r--"}, "folder")), frame()).actions
    assert action.verb is Verb.SET


def test_a_mixed_tree_gives_one_action_per_verb() -> None:
    fact = Attribute("access", ANA)
    state = live(found({EXISTS: "present"}, "folder", mixed={fact: (None, "--x", "r-x", "rwx")}))
    actions = diff([wanted({EXISTS: "present", fact: "r-x"}, "folder")], state, frame()).actions
    assert [(a.verb, a.before) for a in actions] == [
        (Verb.GRANT, (None,)),
        (Verb.LOWER, ("rwx",)),
        (Verb.RAISE, ("--x",)),
    ]


def test_an_expired_grant_is_revoked_with_its_cause_and_date_in_the_id() -> None:
    terms = {acl(ANA): Terms(source=Source("a.yaml", 9), until=date(2026, 1, 31), because="CHG-1")}
    state = live(found({EXISTS: "present", acl(ANA): "READ"}))
    (action,) = diff([wanted({EXISTS: "present"}, terms=terms)], state, frame()).actions
    assert (action.verb, action.cause, action.until) == (Verb.REVOKE, Cause.EXPIRED, date(2026, 1, 31))
    assert str(action.source) == "a.yaml:9"
    undated = diff([wanted({EXISTS: "present"})], state, frame()).actions[0]
    assert undated.id != action.id


def test_an_expired_grant_goes_even_where_unlisted_ones_are_kept() -> None:
    terms = {acl(ANA): Terms(source=Source("a.yaml", 9), until=date(2026, 1, 31))}
    state = live(found({EXISTS: "present", acl(ANA): "READ", acl(BO): "READ"}))
    drift = diff([wanted({EXISTS: "present"}, terms=terms, unlisted=Unlisted.KEEP)], state, frame())
    assert [action.attribute for action in drift.actions] == [acl(ANA)]


def test_an_unknown_principal_blocks_its_own_grants_only() -> None:
    unknown = Identity(principal="user:zoe@x.example", presence=Presence.UNKNOWN, reason="no such user")
    want = wanted({EXISTS: "present", acl(ANA): "READ", acl("user:zoe@x.example"): "READ"})
    drift = diff([want], live(found({EXISTS: "present"})), frame(ANA, **{"user:zoe@x.example": unknown}))
    assert [action.attribute.principal for action in drift.actions] == [ANA]
    assert [(each.attribute.principal, each.stage) for each in drift.blocked] == [
        ("user:zoe@x.example", "blocked")
    ]
    assert "no such user" in drift.blocked[0].reason


def test_nobody_is_revoked_while_a_pinned_name_stands_for_the_same_object() -> None:
    moved = Identity(
        principal=ANA, presence=Presence.MOVED, object_id="oid-1", reason="now called anna@corp.example"
    )
    anna = replace(known_identity("user:anna@corp.example"), object_id="oid-1")
    state = live(found({EXISTS: "present", acl("user:anna@corp.example"): "READ", acl(BO): "READ"}))
    drift = diff(
        [wanted({EXISTS: "present", acl(ANA): "READ"})],
        state,
        frame(BO, **{ANA: moved, "user:anna@corp.example": anna}),
    )
    assert [(a.verb, a.attribute.principal) for a in drift.actions] == [(Verb.REVOKE, BO)]
    assert [finding.rule for finding in drift.findings] == ["kept"]


def test_what_hangs_on_an_object_id_waits_until_there_is_one() -> None:
    want = wanted({EXISTS: "present", Attribute("member", ANA): "member"}, "group")
    drift = diff([want], Live(), frame())
    assert [action.verb for action in drift.actions] == [Verb.CREATE]
    assert [(each.attribute.role, each.stage) for each in drift.blocked] == [("member", "next")]


def test_object_ids_are_part_of_what_is_consented_to() -> None:
    want = wanted({EXISTS: "present", acl(ANA): "READ"})
    state = live(found({EXISTS: "present"}))
    before = diff([want], state, frame()).actions[0]
    other = replace(known_identity(ANA), object_id="somebody-else")
    hijacked = diff([want], state, frame(BO, **{ANA: other})).actions[0]
    assert before.object_ids == {ANA: f"oid-{ANA}"}
    assert hijacked.id != before.id


def test_a_rename_keeps_everything_and_waits_for_nothing() -> None:
    old = found({EXISTS: "present", Attribute("member", ANA): "member"}, "group", object_id="oid-g")
    old = replace(old, address=address("group", "old name"))
    want = wanted(
        {EXISTS: "present", Attribute("member", ANA): "member"},
        "group",
        address=address("group", "new"),
        was="old name",
    )
    (action,) = diff([want], live(old), frame()).actions
    assert (action.verb, action.before, action.after) == (Verb.SET, ("old name",), "new")
    assert action.object_ids == {str(want.address): "oid-g"}


def test_retiring_revokes_what_the_document_granted_and_nothing_else() -> None:
    want = wanted({EXISTS: "present", acl(ANA): "READ"}, lifecycle=Lifecycle.RETIRED)
    state = live(found({EXISTS: "present", acl(ANA): "READ", acl(BO): "MANAGE"}))
    (action,) = diff([want], state, frame()).actions
    assert (action.verb, action.attribute, action.cause) == (Verb.REVOKE, acl(ANA), Cause.RETIRED)


def test_a_thing_is_deleted_only_once_nobody_else_holds_it() -> None:
    want = wanted({EXISTS: "present", acl(ANA): "READ"}, lifecycle=Lifecycle.DESTROYED)
    shared = diff([want], live(found({EXISTS: "present", acl(ANA): "READ", acl(BO): "READ"})), frame())
    assert [action.verb for action in shared.actions] == [Verb.REVOKE]
    assert "not empty: 1 hold" in shared.blocked[0].reason
    alone = diff([want], live(found({EXISTS: "present", acl(ANA): "READ"})), frame())
    assert {action.verb for action in alone.actions} == {Verb.REVOKE, Verb.DELETE}


def test_facts_that_a_provider_keeps_are_told_and_left() -> None:
    state = live(found({EXISTS: "present", acl(BO): "MANAGE"}, kept={acl(BO): "it made the scope"}))
    drift = diff([wanted({EXISTS: "present"})], state, frame())
    assert drift.actions == []
    assert "it made the scope" in drift.findings[0].text


def test_a_read_only_thing_blocks_with_its_reason() -> None:
    state = live(found({EXISTS: "present"}, "group", read_only="dynamic group: its rule decides"))
    drift = diff([wanted({EXISTS: "present", Attribute("member", ANA): "member"}, "group")], state, frame())
    assert drift.actions == []
    assert drift.blocked[0].reason == "dynamic group: its rule decides"


def test_shared_things_lose_nothing_while_a_contributor_is_in_error() -> None:
    want = wanted({Attribute("access", ANA): "--x"}, "folder", shared=True)
    state = live(found({Attribute("access", ANA): "--x", Attribute("access", BO): "--x"}, "folder"))
    frozen = replace(frame(), frozen=frozenset({"fraud"}))
    assert [a.verb for a in diff([want], state, frame()).actions] == [Verb.REVOKE]
    assert diff([want], state, frozen).actions == []


def test_what_own_identities_hold_unlisted_is_nobodys_drift() -> None:
    state = live(found({EXISTS: "present", acl("sp:reconciler"): "MANAGE", acl(BO): "READ"}))
    guarded = replace(frame(), protected=frozenset({"sp:reconciler"}))
    drift = diff([wanted({EXISTS: "present"})], state, guarded)
    assert [action.attribute for action in drift.actions] == [acl(BO)]
    assert drift.findings == []


def test_a_group_about_to_be_renamed_keeps_what_it_holds_under_its_old_name() -> None:
    renamed = Identity(principal="group:new", presence=Presence.PLANNED, object_id="oid-g")
    old = replace(known_identity("group:old"), object_id="oid-g")
    state = live(found({EXISTS: "present", acl("group:old"): "READ"}))
    drift = diff(
        [wanted({EXISTS: "present", acl("group:new"): "READ"})],
        state,
        frame(BO, **{"group:new": renamed, "group:old": old}),
    )
    assert drift.actions == []
    assert [each.stage for each in drift.blocked] == ["next"]
    assert [finding.rule for finding in drift.findings] == ["kept"]
