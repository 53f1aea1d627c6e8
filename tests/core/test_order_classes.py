"""What is told of the rules that an order minds: how many they concern, and a few of them by name."""

from __future__ import annotations

from reconciler.core.effective import EXAMPLES, Rules, rules_of
from reconciler.core.holdings import Holdings
from tests.core.moving import KINDS, Motion, group, motion, scope
from tests.core.test_order_cases import acl, of


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
