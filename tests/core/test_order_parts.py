"""Half of a plan is approved: what of it goes, in which order, and what is refused until somebody agrees."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date

from reconciler.core.approval import approve, narrowed
from reconciler.core.chosen import Ground, consented
from reconciler.core.diff import diff
from reconciler.core.model import Attribute, Live
from reconciler.core.moments import BAD_MOMENT, violations
from reconciler.core.order import Order, arrange
from reconciler.core.plan import ApprovedPlan, Plan, Violation
from tests.core.courts import court
from tests.core.estates import frame, known_identity
from tests.core.moving import EXISTS, KINDS, Motion, State, folder, group, motion, scope, way
from tests.core.test_order_cases import ANA, BO, CROSSING, access, acl, of, passes, words

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
    assert [words(each) for each in half.actions] == [f"grant {ANA} on g0"]
    assert len(half.refused) == len(WITHOUT_T) - 1
    [reason] = {each.reason for each in half.refused}
    assert "no order of these 5 approved actions is without a bad moment" in reason
    assert f"{BO} lacks read on databricks/ws/secret-scope/t" in reason
    left_out = next(each for each in half.plan.actions if each.address == T)
    assert f"Approve revoke group:g0 on {T} ({left_out.id[:12]}) and 1 more there as well" in reason


def test_the_same_part_goes_as_a_whole_where_the_moment_is_agreed_to() -> None:
    half = part(LOSING_T, WITHOUT_T, {BAD_MOMENT: "nobody works on Sundays"})
    assert {words(each) for each in half.actions} == set(WITHOUT_T) and not half.refused
    given = {half.consents[each.id].overrides.get(BAD_MOMENT) for each in half.actions[1:]}
    assert given == {"nobody works on Sundays"}, "and the record says so"


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
