"""Leases on paths and containers: available, leased, breaking, broken, expired, in emulated time.

States and refusals follow the tables of Microsoft's docs on Lease Blob and Lease Container.
"""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.emulator.lake.errors import StorageError
from reconciler.emulator.lake.stamps import SECOND

INFINITE = -1


@dataclass(slots=True)
class Lease:
    """A lease that was acquired once; what it means now depends on the time."""

    id: str
    seconds: int
    """15 to 60, or -1 for ever."""
    since: int
    """Instant of the acquisition or of the last renewal."""
    breaks: int | None = None
    """Instant at which a break takes effect."""
    released: bool = False

    def state(self, now: int) -> str:
        """`available`, `leased`, `breaking`, `broken` or `expired`."""
        if self.released:
            return "available"
        if self.breaks is not None:
            return "broken" if now >= self.breaks else "breaking"
        if self.seconds != INFINITE and now >= self.since + self.seconds * SECOND:
            return "expired"
        return "leased"

    def holds(self, now: int) -> bool:
        """Whether writers must name it."""
        return self.state(now) in ("leased", "breaking")


def state_of(lease: Lease | None, now: int) -> str:
    """The state of a lease that may never have been taken."""
    return "available" if lease is None else lease.state(now)


def headers(lease: Lease | None, now: int) -> list[tuple[str, str]]:
    """`x-ms-lease-*` of a properties response."""
    state = state_of(lease, now)
    locked = state in ("leased", "breaking")
    found = [("x-ms-lease-status", "locked" if locked else "unlocked"), ("x-ms-lease-state", state)]
    if lease is not None and state == "leased":
        found.append(("x-ms-lease-duration", "infinite" if lease.seconds == INFINITE else "fixed"))
    return found


def guard(lease: Lease | None, given: str | None, now: int, kind: str) -> None:
    """Refuse a write that ignores a lease, or names one that is not there; `kind` words the message."""
    held = lease is not None and lease.holds(now)
    if held and not given:
        raise StorageError(
            "LeaseIdMissing",
            f"There is currently a lease on the {kind} and no lease ID was specified in the request.",
        )
    if given and lease is not None and held and lease.id != given.lower():
        raise StorageError(
            f"LeaseIdMismatchWith{kind.capitalize()}Operation" if kind != "resource" else "LeaseIdMismatch",
            f"The lease ID specified did not match the lease ID for the {kind}.",
        )
    if given and not held:
        expired = lease is not None and lease.id == given.lower() and not lease.released
        if expired:
            raise StorageError(
                "LeaseLost", f"A lease ID was specified, but the lease for the {kind} has expired."
            )
        raise StorageError(
            f"LeaseNotPresentWith{kind.capitalize()}Operation" if kind != "resource" else "LeaseNotPresent",
            f"There is currently no lease on the {kind}.",
        )


def acquire(lease: Lease | None, proposed: str, seconds: int, now: int) -> Lease:
    """Take the lease, again under the same id, or anew."""
    state = state_of(lease, now)
    if lease is not None and state == "leased" and lease.id != proposed.lower():
        raise StorageError("LeaseAlreadyPresent")
    if lease is not None and state == "breaking":
        raise StorageError(
            "LeaseIsBreakingAndCannotBeAcquired" if lease.id == proposed.lower() else "LeaseAlreadyPresent"
        )
    return Lease(proposed.lower(), seconds, now)


def _matching(lease: Lease | None, given: str | None, now: int) -> Lease:
    if lease is None or lease.state(now) == "available":
        raise StorageError("LeaseIdMismatchWithLeaseOperation")
    if lease.id != (given or "").lower():
        raise StorageError("LeaseIdMismatchWithLeaseOperation")
    return lease


def renew(lease: Lease | None, given: str | None, now: int) -> Lease:
    """Begin the lease's duration anew."""
    found = _matching(lease, given, now)
    if found.breaks is not None:
        raise StorageError("LeaseIsBrokenAndCannotBeRenewed")
    found.since = now
    return found


def change(lease: Lease | None, given: str | None, proposed: str, now: int) -> Lease:
    """Give the lease another id."""
    state = state_of(lease, now)
    if lease is None or state in ("available", "broken", "expired"):
        raise StorageError("LeaseNotPresentWithLeaseOperation")
    if state == "breaking":
        raise StorageError("LeaseIsBreakingAndCannotBeChanged")
    if (given or "").lower() not in (lease.id, proposed.lower()) or (
        lease.id not in ((given or "").lower(), proposed.lower())
    ):
        raise StorageError("LeaseIdMismatchWithLeaseOperation")
    lease.id = proposed.lower()
    return lease


def release(lease: Lease | None, given: str | None, now: int) -> None:
    """Give the lease back."""
    _matching(lease, given, now).released = True


def break_(lease: Lease | None, period: int | None, now: int, kind: str = "resource") -> int:
    """Begin to end the lease; the answer is the seconds until it is ended."""
    state = state_of(lease, now)
    if lease is None or state == "available":
        raise StorageError("LeaseNotPresentWithLeaseOperation", f"There is currently no lease on the {kind}.")
    if state in ("broken", "expired"):
        lease.breaks = now if lease.breaks is None else lease.breaks
        return 0
    if lease.seconds == INFINITE:
        left = period or 0
    else:
        remaining = max(0, -(-(lease.since + lease.seconds * SECOND - now) // SECOND))
        left = remaining if period is None else min(period, remaining)
    if lease.breaks is not None:
        breaking = max(0, -(-(lease.breaks - now) // SECOND))
        left = breaking if period is None else min(left, breaking)
    lease.breaks = now + left * SECOND
    return left
