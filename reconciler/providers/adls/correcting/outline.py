"""A tree as far as its requests depend on it: directories with their sizes, and how many files of which need.

Its law: paths come in listing order, and twice in the same one, as a tree of millions is not kept by name.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from reconciler.providers.adls.correcting.requests import Need

Leaves = tuple[tuple[int, int], ...]
"""Files directly in a directory: number of the need, number of files."""


@dataclass(slots=True)
class Outline:
    """The directories of one tree in listing order, the topmost first."""

    parents: array[int] = field(default_factory=lambda: array("l"))
    """-1 for the topmost."""
    depths: array[int] = field(default_factory=lambda: array("h"))
    needs: array[int] = field(default_factory=lambda: array("l"))
    sizes: array[int] = field(default_factory=lambda: array("q"))
    """Paths that a recursive call visits, the directory itself included."""
    leaves: list[Leaves] = field(default_factory=list)
    counts: dict[int, int] = field(default_factory=dict)
    """Paths of the whole tree by number of need."""

    def __len__(self) -> int:
        return len(self.parents)

    def held(self) -> list[int]:
        """By directory, the needs in its subtree, as bits."""
        held = [0] * len(self)
        files: dict[Leaves, int] = {}
        known: dict[int, int] = {}
        for number in range(len(self) - 1, -1, -1):
            leaves = self.leaves[number]
            if leaves not in files:
                files[leaves] = sum(1 << leaf for leaf, _ in leaves)
            bits = held[number] | files[leaves] | 1 << self.needs[number]
            held[number] = known.setdefault(bits, bits)
            if number:
                held[self.parents[number]] |= bits
        return held


Step = tuple[str, int, int, int]
"""One path on a walk: its name, the number of its need, the number of the directory around it (-1 for the
topmost path), and its own number where it is a directory, else -1."""


def walk(paths: Iterable[tuple[str, int]], needs: Sequence[Need]) -> Iterator[Step]:
    """Every path with its place; raises ValueError for one that is not in listing order.

    The topmost path counts as a directory whatever its need says: it is what a call would begin at.
    """
    directories = [need.directory for need in needs]
    bases: list[str] = []
    numbers: list[int] = []
    base, around, number = "", -1, 0
    for path, need in paths:
        while not path.startswith(base):
            bases.pop()
            numbers.pop()
            if not bases:
                raise ValueError(f"{path!r} is not below the first path, or not in listing order")
            base, around = bases[-1], numbers[-1]
        if number and not directories[need]:
            yield path, need, around, -1
            continue
        yield path, need, around, number
        base, around = f"{path}/" if path else "", number
        bases.append(base)
        numbers.append(number)
        number += 1


def outline(paths: Iterable[tuple[str, int]], needs: Sequence[Need]) -> Outline:
    """The outline of a tree whose paths come in listing order; raises ValueError where they do not."""
    tree = Outline()
    files: list[dict[int, int] | None] = []
    for _, need, around, number in walk(paths, needs):
        tree.counts[need] = tree.counts.get(need, 0) + 1
        if number >= 0:
            tree.parents.append(around)
            tree.depths.append(tree.depths[around] + 1 if around >= 0 else 1)
            tree.needs.append(need)
            files.append(None)
            continue
        here = files[around]
        if here is None:
            here = files[around] = {}
        here[need] = here.get(need, 0) + 1
    _measure(tree, files)
    return tree


def _measure(tree: Outline, files: list[dict[int, int] | None]) -> None:
    """Sizes from the bottom up; directories with equal files share what is said of them."""
    known: dict[Leaves, Leaves] = {}
    tree.sizes = array("q", bytes(8 * len(tree)))
    for number in range(len(tree) - 1, -1, -1):
        leaves = tuple(sorted((files.pop() or {}).items()))
        tree.leaves.append(known.setdefault(leaves, leaves))
        tree.sizes[number] += 1 + sum(count for _, count in leaves)
        if number:
            tree.sizes[tree.parents[number]] += tree.sizes[number]
    tree.leaves.reverse()
