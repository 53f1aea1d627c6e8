"""What is told of the rules that an order minds: how many they concern, and a few of them by name."""

from __future__ import annotations

from reconciler.core.effective import EXAMPLES, Rules, rules_of
from reconciler.core.holdings import Holdings
from reconciler.core.model import Attribute
from reconciler.core.nesting import FEW
from reconciler.core.order import arrange
from tests.core.moving import KINDS, Motion, State, folder, group, motion, scope, way
from tests.core.test_order_cases import ANA, G0, access, acl, of, passes, words


def rules(moved: Motion) -> Rules:
    return rules_of(Holdings(moved.actions, KINDS, moved.live, moved.wanted))


def test_of_each_rule_a_few_cases_are_told_and_all_are_counted() -> None:
    """People in both groups keep two parts of a right on one scope: two pairs each, and no name twice."""
    for count in (2, 5):
        people = [f"user:u{n}" for n in range(count)]
        around = {group("g0"): of(*people), group("g1"): of(*people)}
        before, after = (acl(**{name: "WRITE", "cy": "READ"}) for name in ("g0", "g1"))
        found = rules(motion({**around, scope("s"): before}, {**around, scope("s"): after}))
        [rule] = found.cases
        assert [case.person for case in found.examples[rule]] == people[:EXAMPLES]
        assert found.cases[rule] == found.examples[rule][0]
        assert found.people[rule] == count * len(KINDS["secret-scope"].parts("acl", "WRITE"))


def test_what_is_kept_over_many_places_is_kept_over_each() -> None:
    """Ten lists of two ways each would be a thousand ways: each of them is a rule by itself."""
    place, around = "c", {group("g0"): of(ANA), group("g1"): of(ANA)}
    before, after = State(around), State(around)
    for depth in range(10):
        before[way(place)], after[way(place)] = passes(g0="--x"), passes(g1="--x")
        place = f"{place}/d{depth}"
    before[folder(place)], after[folder(place)] = access(g0="r-x"), access(g1="r-x")
    moved = motion(before, after)
    found = arrange(moved.actions, KINDS, moved.wanted, moved.live)
    assert len(found.actions) == 22 and not found.knots
    needs = [each.needs for each in found.actions]
    assert needs[:11] == [()] * 11 and all(len(each) == 1 for each in needs[11:]), (
        "each grant, then its revoke"
    )


def test_ways_at_once_over_two_lists_are_each_closed_by_themselves() -> None:
    """Ana is in 20 groups that lose the folder and 20 that come to pass: 400 ways to let her in."""
    old, new = [f"gold{n}" for n in range(20)], [f"gnew{n}" for n in range(20)]
    around = {group(name): of(ANA) for name in (*old, *new)}
    before: State = {**around, way("c"): passes(), folder("c/a"): access(**dict.fromkeys(old, "r-x"))}
    after: State = {**around, way("c"): passes(**dict.fromkeys(new, "--x")), folder("c/a"): access()}
    moved = motion(before, after)
    found = arrange(moved.actions, KINDS, moved.wanted, moved.live)
    assert not found.knots
    revokes = {each.id for each in found.actions if each.address == folder("c/a")}
    assert len(revokes) == 20
    assert all(set(each.needs) == revokes for each in found.actions if each.id not in revokes)


def needs(moved: Motion) -> dict[str, set[str]]:
    found = arrange(moved.actions, KINDS, moved.wanted, moved.live)
    assert not found.knots
    names = {each.id: words(each) for each in found.actions}
    return {words(each): {names[need] for need in each.needs} for each in found.actions}


def test_whoever_needs_nothing_does_not_speak_for_the_rest_of_a_crowd() -> None:
    """Of many people in both groups, some hold the scope by entries of their own."""
    people = [f"user:u{n}" for n in range(200)]
    around = {group("g0"): of(*people), group("g1"): of(*people)}
    own = {Attribute("acl", who): "READ" for who in people[:-1]}
    before: State = {**around, scope("s"): acl(g0="READ") | own}
    after: State = {**around, scope("s"): acl(g1="READ") | own}
    assert needs(motion(before, after))["revoke group:g0 on s"] == {"grant group:g1 on s"}
    for few in (2, 100):
        around = {group("g0"): of(*people), group("g1"): of(*people[:few]), group("g2"): of(*people[1:])}
        before, after = (
            {**around, scope("s"): acl(g0="READ")},
            {**around, scope("s"): acl(g1="READ", g2="READ")},
        )
        found = needs(motion(before, after))
        assert found["revoke group:g0 on s"] == {"grant group:g1 on s", "grant group:g2 on s"}


def test_more_ways_than_are_looked_at_are_unknown_behind_a_group_as_well() -> None:
    """Ana is in a group that comes into 17 others, each of which comes into 17 that hold the scope so far."""
    inner, outer = [f"gi{n}" for n in range(17)], [f"go{n}" for n in range(17)]
    held = acl(**dict.fromkeys(outer, "READ"))
    before: State = {
        group("g0"): of(ANA),
        **{group(name): of() for name in (*inner, *outer)},
        scope("s"): held,
    }
    after: State = {group("g0"): of(ANA), **{group(name): of(G0) for name in inner}, scope("s"): acl()}
    after |= {group(name): of(*(f"group:{each}" for each in inner)) for name in outer}
    moved = motion(before, after)
    [knot] = arrange(moved.actions, KINDS, moved.wanted, moved.live).knots
    assert len(knot.actions) == len(moved.actions) == 17 + 17 * 17 + 17


def test_what_everybody_holds_counts_beside_very_many_groups() -> None:
    inside = {group(f"g{n}"): of() for n in range(1, FEW + 2)}
    around: State = {
        way("c"): passes(other="--x"), **inside,
        group("g0"): of(*(f"group:{each.locator}" for each in inside)),
    }  # fmt: skip
    before: State = {**around, folder("c/a"): access(g0="r-x", other="r-x")}
    after: State = {**around, folder("c/a"): access(g0="r-x", ana="r-x")}
    assert needs(motion(before, after))["revoke other on c/a"] == {f"grant {ANA} on c/a"}
