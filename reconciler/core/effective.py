"""Who reaches which right over what, now and at every step of a plan: the rules that its order has to mind.

A right is held by a person on a target (an address and a role), of its own, through groups whatever their
nesting, and where things lie in a tree only with a way to them.  Only rights that two actions touch are
looked at, and only people for whom both do: one action alone leads from before to after and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

from reconciler.core.holdings import EVERYBODY, Entry, Holdings, Line, Target, is_group
from reconciler.core.model import Kind, Value
from reconciler.core.routes import ALWAYS, NEVER, UNKNOWN, Routes, Rule, both, either, once, rule, until

WAYS = 64
"""Of a tree whose paths differ, ways in which one person may come by one right that are looked at."""
GATES = 4
"""Changing places on the way to a thing of which every choice is looked at; of more, up to two, and all."""
EXAMPLES = 3
"""Cases of one rule that are kept to tell of it."""
STRANGER_ALONE = "user:"
STRANGER = ""
"""Somebody of whom nothing is known but that they may be in groups whose members are not."""


class Case(NamedTuple):
    """For whom a rule is made, as an example: others may be in the same place."""

    person: str
    target: Target
    value: Value
    """The least right with which the part that is at stake comes."""


@dataclass(slots=True)
class Rules:
    """Every rule of a plan once, with some of those whom it is about."""

    cases: dict[Rule, Case] = field(default_factory=dict)
    """The first example of each; the order of rules is that in which they are found."""
    examples: dict[Rule, list[Case]] = field(default_factory=dict)
    """A few cases of each, no two of the same person on the same target, in the order of targets."""
    people: dict[Rule, int] = field(default_factory=dict)
    """For how many pairs of a person and a right it is made: one person may count several times."""

    def add(self, found: Rule, case: Case) -> None:
        """Keep it, and the first few cases of it."""
        self.people[found] = self.people.get(found, 0) + 1
        if found not in self.cases:
            self.cases[found] = case
        examples = self.examples.setdefault(found, [])
        if len(examples) < EXAMPLES and all(each[:2] != case[:2] for each in examples):
            examples.append(case)


class _Edge(NamedTuple):
    """What one entry of a list comes to for one part of a right."""

    had: bool
    has: bool
    there: bool
    """Whether there is an entry before."""
    stays: bool
    action: int
    """-1 where nothing changes."""

    @property
    def routes(self) -> Routes:
        """When the entry gives the part."""
        if self.had:
            return ALWAYS if self.has else until(self.action)
        return once(self.action) if self.has else NEVER

    def outranked(self) -> Routes:
        """When the entry leaves it to the groups of its holder, where own entries come first."""
        if self.there and self.stays:
            return NEVER
        if self.there:
            return ALWAYS if self.had else once(self.action)
        return ALWAYS if self.has or not self.stays else until(self.action)


NO_ENTRY = _Edge(False, False, False, False, -1)
Edges = Mapping[str, tuple[_Edge, ...]]
"""By principal what its entry comes to; several where the paths of a tree hold different ones."""
Ways = tuple[Routes, ...]
"""Each is how somebody comes by a right on some path: one, unless the paths of a tree differ."""


class _Clause(NamedTuple):
    """One thing that must hold: over any of these lists of entries."""

    edges: tuple[Edges, ...]
    own_first: bool


def rules_of(holdings: Holdings) -> Rules:
    """Everything that the order of a plan's actions has to mind."""
    found = Rules()
    for target in holdings.targets():
        if not _crowded(holdings, target):
            continue
        for clauses, value in _atoms(holdings, target):
            _Atom(holdings, clauses, bool(target.address.locator)).judge(target, value, found)
    return found


def _crowded(holdings: Holdings, target: Target) -> bool:
    """Whether more than one action may have a say in a target at all."""
    kind = holdings.kinds[target.address.kind]
    lines = [holdings.line(target)]
    lines += [holdings.line(at) for at, _ in _gate_lines(holdings, target, kind)]
    actions = {move.action for line in lines for entry in line.values() for move in entry.moves}
    if len(actions) > 1:
        return True
    cone = holdings.cone(who for line in lines for who in line if is_group(who))
    return len(actions) + sum(len(holdings.flips(group)) for group in cone) > 1


def _atoms(holdings: Holdings, target: Target) -> Iterator[tuple[list[_Clause], Value]]:
    """Every part of a right on a target, with every choice of ways to it."""
    kind = holdings.kinds[target.address.kind]
    line = holdings.line(target)
    gate_sets = list(_gate_sets(holdings, target, kind))
    seen: set[tuple[object, ...]] = set()
    for part, value in sorted(_parts(kind, target.role, line).items()):
        edges = _edges(line, kind, target.role, part)
        look = tuple(sorted(edges.items()))
        if look in seen:
            continue
        seen.add(look)
        own = _Clause((edges,), kind.own_first)
        for gates in gate_sets:
            yield [own, *gates], value


