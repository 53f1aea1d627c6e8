"""What a planner of corrections is asked, and what it answers: needs of paths, and calls to the service."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from reconciler.providers.adls.acl import Acl

PAGE = 2_000
"""Paths that one recursive request visits at most (SDK source: maxRecords)."""


class Need(NamedTuple):
    """What paths that are alike hold, and what they are to hold."""

    before: Acl
    after: Acl | None
    """None where nothing may change: not approved, in a gap, in another document's tree."""
    directory: bool


class Single(NamedTuple):
    """`setAccessControl`: one path gets this whole list."""

    path: str
    acl: Acl


class Recursive(NamedTuple):
    """`setAccessControlRecursive`: a directory and everything below it."""

    path: str
    mode: str
    """`set`, `modify` or `remove`."""
    entries: str
    """As `x-ms-acl` takes them; without permissions where they are removed."""
    paths: int
    """How many paths it visits, the directory itself included."""
    requests: int


Call = Single | Recursive


def cost(calls: Iterable[Call]) -> int:
    """How many requests these calls take."""
    return sum(1 if isinstance(call, Single) else call.requests for call in calls)
