"""Half of a plan is approved: what of it goes, in which order, and what is refused until somebody agrees."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date

from reconciler.core.approval import approve, narrowed
from reconciler.core.chosen import Ground, consented
from reconciler.core.diff import diff
from reconciler.core.effective import Case
from reconciler.core.holdings import Target
from reconciler.core.model import Address, Attribute, Identity, Live, Presence, Verb, Wanted
from reconciler.core.moments import BAD_MOMENT, IN_PART, Broken, violations
from reconciler.core.order import Order, arrange
from reconciler.core.plan import ApprovedPlan, Plan, Violation
from tests.core.courts import court
from tests.core.estates import HERE, frame, known_identity
from tests.core.moving import EXISTS, KINDS, Motion, State, folder, group, motion, scope, way
from tests.core.test_order_cases import ANA, BO, CROSSING, G1, access, acl, of, passes, words

BEFORE, AFTER = CROSSING
T = scope("t")
LOSING_T = motion(BEFORE, {**AFTER, T: acl()})
"""The crossing swap, where nobody keeps t: whoever is between two groups lacks nothing that he keeps."""
STALE = motion(
    {group("g0"): of(ANA, BO), scope("s"): acl()}, {group("g0"): of(BO), scope("s"): acl(g0="READ")}
)
"""Ana leaves the group as it is given something."""


def part(
    moved: Motion,
    chosen: Collection[str],
    overrides: Mapping[str, str] | None = None,
    stopped: Mapping[str, str] | None = None,
) -> ApprovedPlan:
    """What goes of the actions that are approved, given by their words; `stopped` breaks a rule by word."""
    found = arrange(moved.actions, KINDS, moved.wanted, moved.live)
    ids = {words(each): each.id for each in found.actions}
    broken = [Violation(rule=rule, text=rule, actions=(ids[word],)) for word, rule in (stopped or {}).items()]
    plan = Plan(
        environment="test", revision="r", as_of=date(2026, 1, 1), actions=found.actions,
        violations=(*broken, *violations(found.knots, KINDS)),
    )  # fmt: skip
    ground = Ground(kinds=KINDS, wanted=moved.wanted, live=moved.live, lenient=found.lenient)
    asked = court([each for each in found.actions if words(each) in chosen], overrides)
    return consented(plan, lambda whole: approve(whole, asked), ground)


EVERYTHING = [words(each) for each in LOSING_T.actions]
WITHOUT_T = [word for word in EVERYTHING if not word.endswith(" on t")]


def test_the_whole_plan_goes_as_it_was_ordered() -> None:
    whole = part(LOSING_T, EVERYTHING)
    assert [words(each) for each in whole.actions] == [words(each) for each in whole.plan.actions]
    assert not whole.refused and not whole.plan.violations


def test_a_part_with_a_bad_moment_of_its_own_is_refused_without_consent_to_it() -> None:
    half = part(LOSING_T, WITHOUT_T)
    assert {words(each) for each in half.actions} == {f"grant {ANA} on g0", f"revoke {ANA} on g1"}
    assert len(half.refused) == 4, "and one waits for these"
    [reason] = {each.reason for each in half.refused}
    assert "no order of these 4 approved actions is without a bad moment" in reason
    assert f"{BO} lacks read on databricks/ws/secret-scope/t" in reason
    left_out = next(each for each in half.plan.actions if each.address == T)
    assert f"Approve revoke group:g0 on {T} ({left_out.id[:12]}) and 1 more there as well" in reason


def test_the_same_part_goes_as_a_whole_where_the_moment_is_agreed_to() -> None:
    half = part(LOSING_T, WITHOUT_T, {IN_PART: "nobody works on Sundays"})
    assert {words(each) for each in half.actions} == set(WITHOUT_T) and not half.refused
    given = {half.consents[each.id].overrides.get(IN_PART) for each in half.actions}
    assert given == {None, "nobody works on Sundays"}, "and the record says so"
    [remark] = half.remarks.values()
    assert remark.startswith(f"{BO} lacks read on {T}, which he holds before and after, between"), (
        "and the outcome"
    )


def test_the_bridge_that_is_named_is_one() -> None:
    """The direct grant first; then the change has a good order; then it can be taken back."""
    moved = motion(*CROSSING)
    [knot] = arrange(moved.actions, KINDS, moved.wanted, moved.live).knots
    [violation] = violations([knot], KINDS)
    assert f"Grant {BO} read on {T} directly first" in violation.text
    bridged = acl(g0="READ", g1="READ", bo="READ")
    for steps in (({}, {T: bridged}), ({T: bridged}, {T: bridged}), ({T: bridged}, {})):
        before, after = BEFORE if steps[1] else AFTER, AFTER if steps[0] else BEFORE
        one = motion({**before, **steps[0]}, {**after, **steps[1]})
        assert one.actions and not arrange(one.actions, KINDS, one.wanted, one.live).knots


def test_a_grant_goes_without_a_removal_that_nobody_approved_and_says_so() -> None:
    half = part(STALE, ["grant group:g0 on s"])
    [granted] = half.actions
    assert not granted.needs
    assert half.remarks[granted.id].startswith(f"revoke {ANA} on entra/corp/group/g0 was to come first")


def test_a_grant_waits_for_a_removal_that_was_approved_and_refused() -> None:
    both = ["grant group:g0 on s", f"revoke {ANA} on g0"]
    half = part(STALE, both, stopped={f"revoke {ANA} on g0": "removals"})
    [granted] = half.actions
    assert granted.needs == (half.refused[0].action,), "and so it is deferred"
    assert not half.remarks


def test_rights_of_more_routes_than_are_looked_at_are_not_taken_for_safe() -> None:
    """Ana comes into 20 groups, each of which comes into 20 others that hold the scope until they do not."""
    inner, outer = [f"i{n}" for n in range(17)], [f"o{n}" for n in range(17)]
    holding = scope("s"), {**acl(), **{key: "READ" for name in outer for key in acl(**{f"g{name}": "READ"})}}
    before: State = {group(f"g{name}"): of() for name in (*inner, *outer)}
    after: State = {group(f"g{name}"): of(ANA) for name in inner}
    after |= {group(f"g{name}"): of(*(f"group:g{each}" for each in inner)) for name in outer}
    before[holding[0]], after[holding[0]] = holding[1], acl()
    moved = motion(before, after)
    found = arrange(moved.actions, KINDS, moved.wanted, moved.live)
    [knot] = found.knots
    assert len(knot.actions) > 17 * 17
    [violation] = violations(found.knots, KINDS)
    assert f"more ways than are looked at lead {ANA}" in violation.text


def drifted(groups: int, people: Mapping[str, Collection[str]]) -> Order:
    """The order where a folder's groups hold something on some paths only, and are to lose it for people."""
    names = [f"g{n}" for n in range(groups)]
    around = {way("c"): passes(other="--x")} | {
        group(name): of(*(who for who, those in people.items() if name in those)) for name in names
    }
    before, after = access(**dict.fromkeys(names, "r-x")), access()
    after |= {Attribute("access", who): "r-x" for who in people}
    at = folder("c/a")
    moved = motion({**around, at: before}, {**around, at: after})
    mixed = {Attribute("access", f"group:{name}"): (None, "r-x") for name in names}
    disagreeing = replace(moved.live.found[at], grants={EXISTS: "present"}, mixed=mixed)
    live = Live(found={**moved.live.found, at: disagreeing})
    known = {name: known_identity(name) for name in (*people, *(f"group:{name}" for name in names), "other")}
    drift = diff(moved.wanted, live, replace(frame(*known, **known), kinds=KINDS))
    return arrange(drift.actions, KINDS, moved.wanted, live)


