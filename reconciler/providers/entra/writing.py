"""Write one group: exactly the approved actions, merged into what is there now.

Its law: a principal that cannot be written stops nobody else, and nothing is sent whose starting point moved.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.model import EXISTS, Address, Verb
from reconciler.core.plan import Action, Outcome, Status
from reconciler.providers.contract import Progress, silent
from reconciler.providers.entra import canonical
from reconciler.providers.entra.batch import batch
from reconciler.providers.entra.canonical import USER
from reconciler.providers.entra.client import Failed, GraphClient
from reconciler.providers.entra.documents import DESCRIPTION, MEMBER, NAME, OWNER
from reconciler.providers.entra.ground import (
    HOLDERS,
    RELATION,
    Ground,
    group_id,
    principal_id,
    survey_ground,
)
from reconciler.providers.entra.outcomes import already, ended, judged, moved, outcome
from reconciler.providers.entra.survey import fold, survey
from reconciler.providers.entra.wire import CHUNK, Call, Reply, Trouble
from reconciler.providers.transport import REFUSED

MEMBERS_RIGHT = "GroupMember.ReadWrite.All"
GROUPS_RIGHT = "Group.ReadWrite.All"
MORE_RIGHTS = {
    "group": ", and perhaps Group.ReadWrite.All to nest a group",
    "sp": ", and perhaps Application.ReadWrite.All to add a service principal",
}
"""Source: Microsoft docs, Add members: the permissions by type of member."""
ROLES_RIGHT = "RoleManagement.ReadWrite.Directory"

_NICKNAME = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(slots=True)
class Writer:
    """One write to one address."""

    client: GraphClient
    address: Address
    progress: Progress = silent
    ends: dict[str, Outcome] = field(default_factory=dict)

    async def write(self, actions: Sequence[Action]) -> list[Outcome]:
        """Carry out the actions, widening first; one outcome each, in the order given."""
        oid = next((found for each in actions if (found := group_id(self.address, each))), "")
        for action in actions:
            if action.verb is Verb.CREATE and action.attribute.role == EXISTS:
                oid = await self._create(action)
        rest = [action for action in actions if action.id not in self.ends]
        if rest:
            await self._on_ground(oid, rest)
        return [self.ends[action.id] for action in actions]

    async def _send(self, calls: Sequence[Call]) -> list[Reply | Failed]:
        replies: list[Reply | Failed] = []
        for start in range(0, len(calls), CHUNK):
            self.progress("changes sent", len(self.ends), 0)
            replies += await batch(self.client, calls[start : start + CHUNK])
        return replies

    def _end(self, *outcomes: Outcome) -> None:
        self.ends.update((each.action, each) for each in outcomes)

    def _end_all(self, actions: Sequence[Action], status: Status, reason: str) -> None:
        self._end(*(ended(action, status, reason) for action in actions))

    async def _create(self, action: Action) -> str:
        """Create the group unless it is there by now; its object id, "" when there is none."""
        name = self.address.locator
        bearers = await self._bearers(name)
        if isinstance(bearers, Trouble):
            reason = f"whether the group exists by now cannot be read: {bearers.reason}; nothing was sent"
            self._end(ended(action, Status.FAILED, reason))
            return ""
        if len(bearers) > 1:
            reason = f"{len(bearers)} groups have this name now ({', '.join(bearers)}): keep one, plan again"
            self._end(ended(action, Status.REFUSED, reason))
            return ""
        if bearers:
            self._end(already(action))
            return bearers[0]
        body = {
            "displayName": name,
            "mailNickname": nickname(name),
            "mailEnabled": False,
            "securityEnabled": True,
        }
        (reply,) = await self._send([Call(path="/groups", method="POST", body=body)])
        self._end(outcome(action, reply, GROUPS_RIGHT))
        if isinstance(reply, Reply) and reply.ok and isinstance(reply.payload, dict):
            return str(reply.payload.get("id", "")).lower()
        return ""

    async def _bearers(self, name: str) -> list[str] | Trouble:
        """Object ids of the groups that have exactly this name now."""
        found = (await survey(self.client, canonical.GROUP, [name])).by_name[fold(name)]
        if isinstance(found, Trouble):
            return found
        return sorted(each.id for each in map(canonical.group, found) if each.name == name)

    async def _on_ground(self, oid: str, actions: Sequence[Action]) -> None:
        """Read everything again, drop what moved, and send the rest."""
        if not oid:
            self._end_all(actions, Status.REFUSED, "the group does not exist: plan again")
            return
        ground = await survey_ground(self.client, oid, actions)
        if ground is None:
            self._end_all(actions, Status.REFUSED, f"group {oid} no longer exists: plan again")
            return
        if isinstance(ground, Trouble):
            reason = f"the group could not be read again: {ground.reason}; nothing was sent"
            self._end_all(actions, Status.FAILED, reason)
            return
        due = [action for action in actions if self._stands(action, ground)]
        await self._change(ground, [action for action in due if action.attribute.role == NAME])
        for role in HOLDERS:
            await self._add(ground, role, [a for a in due if a.attribute.role == role and a.after])
        await self._change(ground, [action for action in due if action.attribute.role == DESCRIPTION])
        for role in HOLDERS:
            await self._remove(ground, role, [a for a in due if a.attribute.role == role and not a.after])
        for action in due:
            if action.attribute.role == EXISTS:
                await self._delete(ground, action)

    def _stands(self, action: Action, ground: Ground) -> bool:
        """Whether the action may still be sent; ends it otherwise."""
        asked = group_id(self.address, action) or ground.group.id
        role = action.attribute.role
        name = ground.group.name
        if asked != ground.group.id:
            now = f"group {ground.group.id} and not {asked}"
            self._end(ended(action, Status.REFUSED, f"it is {now}: plan and approve again"))
        elif role != NAME and name != self.address.locator:
            reason = f"group {asked} is called {name!r} now, not {self.address.locator!r}: plan again"
            self._end(ended(action, Status.REFUSED, reason))
        elif ground.group.read_only and role != EXISTS:
            self._end(ended(action, Status.REFUSED, ground.group.read_only))
        elif role in HOLDERS:
            self._hold(action, ground)
        elif role in (NAME, DESCRIPTION):
            self._property(action, name if role == NAME else ground.group.description)
        return action.id not in self.ends

    def _property(self, action: Action, now: str | None) -> None:
        if now == action.after:
            self._end(already(action))
        elif now not in action.before:
            self._end(moved(action, repr(now) if now else "empty"))

    def _hold(self, action: Action, ground: Ground) -> None:
        """End an action on a holder that already holds, or whose holder or start is not the approved one."""
        role, principal = action.attribute
        oid = principal_id(action)
        if not oid:
            self._end(ended(action, Status.REFUSED, f"{principal} had no object id when planned: plan again"))
            return
        now = ground.present(role, oid)
        known = ground.who.entries.get(oid)
        if oid in ground.unasked:
            reason = f"{principal} could not be looked up again: {ground.unasked[oid].reason}"
            self._end(ended(action, Status.FAILED, f"{reason}; nothing was sent"))
        elif known is not None and not known.answers_to(principal):
            reason = f"{principal} was approved as {oid}, which is {known.principal} now: plan again"
            self._end(ended(action, Status.REFUSED, reason))
        elif now == action.after:
            self._end(already(action))
        elif known is None and action.after:
            self._end(ended(action, Status.REFUSED, f"{principal} ({oid}) no longer exists: plan again"))
        elif now not in action.before:
            self._end(moved(action, now or "nothing"))
        elif not action.after:
            self._lent(action, ground, role, oid)

    def _lent(self, action: Action, ground: Ground, role: str, oid: str) -> None:
        if isinstance(ground.lent, Trouble):
            reason = f"whether PIM activated it cannot be read: {ground.lent.reason}; nothing was sent"
            self._end(ended(action, Status.FAILED, reason))
        elif (role, oid) in ground.lent:
            reason = f"PIM has activated it meanwhile ({ground.lent[role, oid]}); it ends there by itself"
            self._end(ended(action, Status.REFUSED, reason))

    async def _change(self, ground: Ground, actions: Sequence[Action]) -> None:
        """Rename, or describe."""
        for action in actions:
            role = action.attribute.role
            if role == NAME:
                bearers = await self._bearers(str(action.after))
                if isinstance(bearers, Trouble) or bearers:
                    why = bearers.reason if isinstance(bearers, Trouble) else f"is borne by {bearers[0]}"
                    reason = f"the new name {action.after!r} {why}; nothing was sent"
                    status = Status.FAILED if isinstance(bearers, Trouble) else Status.REFUSED
                    self._end(ended(action, status, reason))
                    continue
            property_ = "displayName" if role == NAME else "description"
            call = Call(path=f"/groups/{ground.group.id}", method="PATCH", body={property_: action.after})
            (reply,) = await self._send([call])
            self._end(outcome(action, reply, self._right(ground, GROUPS_RIGHT)))

    async def _add(self, ground: Ground, role: str, actions: Sequence[Action]) -> None:
        """Add holders: members 20 to a request, and one by one where that is refused as a whole.

        Binding several is all or nothing (Microsoft docs: Add members), and owners have no such request.
        """
        size = CHUNK if role == MEMBER else 1
        for start in range(0, len(actions), size):
            chunk = actions[start : start + size]
            if len(chunk) == 1 or not await self._bind(ground, chunk):
                for action in chunk:
                    self._end(await self._add_one(ground, role, action))

    async def _bind(self, ground: Ground, actions: Sequence[Action]) -> bool:
        """Add members in one request; False when it was refused and nobody was added."""
        body = {"members@odata.bind": [self._reference(action) for action in actions]}
        call = Call(path=f"/groups/{ground.group.id}", method="PATCH", body=body)
        (reply,) = await self._send([call])
        status, reason = judged(reply, self._right(ground, MEMBERS_RIGHT))
        if status is Status.FAILED and isinstance(reply, Reply) and reply.status not in (429, REFUSED):
            return False
        self._end_all(actions, status, reason)
        return True

    async def _add_one(self, ground: Ground, role: str, action: Action) -> Outcome:
        path = f"/groups/{ground.group.id}/{RELATION[role]}/$ref"
        call = Call(path=path, method="POST", body={"@odata.id": self._reference(action)})
        (reply,) = await self._send([call])
        if isinstance(reply, Reply) and reply.status == 400 and "already exist" in reply.message:
            return already(action)
        right = MEMBERS_RIGHT if role == MEMBER else GROUPS_RIGHT
        kind = action.attribute.principal.partition(":")[0]
        return outcome(action, reply, self._right(ground, right) + MORE_RIGHTS.get(kind, ""))

    async def _remove(self, ground: Ground, role: str, actions: Sequence[Action]) -> None:
        """Take holders out, the last owner excepted."""
        due = [action for action in actions if role == MEMBER or self._may_go(ground, action)]
        calls = [self._removal(ground, role, action) for action in due]
        right = self._right(ground, MEMBERS_RIGHT if role == MEMBER else GROUPS_RIGHT)
        for action, reply in zip(due, await self._send(calls), strict=True):
            if isinstance(reply, Reply) and reply.status == 409:
                # Another change of the same group was under way, perhaps one of this very batch.
                (reply,) = await self._send([self._removal(ground, role, action)])
            gone = isinstance(reply, Reply) and _is_absent(reply)
            self._end(already(action) if gone else outcome(action, reply, right))
            if gone or (isinstance(reply, Reply) and reply.ok):
                ground.held[role].pop(principal_id(action), None)

    def _may_go(self, ground: Ground, action: Action) -> bool:
        """Whether an owner may go; Entra keeps the last user (Microsoft docs: Remove group owner)."""
        owners = ground.held[OWNER]
        oid = principal_id(action)
        users = {ident for ident, each in owners.items() if each.kind == USER}
        if owners.keys() == {oid} or users == {oid}:
            reason = "it is the last owner, which Entra does not let go: add another owner first"
            self._end(ended(action, Status.REFUSED, reason))
            return False
        owners.pop(oid, None)
        return True

    def _removal(self, ground: Ground, role: str, action: Action) -> Call:
        path = f"/groups/{ground.group.id}/{RELATION[role]}/{principal_id(action)}/$ref"
        return Call(path=path, method="DELETE")

    async def _delete(self, ground: Ground, action: Action) -> None:
        left = len(ground.held[MEMBER])
        if left:
            reason = f"the group still has {left} members: revoke them first; nothing was deleted"
            self._end(ended(action, Status.REFUSED, reason))
            return
        (reply,) = await self._send([Call(path=f"/groups/{ground.group.id}", method="DELETE")])
        self._end(outcome(action, reply, self._right(ground, GROUPS_RIGHT)))

    def _right(self, ground: Ground, right: str) -> str:
        return f"{right} and {ROLES_RIGHT}" if ground.group.role_assignable else right

    def _reference(self, action: Action) -> str:
        return f"{self.client.root()}/directoryObjects/{principal_id(action)}"


def _is_absent(reply: Reply) -> bool:
    """Whether a removal was refused because there was nothing to remove."""
    return reply.status == 404 or (reply.status == 400 and "not exist" in reply.message)


def nickname(name: str) -> str:
    """A mail nickname, which Entra wants even of groups without mail: ASCII, at most 64 characters, unlike.

    Source: Microsoft docs, group resource type, mailNickname.
    """
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    plain: Any = _NICKNAME.sub("-", name).strip("-")[:48]
    return f"{plain}-{digest}" if plain else f"group-{digest}"
