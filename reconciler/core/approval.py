"""Keep the actions whose exact transition somebody entitled approved; drop the rest, and say why.

Consent is spent: it is given once, for one transition, and never outlives the state that it was given for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from fnmatch import fnmatchcase

from reconciler.core.consent import action_id
from reconciler.core.model import Address, Attribute, Source, Value, Verb
from reconciler.core.plan import Action, ApprovedPlan, Cause, Consented, Outcome, Plan, Status, Violation

PLATFORM = "platform"
"""The tenant of approvals in `policies/approvals/`: they may cover every tenant's actions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """One readable line of an approval, and the id that its words come to (never a typed one)."""

    verb: Verb
    address: Address
    attribute: Attribute
    before: tuple[Value | None, ...]
    after: Value | None
    until: date | None
    object_ids: Mapping[str, str]
    source: Source

    def action_id(self, environment: str) -> str:
        """The id of the transition that these words describe."""
        return action_id(
            environment, self.verb, self.address, self.attribute, self.before, self.after, self.until,
            self.object_ids,
        )  # fmt: skip

    def expiry_id(self, environment: str) -> str | None:
        """The id of the revoke that approving a dated grant approves as well; None without a date."""
        if self.until is None or self.after is None:
            return None
        return action_id(
            environment, Verb.REVOKE, self.address, self.attribute, (self.after,), None, self.until,
            self.object_ids,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A file on the protected branch in which people consent to exact actions."""

    ident: str
    """The fingerprint of its content: the same text is the same consent, wherever it is put."""
    source: Source
    tenant: str
    environment: str
    because: str
    expires: date
    """The last day on which it can be used."""
    consents: tuple[Consent, ...]
    approvers: frozenset[str]
    """Who put it there, as the commits say: mail addresses in lower case."""
    overrides: Mapping[str, str] = field(default_factory=dict)
    """Guardrail name to the reason for letting it pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """One approval rule: these people may approve these actions."""

    approvers: frozenset[str]
    """Mail addresses in lower case."""
    tenants: tuple[str, ...] = ("*",)
    kinds: tuple[str, ...] = ("*",)
    verbs: tuple[str, ...] = ("*",)
    overrides: tuple[str, ...] = ()
    """Guardrails that they may also override."""

    def covers(self, action: Action) -> bool:
        """Whether the rule speaks of this action."""
        return (
            _matches(self.tenants, action.tenant)
            and _matches(self.kinds, action.address.kind)
            and _matches(self.verbs, action.verb.value)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Court:
    """Everything that decides whether an approval counts."""

    approvals: Sequence[Approval]
    entitlements: Sequence[Entitlement]
    authors: Callable[[Action], frozenset[str]]
    """Who asked for an action, as the commits say: approving one's own wish alone is refused."""
    spent: frozenset[tuple[str, str]]
    """(approval's content or file, action id) of everything that was sent before, whatever came of it."""
    today: date = date.min
    begun: Sequence[tuple[str, Action]] = ()
    """(approval's content, action) of what a run announced that was interrupted: it may be finished."""


def approve(plan: Plan, court: Court) -> ApprovedPlan:
    """Keep the actions whose exact transition somebody entitled approved, and that may be sent now."""
    ledger = _Ledger(court, plan)
    kept: list[Action] = []
    consents: dict[str, Consented] = {}
    refused: list[Outcome] = []
    for action in plan.actions:
        verdict = ledger.verdict(action)
        if isinstance(verdict, Consented):
            kept.append(action)
            consents[action.id] = verdict
        elif verdict:
            refused.append(Outcome(action=action.id, status=Status.REFUSED, reason=verdict))
    sought = {*consents, *(outcome.action for outcome in refused)}
    for moved, now in _moved(plan, court, consents):
        refused.append(moved)
        sought.update(now)
    refused.extend(_blocked(plan, court))
    return ApprovedPlan(
        plan=plan,
        actions=tuple(kept),
        refused=tuple(refused),
        consents=consents,
        sought=frozenset(sought),
    )


class _Ledger:
    """All consents of one environment by the id that they come to, and the guardrails in their way."""

    def __init__(self, court: Court, plan: Plan) -> None:
        self.court = court
        self.direct: dict[str, list[Approval]] = {}
        self.expiries: dict[str, list[Approval]] = {}
        self.begun: dict[object, list[tuple[frozenset[Value | None], Approval]]] = {}
        self.standing: dict[str, list[Violation]] = {}
        for violation in plan.violations:
            for ident in violation.actions:
                self.standing.setdefault(ident, []).append(violation)
        for approval in court.approvals:
            if approval.environment == plan.environment:
                self._enter(approval)
        given = {approval.ident: approval for approval in court.approvals}
        for ident, action in court.begun:
            if ident in given:
                start = frozenset(action.before)
                self.begun.setdefault(_way(action), []).append((start, given[ident]))

    def _enter(self, approval: Approval) -> None:
        for consent in approval.consents:
            ident = consent.action_id(approval.environment)
            self.direct.setdefault(ident, []).append(approval)
            expiry = consent.expiry_id(approval.environment)
            # The end of a dated grant needs no second consent, if it was this approval that made the grant.
            if expiry is not None and self._sent(approval, ident):
                self.expiries.setdefault(expiry, []).append(approval)

    def verdict(self, action: Action) -> Consented | str:
        """The approval that carries the action, "" when nobody approved it, else why none of them counts."""
        violations = self.standing.get(action.id, ())
        reasons: list[str] = []
        for approval in self.expiries.get(action.id, ()) if action.cause is Cause.EXPIRED else ():
            reason = self._spent(approval, action) or (_stands(violations[0]) if violations else "")
            if not reason:
                return _consented(approval, violations)
            reasons.append(reason)
        for approval in (*self.direct.get(action.id, ()), *self._rest(action)):
            reason = self._spent(approval, action) or _objection(action, approval, violations, self.court)
            if not reason:
                return _consented(approval, violations)
            reasons.append(reason)
        return "; ".join(dict.fromkeys(reasons))

    def _rest(self, action: Action) -> Iterator[Approval]:
        """Approvals of something larger that was interrupted and of which this is what is left.

        A tree that held several rights may by now hold some of them only: each was consented to.
        """
        for start, approval in self.begun.get(_way(action), ()):
            if start.issuperset(action.before):
                yield approval

    def _sent(self, approval: Approval, ident: str) -> bool:
        return not self.court.spent.isdisjoint(((approval.ident, ident), (approval.source.file, ident)))

    def _spent(self, approval: Approval, action: Action) -> str:
        if not self._sent(approval, action.id):
            return ""
        start = "/".join(value or "-" for value in action.before)
        return (
            f"{approval.source.file} is spent: this was sent before, and live state has since gone back to "
            f"{start}; approve it anew, in a new file, if it should happen again"
        )


def _way(action: Action) -> object:
    """Everything that an action's id covers but the rights that it may start from."""
    ids = tuple(sorted(action.object_ids.items()))
    return action.verb, action.address, action.attribute, action.after, action.until, ids


def _consented(approval: Approval, violations: Sequence[Violation]) -> Consented:
    passed = {violation.rule: approval.overrides.get(violation.rule, "") for violation in violations}
    return Consented(
        approval=approval.ident,
        file=approval.source.file,
        approvers=tuple(sorted(approval.approvers)),
        overrides=passed,
    )


def _objection(action: Action, approval: Approval, violations: Sequence[Violation], court: Court) -> str:
    """Why this approval does not carry this action; "" when it does."""
    where = approval.source.file
    if court.today > approval.expires:
        return f"{where} expired on {approval.expires}"
    if approval.tenant not in (action.tenant, PLATFORM):
        return f"{where} belongs to {approval.tenant} and cannot approve for {action.tenant}"
    rules = [rule for rule in court.entitlements if rule.covers(action)]
    entitled = approval.approvers & frozenset().union(*(rule.approvers for rule in rules))
    if not entitled:
        who = ", ".join(sorted(approval.approvers)) or "nobody known to the commit"
        return f"{where}: {who} may not approve {action.verb} of {action.address.kind} for {action.tenant}"
    if entitled <= court.authors(action):
        return (
            f"{where}: {', '.join(sorted(entitled))} also wrote {action.source}; "
            "a second person has to approve it"
        )
    others = entitled - court.authors(action)
    unheeded = (_unheeded(violation, approval, rules, entitled, others) for violation in violations)
    return next((text for text in unheeded if text), "")


def _unheeded(
    violation: Violation,
    approval: Approval,
    rules: Sequence[Entitlement],
    entitled: frozenset[str],
    others: frozenset[str],
) -> str:
    """The guardrail that stands in the way, unless this approval overrides it with authority and a reason.

    `others` are those of the entitled who did not ask for the action themselves.
    """
    if not violation.overridable or not approval.overrides.get(violation.rule):
        return _stands(violation)
    may = frozenset().union(*(rule.approvers for rule in rules if _matches(rule.overrides, violation.rule)))
    if not entitled & may:
        return (
            f"guardrail {violation.rule}: {', '.join(sorted(entitled))} may not override it "
            "(policies/approval-rules.yaml, `overrides`)"
        )
    if not others & may:
        return (
            f"guardrail {violation.rule}: {', '.join(sorted(entitled & may))} also asked for it; a second "
            "person who may override it has to approve it"
        )
    return ""


def _stands(violation: Violation) -> str:
    return f"guardrail {violation.rule}: {violation.text}"


def _moved(
    plan: Plan, court: Court, consented: Mapping[str, Consented]
) -> Iterator[tuple[Outcome, list[str]]]:
    """Consents that fit nothing any more because live state moved on, each with planned ids that end alike.

    Where the present value was approved as well, the old consent is history and not worth a word.
    """
    planned: dict[tuple[Address, Attribute], list[Action]] = {}
    for action in plan.actions:
        if action.id not in consented:
            planned.setdefault((action.address, action.attribute), []).append(action)
    known = {action.id for action in plan.actions}
    for ident, consent in _open(plan, court):
        now = planned.get((consent.address, consent.attribute), [])
        if ident not in known and now:
            sought = [action.id for action in now if action.after == consent.after]
            outcome = Outcome(action=ident, status=Status.REFUSED, reason=_moved_text(consent, now[0]))
            yield outcome, sought


def _blocked(plan: Plan, court: Court) -> list[Outcome]:
    """Consents to what this plan could not make an action of: who approved it is told, not left to guess."""
    reasons = {
        (each.address, each.attribute): each.reason for each in plan.blocked if each.stage == "blocked"
    }
    held_up: dict[str, Outcome] = {}
    for ident, consent in _open(plan, court):
        reason = reasons.get((consent.address, consent.attribute))
        if reason is not None:
            who = consent.attribute.principal or consent.attribute.role
            text = f"blocked: {consent.verb} {who} on {consent.address}: {reason}; nothing was sent"
            held_up[ident] = Outcome(action=ident, status=Status.REFUSED, reason=text)
    return list(held_up.values())


def _open(plan: Plan, court: Court) -> Iterator[tuple[str, Consent]]:
    """Every consent that has neither expired nor been spent, with the id that it comes to."""
    for approval in court.approvals:
        if approval.environment != plan.environment or court.today > approval.expires:
            continue
        for consent in approval.consents:
            ident = consent.action_id(plan.environment)
            if not {(approval.ident, ident), (approval.source.file, ident)} & court.spent:
                yield ident, consent


def _moved_text(consent: Consent, now: Action) -> str:
    def spell(verb: Verb, before: Sequence[Value | None], after: Value | None) -> str:
        return f"{verb} {'/'.join(value or '-' for value in before)} -> {after or '-'}"

    was = spell(consent.verb, consent.before, consent.after)
    present = spell(now.verb, now.before, now.after)
    detail = (
        f"now it is {present}" if was != present else "the object behind a name, or its last day, changed"
    )
    return (
        f"moved: {consent.source} approved {was} for {consent.attribute.principal or consent.attribute.role} "
        f"on {consent.address}; {detail}. Approve the present action instead"
    )


def _matches(patterns: Sequence[str], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def narrowed(approved: ApprovedPlan, saved: Plan, spent: Collection[tuple[str, str]]) -> ApprovedPlan:
    """Only what a saved plan holds as well; what it holds and live state has left is named as moved."""
    wanted = {action.id for action in saved.actions}
    present = {action.id for action in approved.plan.actions}
    done = {ident for _, ident in spent}
    moved = [
        Outcome(
            action=action.id,
            status=Status.REFUSED,
            reason=f"moved: {action.verb} {action.attribute.principal or action.attribute.role} on "
            f"{action.address} is in the saved plan, and live state has left it; make a new plan",
        )
        for action in saved.actions
        if action.id not in present | done
    ]
    kept = tuple(action for action in approved.actions if action.id in wanted)
    outside = frozenset(action.id for action in approved.actions if action.id not in wanted)
    places = {(action.address, action.attribute) for action in saved.actions}
    sought = {each.id for each in approved.plan.actions if (each.address, each.attribute) in places}
    return replace(
        approved,
        actions=kept,
        refused=(*approved.refused, *moved),
        sought=approved.sought & sought,
        outside=outside,
    )