def needs_of(found: Order) -> dict[str, set[str]]:
    names = {each.id: words(each) for each in found.actions}
    return {words(each): {names[need] for need in each.needs} for each in found.actions}


def test_every_way_in_which_paths_may_lie_is_minded_for_each_person_by_himself() -> None:
    """Twelve entries differ from path to path, which together is 4,096 ways, and two for each person."""
    found = drifted(12, {f"user:u{n}": [f"g{n}"] for n in range(12)})
    assert len(found.actions) == 24 and not found.knots
    needs = needs_of(found)
    for n in range(12):
        assert needs[f"revoke group:g{n} on c/a"] == {f"grant user:u{n} on c/a"}


def test_somebody_of_several_groups_that_differ_is_minded_in_all_ways() -> None:
    found = drifted(5, {ANA: [f"g{n}" for n in range(5)]})
    assert not found.knots
    needs = needs_of(found)
    assert all(needs[f"revoke group:g{n} on c/a"] == {f"grant {ANA} on c/a"} for n in range(5))


def test_somebody_of_more_ways_than_are_looked_at_is_not_taken_for_safe() -> None:
    found = drifted(8, {ANA: [f"g{n}" for n in range(8)]})
    [knot] = found.knots
    assert len(knot.actions) == 9
    [violation] = violations(found.knots, KINDS)
    assert "no order of these 9 actions was found" in violation.text
    assert f"more ways than are looked at lead {ANA} to read" in violation.text


