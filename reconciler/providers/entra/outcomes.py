"""What a reply means for an action: done, refused, failed with the next step, or unknown."""

from __future__ import annotations

from reconciler.core.plan import Action, Outcome, Status
from reconciler.providers.entra.client import Failed
from reconciler.providers.entra.wire import Reply

GUIDE = "see docs/how-to/credentials.md"


def ended(action: Action, status: Status, reason: str = "") -> Outcome:
    """An action's end."""
    return Outcome(action=action.id, status=status, reason=reason)


def already(action: Action) -> Outcome:
    """It holds without a request."""
    return ended(action, Status.ACCEPTED, "it was so already; nothing was sent")


def moved(action: Action, now: str) -> Outcome:
    """Live state is not what consent was given for."""
    before = ", ".join(value or "nothing" for value in action.before)
    return ended(
        action, Status.REFUSED, f"it is {now} now and was approved from {before}: plan and approve again"
    )


def outcome(action: Action, reply: Reply | Failed, right: str) -> Outcome:
    """What became of a request that was about this action; `right` is the permission that it takes."""
    status, reason = judged(reply, right)
    return ended(action, status, reason)


def judged(reply: Reply | Failed, right: str) -> tuple[Status, str]:
    """Status and words of a reply.  A server error may hide an effect, so that only reading can tell."""
    if isinstance(reply, Failed):
        if reply.lost:
            return Status.UNKNOWN, f"{reply}; whether it took effect shows when it is read again"
        return Status.FAILED, f"{reply}; nothing was sent"
    if reply.ok:
        return Status.ACCEPTED, ""
    if reply.status == 429:
        return Status.FAILED, f"{reply.said}; the service is busier than patience lasts: apply again later"
    if reply.status >= 500 or reply.status == 408:
        return Status.UNKNOWN, f"{reply.said}; whether it took effect shows when it is read again"
    if reply.status == 403:
        return Status.FAILED, f"{reply.said}; this identity needs {right}: {GUIDE}"
    return Status.FAILED, reply.said
