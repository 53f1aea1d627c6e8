"""Access control lists for people: with names in place of object ids, and no longer than a line or three.

What is written here is evidence beside an action; nothing reads it back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from reconciler.providers.adls.acl import SPELLED, Entry, Scope

NONE = "-"
"""How the absence of a list is written, as with counts."""
LONGEST = 240
"""Characters of named entries after which the rest is only counted: a list may hold 28 of them, and a name
256 characters."""


class Held(NamedTuple):
    """An access list or a default list by what it says, however it is spelt: two equal ones are one list."""

    owner: int
    group: int
    other: int
    mask: int
    """-1 where there is none."""
    named: tuple[tuple[Entry, int], ...]


def held(scope: Scope | None) -> Held | None:
    """The list as it is counted; None where a path has none."""
    if scope is None:
        return None
    mask = -1 if scope.mask is None else scope.mask
    return Held(scope.owner, scope.group, scope.other, mask, tuple(sorted(scope.named.items())))


def readable(one: Held | None, name: Callable[[Entry], str], first: Collection[Entry] = ()) -> str:
    """The list in the service's own order, cut short where it names many; entries of `first` are kept.

    `owner rwx, user:eve@corp.example rwx, owning group r-x, group:pricing-ds r-x, mask rwx, other ---`: two
    colons in a row, as the service writes them, would steer the log of a runner.
    """
    if one is None:
        return NONE
    texts = {entry: f"{_who(entry, name)} {SPELLED[bits]}" for entry, bits in one.named}
    shown: set[Entry] = set()
    size = 0
    for entry in sorted(texts, key=lambda each: (each not in first, texts[each])):
        size += len(texts[entry]) + 2
        if shown and size > LONGEST:
            break
        shown.add(entry)
    more = len(texts) - len(shown)
    return ", ".join(
        [
            f"owner {SPELLED[one.owner]}",
            *sorted(texts[entry] for entry in shown if entry.kind == "user"),
            f"owning group {SPELLED[one.group]}",
            *sorted(texts[entry] for entry in shown if entry.kind == "group"),
            *([f"{more} more named"] if more else []),
            *([f"mask {SPELLED[one.mask]}"] if one.mask >= 0 else []),
            f"other {SPELLED[one.other]}",
        ]
    )


def _who(entry: Entry, name: Callable[[Entry], str]) -> str:
    """Whom an entry is for; the sort of entry with the bare id where nobody is behind it."""
    known = name(entry)
    return f"{entry.kind}:{entry.who}" if known.startswith("id:") else known