def test_a_grant_waits_for_a_removal_that_was_approved_and_has_moved() -> None:
    """The saved plan's removal is another one by now: it was sought all the same."""
    found = arrange(STALE.actions, KINDS, STALE.wanted, STALE.live)
    plan = Plan(environment="test", revision="r", as_of=date(2026, 1, 1), actions=found.actions)
    removal = next(each for each in found.actions if each.address.kind == "group")
    asked = court([replace(removal, before=("owner",)), *(each for each in found.actions if each != removal)])
    ground = Ground(kinds=KINDS, wanted=STALE.wanted, live=STALE.live, lenient=found.lenient)
    for narrow in (False, True):

        def kept(whole: Plan, narrow: bool = narrow) -> ApprovedPlan:
            approved = approve(whole, asked)
            return narrowed(approved, plan, ()) if narrow else approved

        half = consented(plan, kept, ground)
        [granted] = half.actions
        assert granted.needs == (removal.id,) and not half.remarks


def swapped(first: str, second: str, kept: str, taken: str) -> tuple[State, State]:
    """The crossing swap of two other groups and scopes."""
    names = {"g0": first, "g1": second, "s": taken, "t": kept}

    def renamed(state: State) -> State:
        return {
            replace_name(address, names): {
                Attribute(fact.role, rename(fact.principal, names)): value for fact, value in facts.items()
            }
            for address, facts in state.items()
        }

    return renamed(BEFORE), renamed(AFTER)


def rename(principal: str, names: Mapping[str, str]) -> str:
    kind, _, name = principal.partition(":")
    return f"{kind}:{names.get(name, name)}" if kind == "group" else principal


def replace_name(address: Address, names: Mapping[str, str]) -> Address:
    return address._replace(locator=names.get(address.locator, address.locator))


def test_consent_to_a_moment_that_was_shown_is_none_to_another() -> None:
    other_before, other_after = swapped("g5", "g6", "t2", "s2")
    moved = motion({**BEFORE, **other_before}, {**AFTER, **other_after, scope("t2"): acl()})
    found = arrange(moved.actions, KINDS, moved.wanted, moved.live)
    [knot] = found.knots
    shown = {words(each) for each in knot.actions}
    chosen = [words(each) for each in found.actions if not words(each).endswith(" on t2")]
    half = part(moved, chosen, {BAD_MOMENT: "they swap g0 and g1, as the plan shows"})
    sent = {words(each) for each in half.actions}
    assert shown <= sent
    assert half.refused and all("guardrail bad-moment-in-part" in each.reason for each in half.refused)
    assert not any(word.endswith((" on s2", "revoke user:bo on g5")) for word in sent)