def _parts(kind: Kind, role: str, line: Line) -> dict[str, Value]:
    """Every part of a right that a list speaks of, with the least right that has it."""
    values = {value for entry in line.values() for value in entry.values() if value is not None}
    parts: dict[str, Value] = {}
    for value in sorted(values, key=lambda each: (len(kind.parts(role, each)), each)):
        for part in kind.parts(role, value):
            parts.setdefault(part, value)
    return parts


def _edges(line: Line, kind: Kind, role: str, part: str | None) -> Edges:
    """What every entry of a list comes to; without a part, any right on it is enough."""
    return {
        who: tuple(dict.fromkeys(_edge(entry, start, kind, role, part) for start in entry.starts))
        for who, entry in line.items()
    }


def _edge(entry: Entry, start: Value | None, kind: Kind, role: str, part: str | None) -> _Edge:
    after, action = entry.move(start)
    if part is None:
        return _Edge(start is not None, after is not None, start is not None, after is not None, action)
    # What is granted on one place of a tree alone outranks nothing below it.
    own = kind.passage.own if kind.passage else None
    return _Edge(
        had=part in kind.parts(role, start),
        has=part in kind.parts(role, after),
        there=start not in (None, own),
        stays=after not in (None, own),
        action=action,
    )


def _gate_sets(holdings: Holdings, target: Target, kind: Kind) -> Iterator[list[_Clause]]:
    """The ways to a thing, as far as they change: each may be open to somebody by what nobody has read."""
    gates = [gate for gate in _gates(holdings, target, kind) if _Atom(holdings, [gate]).changes()]
    sizes = range(len(gates) + 1) if len(gates) <= GATES else (0, 1, 2, len(gates))
    for size in sizes:
        for chosen in combinations(gates, size):
            yield list(chosen)


def _gate_lines(holdings: Holdings, target: Target, kind: Kind) -> Iterator[tuple[Target, str]]:
    """The lists that have a say in the way to a thing, each with the place that it speaks of."""
    if kind.below is not None and target.role != kind.below[1]:
        yield holdings.across(target.address, *kind.below), ""
    if kind.passage is None:
        return
    for place in holdings.above(target.address):
        for name in kind.passage.kinds:
            tree = name in holdings.kinds and holdings.kinds[name].passage is not None
            at = holdings.governing(target.address, name, place, tree=tree)
            if at is not None:
                yield Target(at, kind.passage.role), place


def _gates(holdings: Holdings, target: Target, kind: Kind) -> Iterator[_Clause]:
    """Every place on the way to a thing: somebody may pass by any of its lists."""
    lists: dict[str, list[Edges]] = {}
    for at, place in _gate_lines(holdings, target, kind):
        line, other = holdings.line(at), holdings.kinds[at.address.kind]
        if not line:
            continue
        here = lists.setdefault(place, [])
        if not place or kind.passage is None:
            here.append(_edges(line, other, at.role, None))
            continue
        here.append(_edges(line, other, at.role, kind.passage.part))
        if at.address.locator == place:
            here.append(_edges(line, other, at.role, kind.passage.own))
    for here in lists.values():
        if here:
            yield _Clause(tuple(here), False)


