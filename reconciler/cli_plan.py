"""`plan` and `drift`: hold live state against the policies, and say what differs."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli_session import KINDS, Teller, begin, columns, open_cloud, say, show, vocabularies
from reconciler.core.errors import ReconcilerError, Unreviewed
from reconciler.core.plan import Plan
from reconciler.report.clean import as_json
from reconciler.report.verdict import REFUSED, exit_code

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(arguments: Namespace) -> int:
    """Make the plan and print it; the exit code says what it came to."""
    if arguments.command == "drift":
        return _drift(arguments, _make(arguments, None))
    try:
        made = _make(arguments, arguments.endpoints_of)
    except Unreviewed as error:
        say(f"reconciler: {error}")
        return REFUSED
    from reconciler.reconcile import only_tenants

    shown = only_tenants(made, _known(arguments.tenant, made, arguments))
    if arguments.out:
        write(arguments.out, _json(shown))
        say(f"saved to {arguments.out}")
    changed = _changed(arguments) if arguments.changed_since else None
    print_plan(shown, arguments.format, changed)
    return exit_code(shown)


def _make(arguments: Namespace, endpoints_of: str | None) -> Plan:
    from reconciler.reconcile import plan

    session = begin(arguments, arguments.revision, arguments.as_of, endpoints_of)
    tell = Teller()
    with open_cloud(session.environment, session.pins, session.root, session.needed) as cloud:
        try:
            return plan(session.inputs, vocabularies(), cloud, tell).plan
        finally:
            tell.close()


def _known(tenants: Sequence[str], made: Plan, arguments: Namespace) -> Sequence[str]:
    """The tenants asked for; a misspelt one is an error, as an empty plan would look like good news."""
    folder: Path = arguments.root / "tenants.d"
    for tenant in tenants:
        known = {action.tenant for action in made.actions} | {"platform"}
        if tenant not in known and not (folder / tenant).is_dir():
            raise ReconcilerError(f"no tenant {tenant!r} in {folder}; the folder's name is the tenant's")
    return tenants


def print_plan(made: Plan, form: str, changed: frozenset[str] | None = None) -> None:
    if form == "json":
        print(_json(made), end="")
    elif form == "markdown":
        from reconciler.report.markdown import comment

        print(comment(made, KINDS, changed=changed), end="")
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
