"""Writes that take many requests: what names one, and how far it has come."""

from __future__ import annotations

from typing import NamedTuple


class Course(NamedTuple):
    """A write that goes on over many requests, each from where the last one ended.

    Equal courses on one address do the same, so that a later run can go on where an interrupted one stopped.
    """

    path: str
    """Where it begins, in the provider's own words."""
    mode: str
    entries: str
    """What is written, as the service takes it; never a secret value."""


class Mark(NamedTuple):
    """How far a course has come."""

    token: str
    """What the service wants to hear to go on; "" once the course has ended."""
    done: int
    """Paths that it has visited, in the order in which the service lists them."""
