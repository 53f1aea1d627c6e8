"""`apply`: carry out what is approved at a commit, verify it, and record it."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from reconciler.apply import Hands, settle_interrupted
from reconciler.cli_plan import write
from reconciler.cli_progress import Kept, Teller
from reconciler.cli_session import (
    KINDS,
    Listener,
    Session,
    begin,
    checkpoint,
    columns,
    now,
    open_cloud,
    say,
    vocabularies,
)
from reconciler.cli_show import read_plan
from reconciler.core.errors import ReconcilerError
from reconciler.core.plan import Action, Outcome, Plan
from reconciler.court import court
from reconciler.policy.revision import Revision, open_revision
from reconciler.reconcile import carry_out, plan
from reconciler.report.clean import plain
from reconciler.report.lines import Line, count, line
from reconciler.report.outcomes import ended, outcome_lines, outcomes_markdown
from reconciler.report.verdict import applied_code
from reconciler.store.journal import Journal
from reconciler.survey import Cloud, reader, unsettled

SHOWN = 5
"""Errors and gaps that are named after the outcomes."""


def run(arguments: Namespace) -> int:
    """Plan again, send what is approved, and say what became of each action."""
    revision = open_revision(arguments.root, arguments.revision)
    first = begin(arguments, revision.commit)
    saved = _saved(arguments.plan, first.environment.name) if arguments.plan else None
    _wait(first)
    with first.store.lock(_holder()):
        # Read again under the lock: another run may have written to the journal since.  What is written goes
        # through the store that holds the lock, which alone can tell when it is lost.
        session = replace(begin(arguments, revision.commit), store=first.store)
        if _wait(session):
            # Another run came in between and was interrupted.
            session = replace(begin(arguments, revision.commit), store=first.store)
        guard = first.store.check
        with open_cloud(session.environment, session.pins, session.root, session.needed, guard) as cloud:
            return _apply(arguments, session, cloud, revision, saved)


def _wait(session: Session) -> bool:
    """Wait for what an interrupted run may have made: a stale reading would have it made again.

    Returns whether it waited.
    """
    wait = unsettled(session.inputs.history, now())
    if wait <= timedelta():
        return False
    say(f"what an interrupted run may have made shows in {wait.seconds} s at the latest; waiting")
    time.sleep(wait.total_seconds())
    return True


def _holder() -> str:
    """Who is applying, for whoever finds the lock taken."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        user = f"user {os.getuid()}"
    return f"{user} on {socket.gethostname()}, process {os.getpid()}, since {now():%Y-%m-%d %H:%M} UTC"


def _saved(path: Path, environment: str) -> Plan:
    """The plan that narrows this run; raises BadPlanFile, and ReconcilerError for another environment's."""
    saved = read_plan(path)
    if saved.environment != environment:
        raise ReconcilerError(f"{path} is a plan for {plain(saved.environment)}, not for {environment}")
    return saved


def _apply(
    arguments: Namespace, session: Session, cloud: Cloud, revision: Revision, saved: Plan | None
) -> int:
    tell = Teller()
    try:
        scans = checkpoint(session, arguments, Kept(), lambda text: tell.say(f"reconciler: {plain(text)}"))
        made = plan(session.inputs, vocabularies(), cloud, tell, scans)
    finally:
        tell.close()
    # Two runs of one second, with the same plan, must not share a file.
    run_name = f"{now():%Y%m%dT%H%M%SZ}-{made.plan.digest[:12]}-{secrets.token_hex(3)}"
    listener = Listener()
    journal = Journal(session.store, f"journal/{run_name}.jsonl", run_name, session.environment.name)
    for record, outcome in settle_interrupted(
        session.inputs.history, made.seen, made.desired.addresses, journal, now()
    ):
        what = f"{record.action.verb} {plain(str(record.action.address))}"
        say(f"settled from an interrupted run: {what}: {outcome.reason}")

    def told(action: Action, outcome: Outcome) -> None:
        # The line of progress would run on into the next line of the terminal.
        tell.close()
        listener(ended(action, outcome, KINDS, columns()))

    hands = Hands(
        providers=cloud.providers,
        read=reader(made.desired, cloud, session.inputs.as_of, tell),
        journal=journal,
        now=now,
        pause=time.sleep,
        tell=told,
        unfinished=session.inputs.history.unfinished,
        progress=tell,
    )
    try:
        done = carry_out(made, court(session.inputs, revision, made.plan), saved, hands)
    finally:
        tell.close()
    listener([*outcome_lines(done.approved, done.outcomes, KINDS, columns()), *_shortfalls(made.plan)])
    if arguments.markdown:
        write(arguments.markdown, outcomes_markdown(done.approved, done.outcomes, KINDS))
    listener.close()
    return applied_code(made.plan, done.approved, done.outcomes)


def _shortfalls(made: Plan) -> Iterator[Line]:
    """What makes the run no success whatever the outcomes: errors in the policies, things not read."""
    gaps = [f"{gap.address}: {gap.status or gap.reason}" for gap in made.gaps if not gap.accepted]
    wrong, unread = count(len(made.problems), "error"), count(len(gaps), "thing")
    told = {
        f"ERROR: {wrong} in the policies; nothing was planned of it:": made.problems,
        f"UNKNOWN: {unread} could not be read, and nothing there was touched:": gaps,
    }
    for title, reasons in told.items():
        if reasons:
            yield line(("bad", title))
            yield from (line(f"  {plain(reason)}") for reason in reasons[:SHOWN])
        if len(reasons) > SHOWN:
            yield line(("dim", f"  and {len(reasons) - SHOWN:,} more; `reconciler plan` names them all"))