def test_only_what_leads_through_the_moment_needs_consent_and_the_rest_waits_for_it() -> None:
    """Readers of s of their own, who are in the group that comes to hold it, lose theirs once it does."""
    readers = [f"r{n}" for n in range(5)]
    more = {Attribute("member", f"user:{who}"): "member" for who in readers}
    own = {Attribute("acl", f"user:{who}"): "READ" for who in readers}
    before = {**BEFORE, group("g0"): BEFORE[group("g0")] | more, scope("s"): BEFORE[scope("s")] | own}
    after = {**AFTER, group("g0"): AFTER[group("g0")] | more}
    moved = motion(before, after)
    found = arrange(moved.actions, KINDS, moved.wanted, moved.live)
    [knot] = found.knots
    assert len(found.actions) == 11 and len(knot.actions) == 4
    revokes = [each for each in found.actions if words(each).startswith("revoke user:r")]
    assert all(knot.actions[-1].id in each.needs for each in revokes)
    half = part(
        moved, [words(each) for each in knot.actions] + [f"grant {ANA} on g0"], {BAD_MOMENT: "agreed"}
    )
    assert len(half.actions) == 5 and not half.refused


def test_an_old_consent_to_the_opposite_holds_nothing_up() -> None:
    found = arrange(STALE.actions, KINDS, STALE.wanted, STALE.live)
    plan = Plan(environment="test", revision="r", as_of=date(2026, 1, 1), actions=found.actions)
    grant = next(each for each in found.actions if each.address == scope("s"))
    removal = next(each for each in found.actions if each is not grant)
    joining = replace(removal, verb=Verb.GRANT, before=(None,), after="member")
    ground = Ground(kinds=KINDS, wanted=STALE.wanted, live=STALE.live, lenient=found.lenient)
    half = consented(plan, lambda whole: approve(whole, court([grant, joining])), ground)
    assert [each.needs for each in half.actions] == [()] and half.remarks


def test_what_a_saved_plan_leaves_out_is_not_called_unapproved() -> None:
    found = arrange(STALE.actions, KINDS, STALE.wanted, STALE.live)
    plan = Plan(environment="test", revision="r", as_of=date(2026, 1, 1), actions=found.actions)
    grant = next(each for each in found.actions if each.address == scope("s"))
    saved = replace(plan, actions=(grant,))
    ground = Ground(kinds=KINDS, wanted=STALE.wanted, live=STALE.live, lenient=found.lenient)
    half = consented(plan, lambda whole: narrowed(approve(whole, court(found.actions)), saved, ()), ground)
    [remark] = half.remarks.values()
    assert "was to come first and is outside the saved plan" in remark


def test_what_would_let_in_somebody_who_leaves_in_the_next_stage_waits_for_it() -> None:
    """Ana leaves g0 once the new group that replaces it is there; until then g0 is given nothing more."""
    live = motion({group("g0"): of(ANA, BO), T: acl(g0="READ"), scope("s"): acl()}, {}).live
    new = {EXISTS: "present", Attribute("acl", "group:g0"): "READ", Attribute("acl", "group:new"): "READ"}
    states = {group("new"): of(ANA), group("g0"): of(BO), T: new, scope("s"): acl(g0="READ")}
    wanted = [
        Wanted(address=address, tenant="t", source=HERE, grants=facts, adopted=True)
        for address, facts in states.items()
    ]
    planned = Identity(principal="group:new", presence=Presence.PLANNED, object_id="")
    known = {name: known_identity(name) for name in (ANA, BO, "group:g0")} | {"group:new": planned}
    drift = diff(wanted, live, replace(frame(*known, **known), kinds=KINDS))
    found = arrange(drift.actions, KINDS, wanted, live, drift.blocked)
    assert [words(each) for each in found.actions] == ["create  on new"]
    reasons = {each.address: each.reason for each in found.waiting}
    assert reasons[scope("s")] == (
        f"waits until somebody whom it would let in has left: {ANA} on entra/corp/group/g0"
    )


