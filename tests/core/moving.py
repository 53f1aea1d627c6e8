"""Small random estates in motion, and a simulator of every moment: plain sets, and people asked one by one.

Nothing of the product's reasoning is used here: who holds what is found by walking memberships and lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import permutations

from hypothesis import strategies as st

from reconciler.core.diff import diff
from reconciler.core.model import Address, Attribute, Found, Live, Wanted
from reconciler.core.plan import Action
from reconciler.providers.registry import VOCABULARIES
from tests.core.estates import HERE, frame, known_identity

KINDS = {kind.name: kind for each in VOCABULARIES for kind in each.kinds}
EXISTS = Attribute("exists")
PEOPLE = ("user:ana", "user:bo", "user:cy")
GROUPS = ("group:g0", "group:g1", "group:g2")
EVERYBODY = "other"

State = dict[Address, dict[Attribute, str]]
Fact = tuple[str, str, str]
"""Person, what on, which part of a right."""


def group(name: str) -> Address:
    return Address("entra", "corp", "group", name.removeprefix("group:"))


def scope(name: str) -> Address:
    return Address("databricks", "ws", "secret-scope", name)


def entitlements(who: str) -> Address:
    return Address("databricks", "ws", "entitlements", who)


def folder(path: str) -> Address:
    return Address("adls", "lake", "folder", path)


def way(path: str) -> Address:
    return Address("adls", "lake", "traverse", path)


@dataclass(frozen=True)
class Motion:
    """Two states of one estate, and the actions between them as the product finds them."""

    before: State
    after: State
    wanted: Sequence[Wanted]
    live: Live
    actions: Sequence[Action]

    @cached_property
    def bounds(self) -> tuple[frozenset[Fact], frozenset[Fact]]:
        """What has to be held at every moment, and what may be."""
        before, after = holds(self.before), holds(self.after)
        return before & after, before | after

    def state(self, done: Iterable[Action]) -> State:
        """What holds once these actions are done."""
        now = {address: dict(facts) for address, facts in self.before.items()}
        for action in done:
            facts = now.setdefault(action.address, {})
            assert (facts.get(action.attribute),) == action.before, "nothing starts from what is not there"
            if action.after is None:
                del facts[action.attribute]
            else:
                facts[action.attribute] = action.after
        return now


def motion(before: State, after: State) -> Motion:
    """The motion between two states, of policies that want the second one."""
    wanted = [
        Wanted(address=address, tenant="t", source=HERE, grants=after[address], adopted=True)
        for address in sorted(after)
    ]
    live = Live(
        found={
            address: Found(address=address, grants=facts, object_id=f"oid-{address.locator}")
            for address, facts in before.items()
        }
    )
    names = {fact.principal for facts in (*before.values(), *after.values()) for fact in facts} - {""}
    people = {name: known_identity(name) for name in names}
    actions = diff(wanted, live, replace(frame(*names, **people), kinds=KINDS)).actions
    return Motion(before, after, wanted, live, actions)


def groups_of(person: str, state: State) -> set[str]:
    """Every group that somebody is in, through whatever nesting."""
    found = {EVERYBODY}
    while True:
        more = {
            f"group:{address.locator}"
            for address, facts in state.items()
            if address.kind == "group"
            for fact in facts
            if fact.role == "member" and (fact.principal == person or fact.principal in found)
        }
        if more <= found:
            return found
        found |= more


def holds(state: State, people: Iterable[str] = PEOPLE) -> frozenset[Fact]:
    """Every part of a right that somebody effectively holds."""
    return frozenset(fact for person in people for fact in _holds(person, groups_of(person, state), state))


def _holds(person: str, groups: set[str], state: State) -> Iterator[Fact]:
    assigned = _assigned(person, groups, state)
    for address, facts in state.items():
        for role in {fact.role for fact in facts if fact.principal}:
            parts = _parts(address, role, facts, person, groups)
            if address.kind == "folder" and not _passes(address, person, groups, state):
                parts = set()
            if address.kind == "entitlements":
                parts &= parts if role == "assignment" or assigned else set()
            where = address.provider if address.kind == "entitlements" else str(address)
            yield from ((person, f"{where} {role}", part) for part in sorted(parts))
            if address.kind == "secret-scope" and not assigned:
                continue
            if address.kind == "secret-scope":
                yield from ((person, f"{where} in the workspace", part) for part in sorted(parts))


def _assigned(person: str, groups: set[str], state: State) -> bool:
    return any(
        fact.role == "assignment" and fact.principal in {person, *groups}
        for address, facts in state.items()
        if address.kind == "entitlements"
        for fact in facts
    )


def _parts(
    address: Address, role: str, facts: Mapping[Attribute, str], person: str, groups: set[str]
) -> set[str]:
    """What a list grants: in a lake whoever has an entry of his own has nothing else."""
    kind = KINDS[address.kind]
    own = facts.get(Attribute(role, person))
    if own is not None and address.kind == "folder" and own != "list":
        return set(kind.parts(role, own))
    found = set(kind.parts(role, own))
    for name in groups:
        found |= kind.parts(role, facts.get(Attribute(role, name)))
    return found


def _passes(address: Address, person: str, groups: set[str], state: State) -> bool:
    """Whether somebody gets to a folder: on each place above it he may execute."""
    names = address.locator.split("/")
    return all(
        _execute("/".join(names[:count]), person, groups, state) for count in range(1, len(names))
    )  # fmt: skip


def _execute(place: str, person: str, groups: set[str], state: State) -> bool:
    """By the one list of a place: an entry of somebody's own decides before those of groups, as in POSIX."""
    entries = _entries(place, state)
    if entries is None:
        return True
    if person in entries:
        return "x" in entries[person]
    return any("x" in entries[name] for name in groups if name in entries)


