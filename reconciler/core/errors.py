"""Errors by whose fault they are; each message names the thing, the place and the next step."""

from __future__ import annotations


class ReconcilerError(Exception):
    """Something that a person has to mend; its text is all that the person is shown."""


class PolicyError(ReconcilerError):
    """The policies are wrong in a way that leaves nothing to plan."""


class Unreviewed(ReconcilerError):
    """A change that nobody has reviewed says where to sign in; nothing was sent there."""


class BadPlanFile(ReconcilerError):
    """A plan file was edited, damaged, or made by another version."""


class StoreError(ReconcilerError):
    """The environment's store cannot be read or written; nothing was sent."""


class Locked(ReconcilerError):
    """Another run holds the environment's lock; the message names it."""


class Unusable(ReconcilerError):
    """Nothing can be asked of a system at all: its text says what is wrong, where, and what to do next.

    Raised where settings or credentials are found wanting before anything is read; once a provider
    reads, the same trouble is a gap for everything that it was asked for.
    """