class _Atom:
    """One part of a right on one target, with everything that may lead to it."""

    def __init__(self, holdings: Holdings, clauses: Sequence[_Clause], here: bool = True) -> None:
        self.holdings = holdings
        self.here = here
        """Whether the target is one thing with one list."""
        self.clauses = clauses
        self.edges = [edges for clause in clauses for edges in clause.edges]
        listed = {who for edges in self.edges for who in edges if is_group(who)}
        self.cone = holdings.cone(listed)
        self.opaque = frozenset(group for group in self.cone if not holdings.known(group))
        self.memo: dict[object, tuple[Rule, ...]] = {}

    def changes(self) -> bool:
        """Whether anything that leads here changes at all."""
        return any(edge.had is not edge.has for _, edge in self._every()) or any(
            self.holdings.flips(group) for group in self.cone
        )

    def _every(self) -> Iterator[tuple[str, _Edge]]:
        for edges in self.edges:
            for who, variants in edges.items():
                for edge in variants:
                    yield who, edge

    def judge(self, target: Target, value: Value, found: Rules) -> None:
        """Add the rules of everybody whom two actions concern."""
        for person, everywhere in self._people():
            for made in self._rules(person, everywhere):
                found.add(made, Case(person, target, value))

    def _people(self) -> Iterator[tuple[str, bool]]:
        """Whom to look at; the flag says: as if they were in every group of unknown members."""
        touched, twice = 0, 0
        for edges in self.edges:
            for who, variants in edges.items():
                if any(edge.action >= 0 for edge in variants):
                    bits = self.holdings.bits(who)
                    touched, twice = touched | bits, twice | touched & bits
        for group in sorted(self.cone):
            for child in self.holdings.flips(group):
                bits = self.holdings.bits(child)
                touched, twice = touched | bits, twice | touched & bits
        # Not where one right is held across many things: unknown people would tie all tenants together.
        if self.opaque and touched and self.here:
            losing = {who for who, edge in self._every() if edge.had and not edge.has and not is_group(who)}
            for person in sorted({STRANGER, *losing}):
                yield person, True
        if twice < 0:
            twice &= self._everybody()
        for person in self.holdings.people(twice):
            yield person, False

    def _everybody(self) -> int:
        """All who may be told apart here, and somebody who is none of them."""
        named = {who for edges in self.edges for who in edges} | self.cone.keys() | {STRANGER_ALONE}
        everybody = 0
        for who in sorted(named - {EVERYBODY}):
            everybody |= self.holdings.bits(who)
        return everybody

    def _rules(self, person: str, everywhere: bool) -> tuple[Rule, ...]:
        joined = self._joined(person, everywhere)
        own = tuple(edges.get(person) for edges in self.edges)
        key = (own, tuple(sorted(joined.items())))
        known = self.memo.get(key)
        if known is None:
            known = self.memo[key] = tuple(self._judged(person, joined))
        return known

    def _judged(self, person: str, joined: Mapping[str, Routes]) -> Iterator[Rule]:
        """One rule for each way in which what concerns somebody may lie on a path."""
        into = self._spread(joined)
        about = sorted({person, *into})
        lists = [{who: edges[who] for who in about if who in edges} for edges in self.edges]
        actions = self._actions(lists, joined, into)
        for routes in self._ways(person, into, iter(lists)):
            made = rule(routes, actions)
            if made is not None:
                yield made

    def _ways(self, person: str, into: Mapping[str, Routes], lists: Iterator[Edges]) -> Ways:
        whole: Ways = (ALWAYS,)
        for clause in self.clauses:
            held: Ways = (NEVER,)
            for _ in clause.edges:
                held = _joined(either, held, _listed(next(lists), person, into, clause.own_first))
            whole = _joined(both, whole, held)
        return whole

    def _actions(
        self, lists: Sequence[Edges], joined: Mapping[str, Routes], into: Mapping[str, Routes]
    ) -> frozenset[int]:
        """Every action that has a say in what somebody holds who is in these groups."""
        links = [link for child in into for parent, link in self.cone.get(child, ()) if parent in into]
        routes = (route for link in (*joined.values(), *links) for route in link)
        own = (edge.action for edges in lists for variants in edges.values() for edge in variants)
        return frozenset().union(*(each for route in routes for each in route), filter(_is_action, own))

    def _joined(self, person: str, everywhere: bool) -> dict[str, Routes]:
        """The groups of the cone that somebody is in, or comes into, themselves."""
        found: dict[str, Routes] = {}
        for group in self.cone:
            if group == person or (everywhere and group in self.opaque):
                found[group] = ALWAYS
                continue
            link = self.holdings.link(person, group)
            if link is not None:
                found[group] = link
        return found

    def _spread(self, joined: Mapping[str, Routes]) -> dict[str, Routes]:
        """By group of the cone, the ways into it, through whatever nesting."""
        into = dict(joined)
        queue = list(into)
        while queue:
            child = queue.pop()
            for parent, link in self.cone.get(child, ()):
                wider = either(into.get(parent, NEVER), both(into[child], link))
                if wider != into.get(parent, NEVER):
                    into[parent] = wider
                    queue.append(parent)
        return into


def _is_action(number: int) -> bool:
    return number >= 0


def _joined(join: Callable[[Routes, Routes], Routes], ones: Ways, others: Ways) -> Ways:
    """What comes of any of these with any of those."""
    found = dict.fromkeys(join(one, other) for one in ones for other in others)
    return tuple(found) if len(found) <= WAYS else (UNKNOWN,)


def _listed(edges: Edges, person: str, into: Mapping[str, Routes], own_first: bool) -> Ways:
    """When one list of entries gives the part to somebody who is in these groups."""
    own = edges.get(person, (NO_ENTRY,)) if not is_group(person) else (NO_ENTRY,)
    shared: Ways = (NEVER,)
    for group, routes in into.items():
        if group in edges:
            shared = _joined(either, shared, tuple(both(routes, edge.routes) for edge in edges[group]))
    held = dict.fromkeys(
        either(edge.routes, both(routes, edge.outranked()) if own_first else routes)
        for edge in own
        for routes in shared
    )
    return tuple(held)