def _entries(place: str, state: State) -> dict[str, set[str]] | None:
    """The list of a place: what its folder spreads to it, and `x` for who passes; None if there is none."""
    above = [
        address for address in state
        if address.kind == "folder" and (place == address.locator or place.startswith(f"{address.locator}/"))
    ]  # fmt: skip
    if not above and way(place) not in state:
        return None
    entries: dict[str, set[str]] = {}
    for (_, principal), value in state.get(way(place), {}).items():
        entries.setdefault(principal, set()).update(value)
    governor = max(above, key=lambda address: len(address.locator), default=way(place))
    for (role, principal), value in state.get(governor, {}).items():
        if role == "access" and (value != "list" or place == governor.locator):
            entries.setdefault(principal, set()).update("r-x" if value == "list" else value)
    return entries


def bad(motion: Motion, done: Iterable[Action]) -> tuple[frozenset[Fact], frozenset[Fact]]:
    """What somebody lacks, and what somebody holds, that is bad to at a moment."""
    kept, allowed = motion.bounds
    now = holds(motion.state(done))
    return kept - now, now - allowed


def good_moments(motion: Motion, ordered: Sequence[Action]) -> bool:
    """Whether no moment of an order is a bad one."""
    return all(bad(motion, ordered[:count]) == (frozenset(), frozenset()) for count in range(len(ordered)))


def subsets(actions: Sequence[Action]) -> Iterator[list[Action]]:
    """Every set of actions that may have been done while others failed or wait: needs come first."""

    def grow(at: int, chosen: list[Action]) -> Iterator[list[Action]]:
        if at == len(actions):
            yield list(chosen)
            return
        yield from grow(at + 1, chosen)
        if set(actions[at].needs) <= {each.id for each in chosen}:
            yield from grow(at + 1, [*chosen, actions[at]])

    yield from grow(0, [])


def has_good_order(motion: Motion) -> bool:
    """Whether any order at all is good, of those that found a thing before it is used."""
    memo: dict[frozenset[str], bool] = {}
    for ordered in permutations(motion.actions):
        fine = True
        done: list[Action] = []
        for action in ordered[:-1]:
            done.append(action)
            key = frozenset(each.id for each in done)
            if key not in memo:
                memo[key] = bad(motion, done) == (frozenset(), frozenset())
            if not memo[key]:
                fine = False
                break
        if fine and _founded(ordered):
            return True
    return not motion.actions


def _founded(ordered: Sequence[Action]) -> bool:
    """Assignments go before what rests on them and leave after it."""
    place = {(each.address, each.attribute.role): number for number, each in enumerate(ordered)}
    for (address, role), number in place.items():
        first = place.get((address, "assignment"))
        if address.kind != "entitlements" or role == "assignment" or first is None:
            continue
        coming = ordered[number].after is not None
        if coming and ordered[first].after is not None and first > number:
            return False
        if not coming and ordered[first].after is None and first < number:
            return False
    return True


