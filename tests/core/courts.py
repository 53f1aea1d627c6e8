"""Approvals of exact actions, by somebody who may give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from reconciler.core.approval import Approval, Consent, Court, Entitlement
from reconciler.core.plan import Action
from tests.core.estates import HERE

LEA = "lea@corp.example"


def court(
    actions: Iterable[Action], overrides: Mapping[str, str] | None = None, environment: str = "test"
) -> Court:
    """One approval of these actions by the platform, with these overrides; whoever gave it may do so."""
    approval = Approval(
        ident="a" * 64,
        source=HERE,
        tenant="platform",
        environment=environment,
        because="tested",
        expires=date.max,
        consents=tuple(map(consent, actions)),
        approvers=frozenset({LEA}),
        overrides=overrides or {},
    )
    return Court(
        approvals=[approval],
        entitlements=[Entitlement(approvers=frozenset({LEA}), overrides=("*",))],
        authors=lambda _: frozenset(),
        spent=frozenset(),
    )


def consent(action: Action) -> Consent:
    """The words that consent to an action."""
    return Consent(
        verb=action.verb,
        address=action.address,
        attribute=action.attribute,
        before=action.before,
        after=action.after,
        until=action.until,
        object_ids=action.object_ids,
        source=action.source,
    )
