"""Who approved what, and who asked for it: as the commits say, never a typed name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from reconciler.core.approval import Approval, Court
from reconciler.core.plan import Action, Cause, Plan
from reconciler.policy.history import History
from reconciler.policy.policies import ApprovalFile
from reconciler.policy.revision import Revision
from reconciler.survey import Inputs

LEFT_OUT = frozenset({Cause.UNLISTED, Cause.RETIRED, Cause.CHANGED, Cause.RENAMED})
"""Causes for which what a file no longer says may be the reason."""


def court(inputs: Inputs, revision: Revision, plan: Plan) -> Court:
    """Everything that decides whether an approval counts; raises PolicyError for a shallow clone."""
    files = inputs.policies.approvals
    history = None
    cards = {name: tenant.source.file for name, tenant in inputs.policies.tenants.items()}
    if files:
        asked = {action.source.file for action in plan.actions}
        history = History(revision, {file.source.file for file in files} | asked | set(cards.values()))
    return Court(
        approvals=[_given(file, history) for file in files] if history else [],
        entitlements=inputs.policies.entitlements,
        authors=_authors(history, cards) if history else lambda action: frozenset(),
        spent=inputs.history.spent(),
        today=inputs.now.date(),
        begun=[(record.approval, record.action) for record in inputs.history.interrupted().values()],
    )


def _given(file: ApprovalFile, history: History) -> Approval:
    """The approval of whoever wrote the file's content last, and of whoever merged that.

    Earlier authors of the same words do not count: an approval that was withdrawn and put back by somebody
    else is that somebody's.
    """
    path = file.source.file
    return file.given_by(frozenset({history.last_change(path).email, history.landed(path)[0].email}))


def _authors(history: History, cards: Mapping[str, str]) -> Callable[[Action], frozenset[str]]:
    """Who asked for an action.

    Everybody who wrote a line of its document, as any of them may decide whom it reaches; and for what a
    document leaves out, whoever ever wrote that name or took it out, and who adopted the environment.
    """

    @cache
    def writers(path: str) -> tuple[str, ...]:
        return history.writers(path)

    @cache
    def wrote(path: str, line: int) -> frozenset[str]:
        lines = writers(path)
        return frozenset(lines[number - 1] for number in history.document(path, line) if number <= len(lines))

    @cache
    def left_out(path: str, name: str, card: str) -> frozenset[str]:
        adopting = frozenset(writers(card)) if card else frozenset[str]()
        return history.mentioned(path, name) | {history.last_change(path).email} | adopting

    def authors(action: Action) -> frozenset[str]:
        path = action.source.file
        asked = wrote(path, action.source.line)
        if action.cause in LEFT_OUT:
            name = action.attribute.principal.partition(":")[2] or action.address.locator
            asked |= left_out(path, name, cards.get(action.tenant, ""))
        return asked

    return authors