def _some(draw: st.DrawFn, among: Sequence[str]) -> list[str]:
    return sorted(draw(st.sets(st.sampled_from(among), max_size=3)))


@st.composite
def states(draw: st.DrawFn, things: Sequence[Address]) -> State:
    """A random state of these things."""
    return {address: draw(facts(address)) for address in things}


@st.composite
def facts(draw: st.DrawFn, address: Address) -> dict[Attribute, str]:
    """Random facts of one thing."""
    if address.kind == "group":
        inner = [name for name in GROUPS if name > f"group:{address.locator}"]
        return {EXISTS: "present"} | {
            Attribute("member", who): "member" for who in _some(draw, [*PEOPLE, *inner])
        }
    if address.kind == "secret-scope":
        values = st.sampled_from(["READ", "WRITE", "MANAGE"])
        held = {Attribute("acl", who): draw(values) for who in _some(draw, [*PEOPLE[:2], *GROUPS])}
        return {EXISTS: "present"} | held
    if address.kind == "entitlements":
        if not draw(st.booleans()):
            return {}
        roles = ["assignment", *_some(draw, ["workspace-access", "allow-cluster-create"])]
        return {
            Attribute(role, address.locator): "USER" if role == "assignment" else "held" for role in roles
        }
    if address.kind == "traverse":
        return {Attribute("access", who): "--x" for who in _some(draw, [EVERYBODY, *PEOPLE[:2], *GROUPS])}
    values = st.sampled_from(["r-x", "rwx", "list", "---", "r--"])
    held = {Attribute("access", who): draw(values) for who in _some(draw, [*PEOPLE[:2], *GROUPS])}
    return {EXISTS: "present"} | held


THINGS = (
    [group(name) for name in GROUPS] + [scope("s"), scope("t")],
    [group("g0"), group("g1"), entitlements("user:ana"), entitlements("group:g0"), scope("s")],
    [group("g0"), group("g1"), way("c"), way("c/a"), folder("c/a"), folder("c/a/b")],
)
"""What is in an estate: groups and scopes, a workspace, a lake."""


@st.composite
def motions(draw: st.DrawFn, things: Sequence[Address], most: int) -> Motion:
    """Two random states of one estate with few actions between them."""
    before = draw(states(things))
    changed = draw(st.sets(st.sampled_from(things), min_size=1))
    after = {a: draw(facts(a)) if a in changed else before[a] for a in things}
    made = motion(before, after)
    if len(made.actions) > most:
        # The rest stays as it is: the second state is what the first few come to.
        keep = draw(st.permutations(made.actions))[:most]
        made = motion(before, made.state(sorted(keep, key=lambda each: (each.address, each.attribute))))
    return made


@st.composite
def crossings(draw: st.DrawFn, most: int) -> Motion:
    """Two people who change places while a right does as well, with a few facts more or less on either side.

    Random states hardly ever come to a motion without a good order; these often do.
    """
    before, after = _crossing("g0", "g1"), _crossing("g1", "g0")
    if draw(st.booleans()):
        # Nobody keeps t, unless that is left out of what is approved.
        after[scope("t")] = {EXISTS: "present"}
    for state in draw(st.sampled_from([(before,), (after,), (before, after)])):
        for address in draw(st.sets(st.sampled_from(sorted(state)), max_size=2)):
            role = "member" if address.kind == "group" else "acl"
            value = "member" if role == "member" else draw(st.sampled_from(["READ", "WRITE"]))
            who = Attribute(role, draw(st.sampled_from(PEOPLE)))
            if who in state[address] and draw(st.booleans()):
                del state[address][who]
            else:
                state[address][who] = value
    made = motion(before, after)
    keep = draw(st.permutations(made.actions))[:most]
    return motion(before, made.state(sorted(keep, key=lambda each: (each.address, each.attribute))))


def _crossing(bos: str, anas: str) -> State:
    both = dict.fromkeys([Attribute("acl", "group:g0"), Attribute("acl", "group:g1")], "READ")
    return {
        group(bos): {EXISTS: "present", Attribute("member", "user:bo"): "member"},
        group(anas): {EXISTS: "present", Attribute("member", "user:ana"): "member"},
        scope("s"): {EXISTS: "present", Attribute("acl", f"group:{anas}"): "READ"},
        scope("t"): {EXISTS: "present"} | both,
    }
