"""The plan: the ordered actions of one run, with everything that was not planned and why.

Its law: equal inputs give equal bytes, and an action's id fits exactly one transition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from reconciler.core.model import (
    Address,
    Attribute,
    Evidence,
    Finding,
    Gap,
    Reading,
    Source,
    Value,
    Verb,
)


class Cause(StrEnum):
    """Why an action is needed."""

    MISSING = "missing"
    """The policy asks for it and it is not there."""
    CHANGED = "changed"
    """It is there with another right."""
    UNLISTED = "unlisted"
    """It is there and the document does not list it."""
    EXPIRED = "expired"
    RETIRED = "retired"
    RENAMED = "renamed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One transition that somebody can consent to.

    Its id covers environment, verb, address, attribute, before, after, until and object ids, nothing else.
    """

    id: str
    environment: str
    verb: Verb
    address: Address
    attribute: Attribute
    before: tuple[Value | None, ...]
    """The values from which it may start: one, or for a lake tree every value met there."""
    after: Value | None
    until: date | None
    object_ids: Mapping[str, str]
    """Object ids of the thing (under its address) and of the principal (under its name), where known."""
    tenant: str
    cause: Cause
    source: Source
    because: str = ""
    needs: tuple[str, ...] = ()
    """Ids of actions that must be verified before this one may be sent."""
    evidence: Evidence = field(default_factory=Evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """A wanted fact that could not become an action: it touches nothing and nobody."""

    address: Address
    attribute: Attribute
    tenant: str
    source: Source
    reason: str
    stage: str = "blocked"
    """`blocked`, or `next` for what follows once this plan's creations are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A guardrail's finding about a plan."""

    rule: str
    text: str
    actions: tuple[str, ...]
    """The ids that it refuses: the whole counted group."""
    tenant: str = ""
    overridable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that one run decided, ready to be shown, saved or approved."""

    environment: str
    revision: str
    """The commit that the policies were read from, or `working tree`."""
    as_of: date
    actions: tuple[Action, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    gaps: tuple[Gap, ...] = ()
    findings: tuple[Finding, ...] = ()
    violations: tuple[Violation, ...] = ()
    problems: tuple[str, ...] = ()
    """Errors in tenants' documents that did not stop the others, each as `file:line:column: message`."""
    unpinned: tuple[str, ...] = ()
    """Principals whose names no lock entry pins to an object id yet."""
    managed: int = 0
    """How many things were compared."""
    readings: tuple[Reading, ...] = ()
    """How each place was read that has more to tell of it than that it was."""
    digest: str = ""


class Status(StrEnum):
    """How an action ended.  Only `verified` says that the effect was seen."""

    ACCEPTED = "accepted"
    VERIFIED = "verified"
    PARTIAL = "partial"
    """Some of a tree holds it and some does not: requests left, so its consent is spent."""
    REFUSED = "refused"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one action, in words that name the next step where there is one."""

    action: str
    status: Status
    reason: str = ""
    remark: str = ""
    """What has to be known of it even when it worked; it is told with a verified end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consented:
    """Which approval carries an action, for the record."""

    approval: str
    """The fingerprint of the approval's content: consent is spent per approval and action."""
    file: str
    approvers: tuple[str, ...]
    overrides: Mapping[str, str] = field(default_factory=dict)
    """Guardrails that it let pass for this action, with the reasons given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedPlan:
    """A plan of which these actions, and only these, may be sent: each is approved, unspent and fits live."""

    plan: Plan
    actions: tuple[Action, ...]
    refused: Sequence[Outcome] = ()
    """Approved actions that may not be sent, with the reason: spent, over a guardrail, self-approved."""
    consents: Mapping[str, Consented] = field(default_factory=dict)
    """By action id, the approval that carries it."""
    sought: frozenset[str] = frozenset()
    """Ids of planned actions that somebody asked for, be it that they were refused or have moved since."""
    outside: frozenset[str] = frozenset()
    """Ids of planned actions that were approved, and that a saved plan does not hold."""
    remarks: Mapping[str, str] = field(default_factory=dict)
    """By action id, what has to be known of it once it is done."""

    def absence(self, ident: str) -> str:
        """Why a planned action is not among these, in words that follow "which is"."""
        if any(outcome.action == ident for outcome in self.refused):
            return "refused"
        return "outside the saved plan" if ident in self.outside else "not approved"
