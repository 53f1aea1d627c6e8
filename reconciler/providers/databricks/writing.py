"""What both kinds of writes share: which actions still fit, how each ends, and when to look again.

Its law: an action is sent only where the present value is one of those that were approved to start from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.core.model import Address, Attribute, Identity, Presence, Value, Wanted
from reconciler.core.plan import Action, Outcome, Status
from reconciler.providers.contract import Directory, Progress, silent
from reconciler.providers.databricks.canonical import COLLECTIONS, Malformed
from reconciler.providers.databricks.client import Failure
from reconciler.providers.databricks.site import Site

Facts = Mapping[Attribute, Value]
SECOND_THOUGHTS = (1.0, 2.0)
"""Seconds before each further reading of a value that seems to have moved: group caches lag behind writes,
ours of a moment ago included (databrickslabs/ucx, workspace_access/groups)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Actions to carry out on one address."""

    site: Site
    address: Address
    actions: Sequence[Action]
    directory: Directory
    want: Wanted | None
    """What the policies say of the address; None when it was never read in this process."""
    sleep: Callable[[float], None]
    progress: Progress = silent


@dataclass(slots=True)
class Verdicts:
    """How each action ended, as far as it has."""

    actions: Sequence[Action]
    progress: Progress = silent
    ended: dict[str, Outcome] = field(default_factory=dict)

    def end(self, actions: Iterable[Action], status: Status, reason: str = "") -> None:
        """These are settled; the first verdict on an action stands."""
        for action in actions:
            self.ended.setdefault(action.id, Outcome(action=action.id, status=status, reason=reason))

    def open(self, *roles: str) -> list[Action]:
        """Actions without a verdict, in their order; of these roles only where some are given."""
        return [
            action
            for action in self.actions
            if action.id not in self.ended and (not roles or action.attribute.role in roles)
        ]

    def outcomes(self) -> tuple[Outcome, ...]:
        """One outcome per action, in order; raises KeyError if one was forgotten."""
        return tuple(self.ended[action.id] for action in self.actions)

    def defer(self) -> None:
        """Send no more after a lost answer: the service may still be at work on the same thing."""
        text = "not sent: the answer to an earlier write on the same thing was lost; run again"
        self.end(self.open(), Status.DEFERRED, text)

    def send(self, actions: Sequence[Action], call: Callable[[], object]) -> bool:
        """Send one request for these actions and settle them if it failed; False when its answer was lost."""
        self.progress("changes sent", len(self.ended), len(self.actions))
        try:
            call()
        except Failure as failure:
            if failure.lost:
                text = f"{failure.text}; it may have worked, reading again will tell"
                self.end(actions, Status.UNKNOWN, text)
                return False
            self.end(actions, Status.FAILED, failure.text)
        except Malformed as error:
            self.end(actions, Status.FAILED, str(error))
        return True


def people_of(actions: Iterable[Action]) -> set[str]:
    """The principals of these actions whom the directory can be asked about."""
    named = {action.attribute.principal for action in actions}
    return {principal for principal in named if principal.partition(":")[0] in COLLECTIONS}


def resolve(job: Job, verdicts: Verdicts) -> Mapping[str, Identity]:
    """Who the principals are now; refuses the actions whose names have come to mean somebody else.

    ACLs and assignments bind by name, consent was given for an object id.
    """
    identities = job.directory.resolve(sorted(people_of(job.actions)))
    for action in verdicts.open():
        principal = action.attribute.principal
        identity = identities.get(principal)
        if identity is None:
            continue
        meant = action.object_ids.get(principal, "")
        if meant and identity.object_id and meant.lower() != identity.object_id.lower():
            text = f"{principal} is {identity.object_id} now, and the approval was for {meant}; plan again"
            verdicts.end([action], Status.REFUSED, text)
        elif action.after is not None and identity.presence is not Presence.KNOWN:
            reason = identity.reason or str(identity.presence)
            verdicts.end([action], Status.REFUSED, f"{principal}: {reason}; nothing was sent")
    return identities


def judge(verdicts: Verdicts, facts: Facts) -> list[Action]:
    """Accept what already holds; the actions whose present value is none that was approved."""
    moved = []
    for action in verdicts.open():
        present = facts.get(action.attribute)
        if present == action.after:
            verdicts.end([action], Status.ACCEPTED, "it was so already; nothing was sent")
        elif present not in action.before:
            moved.append(action)
    return moved


def judge_calmly(verdicts: Verdicts, read: Callable[[], Facts], sleep: Callable[[float], None]) -> None:
    """Judge what is there now, and refuse what moved once two later readings say so too.

    Raises what reading raises: Failure, Malformed, Ambiguous.
    """
    facts = read()
    moved = judge(verdicts, facts)
    for pause in SECOND_THOUGHTS:
        if not moved:
            return
        sleep(pause)
        facts = read()
        moved = judge(verdicts, facts)
    for action in moved:
        now = facts.get(action.attribute) or "not there"
        expected = " or ".join(value or "nothing" for value in action.before)
        text = f"moved: it is {now}, and the approval starts from {expected}; plan again"
        verdicts.end([action], Status.REFUSED, text)


def unreadable(verdicts: Verdicts, error: Exception) -> None:
    """Nothing can be sent on top of what cannot be seen."""
    text = f"could not be read right before writing, so nothing was sent: {error}"
    verdicts.end(verdicts.open(), Status.FAILED, text)
