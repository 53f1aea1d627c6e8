"""`plan` and `drift`: hold live state against the policies, and say what differs."""

from __future__ import annotations

import os
from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli_progress import Kept, Teller
from reconciler.cli_session import (
    KINDS,
    Session,
    begin,
    checkpoint,
    columns,
    open_cloud,
    out,
    say,
    show,
    vocabularies,
)
from reconciler.core.approval import PLATFORM
from reconciler.core.errors import ReconcilerError, Unreviewed
from reconciler.core.plan import Action, Plan
from reconciler.report.clean import as_json, plain
from reconciler.report.verdict import REFUSED, exit_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.survey import Cloud


ANEW = (
    "interrupted; nothing has changed, and nothing is kept of what was read of lakes: with --paths a reading "
    "begins anew"
)
"""What a person is told who stops a reading that keeps every path."""


def run(arguments: Namespace) -> int:
    """Make the plan and print it; the exit code says what it came to."""
    if arguments.paths:
        _check_paths(arguments.paths)
    if arguments.command == "drift":
        return _drift(arguments, begin(arguments, arguments.revision, arguments.as_of))
    try:
        session = begin(arguments, arguments.revision, arguments.as_of, arguments.endpoints_of)
    except Unreviewed as error:
        say(f"reconciler: {error}")
        return REFUSED
    _check_tenants(arguments.tenant, session)
    changed = _changed(arguments) if arguments.changed_since else None
    shown, failed = _make(arguments, session, arguments.tenant)
    if arguments.out:
        write(arguments.out, _json(shown))
        say(f"saved to {arguments.out}")
    print_plan(shown, arguments.format, changed)
    return _ended(shown, failed)


def _make(
    arguments: Namespace, session: Session, tenants: Sequence[str] = ()
) -> tuple[Plan, ReconcilerError | None]:
    """The plan, of these tenants or of all; and why its paths could not be written, if they were asked for.

    A file that cannot be written is no reason to keep quiet about what took an hour to read.
    """
    from reconciler.providers.contract import STALE
    from reconciler.reconcile import only_tenants, plan

    tell, kept = Teller(), Kept()
    scans = checkpoint(session, arguments, kept, lambda text: tell.say(f"reconciler: {plain(text)}"))
    with open_cloud(session.environment, session.pins, session.root, session.needed) as cloud:
        try:
            made = plan(session.inputs, vocabularies(), cloud, tell, scans, bool(arguments.paths)).plan
        except KeyboardInterrupt:
            told = kept.told(STALE.total_seconds() / 3600)
            raise KeyboardInterrupt(told or (ANEW if arguments.paths else "")) from None
        finally:
            tell.close()
        shown = only_tenants(made, tenants)
        try:
            if arguments.paths:
                _write_paths(cloud, shown.actions, arguments.paths)
        except ReconcilerError as error:
            return shown, error
    return shown, None


def _ended(made: Plan, failed: ReconcilerError | None) -> int:
    if failed is not None:
        raise failed
    return exit_code(made)


def _check_paths(file: Path) -> None:
    """Raises ReconcilerError where no file of paths could be written, before anything is read for it."""
    if find_spec("pyarrow") is None:
        raise ReconcilerError("--paths writes Parquet, which needs pyarrow: install reconciler[lake]")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise ReconcilerError(f"cannot write {file}: {file.parent} is no folder") from None
    except OSError as error:
        raise ReconcilerError(f"cannot write {file}: {error.strerror}") from None
    if file.is_dir() or not os.access(file.parent, os.W_OK):
        what = "it is a folder" if file.is_dir() else f"nothing may be written to {file.parent}"
        raise ReconcilerError(f"cannot write {file}: {what}")


def _write_paths(cloud: Cloud, actions: Sequence[Action], file: Path) -> None:
    """Write every path behind the actions, all of it or nothing; raises ReconcilerError."""
    from reconciler.providers.contract import Keeper

    keeper = next((each for each in cloud.providers.values() if isinstance(each, Keeper)), None)
    if keeper is None:
        say(f"no lake was read, so {file} is not written")
        return
    part = file.with_name(f"{file.name}.part")
    try:
        rows = keeper.write_paths(actions, part)
        part.replace(file)
    except OSError as error:
        raise ReconcilerError(f"cannot write {file}: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
    say(f"wrote {file}: {rows:,} rows, one for each path of each action")


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


def _drift(arguments: Namespace, session: Session) -> int:
    from reconciler.report.markdown import drift_report
    from reconciler.report.text import drift_lines

    made, failed = _make(arguments, session)
    show(drift_lines(made, KINDS, columns()))
    if arguments.markdown:
        write(arguments.markdown, drift_report(made, KINDS))
    if arguments.json:
        write(arguments.json, _json(made))
    return _ended(made, failed)


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


def write_below(root: Path, path: Path, text: str) -> None:
    """Write a file of the policies; raises ReconcilerError where a link would lead the text out of them."""
    place = root
    for part in path.parts:
        place = place / part
        if place.is_symlink():
            raise ReconcilerError(
                f"{place} is a symbolic link, and nothing is written through one; put a plain file or folder "
                "in its place"
            )
    write(root / path, text)
