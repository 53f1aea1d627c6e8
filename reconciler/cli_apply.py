"""`apply`: carry out what is approved at a commit, verify it, and record it."""

from __future__ import annotations

import getpass
import os
import socket
import time
from argparse import Namespace
from collections.abc import Iterable
from dataclasses import replace

from reconciler.apply import Hands, apply, settle_interrupted
from reconciler.cli_plan import write
from reconciler.cli_session import (
    KINDS,
    Session,
    Teller,
    begin,
    columns,
    now,
    open_cloud,
    say,
    show,
    vocabularies,
)
from reconciler.cli_show import read_plan
from reconciler.core.approval import approve
from reconciler.core.errors import ReconcilerError
from reconciler.core.plan import ApprovedPlan, Outcome, Status
from reconciler.court import court
from reconciler.policy.revision import Revision, open_revision
from reconciler.reconcile import Planned, plan
from reconciler.report.outcomes import ended, outcome_lines, outcomes_markdown
from reconciler.report.verdict import exit_code, outcome_code
from reconciler.store.journal import Journal
from reconciler.survey import Cloud, reader


def run(arguments: Namespace) -> int:
    """Plan again, send what is approved, and say what became of each action."""
    revision = open_revision(arguments.root, arguments.revision)
    who = f"{getpass.getuser()} on {socket.gethostname()}, process {os.getpid()}"
    holder = f"{who}, since {now():%Y-%m-%d %H:%M} UTC"
    store = begin(arguments, revision.commit).store
    with store.lock(holder):
        # Read again under the lock: another run may have written to the journal since.
        session = begin(arguments, revision.commit)
        with open_cloud(session.environment, session.pins, session.root, session.needed) as cloud:
            return _apply(arguments, session, cloud, revision)


def _apply(arguments: Namespace, session: Session, cloud: Cloud, revision: Revision) -> int:
    tell = Teller()
    made = plan(session.inputs, vocabularies(), cloud, tell)
    tell.close()
    run_name = f"{now():%Y%m%dT%H%M%SZ}-{made.plan.digest[:12]}"
    journal = Journal(session.store, f"journal/{run_name}.jsonl", run_name, session.environment.name)
    for record, outcome in settle_interrupted(
        session.inputs.history, made.live, made.plan.actions, journal, now()
    ):
        what = f"{record.action['verb']} {record.action['address']}"
        say(f"settled from an interrupted run: {what}: {outcome.reason}")
    approved = approve(made.plan, court(session.inputs, revision, made.plan))
    if arguments.plan:
        approved = _narrowed(approved, arguments)
    hands = Hands(
        providers=cloud.providers,
        read=reader(made.desired, cloud, session.inputs.as_of),
        journal=journal,
        now=now,
        pause=time.sleep,
        tell=lambda action, outcome: show(ended(action, outcome, KINDS, columns())),
    )
    outcomes = (*approved.refused, *apply(approved, hands))
    show(outcome_lines(approved, outcomes, KINDS, columns()))
    if arguments.markdown:
        write(arguments.markdown, outcomes_markdown(approved, outcomes, KINDS))
    return _code(made, approved, outcomes)


def _code(made: Planned, approved: ApprovedPlan, outcomes: Iterable[Outcome]) -> int:
    """0 when all that was approved is done; what is not approved is no failure, but gaps stay unknown."""
    codes = {outcome_code([outcome.status for outcome in outcomes])}
    if made.plan.problems:
        codes.add(1)
    if not approved.actions and not approved.refused and made.plan.actions:
        codes.add(3)
    if exit_code(replace(made.plan, problems=(), actions=(), blocked=(), violations=())) == 4:
        codes.add(4)
    return next((code for code in (1, 4, 3) if code in codes), 0)


def _narrowed(approved: ApprovedPlan, arguments: Namespace) -> ApprovedPlan:
    """Only what the saved plan holds as well; what it holds and live state left behind is named."""
    saved = read_plan(arguments.plan)
    if saved.environment != approved.plan.environment:
        raise ReconcilerError(
            f"{arguments.plan} is a plan for {saved.environment}, not for {approved.plan.environment}"
        )
    wanted = {action.id for action in saved.actions}
    kept = tuple(action for action in approved.actions if action.id in wanted)
    present = {action.id for action in approved.plan.actions}
    moved = [
        Outcome(
            action=action.id,
            status=Status.REFUSED,
            reason=f"moved: {action.verb} on {action.address} is in {arguments.plan}, and live state "
            "has left it; make a new plan",
        )
        for action in saved.actions
        if action.id not in present
    ]
    return replace(approved, actions=kept, refused=(*approved.refused, *moved))
