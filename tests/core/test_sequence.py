"""The search for an order: against every permutation, for rules of any shape."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations
from random import Random

import pytest

from reconciler.core import knots
from reconciler.core import sequence as searching
from reconciler.core.routes import Route, Rule, minimal, rule
from reconciler.core.sequence import Musts, sequence

ACTIONS = range(6)
Problem = tuple[list[Rule], dict[int, set[int]]]


def problem(number: int) -> Problem:
    """Rules about six actions, and which of them go before which; every number is another problem.

    Of these a third has no good order, and a tenth has one that passes do not find.
    """
    chance = Random(number)

    def few(most: int) -> frozenset[int]:
        return frozenset(chance.sample(ACTIONS, chance.randint(0, most)))

    def route() -> Route:
        adds = few(2)
        return Route(adds, few(2) - adds)

    rights = [minimal(route() for _ in range(chance.randint(1, 3))) for _ in range(12)]
    made = [each for each in (rule(right, frozenset()) for right in rights) if each is not None]
    musts: dict[int, set[int]] = {}
    for first, then in chance.sample(list(combinations(ACTIONS, 2)), chance.randint(0, 2)):
        musts.setdefault(then, set()).add(first)
    return made, musts


PROBLEMS = [problem(number) for number in range(600)]


def is_good(order: Sequence[int], rules: Sequence[Rule], musts: Musts) -> bool:
    """Whether no rule is broken after any action, and nothing is done too early."""
    done: set[int] = set()
    for action in order:
        if not done.issuperset(musts.get(action, ())):
            return False
        done.add(action)
        if any(each.broken(done) for each in rules):
            return False
    return True


def badness(order: Sequence[int], rules: Sequence[Rule]) -> int:
    """In how many states along an order something is broken."""
    return sum(any(each.broken(set(order[:count])) for each in rules) for count in range(len(order)))


def test_a_knot_is_told_only_where_no_order_is_good() -> None:
    for rules, musts in PROBLEMS:
        found = sequence(ACTIONS, rules, musts)
        exists = any(is_good(order, rules, musts) for order in permutations(ACTIONS))
        assert bool(found.knots) is not exists
        assert not found.unsure, "six actions are looked at to the end"


def test_any_order_that_heeds_what_was_found_is_good() -> None:
    for rules, musts in PROBLEMS:
        found = sequence(ACTIONS, rules, musts)
        knotted = {action for knot in found.knots for action in knot}
        needs = {
            action: {each for needs in reasons for each in needs.get(action, ())}
            for reasons in [(musts, found.keeps, found.cuts, found.chain)]
            for action in ACTIONS
        }
        for size in range(len(ACTIONS) + 1):
            for chosen in map(set, combinations(ACTIONS, size)):
                whole = all(chosen.issuperset(knot) or chosen.isdisjoint(knot) for knot in found.knots)
                if whole and all(needs[action] <= chosen for action in chosen):
                    assert not any(each.broken(chosen) for each in rules)
                elif chosen.isdisjoint(knotted):
                    missing = {need for action in chosen for need in needs[action]} - chosen
                    assert missing, "whatever it was that is broken, something in it was not waited for"


def test_a_search_that_ends_early_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    neither_first = [Rule(False, (_route({0}, {1}),)), Rule(False, (_route({1}, {0}),))]
    hanging_on = [Rule(False, (_route({0, each}, {1}),)) for each in range(2, 8)]
    rules = [*neither_first, *hanging_on]
    whole = sequence(range(8), rules, {})
    assert whole.knots and not whole.unsure
    monkeypatch.setattr(searching, "STATES", 10)
    cut = sequence(range(8), rules, {})
    assert set(*cut.knots) == set(*whole.knots) == cut.unsure == {0, 1}


def test_an_early_mistake_among_many_actions_is_mended() -> None:
    """Who does 0 first never gets to 2, and learns so only after everything else was tried in any order."""
    many = range(4, 40)
    rules = [
        Rule(False, (_route({0, 2}, {3}),)),
        *(Rule(False, (_route({0, 2, each}, {3}),)) for each in many),
    ]
    found = sequence(range(40), rules, {3: {2}})
    assert not found.knots and not found.unsure
    assert found.cuts[0] == {3}


def test_a_moment_that_may_not_be_the_shortest_is_not_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    rules, musts = next(each for each in PROBLEMS if sequence(ACTIONS, *each).knots)
    assert not sequence(ACTIONS, rules, musts).roundabout
    monkeypatch.setattr(knots, "LARGE", 1)
    found = sequence(ACTIONS, rules, musts)
    assert found.roundabout == {action for knot in found.knots for action in knot}


def _route(adds: set[int], removals: set[int]) -> Route:
    return Route(frozenset(adds), frozenset(removals))


def test_the_moment_of_a_knot_is_as_short_as_can_be() -> None:
    for rules, musts in PROBLEMS:
        found = sequence(ACTIONS, rules, musts)
        knotted = {action for knot in found.knots for action in knot}
        follow = {action for action in found.chain if action not in knotted}
        free = [action for action in ACTIONS if action not in knotted | follow]
        if len(found.knots) != 1:
            continue
        [knot] = found.knots
        left = [*knot, *follow]
        lengths = [badness([*free, *order], rules) for order in permutations(left) if heeds(order, musts)]
        assert badness([*free, *knot], rules) == min(lengths)


def heeds(order: Sequence[int], musts: Musts) -> bool:
    """Whether nothing is done before what of the order must go first."""
    return not any(must in order[at:] for at, each in enumerate(order) for must in musts.get(each, ()))
