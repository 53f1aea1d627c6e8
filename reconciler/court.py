"""Who approved what, and who asked for it: as the commits say, never a typed name."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from reconciler.core.approval import Approval, Court
from reconciler.core.plan import Action, Cause, Plan
from reconciler.policy.history import History
from reconciler.policy.policies import ApprovalFile
from reconciler.policy.revision import Revision
from reconciler.survey import Inputs

WROTE_BY_LEAVING_OUT = frozenset({Cause.UNLISTED, Cause.RETIRED, Cause.CHANGED, Cause.RENAMED})
"""Causes that no single line of the present file speaks for."""


def court(inputs: Inputs, revision: Revision, plan: Plan) -> Court:
    """Everything that decides whether an approval counts; raises PolicyError for a shallow clone."""
    files = inputs.policies.approvals
    history = None
    if files:
        asked = {action.source.file for action in plan.actions}
        history = History(revision, {file.source.file for file in files} | asked)
    return Court(
        approvals=[_given(file, history) for file in files] if history else [],
        entitlements=inputs.policies.entitlements,
        authors=_authors(history) if history else lambda action: frozenset(),
        spent=inputs.history.spent(),
        today=inputs.now.date(),
    )


def _given(file: ApprovalFile, history: History) -> Approval:
    """The approval of whoever wrote the file's content, and of whoever merged it."""
    path = file.source.file
    commits = (*history.introduced(path), *history.landed(path))
    return file.given_by(frozenset(commit.email for commit in commits))


def _authors(history: History) -> Callable[[Action], frozenset[str]]:
    """Who asked for an action: who wrote its line; for what a line leaves out, the file's last author too."""

    @cache
    def writers(path: str) -> tuple[str, ...]:
        return history.writers(path)

    @cache
    def last(path: str) -> str:
        return history.last_change(path).email

    def authors(action: Action) -> frozenset[str]:
        path, line = action.source.file, action.source.line
        lines = writers(path)
        wrote = {lines[line - 1]} if 0 < line <= len(lines) else set()
        if action.cause in WROTE_BY_LEAVING_OUT:
            wrote.add(last(path))
        return frozenset(wrote)

    return authors
