"""Whose consent counts, for what, and how often."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from reconciler.core.approval import Approval, Consent, Court, Entitlement, approve
from reconciler.core.diff import diff
from reconciler.core.model import Attribute, Live, Source, Terms
from reconciler.core.order import order
from reconciler.core.plan import Action, Plan, Status, Violation
from tests.core.estates import KINDS, found, frame, live, wanted

EXISTS = Attribute("exists")
ANA, BO = "user:ana@corp.example", "user:bo@corp.example"
TODAY = date(2026, 11, 23)
LEA = frozenset({"lea@corp.example"})


def plan_of(grants: dict[Attribute, str], state: Live, **more: Any) -> Plan:
    want = wanted(grants, **more)
    actions = order(diff([want], state, frame()).actions, KINDS, [want])
    return Plan(environment="test", revision="abc", as_of=TODAY, actions=actions)


def one_grant() -> Plan:
    return plan_of({EXISTS: "present", Attribute("acl", ANA): "READ"}, live(found({EXISTS: "present"})))


def consent(action: Action, **more: object) -> Consent:
    fields = {
        name: getattr(action, name)
        for name in ("verb", "address", "attribute", "before", "after", "until", "object_ids")
    }
    return Consent(**{**fields, "source": Source("tenants.d/pricing/approvals/1.yaml", 9), **more})


def approval(*actions: Action, **more: object) -> Approval:
    fields: dict[str, object] = {
        "ident": "approval-1",
        "source": Source("tenants.d/pricing/approvals/1.yaml", 1),
        "tenant": "pricing",
        "environment": "test",
        "because": "CHG-7",
        "expires": date(2026, 12, 1),
        "consents": tuple(consent(action) for action in actions),
        "approvers": LEA,
    }
    return Approval(**{**fields, **more})  # type: ignore[arg-type]


def court(*approvals: Approval, **more: object) -> Court:
    fields: dict[str, object] = {
        "approvals": approvals,
        "entitlements": [Entitlement(approvers=LEA | {"max@corp.example"})],
        "authors": lambda action: frozenset({"ana@corp.example"}),
        "spent": frozenset(),
        "today": TODAY,
    }
    return Court(**{**fields, **more})  # type: ignore[arg-type]


def reasons(plan: Plan, judged: Court) -> list[str]:
    result = approve(plan, judged)
    assert result.actions == ()
    assert all(outcome.status is Status.REFUSED for outcome in result.refused)
    return [outcome.reason for outcome in result.refused]


def test_an_approved_action_is_kept_with_who_approved_it() -> None:
    plan = one_grant()
    result = approve(plan, court(approval(*plan.actions)))
    assert result.actions == plan.actions
    assert result.consents[plan.actions[0].id].approvers == ("lea@corp.example",)


def test_without_an_approval_nothing_is_sent_and_nothing_is_refused() -> None:
    result = approve(one_grant(), court())
    assert (result.actions, result.refused) == ((), ())


def test_only_the_exact_transition_is_covered() -> None:
    plan = one_grant()
    wider = replace(approval(), consents=(consent(plan.actions[0], after="MANAGE"),))
    (reason,) = reasons(plan, court(wider))
    assert reason.startswith("moved: tenants.d/pricing/approvals/1.yaml:9 approved grant - -> MANAGE")
    assert "now it is grant - -> READ" in reason


def test_an_approval_for_a_value_that_live_has_left_is_refused_by_name() -> None:
    early = one_grant()
    later = plan_of(
        {EXISTS: "present", Attribute("acl", ANA): "READ"},
        live(found({EXISTS: "present", Attribute("acl", ANA): "MANAGE"})),
    )
    (reason,) = reasons(later, court(approval(*early.actions)))
    assert "now it is lower MANAGE -> READ" in reason


def test_another_environments_approval_is_not_this_ones() -> None:
    plan = one_grant()
    assert approve(plan, court(approval(*plan.actions, environment="prod"))).actions == ()


def test_an_expired_approval_is_refused() -> None:
    plan = one_grant()
    (reason,) = reasons(plan, court(approval(*plan.actions, expires=date(2026, 11, 22))))
    assert "expired on 2026-11-22" in reason


def test_consent_is_spent_by_sending_and_can_be_given_anew() -> None:
    plan = one_grant()
    spent = frozenset({("approval-1", plan.actions[0].id)})
    (reason,) = reasons(plan, court(approval(*plan.actions), spent=spent))
    assert "is spent" in reason
    edited = approval(*plan.actions, ident="approval-2")
    by_file = spent | {("tenants.d/pricing/approvals/1.yaml", plan.actions[0].id)}
    (reason,) = reasons(plan, court(edited, spent=by_file))
    assert "is spent" in reason, "editing a file brings spent consent back to nobody"
    again = approval(
        *plan.actions, ident="approval-3", source=Source("tenants.d/pricing/approvals/2.yaml", 1)
    )
    assert approve(plan, court(approval(*plan.actions), again, spent=spent)).actions == plan.actions


def test_nobody_approves_alone_what_they_wrote() -> None:
    plan = one_grant()
    own = approval(*plan.actions, approvers=frozenset({"max@corp.example"}))

    def authors(action: Action) -> frozenset[str]:
        return frozenset({"max@corp.example"})

    (reason,) = reasons(plan, court(own, authors=authors))
    assert "a second person has to approve it" in reason
    both = approval(*plan.actions, approvers=frozenset({"max@corp.example", "lea@corp.example"}))
    assert approve(plan, court(both, authors=authors)).actions == plan.actions


def test_only_the_entitled_approve() -> None:
    plan = one_grant()
    (reason,) = reasons(plan, court(approval(*plan.actions, approvers=frozenset({"eve@corp.example"}))))
    assert "eve@corp.example may not approve grant of secret-scope for pricing" in reason
    elsewhere = [Entitlement(approvers=LEA, tenants=("fraud",))]
    (reason,) = reasons(plan, court(approval(*plan.actions), entitlements=elsewhere))
    assert "may not approve" in reason


def test_a_tenants_approval_covers_its_own_actions_only() -> None:
    plan = one_grant()
    (reason,) = reasons(plan, court(approval(*plan.actions, tenant="fraud")))
    assert "belongs to fraud" in reason
    assert approve(plan, court(approval(*plan.actions, tenant="platform"))).actions == plan.actions


def test_a_guardrail_is_overridden_only_by_name_with_a_reason_and_authority() -> None:
    plan = one_grant()
    standing = replace(
        plan, violations=(Violation(rule="wide", text="too wide", actions=(plan.actions[0].id,)),)
    )
    (reason,) = reasons(standing, court(approval(*plan.actions)))
    assert reason == "guardrail wide: too wide"
    passing = approval(*plan.actions, overrides={"wide": "agreed with the data owner"})
    (reason,) = reasons(standing, court(passing))
    assert "may not override it" in reason
    allowed = [Entitlement(approvers=LEA, overrides=("wide",))]
    result = approve(standing, court(passing, entitlements=allowed))
    assert result.actions == plan.actions
    assert result.consents[plan.actions[0].id].overrides == {"wide": "agreed with the data owner"}


def test_every_guardrail_in_the_way_has_to_be_overridden() -> None:
    plan = one_grant()
    ids = (plan.actions[0].id,)
    both = (
        Violation(rule="wide", text="too wide", actions=ids),
        Violation(rule="last", text="last one", actions=ids),
    )
    passing = approval(*plan.actions, overrides={"wide": "agreed"})
    allowed = [Entitlement(approvers=LEA, overrides=("*",))]
    (reason,) = reasons(replace(plan, violations=both), court(passing, entitlements=allowed))
    assert reason == "guardrail last: last one"


def test_approving_a_dated_grant_approves_its_end_and_only_once_it_was_made() -> None:
    dated = Terms(source=Source("tenants.d/pricing/access.yaml", 5), until=date(2026, 11, 30))
    fact = Attribute("acl", ANA)
    granting = plan_of(
        {EXISTS: "present", fact: "READ"}, live(found({EXISTS: "present"})), terms={fact: dated}
    )
    ending = plan_of({EXISTS: "present"}, live(found({EXISTS: "present", fact: "READ"})), terms={fact: dated})
    given = approval(*granting.actions)
    late = date(2027, 6, 1)
    assert approve(ending, court(given, today=late)).actions == ()
    made = frozenset({("approval-1", granting.actions[0].id)})
    assert approve(ending, court(given, today=late, spent=made)).actions == ending.actions
    over = made | {("approval-1", ending.actions[0].id)}
    (reason,) = reasons(ending, court(given, today=late, spent=over))
    assert "is spent" in reason


def tree(*starts: str | None) -> Plan:
    """A plan that gives ana one right on a tree which holds these rights."""
    fact = Attribute("acl", ANA)
    state = live(replace(found({EXISTS: "present"}), mixed={fact: starts}))
    return plan_of({EXISTS: "present", fact: "MANAGE"}, state)


def test_what_is_left_of_an_interrupted_action_is_covered_by_its_consent() -> None:
    (whole,) = [action for action in tree("READ", "WRITE").actions if len(action.before) == 2]
    rest = tree("WRITE", "MANAGE")
    assert whole.id not in {action.id for action in rest.actions}
    given = approval(whole)
    (moved,) = reasons(rest, court(given))
    assert moved.startswith("moved: ")
    result = approve(rest, court(given, begun=[("approval-1", whole)]))
    assert (result.actions, result.refused) == (rest.actions, ())


def test_an_interrupted_action_covers_no_other_right_object_or_approval() -> None:
    (whole,) = [action for action in tree("READ", "WRITE").actions if len(action.before) == 2]
    rest = tree("WRITE", "MANAGE")
    wider = replace(whole, before=("READ",))
    another = replace(whole, object_ids={ANA: "somebody-else"})
    for begun in ([("approval-1", wider)], [("approval-1", another)], [("approval-2", whole)]):
        assert approve(rest, court(approval(whole), begun=begun)).actions == ()
    (rest_of,) = rest.actions
    spent = frozenset({("approval-1", rest_of.id)})
    assert approve(rest, court(approval(whole), begun=[("approval-1", whole)], spent=spent)).actions == ()
    guarded = replace(rest, violations=(Violation(rule="limit", text="too many", actions=(rest_of.id,)),))
    assert approve(guarded, court(approval(whole), begun=[("approval-1", whole)])).actions == ()


def test_who_asked_for_it_overrides_no_guardrail_though_somebody_else_approves_it_as_well() -> None:
    plan = one_grant()
    broken = Violation(rule="removals", text="too many", actions=(plan.actions[0].id,))
    plan = replace(plan, violations=(broken,))
    ana, lea, max_ = "ana@corp.example", "lea@corp.example", "max@corp.example"
    rules = [
        Entitlement(approvers=frozenset({ana, max_}), overrides=("removals",)),
        Entitlement(approvers=frozenset({lea})),
    ]

    def given(*approvers: str) -> Court:
        both = approval(*plan.actions, approvers=frozenset(approvers), overrides={"removals": "as agreed"})
        return court(both, entitlements=rules)

    assert reasons(plan, given(ana, lea)) == [
        f"guardrail removals: {ana} also asked for it; a second person who may override it has to approve it"
    ]
    assert "may not override it" in reasons(plan, given(lea))[0]
    assert len(approve(plan, given(ana, max_)).actions) == 1
