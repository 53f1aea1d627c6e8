"""Write to one secret scope: one request after the other, and each looked after until it took effect.

Its law: nobody's entry is touched but those of the actions; nothing is deleted that still holds something.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from reconciler.core.model import EXISTS, PRESENT, Attribute, Identity, Value
from reconciler.core.plan import Action, Outcome, Status
from reconciler.providers.databricks import scopes_reading
from reconciler.providers.databricks.canonical import GROUP, Malformed, Scope
from reconciler.providers.databricks.client import Failure
from reconciler.providers.databricks.kinds import ACL, THE_SCOPE
from reconciler.providers.databricks.labelling import labels_for
from reconciler.providers.databricks.people import People
from reconciler.providers.databricks.roster import Ambiguous, Labels, wire_name
from reconciler.providers.databricks.secrets_api import (
    KEYVAULT,
    create_scope,
    delete_acl,
    delete_scope,
    list_acl,
    list_scopes,
    list_secrets,
    put_acl,
)
from reconciler.providers.databricks.writing import (
    Job,
    Verdicts,
    judge_calmly,
    people_of,
    resolve,
    unreadable,
)

PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0, 15.0, 15.0, 15.0)
"""Seconds before each look at whether an ACL write took effect.  A put is answered 200 and forgotten for a
minute after a group came to the workspace, so that it is sent again (Terraform provider, issues 4195 and
4885: five minutes; databrickslabs/ucx issue 627)."""
READ_ERRORS = (Failure, Malformed, Ambiguous)


@dataclass(slots=True)
class _State:
    """The scope as it is now."""

    scope: Scope | None
    facts: scopes_reading.Facts
    labels: Labels | None = None


class _Writer:
    """One job on one scope."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.host = job.site.host
        self.verdicts = Verdicts(job.actions, job.progress)
        self.identities: Mapping[str, Identity] = {}
        self.myself = frozenset[str]()
        self.state = _State(None, scopes_reading.Facts({}, {}, {}))

    def run(self) -> Sequence[Outcome]:
        verdicts = self.verdicts
        self.identities = resolve(self.job, verdicts)
        try:
            self.myself = self.job.site.myself()
            judge_calmly(verdicts, self._read, self.job.sleep)
            self._create()
            if self.state.scope is None:
                text = "the scope is not there; approve its creation first"
                verdicts.end(verdicts.open(), Status.REFUSED, text)
            self._check_names()
        except READ_ERRORS as error:
            unreadable(verdicts, error)
        self._settle(self._send_acl())
        self._delete()
        return verdicts.outcomes()

    def _read(self) -> Mapping[Attribute, Value]:
        """Look at the scope; raises what READ_ERRORS lists."""
        scope = list_scopes(self.host).get(self.job.address.locator)
        if scope is None:
            self.state = _State(None, scopes_reading.Facts({}, {}, {}))
            return {}
        acl = list_acl(self.host, scope.name)
        wires = {wire for wire, _ in acl}
        labels = labels_for(
            self.job.site,
            People(self.host),
            self.identities,
            self.job.directory,
            wires,
            people_of(self.job.actions),
        )
        self.state = _State(scope, scopes_reading.facts_of(acl, labels, self.myself), labels)
        return self.state.facts.grants

    def _look(self) -> Mapping[Attribute, Value]:
        """Look at the ACL only, in the light of names that are known already; raises as `_read` does."""
        scope, labels = self.state.scope, self.state.labels
        assert scope is not None and labels is not None
        self.state.facts = scopes_reading.facts_of(list_acl(self.host, scope.name), labels, self.myself)
        return self.state.facts.grants

    def _create(self) -> None:
        wanted = [action for action in self.verdicts.open(EXISTS) if action.after == PRESENT]
        if not wanted:
            return
        want = self.job.want
        if want is None:
            self.verdicts.end(wanted, Status.REFUSED, "its document was not read in this run; plan again")
            return
        name = want.details.get("name", self.job.address.locator)
        if not self.verdicts.send(wanted, lambda: self._make(name, want.details)):
            self.verdicts.defer()
        self.verdicts.end(wanted, Status.ACCEPTED)
        if self.verdicts.open():
            self._read()

    def _make(self, name: str, details: Mapping[str, str]) -> None:
        try:
            create_scope(self.host, name, details)
        except Failure as failure:
            # It was not there a moment ago: another attempt of ours made it, or somebody else did.
            if failure.code == "RESOURCE_ALREADY_EXISTS":
                return
            if "userAADToken" not in failure.text:
                raise
            # Only an Entra token can open the vault (Terraform provider, issue 4304).
            text = f"{failure.text} Write `databricks-credential: azure` into the environment"
            raise Failure(text, status=failure.status, code=failure.code) from failure

    def _check_names(self) -> None:
        """Refuse grants whose name would bind to somebody else, or to nobody."""
        labels = self.state.labels
        for action in self.verdicts.open(ACL):
            principal = action.attribute.principal
            identity = self.identities.get(principal)
            if action.after is None or identity is None or labels is None:
                continue
            conflict = labels.roster.namesake(principal, identity)
            if conflict:
                self.verdicts.end([action], Status.REFUSED, conflict)
            elif not principal.startswith(f"{GROUP}:"):
                continue
            elif labels.roster.match(principal, identity).resident is None:
                text = (
                    f"{principal} is not in workspace {self.job.site.settings.name}: declare its "
                    "entitlements there, which assigns it, and apply those first"
                )
                self.verdicts.end([action], Status.REFUSED, text)

    def _send_acl(self) -> list[Action]:
        """Widen, then narrow, our own entry last; the actions that were sent and not settled."""
        actions = self.verdicts.open(ACL)
        actions.sort(key=lambda each: (each.after is None, each.attribute in self.state.facts.kept))
        sent: list[Action] = []
        for action in actions:
            if not self._send(action):
                self.verdicts.end(sent, Status.ACCEPTED, "sent; not looked after, as a later answer was lost")
                self.verdicts.defer()
                return []
            if action.id not in self.verdicts.ended:
                sent.append(action)
        return sent

    def _send(self, action: Action) -> bool:
        """Send what one action asks for; False when an answer was lost."""
        scope, after = self.state.scope, action.after
        assert scope is not None
        wires = self.state.facts.wires.get(action.attribute.principal, [])
        if after is None:
            calls = [partial(delete_acl, self.host, scope.name, wire) for wire in wires]
        else:
            names = wires or [self._wire(action.attribute.principal)]
            calls = [partial(put_acl, self.host, scope.name, wire, after) for wire in names]
        return all(self.verdicts.send([action], call) for call in calls)

    def _wire(self, principal: str) -> str:
        labels, identity = self.state.labels, self.identities[principal]
        assert labels is not None
        resident = labels.roster.match(principal, identity).resident
        return resident.name if resident else wire_name(principal, identity)

    def _settle(self, sent: list[Action]) -> None:
        """Look until everything sent is there, sending again what the service forgot."""
        for turn, pause in enumerate(PAUSES):
            if not sent:
                return
            if pause:
                self.job.sleep(pause)
            try:
                facts = self._look()
            except READ_ERRORS:
                continue
            sent = [action for action in sent if self._still_open(action, facts, again=turn > 0)]
        text = (
            f"the service answered 200 and the ACL does not show it after {sum(PAUSES):.0f} s; a group that "
            "has just come to the workspace needs minutes: run again"
        )
        self.verdicts.end(sent, Status.UNKNOWN, text)

    def _still_open(self, action: Action, facts: Mapping[Attribute, Value], again: bool) -> bool:
        present = facts.get(action.attribute)
        if present == action.after:
            self.verdicts.end([action], Status.ACCEPTED)
        elif present not in action.before:
            text = f"somebody else made it {present or 'nothing'} meanwhile; plan again"
            self.verdicts.end([action], Status.UNKNOWN, text)
        elif again:
            self._send(action)
        return action.id not in self.verdicts.ended

    def _delete(self) -> None:
        wanted = self.verdicts.open(EXISTS)
        scope = self.state.scope
        if not wanted or scope is None:
            return
        try:
            facts = self._look()
            secrets = {} if scope.backend == KEYVAULT else list_secrets(self.host, scope.name)
        except READ_ERRORS as error:
            unreadable(self.verdicts, error)
            return
        holders = sorted(
            fact.principal for fact in facts if fact != THE_SCOPE and fact not in self.state.facts.kept
        )
        if holders or secrets:
            shown = f" ({', '.join(holders[:3])})" if holders else ""
            text = (
                f"not empty: {len(secrets)} secrets, and {len(holders)} others on its ACL{shown}; "
                "remove them first, as a scope is deleted only when empty"
            )
            self.verdicts.end(wanted, Status.REFUSED, text)
        elif self.verdicts.send(wanted, lambda: delete_scope(self.host, scope.name)):
            self.verdicts.end(wanted, Status.ACCEPTED)


def write_scope(job: Job) -> Sequence[Outcome]:
    """Carry out actions on one secret scope; one outcome per action."""
    return _Writer(job).run()
