"""Who is in a group only because PIM for Groups let them in for a time.

An activation shows up as an ordinary member, and removing it would break an emergency access that somebody
approved elsewhere (Microsoft docs: PIM for Groups, assignmentScheduleInstances).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from reconciler.providers.entra.batch import listings
from reconciler.providers.entra.client import GraphClient
from reconciler.providers.entra.wire import Call, Trouble, literal, query

Activations = Mapping[tuple[str, str], str]
"""Role (`member`, `owner`) and object id of each activation, with when it ends."""

PATH = "/identityGovernance/privilegedAccess/group/assignmentScheduleInstances"
RIGHT = "PrivilegedAssignmentSchedule.Read.AzureADGroup"
UNLICENSED = "AadPremiumLicenseRequired"
"""The tenant has no licence for PIM, so that nothing in it can be activated."""


def pim_call(group_id: str) -> Call:
    """The active assignments of one group; the filter is required."""
    condition = f"groupId%20eq%20{literal(group_id)}"
    return Call(
        path="/identityGovernance/privilegedAccess/group/assignmentScheduleInstances"
        + query(filter=condition)
    )


async def activations(client: GraphClient, group_ids: Sequence[str]) -> dict[str, Activations | Trouble]:
    """Activations of each group; what cannot be read is a trouble, as it may hide one."""
    answers = await listings(client, [pim_call(oid) for oid in group_ids])
    found: dict[str, Activations | Trouble] = {}
    for oid, answer in zip(group_ids, answers, strict=True):
        found[oid] = told(answer) if isinstance(answer, Trouble) else lent(answer)
    return found


def told(trouble: Trouble) -> Activations | Trouble:
    """A trouble with the missing right named; none at all where the tenant has no PIM."""
    if UNLICENSED in trouble.status or UNLICENSED in trouble.reason:
        return {}
    if trouble.status.startswith("403"):
        return Trouble(f"{trouble.reason}; it needs the Graph permission {RIGHT}", trouble.status)
    return trouble


def lent(instances: Iterable[Mapping[str, object]]) -> Activations:
    """The instances that end by themselves: activated ones, and assignments with an end."""
    found: dict[tuple[str, str], str] = {}
    for one in instances:
        ends = str(one.get("endDateTime") or "")
        if ends or str(one.get("assignmentType") or "").lower() == "activated":
            role, oid = (
                str(one.get("accessId") or "member").lower(),
                str(one.get("principalId") or "").lower(),
            )
            found[role, oid] = f"until {ends}" if ends else "no end given"
    return found
