"""Put actions into an order in which nobody has a bad moment, and say what each waits for.

Its law: between any two writes, whoever holds a right before and after holds it, and whoever holds it neither
before nor after does not; whatever of the plan is approved, fails or goes together.  An action runs once all
that it needs is verified, so any order that heeds `needs` is a good one.

Where that leaves a choice, access is widened before it is narrowed: create, grant, raise, set, lower, revoke,
delete, then by kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from heapq import heapify, heappop, heappush

from reconciler.core.effective import Rules, rules_of
from reconciler.core.holdings import Holdings, simple
from reconciler.core.model import EXISTS, Address, Evidence, Kind, Live, Verb, Wanted
from reconciler.core.moments import Broken, Knot, Moment
from reconciler.core.plan import Action, Blocked, Cause
from reconciler.core.routes import Rule
from reconciler.core.sequence import Arranged, moments, sequence

RANK = {verb: place for place, verb in enumerate(Verb)}
WIDENING = frozenset({Verb.CREATE, Verb.GRANT, Verb.RAISE, Verb.SET})
NARROWING = frozenset({Verb.LOWER, Verb.REVOKE})
NEXT = "next"
"""The stage of what is planned once this plan's creations are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The actions in the order in which they run, and what no order can mend."""

    actions: tuple[Action, ...]
    """Each with the ids that it needs verified first."""
    knots: tuple[Knot, ...] = ()
    """Actions that lead through a bad moment in whatever order."""
    waiting: tuple[Blocked, ...] = ()
    """Actions that are left out, as what replaces what they take is planned in the next stage only."""
    lenient: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By action, those of its needs that are there only so that nobody is let in for a moment: where they are
    not approved, he is let in by what stays, and nothing has to wait for them."""


def order(
    actions: Iterable[Action],
    kinds: Mapping[str, Kind],
    wanted: Sequence[Wanted] = (),
    live: Live | None = None,
) -> tuple[Action, ...]:
    """The actions in the order in which they run, each with the ids that it needs verified first."""
    return arrange(actions, kinds, wanted, live).actions


def arrange(
    actions: Iterable[Action],
    kinds: Mapping[str, Kind],
    wanted: Sequence[Wanted] = (),
    live: Live | None = None,
    blocked: Sequence[Blocked] = (),
) -> Order:
    """Put a plan's actions into order; what they need already is heeded.

    `blocked` are the facts that a later stage follows with: nothing is taken away that they replace.
    """
    # In two steps, as what comes from a comparison is in order of address already, however much it is.
    ordered = sorted(actions, key=_place)
    ordered.sort(key=lambda action: _band(action, kinds))
    ordered = _founded(ordered, kinds)
    if simple(ordered, kinds):
        return Order(actions=_in_line(ordered))
    holdings = partial(Holdings, kinds=kinds, live=live or Live(), wanted=wanted)
    later = _later(blocked, wanted) if any(takes_away(action) for action in ordered) else []
    if not later:
        return _Weighing(ordered, holdings(ordered)).weigh()
    looking_ahead = _Weighing([*ordered, *later], holdings([*ordered, *later]))
    kept, waiting = looking_ahead.without(len(ordered))
    return replace(_Weighing(kept, holdings(kept)).weigh(), waiting=tuple(waiting))


def _place(action: Action) -> tuple[object, ...]:
    return action.address, action.attribute, tuple(value or "" for value in action.before)


def _band(action: Action, kinds: Mapping[str, Kind]) -> tuple[int, int, bool]:
    kind = kinds[action.address.kind]
    # What must hold first (an assignment) goes before what rests on it, and away after it.
    leads = (action.attribute.role == kind.first) is (action.verb not in WIDENING)
    return RANK[action.verb], kind.rank, leads


def _later(blocked: Iterable[Blocked], wanted: Iterable[Wanted]) -> list[Action]:
    """What the next stage will grant, as actions that this plan never runs."""
    waiting = [each for each in blocked if each.stage == NEXT and each.attribute.principal]
    grants = {want.address: want.grants for want in wanted} if waiting else {}
    return [
        Action(
            id=f"next-{number}",
            environment="",
            verb=Verb.GRANT,
            address=each.address,
            attribute=each.attribute,
            before=(None,),
            after=grants[each.address][each.attribute],
            until=None,
            object_ids={},
            tenant=each.tenant,
            cause=Cause.MISSING,
            source=each.source,
            evidence=NO_EVIDENCE,
        )
        for number, each in enumerate(waiting)
        if each.attribute in grants.get(each.address, ())
    ]


NO_EVIDENCE = Evidence()


class _Weighing:
    """The actions of a plan in their first order, and what was found of them."""

    def __init__(self, actions: Sequence[Action], holdings: Holdings) -> None:
        self.actions = actions
        self.rules: Rules = rules_of(holdings)
        place = {action.id: number for number, action in enumerate(actions)}
        self.musts = {
            number: [place[need] for need in action.needs if need in place]
            for number, action in enumerate(actions)
            if action.needs
        }
        self.found: Arranged = sequence(range(len(actions)), list(self.rules.cases), self.musts)

    def weigh(self) -> Order:
        """Put the actions into line with what each needs, and tell the knots."""
        found = self.found
        whole = [
            self._needing(number, found.keeps, found.cuts, found.chain) for number in range(len(self.actions))
        ]
        firm = {
            number: {
                each for needs in (self.musts, found.keeps, found.chain) for each in needs.get(number, ())
            }
            for number in found.cuts
        }
        return Order(
            actions=_in_line(whole),
            knots=tuple(self._knot(knot, whole) for knot in found.knots),
            lenient={
                self.actions[number].id: frozenset(self.actions[each].id for each in cuts - firm[number])
                for number, cuts in found.cuts.items()
            },
        )

    def _needing(self, number: int, *needs: Mapping[int, set[int]]) -> Action:
        action = self.actions[number]
        ids = {self.actions[first].id for each in needs for first in each.get(number, ())}
        return replace(action, needs=tuple(sorted({*action.needs, *ids}))) if ids else action

    def without(self, planned: int) -> tuple[list[Action], list[Blocked]]:
        """The first so many actions, without those that take what only the rest replaces; and these."""
        out = self._out(planned)
        kept = [self._needing(number, self.found.keeps) for number in range(planned) if number not in out]
        chosen = sorted(number for number in out if number < planned)
        return kept, [_waiting(self.actions[number], self._reason(number, planned)) for number in chosen]

    def _out(self, planned: int) -> set[int]:
        """What is not for this plan, and everything that needs some of it."""
        followers: dict[int, list[int]] = {}
        for needs in (self.found.keeps, self.found.cuts, self.found.chain, self.musts):
            for number, firsts in needs.items():
                for first in firsts:
                    followers.setdefault(first, []).append(number)
        for knot in self.found.knots:
            for number in knot:
                # A knot goes as a whole.
                followers.setdefault(number, []).extend(knot)
        out = set(range(planned, len(self.actions)))
        queue = list(out)
        while queue:
            for number in followers.get(queue.pop(), ()):
                if number not in out:
                    out.add(number)
                    queue.append(number)
        return out

    def _reason(self, number: int, planned: int) -> str:
        firsts = [self.actions[each] for each in sorted(self.found.keeps.get(number, ())) if each >= planned]
        if firsts:
            return f"stays until what replaces it is there: {_who_where(firsts[0])}"
        cuts = sorted(self.found.cuts.get(number, ()))
        if cuts:
            return f"waits until somebody whom it would let in has left: {_who_where(self.actions[cuts[0]])}"
        return "waits for what follows in the next stage"

    def _knot(self, knot: Sequence[int], whole: Sequence[Action]) -> Knot:
        about = [rule for rule in self.rules.cases if not rule.actions().isdisjoint(knot)]
        return Knot(
            actions=[whole[number] for number in knot],
            moments=[
                Moment(
                    after=whole[first],
                    until=whole[following],
                    broken=[self._broken(about[number]) for number in broken],
                )
                for first, following, broken in moments(knot, about, self.found.chain[knot[0]])
            ],
            shortest=self.found.roundabout.isdisjoint(knot),
            sure=self.found.unsure.isdisjoint(knot) and not any(rule.unknown for rule in about),
        )

    def _broken(self, rule: Rule) -> Broken:
        return Broken(
            case=self.rules.cases[rule],
            kept=rule.kept,
            rights=self.rules.people[rule],
            examples=tuple(self.rules.examples[rule]),
            unknown=bool(rule.unknown),
        )


def _who_where(action: Action) -> str:
    return f"{action.attribute.principal or action.attribute.role} on {action.address}"


def _waiting(action: Action, reason: str) -> Blocked:
    return Blocked(
        address=action.address,
        attribute=action.attribute,
        tenant=action.tenant,
        source=action.source,
        reason=reason,
        stage=NEXT,
    )


def _in_line(actions: Sequence[Action]) -> tuple[Action, ...]:
    """The actions, each after all that it needs, and otherwise as they come; raises nothing for a circle."""
    place = {action.id: number for number, action in enumerate(actions) if action.needs}
    if not place:
        return tuple(actions)
    place = {action.id: number for number, action in enumerate(actions)}
    firsts = [{place[need] for need in action.needs if need in place} for action in actions]
    followers: dict[int, list[int]] = {}
    for number, needs in enumerate(firsts):
        for first in needs:
            followers.setdefault(first, []).append(number)
    open_ = [len(needs) for needs in firsts]
    heap = [number for number, count in enumerate(open_) if not count]
    heapify(heap)
    line = []
    while heap:
        number = heappop(heap)
        line.append(number)
        for follower in followers.get(number, ()):
            open_[follower] -= 1
            if not open_[follower]:
                heappush(heap, follower)
    rest = [number for number, count in enumerate(open_) if count] if len(line) < len(actions) else []
    return tuple(actions[number] for number in (*line, *rest))


def _founded(ordered: Sequence[Action], kinds: Mapping[str, Kind]) -> list[Action]:
    """The actions, each with what its own thing, or its place in a tree, asks for first."""
    surroundings: dict[Address, _Surroundings] = {}
    for action in ordered:
        place = surroundings.get(action.address)
        if place is None:
            place = surroundings[action.address] = _Surroundings(kinds[action.address.kind])
        place.add(action)
    moving = _moving(ordered, kinds)
    return [
        replace(action, needs=tuple(sorted({*action.needs, *needs}))) if needs else action
        for action in ordered
        for needs in [surroundings[action.address].needs(action) | moving.get(action.id, frozenset())]
    ]


def _moving(ordered: Sequence[Action], kinds: Mapping[str, Kind]) -> dict[str, frozenset[str]]:
    """For things that move within a tree: the way to the new place first, and that to the old one last."""
    needs: dict[str, frozenset[str]] = {}
    for move in ordered:
        passage = kinds[move.address.kind].passage
        if passage is None or move.attribute.role != "name" or not move.before[0]:
            continue
        old, new = move.before[0], move.address.locator
        first = set()
        for action in ordered:
            ways = action.address[:2] == move.address[:2] and action.address.kind in passage.kinds
            if not ways or not action.attribute.principal:
                continue
            place = f"{action.address.locator}/"
            if new.startswith(place) and action.verb in WIDENING:
                first.add(action.id)
            elif old.startswith(place) and action.verb in NARROWING and not new.startswith(place):
                needs[action.id] = needs.get(action.id, frozenset()) | {move.id}
        needs[move.id] = frozenset(first)
    return needs


class _Surroundings:
    """The actions of one address, indexed by what others of the same address may need of them."""

    def __init__(self, kind: Kind) -> None:
        self.first = kind.first
        self.by_path = kind.passage is not None
        """Whether it is found by its name alone, so that it is written to under its new one."""
        self.founding: dict[str, str] = {}
        """Role (`exists`, `name`, the kind's first role) to the id of its widening action."""
        self.narrowing: list[str] = []

    def add(self, action: Action) -> None:
        role = action.attribute.role
        if action.verb in WIDENING and role in (EXISTS, "name", self.first):
            self.founding[role] = action.id
        if action.verb in NARROWING:
            self.narrowing.append(action.id)

    def needs(self, action: Action) -> frozenset[str]:
        """What must be verified first; what rests on a thing is narrowed before the thing itself goes."""
        if action.verb in WIDENING:
            return frozenset(self._founding(action.attribute.role)) if self.founding else NOBODY
        renamed = NOBODY
        if self.by_path and "name" in self.founding:
            renamed = frozenset({self.founding["name"]})
        leaving = action.verb is Verb.REVOKE and action.attribute.role == self.first
        if leaving or action.verb is Verb.DELETE:
            return renamed | frozenset(self.narrowing) - {action.id}
        return renamed

    def _founding(self, role: str) -> Iterator[str]:
        for founding in (EXISTS, "name", self.first):
            if role == founding:
                return
            if founding in self.founding:
                yield self.founding[founding]


NOBODY: frozenset[str] = frozenset()


def takes_away(action: Action) -> bool:
    """Whether somebody may hold less after this action: what removal guardrails count."""
    if action.verb is Verb.DELETE:
        return True
    if action.verb is Verb.SET:
        return bool(action.attribute.principal) and action.attribute.role != EXISTS
    return action.verb in NARROWING
