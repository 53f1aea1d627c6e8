"""Small random trees with lists that are to change, and the fewest requests that any order of calls needs."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from reconciler.providers.adls.acl import Acl, Conflict, Entry, merge, parse
from reconciler.providers.adls.canonical import parsed
from reconciler.providers.adls.correcting.candidates import Candidate, candidates
from reconciler.providers.adls.correcting.requests import Call, Need, Single
from reconciler.providers.adls.correcting.semantics import between, effect, same

WHO = [f"00000000-0000-4000-8000-00000000000{number}" for number in range(3)]
RIGHTS = ["---", "r--", "r-x", "rwx"]


@dataclass(frozen=True)
class Tree:
    """Paths in listing order, each with the number of its need."""

    paths: list[tuple[str, int]]
    needs: list[Need]
    page: int

    def under(self, top: str) -> list[int]:
        """The places of a path and of everything below it."""
        return [at for at, (path, _) in enumerate(self.paths) if path == top or path.startswith(f"{top}/")]


def scope(random: Random, prefix: str) -> str:
    named = {who: random.choice(RIGHTS) for who in WHO if random.random() < 0.4}
    parts = ["user::rwx", f"group::{random.choice(['r-x', '---'])}"]
    parts += [f"group:{who}:{bits}" for who, bits in named.items()]
    parts += [f"mask::{random.choice(['rwx', 'rwx', 'r-x', 'r--'])}"] if named else []
    parts += [f"other::{random.choice(['---', '---', '---', '--x'])}"]
    return ",".join(prefix + part for part in parts)


def before(random: Random, directory: bool) -> Acl:
    text = scope(random, "")
    return parse(f"{text},{scope(random, 'default:')}" if directory and random.random() < 0.6 else text)


def wished(random: Random, acl: Acl, directory: bool, changes: dict[Entry, int | None]) -> Acl | None:
    """What the path is to hold: None for one on which nothing may change."""
    if random.random() < 0.08:
        return None
    try:
        return merge(acl, changes, changes if directory else {})
    except Conflict:
        return None


def tree(random: Random, most: int = 6) -> Tree:
    """A random tree, most of whose paths have few lists between them."""
    changes: dict[Entry, int | None] = {}
    for who in random.sample(WHO, random.choice([1, 1, 2])):
        changes[Entry("group", who)] = random.choice([None, 5, 5, 7])
    others: dict[Entry, int | None] = {Entry("group", WHO[0]): 7}
    lists = {directory: [before(random, directory) for _ in range(2)] for directory in (True, False)}
    needs: list[Need] = []

    def need(directory: bool) -> int:
        acl = random.choice(lists[directory])
        after = wished(random, acl, directory, others if random.random() < 0.1 else changes)
        found = Need(acl, acl if random.random() < 0.1 else after, directory)
        if found not in needs:
            needs.append(found)
        return needs.index(found)

    directories = ["t"]
    found = {"t": need(True)}
    for number in range(random.randint(most // 2, most - 1)):
        directory = random.random() < 0.5
        path = f"{random.choice(directories)}/{number}"
        found[path] = need(directory)
        directories += [path] if directory else []
    order = sorted(found, key=lambda path: path.split("/"))
    return Tree([(path, found[path]) for path in order], needs, random.choice([1, 2, 3, 4, 9]))


def wishes(here: Tree, limit: int) -> list[Candidate]:
    """The recursive calls that the planner thinks about."""
    counts: dict[int, int] = {}
    for _, number in here.paths:
        counts[number] = counts.get(number, 0) + 1
    return candidates(here.needs, counts, limit)


def fewest(here: Tree, limit: int, known: int) -> int:
    """The requests of the cheapest of all sequences of calls without a bad moment, by trying them.

    `known` is what some plan takes: only what may become cheaper is followed.
    """
    chosen = wishes(here, limit)
    start = tuple(here.needs[number].before.text for _, number in here.paths)
    costs = {start: 0}
    queue = [(0, start)]
    effects: dict[tuple[int, str, Candidate], str] = {}
    ends: dict[tuple[int, str], bool] = {}
    under = [here.under(path) if here.needs[number].directory else [] for path, number in here.paths]
    while queue:
        cost, state = heapq.heappop(queue)
        if cost > costs[state]:
            continue
        if not left(here, state, ends):
            return cost
        for price, following in steps(here, chosen, state, under, effects):
            total = cost + price
            # A request reaches a page of paths at most.
            if total + -(-left(here, following, ends) // here.page) >= known:
                continue
            if total < costs.get(following, known):
                costs[following] = total
                heapq.heappush(queue, (total, following))
    return known


def left(here: Tree, state: Sequence[str], ends: dict[tuple[int, str], bool]) -> int:
    """How many paths do not hold what they are to hold."""
    count = 0
    for (_, number), text in zip(here.paths, state, strict=True):
        key = number, text
        if key not in ends:
            need = here.needs[number]
            ends[key] = same(parsed(text), need.after or need.before, need.directory)
        count += not ends[key]
    return count


def steps(
    here: Tree,
    chosen: Sequence[Candidate],
    state: tuple[str, ...],
    under: Sequence[Sequence[int]],
    known: dict[tuple[int, str, Candidate], str],
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Every call that may be sent now, with its price and what the paths hold after it."""
    for at, (_, number) in enumerate(here.paths):
        after = here.needs[number].after
        if after is not None and state[at] != after.text:
            yield 1, (*state[:at], after.text, *state[at + 1 :])
        for call in chosen if under[at] else ():
            following = list(state)
            for place in under[at]:
                key = here.paths[place][1], state[place], call
                made = known.get(key)
                if made is None:
                    made = known[key] = moved(here.needs[key[0]], state[place], call)
                if not made:
                    break
                following[place] = made
            else:
                yield -(-len(under[at]) // here.page), tuple(following)


def moved(need: Need, now: str, call: Candidate) -> str:
    """What a recursive call makes of one path; "" where nobody may pass through that."""
    made = effect(call.mode, call.entries, now, need.directory)
    return made.text if made is not None and allowed(need, made) else ""


def allowed(need: Need, now: Acl) -> bool:
    if need.after is None:
        return same(now, need.before, need.directory)
    return between(need.before, now, need.after, need.directory)


def done(here: Tree, state: Sequence[Acl]) -> bool:
    """Whether every path holds what it is to hold."""
    needs = [here.needs[number] for _, number in here.paths]
    return all(
        same(now, need.after or need.before, need.directory) for now, need in zip(state, needs, strict=True)
    )


def carried_out(here: Tree, calls: Sequence[Call]) -> list[Acl]:
    """What the paths hold after these calls; an assertion fails at the first bad moment."""
    state = [here.needs[number].before for _, number in here.paths]
    places = {path: at for at, (path, _) in enumerate(here.paths)}
    for call in calls:
        under = [places[call.path]] if isinstance(call, Single) else here.under(call.path)
        for place in under:
            need = here.needs[here.paths[place][1]]
            if isinstance(call, Single):
                assert need.after is not None, f"{call.path} may not be written"
                made: Acl | None = call.acl
            else:
                made = effect(call.mode, call.entries, state[place].text, need.directory)
            assert made is not None and allowed(need, made), f"{call} at {here.paths[place][0]}"
            state[place] = made
    return state