def test_a_folder_that_is_renamed_is_narrowed_under_its_new_name() -> None:
    old, new = folder("c/a/old"), folder("c/a/new")
    live = motion({old: access(ana="r-x", bo="r-x")}, {}).live
    wanted = [
        Wanted(address=new, tenant="t", source=HERE, grants=access(ana="r-x"), adopted=True, was=old.locator)
    ]
    known = {name: known_identity(name) for name in (ANA, BO)}
    drift = diff(wanted, live, replace(frame(*known, **known), kinds=KINDS))
    moving, revoke = arrange(drift.actions, KINDS, wanted, live).actions
    assert moving.attribute.role == "name" and revoke.needs == (moving.id,)


def test_what_a_whole_plan_needs_does_not_stand_in_the_way_of_a_part() -> None:
    """In the whole ana loses s, and leaves g1 before g0 is given it; in the part she stays in g0."""
    before = {group("g0"): of(G1, ANA, BO), group("g1"): of(ANA), scope("s"): acl(g1="WRITE")}
    after = {group("g0"): of(G1), group("g1"): of(BO), scope("s"): acl(g1="WRITE", g0="MANAGE", ana="READ")}
    moved = motion(before, after)
    chosen = [f"grant {BO} on g1", f"grant {ANA} on s", f"revoke {ANA} on g1", "grant group:g0 on s"]
    half = part(moved, chosen)
    assert not half.refused
    needs = {words(each): each.needs for each in half.actions}
    ids = {words(each): each.id for each in half.actions}
    assert ids["grant group:g0 on s"] in needs[f"revoke {ANA} on g1"]


def moved_folder(ways_after: State, held_after: Mapping[Attribute, str]) -> Order:
    """A folder moves from where only ana passes to where bo passes as well, and both have an entry on it."""
    old, new = folder("c/old/f"), folder("c/new/f")
    before: State = {
        way("c"): passes(other="--x"),
        way("c/old"): passes(ana="--x"),
        way("c/new"): passes(ana="--x", bo="--x"),
        old: access(ana="r-x", bo="r-x"),
    }
    live = motion(before, {}).live
    after: State = {way("c"): passes(other="--x"), way("c/old"): passes(), **ways_after}
    wanted = [
        Wanted(address=address, tenant="t", source=HERE, grants=facts, adopted=True)
        for address, facts in after.items()
    ]
    wanted.append(
        Wanted(address=new, tenant="t", source=HERE, grants=held_after, adopted=True, was=old.locator)
    )
    known = {name: known_identity(name) for name in (ANA, BO, "other")}
    drift = diff(wanted, live, replace(frame(*known, **known), kinds=KINDS))
    return arrange(drift.actions, KINDS, wanted, live)


def test_a_folder_moves_once_nobody_is_let_in_where_it_will_be() -> None:
    found = moved_folder({way("c/new"): passes(ana="--x")}, access(ana="r-x", bo="r-x"))
    order = [words(each) for each in found.actions]
    assert order == [f"revoke {BO} on c/new", "set  on c/new/f", f"revoke {ANA} on c/old"]
    assert found.actions[1].needs == (found.actions[0].id,) and not found.knots


def test_a_move_that_lets_somebody_in_before_he_can_be_put_out_is_told() -> None:
    """An entry on a folder that moves is taken away under its new name only."""
    found = moved_folder({way("c/new"): passes(ana="--x", bo="--x")}, access(ana="r-x"))
    [violation] = violations(found.knots, KINDS)
    assert f"{BO} holds read" in violation.text and "neither before nor after" in violation.text


def test_whoever_nothing_names_is_not_told_as_a_name() -> None:
    moved = motion(*CROSSING)
    [knot] = arrange(moved.actions, KINDS, moved.wanted, moved.live).knots
    stranger = Case("user:", Target(T, "acl"), "READ")
    broken = Broken(case=stranger, kept=True, examples=(stranger,))
    [violation] = violations([replace(knot, moments=[replace(knot.moments[0], broken=[broken])])], KINDS)
    assert "in the shortest, somebody whom nothing names lacks read on" in violation.text
    assert "make the change in two steps" in violation.text.lower(), "nobody can be granted it"
