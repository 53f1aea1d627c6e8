"""What a write stands on: the group, its holders and the principals, read again immediately before.

Nothing is taken over from planning; Graph offers no compare-and-swap, so that between this reading and the
write that follows a window of one request remains.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.core.model import Address, Value
from reconciler.core.plan import Action
from reconciler.providers.entra.batch import Listing, batch
from reconciler.providers.entra.canonical import GROUP_SELECT, Entry, Group, entry, group
from reconciler.providers.entra.client import Failed, GraphClient
from reconciler.providers.entra.directory import Who
from reconciler.providers.entra.documents import MEMBER, OWNER
from reconciler.providers.entra.pim import Activations, activations
from reconciler.providers.entra.relations import MEMBERS, OWNERS, read_relations
from reconciler.providers.entra.wire import Call, Trouble, query

HOLDERS = (MEMBER, OWNER)
RELATION = {MEMBER: MEMBERS, OWNER: OWNERS}


@dataclass(slots=True, kw_only=True)
class Ground:
    """The present state that actions are merged into."""

    group: Group
    held: dict[str, dict[str, Entry]]
    """By role, who holds it by object id; roles that no action is about may be absent."""
    who: Who
    unasked: dict[str, Trouble]
    """Principals that could not be looked up, by object id."""
    lent: Activations | Trouble

    def present(self, role: str, object_id: str) -> Value | None:
        """The role's own name where the object holds it."""
        return role if object_id in self.held[role] else None


def principal_id(action: Action) -> str:
    """The object that consent was given for; "" where the action names none."""
    return action.object_ids.get(action.attribute.principal, "").lower()


def group_id(address: Address, action: Action) -> str:
    """The group that consent was given for; "" where it did not exist yet."""
    return action.object_ids.get(str(address), "").lower()


async def survey_ground(client: GraphClient, oid: str, actions: Sequence[Action]) -> Ground | Trouble | None:
    """Everything that these actions depend on, as it is now; None when the group no longer exists."""
    roles = [MEMBER] + [OWNER for action in actions[:1] if _about(actions, OWNER)]
    takes = any(action.after is None and action.attribute.role in HOLDERS for action in actions)
    who = Who(client)
    (reply,), relations, unasked, lent = await asyncio.gather(
        batch(client, [Call(path=f"/groups/{oid}" + query(select=GROUP_SELECT))]),
        read_relations(client, [(oid, RELATION[role]) for role in roles]),
        who.learn(ident for ident in map(principal_id, actions) if ident),
        activations(client, [oid] if takes else []),
    )
    if isinstance(reply, Failed):
        return reply.trouble
    if reply.status == 404:
        return None
    if not reply.ok or not isinstance(reply.payload, dict) or not reply.payload.get("id"):
        return Trouble(reply.said, reply.spelt)
    held: dict[str, dict[str, Entry]] = {}
    for role, listing in zip(roles, relations, strict=True):
        if isinstance(listing, Trouble):
            return listing
        held[role] = _by_id(listing)
    return Ground(
        group=group(reply.payload), held=held, who=who, unasked=dict(unasked), lent=lent.get(oid, {})
    )


def _about(actions: Sequence[Action], role: str) -> bool:
    return any(action.attribute.role == role for action in actions)


def _by_id(listing: Listing) -> dict[str, Entry]:
    assert not isinstance(listing, Trouble)
    return {each.id: each for each in map(entry, listing)}
