"""`plan` and `drift`: hold live state against the policies, and say what differs."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli_session import (
    KINDS,
    Session,
    Teller,
    begin,
    columns,
    open_cloud,
    out,
    say,
    show,
    vocabularies,
)
from reconciler.core.approval import PLATFORM
from reconciler.core.errors import ReconcilerError, Unreviewed
from reconciler.core.plan import Plan
from reconciler.report.clean import as_json, plain
from reconciler.report.verdict import REFUSED, exit_code

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(arguments: Namespace) -> int:
    """Make the plan and print it; the exit code says what it came to."""
    if arguments.command == "drift":
        return _drift(arguments, _make(begin(arguments, arguments.revision, arguments.as_of)))
    try:
        session = begin(arguments, arguments.revision, arguments.as_of, arguments.endpoints_of)
    except Unreviewed as error:
        say(f"reconciler: {error}")
        return REFUSED
    from reconciler.reconcile import only_tenants

    _check_tenants(arguments.tenant, session)
    changed = _changed(arguments) if arguments.changed_since else None
    shown = only_tenants(_make(session), arguments.tenant)
    if arguments.out:
        write(arguments.out, _json(shown))
        say(f"saved to {arguments.out}")
    print_plan(shown, arguments.format, changed)
    return exit_code(shown)


def _make(session: Session) -> Plan:
    from reconciler.reconcile import plan

    tell = Teller()
    with open_cloud(session.environment, session.pins, session.root, session.needed) as cloud:
        try:
            return plan(session.inputs, vocabularies(), cloud, tell).plan
        finally:
            tell.close()


def _check_tenants(tenants: Sequence[str], session: Session) -> None:
    """Raises ReconcilerError for a misspelt tenant, as an empty plan would look like good news."""
    policies = session.policies
    known = {PLATFORM, *policies.tenants, *policies.blocked, *(each.tenant for each in policies.boundaries)}
    known |= {each.tenant for documents in policies.declared.values() for each in documents}
    known |= {record.action.tenant for record in session.inputs.history.records}
    for tenant in tenants:
        if tenant not in known:
            names = ", ".join(sorted(known))
            raise ReconcilerError(f"no tenant {plain(repr(tenant))} in tenants.d/; there is {names}")


def print_plan(made: Plan, form: str, changed: frozenset[str] | None = None) -> None:
    if form == "json":
        out(_json(made))
    elif form == "markdown":
        from reconciler.report.markdown import comment

        out(comment(made, KINDS, changed=changed))
    else:
        from reconciler.report.text import plan_lines

        show(plan_lines(made, KINDS, columns()))


def _drift(arguments: Namespace, made: Plan) -> int:
    from reconciler.report.markdown import drift_report
    from reconciler.report.text import drift_lines

    show(drift_lines(made, KINDS, columns()))
    if arguments.markdown:
        write(arguments.markdown, drift_report(made, KINDS))
    if arguments.json:
        write(arguments.json, _json(made))
    return exit_code(made)


def _changed(arguments: Namespace) -> frozenset[str]:
    """The policy files that differ from a revision."""
    from reconciler.policy.revision import changed_files

    return changed_files(arguments.root, arguments.changed_since, arguments.revision)


def _json(made: Plan) -> str:
    from reconciler.core.planfile import to_document

    return as_json(to_document(made))


def write(path: Path, text: str) -> None:
    """Write a file that somebody asked for; raises ReconcilerError naming what stands in the way."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")
    except OSError as error:
        raise ReconcilerError(f"cannot write {path}: {error.strerror}") from None
