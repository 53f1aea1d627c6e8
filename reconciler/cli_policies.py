"""`validate` and `schema`: what can be said of the policies without asking any service."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from reconciler.cli_plan import write_below
from reconciler.cli_session import out, say, tree, vocabularies
from reconciler.core.errors import ReconcilerError
from reconciler.core.vocabulary import Problem
from reconciler.report.clean import as_json, plain, workflow, workflow_property
from reconciler.report.lines import count


def run(arguments: Namespace) -> int:
    """Carry out one of the two commands."""
    return _validate(arguments) if arguments.command == "validate" else _schema(arguments)


def _validate(arguments: Namespace) -> int:
    from reconciler.policy.load import load

    policies = load(tree(arguments.root, arguments.revision), vocabularies())
    _tell(policies.problems, policies.notes, arguments.format)
    documents = sum(len(declared) for declared in policies.declared.values())
    if policies.problems:
        tenants = f"; blocked: {', '.join(sorted(policies.blocked))}" if policies.blocked else ""
        say(f"{count(len(policies.problems), 'error')}{tenants}")
        return 1
    say(f"valid: {count(documents, 'document')} of {count(len(policies.tenants), 'tenant')}")
    return 0


def _tell(problems: Sequence[Problem], notes: Sequence[Problem], form: str) -> None:
    if form == "json":
        told = [("error", problem) for problem in problems] + [("note", note) for note in notes]
        out(as_json([_entry(level, problem) for level, problem in told]))
        return
    for level, problem in [("error", each) for each in problems] + [("notice", each) for each in notes]:
        place = problem.source
        if form == "github":
            where = f"file={workflow_property(place.file)},line={place.line},col={place.column}"
            out(f"::{level} {where}::{workflow(problem.text)}\n")
        elif level == "error":
            out(f"{plain(str(problem))}\n")
        else:
            say(f"note: {plain(str(problem))}")


def _entry(level: str, problem: Problem) -> dict[str, object]:
    return {
        "level": level,
        "file": problem.source.file,
        "line": problem.source.line,
        "column": problem.source.column,
        "tenant": problem.tenant,
        "message": problem.text,
    }


def _schema(arguments: Namespace) -> int:
    from reconciler.policy.schema import schemas
    from reconciler.report.schema import plan_schema

    files = {**schemas(vocabularies()), **plan_schema()}
    folder = arguments.root / "schemas"
    stale = []
    for name, text in sorted(files.items()):
        path = folder / name
        if path.is_file() and path.read_text("utf-8") == text:
            continue
        stale.append(str(path))
        if not arguments.check:
            write_below(arguments.root, Path("schemas") / name, text)
    if arguments.check and stale:
        raise ReconcilerError(f"out of date: {', '.join(stale)}; run `reconciler schema`")
    say(
        f"{len(files)} schemas, {len(stale)} written"
        if not arguments.check
        else f"{len(files)} schemas are fresh"
    )
    return 0
