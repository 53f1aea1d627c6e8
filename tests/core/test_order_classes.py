"""What is told of the rules that an order minds: how many they concern, and a few of them by name."""

from __future__ import annotations

from reconciler.core.effective import EXAMPLES, Rules, rules_of
from reconciler.core.holdings import Holdings
from reconciler.core.order import arrange
from tests.core.moving import KINDS, Motion, State, folder, group, motion, scope, way
from tests.core.test_order_cases import ANA, access, acl, of, passes


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
