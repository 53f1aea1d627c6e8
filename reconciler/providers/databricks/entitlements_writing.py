"""Write one principal's place in a workspace: assignment first, then entitlements, and out in reverse.

Its law: a PATCH names what it adds and what it removes, and an assignment is never written as an empty
list, which the service would take for a removal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.core.model import Attribute, Identity, Value
from reconciler.core.plan import Action, Outcome, Status
from reconciler.providers.contract import Unusable
from reconciler.providers.databricks.canonical import COLLECTIONS, GROUP, Malformed, Resident
from reconciler.providers.databricks.client import SCIM_PATCH, Failure
from reconciler.providers.databricks.entitlements_reading import facts_of
from reconciler.providers.databricks.joining import Stuck, principal_id
from reconciler.providers.databricks.kinds import ASSIGNMENT
from reconciler.providers.databricks.people import WORKSPACE_SCIM, People
from reconciler.providers.databricks.roster import Ambiguous, wire_name
from reconciler.providers.databricks.writing import Job, Verdicts, judge_calmly, resolve, unreadable

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
SCIM_WRITE = "scim-write"
"""PATCH of users and service principals: no limit is published for a workspace."""
APPEARING = (1.0, 2.0, 4.0, 8.0)
"""Seconds before trying again to change somebody whom SCIM does not show yet, right after an assignment."""
READ_ERRORS = (Failure, Malformed, Ambiguous)


class _Writer:
    """One job on one principal in one workspace."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.site = job.site
        self.principal = job.address.locator
        self.kind = self.principal.partition(":")[0]
        self.verdicts = Verdicts(job.actions, job.progress)
        self.identities: Mapping[str, Identity] = {}
        self.resident: Resident | None = None
        self.permission: Value | None = None

    def run(self) -> Sequence[Outcome]:
        verdicts = self.verdicts
        self.identities = resolve(self.job, verdicts)
        try:
            judge_calmly(verdicts, self._read, self.job.sleep)
        except READ_ERRORS as error:
            unreadable(verdicts, error)
        if self._join() and self._entitle():
            self._leave()
        return verdicts.outcomes()

    @property
    def identity(self) -> Identity:
        return self.identities[self.principal]

    def _ident(self) -> str:
        """The principal's Databricks id; raises what `principal_id` raises."""
        if self.resident is not None:
            return self.resident.id
        return principal_id(self.site, self.principal, self.identity)

    def _read(self) -> Mapping[Attribute, Value]:
        """What the principal holds now; raises what READ_ERRORS lists."""
        people = People(self.site.host)
        people.some(self.kind, [wire_name(self.principal, self.identity)])
        match = people.roster.match(self.principal, self.identity)
        if match.resident is None and not match.conflict:
            people.whole(self.kind)
            match = people.roster.match(self.principal, self.identity)
        if match.conflict:
            raise Ambiguous(match.conflict)
        self.resident = match.resident
        held = self.site.assigned().get(match.resident.id) if match.resident else None
        self.permission = held.permission if held else None
        if match.resident is None:
            return {}
        want = self.job.want
        listed = dict(want.grants) if want else {}
        # What an action speaks of is not settled away from under it.
        listed.update({action.attribute: action.after or "" for action in self.job.actions})
        return facts_of(self.principal, match.resident, self.permission, listed)

    def _join(self) -> bool:
        """Assign, or narrow an assignment to plain use; False when an answer was lost."""
        actions = [action for action in self.verdicts.open(ASSIGNMENT) if action.after is not None]
        if not actions:
            return True
        after = actions[0].after
        assert after is not None
        try:
            ident = (
                self.resident.id if self.resident else principal_id(self.site, self.principal, self.identity)
            )
        except (Failure, Stuck, Unusable, Malformed) as error:
            # Even where the account was being told of it: that is no assignment, and gives nobody anything.
            self.verdicts.end(actions, Status.FAILED, f"{error}; nothing was assigned")
            return True
        if not self.verdicts.send(actions, lambda: self.site.assign(ident, after)):
            self.verdicts.defer()
            return False
        if self.verdicts.open(ASSIGNMENT):
            self.permission = after
            self.resident = self.resident or Resident(kind=self.kind, id=ident, name=self.principal)
        self.verdicts.end(actions, Status.ACCEPTED)
        return True

    def _entitle(self) -> bool:
        """Add and remove entitlements in one request; False when its answer was lost."""
        actions = [action for action in self.verdicts.open() if action.attribute.role != ASSIGNMENT]
        grants = [action for action in actions if action.after is not None]
        if self.permission is None:
            text = f"{self.principal} is not assigned to the workspace; approve its assignment first"
            self.verdicts.end(grants, Status.REFUSED, text)
            actions = [action for action in actions if action.after is None]
        if not actions or self.resident is None:
            return True
        whole = self._patch(actions)
        if whole and len(actions) > 1 and all(self._was_refused(action) for action in actions):
            # One value that the service will not take fails the whole request: find out which.
            return all(self._patch([action]) for action in self._again(actions))
        return whole

    def _was_refused(self, action: Action) -> bool:
        outcome = self.verdicts.ended.get(action.id)
        return outcome is not None and outcome.status is Status.FAILED and "answered 400" in outcome.reason

    def _again(self, actions: Sequence[Action]) -> Sequence[Action]:
        for action in actions:
            del self.verdicts.ended[action.id]
        return actions

    def _patch(self, actions: Sequence[Action]) -> bool:
        if not self.verdicts.send(actions, lambda: self._send_patch(actions)):
            self.verdicts.defer()
            return False
        self.verdicts.end(actions, Status.ACCEPTED)
        return True

    def _send_patch(self, actions: Sequence[Action]) -> None:
        """One PATCH; raises Failure.  Somebody just assigned may take seconds to appear."""
        assert self.resident is not None
        path = f"{WORKSPACE_SCIM}/{COLLECTIONS[self.kind]}/{self.resident.id}"
        rate = SCIM_PATCH if self.kind == GROUP else SCIM_WRITE
        for pause in (*APPEARING, None):
            try:
                self.site.host.send("PATCH", path, rate, patch_of(actions))
                return
            except Failure as failure:
                if failure.status == 400 and _nothing_to_remove(failure, actions):
                    return
                if failure.status != 404 or pause is None:
                    raise
                self.job.sleep(pause)

    def _leave(self) -> None:
        """Take the assignment away, once nothing that nobody approved to remove hangs on it."""
        actions = [action for action in self.verdicts.open(ASSIGNMENT) if action.after is None]
        if not actions or self.resident is None:
            return
        gone = {
            action.attribute.role
            for action in self.job.actions
            if action.after is None and self._accepted(action)
        }
        left = sorted(self.resident.entitlements - gone)
        if left:
            text = (
                f"{self.principal} still holds {', '.join(left)} here, which would go with the assignment: "
                "approve their removal too"
            )
            self.verdicts.end(actions, Status.REFUSED, text)
            return
        ident = self.resident.id
        if self.verdicts.send(actions, lambda: self.site.unassign(ident)):
            self.verdicts.end(actions, Status.ACCEPTED)

    def _accepted(self, action: Action) -> bool:
        outcome = self.verdicts.ended.get(action.id)
        return outcome is not None and outcome.status is Status.ACCEPTED


def patch_of(actions: Sequence[Action]) -> dict[str, object]:
    """The body of a PATCH that adds and removes exactly what these actions say."""
    operations = []
    for verb, chosen in (
        ("add", [action for action in actions if action.after is not None]),
        ("remove", [action for action in actions if action.after is None]),
    ):
        values = [{"value": action.attribute.role} for action in chosen]
        if values:
            operations.append({"op": verb, "path": "entitlements", "value": values})
    return {"schemas": [PATCH_OP], "Operations": operations}


def _nothing_to_remove(failure: Failure, actions: Sequence[Action]) -> bool:
    """The service has no list to remove from: what should go is gone (Terraform provider, scim/)."""
    return "No such attribute with the name" in failure.text and all(each.after is None for each in actions)


def write_entitlements(job: Job) -> Sequence[Outcome]:
    """Carry out actions on one principal's entitlements; one outcome per action."""
    return _Writer(job).run()
