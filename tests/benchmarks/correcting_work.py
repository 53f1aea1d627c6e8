"""Plan the corrections of one tree, in a process of its own: `python -m tests.benchmarks.correcting_work`.

Takes the name of a shape and how many paths have drifted.  Prints what the plan takes, what it would take at
least, and the seconds; the seconds of making the paths up are taken off.

The least is found without the planner.  A request visits 2,000 neighbours of a listing at most, so that as
many of those stretches as it takes to cover what has drifted are the least for any plan at all.  Where
overrides are nested, a call lives only over a subtree of one value, as it would give everybody else a
stranger's right: there the least is the sum over the largest such subtrees, or over single writes in them.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from reconciler.providers.adls.acl import Acl, parse
from reconciler.providers.adls.correcting.planning import plan
from reconciler.providers.adls.correcting.requests import PAGE, Need, Recursive, cost

FILES = 99
"""In each directory of the flat shapes."""
FAN, DEPTH = 20, 4
"""Files and directories in each directory of nested overrides, and how deep they go."""
OVERRIDES = 100


class Path(NamedTuple):
    """One made-up path, and whether it holds too little (-1), too much (1) or what it should (0)."""

    name: str
    value: int
    directory: bool
    off: int


def uniform(drifted: int) -> Iterator[Path]:
    """A tree on which one grant is missing everywhere."""
    return _flat(drifted, lambda: True)


def scattered(drifted: int) -> Iterator[Path]:
    """A tree in which one path of a hundred has drifted."""
    random = Random(1)
    return _flat(100 * drifted, lambda: random.random() < 0.01)


def _flat(paths: int, off: Callable[[], bool]) -> Iterator[Path]:
    yield Path("lake/top", 0, True, -off())
    made = 1
    for directory in range(paths):
        if made == paths:
            return
        above = f"lake/top/d{directory:07}"
        yield Path(above, 0, True, -off())
        made += 1
        for number in range(min(FILES, paths - made)):
            yield Path(f"{above}/part-{number:05}.parquet", 0, False, -off())
        made += min(FILES, paths - made)


def nested(drifted: int) -> Iterator[Path]:
    """A tree whose directories grant somebody else here and there, half of all paths having drifted."""
    random, left = Random(1), [2 * drifted]

    def below(name: str, value: int, depth: int) -> Iterator[Path]:
        if left[0] > 0:
            left[0] -= 1
            yield Path(name, value, True, -(random.random() < 0.5))
        for number in range(min(FAN, left[0])):
            left[0] -= 1
            yield Path(f"{name}/_{number:02}", value, False, -(random.random() < 0.5))
        for number in range(FAN if depth < DEPTH else 0):
            other = random.randrange(1, 1 + OVERRIDES) if random.random() < 0.05 else value
            if left[0] > 0:
                yield from below(f"{name}/d{number:02}", other, depth + 1)

    return below("lake/top", 0, 0)


SHAPES: dict[str, Callable[[int], Iterator[Path]]] = {
    "uniform": uniform,
    "scattered": scattered,
    "nested": nested,
}


@dataclass(slots=True)
class Asked:
    """A shape as the planner is asked about it: every walk makes the paths up anew."""

    make: Callable[[], Iterator[Path]]
    needs: list[Need] = field(default_factory=list)
    numbers: dict[tuple[int, bool, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for _, value, directory, off in self.make():
            key = value, directory, off
            if key not in self.numbers:
                self.numbers[key] = len(self.needs)
                held = _acl(value, directory) if not off else _acl(None, directory)
                self.needs.append(Need(held, _acl(value, directory), directory))

    def __iter__(self) -> Iterator[tuple[str, int]]:
        numbers = self.numbers
        return ((name, numbers[value, directory, off]) for name, value, directory, off in self.make())


def _acl(value: int | None, directory: bool) -> Acl:
    named = "" if value is None else f",group:00000000-0000-4000-8000-{value:012}:r-x,mask::r-x"
    text = f"user::rwx,group::r-x{named},other::---"
    return parse(f"{text},{','.join(f'default:{entry}' for entry in text.split(','))}" if directory else text)


def stretches(paths: Iterator[Path]) -> int:
    """How many neighbourhoods of a request's size cover all that has drifted."""
    count, end = 0, 0
    for at, path in enumerate(paths):
        if path.off and at >= end:
            count, end = count + 1, at + PAGE
    return count


def provinces(paths: Iterator[Path]) -> int:
    """The least where a call may go over paths of one value only."""
    stack: list[list[int]] = []  # depth, value or -1 for several, paths, the least so far
    total = 0

    def close() -> None:
        nonlocal total
        _, value, size, least = stack.pop()
        best = least if value < 0 else min(least, -(-size // PAGE))
        if not stack:
            total = best
            return
        above = stack[-1]
        above[1] = above[1] if above[1] == value else -1
        above[2] += size
        above[3] += best

    for name, value, directory, off in paths:
        depth = name.count("/")
        while stack and stack[-1][0] >= depth:
            close()
        if directory:
            stack.append([depth, value, 1, abs(off)])
        else:
            stack[-1][2] += 1
            stack[-1][3] += abs(off)
    while stack:
        close()
    return total


def main(shape: str, drifted: int) -> dict[str, float]:
    """What the plan takes, and what it would take at least."""
    make = SHAPES[shape]
    asked = Asked(lambda: make(drifted))
    start = time.process_time()
    paths = sum(1 for _ in asked)
    making = time.process_time() - start
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    clock, start = time.perf_counter(), time.process_time()
    calls = plan(asked, asked.needs)
    took = time.process_time() - start
    return {
        "requests": cost(calls),
        "recursive": sum(isinstance(call, Recursive) for call in calls),
        "least": (provinces if shape == "nested" else stretches)(make(drifted)),
        "paths": paths,
        "drifted": sum(path.off != 0 for path in make(drifted)),
        "needs": len(asked.needs),
        # The planner walks the paths twice.
        "cpu": took - 2 * making,
        "wall": (time.perf_counter() - clock) * (took - 2 * making) / took,
        "MiB before": before,
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]))))
