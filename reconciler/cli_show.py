"""`show`: print a saved plan.  It may be stale; looking at it is free."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

from reconciler.cli_plan import print_plan
from reconciler.core.duplicates import DuplicateKeyError, no_duplicates
from reconciler.core.errors import BadPlanFile
from reconciler.core.plan import Plan
from reconciler.core.planfile import from_document
from reconciler.report.verdict import exit_code

LARGEST = 1 << 30
"""A plan file over 1 GiB is no plan that a person saved."""


def run(arguments: Namespace) -> int:
    """Print the plan; the exit code is the one that the plan itself had."""
    made = read_plan(arguments.plan)
    print_plan(made, arguments.format)
    return exit_code(made)


def read_plan(path: Path) -> Plan:
    """A saved plan; raises BadPlanFile with what to do when it cannot be used."""
    try:
        document = json.loads(_content(path), object_pairs_hook=no_duplicates)
    except OSError as error:
        raise BadPlanFile(
            f"cannot read {path}: {error.strerror}; make a plan with `plan --out {path}`"
        ) from None
    except DuplicateKeyError as error:
        raise BadPlanFile(f"{path}: {error}; make the plan anew with `plan --out {path}`") from None
    except (ValueError, RecursionError):
        raise BadPlanFile(f"{path} is not JSON; make the plan anew with `plan --out {path}`") from None
    try:
        return from_document(document)
    except BadPlanFile as error:
        raise BadPlanFile(f"{path}: {error}") from None


def _content(path: Path) -> bytes:
    """What a file or a pipe holds; a device may never end."""
    if not (path.is_file() or path.is_fifo()):
        path.stat()
        raise BadPlanFile(f"{path} is no file; name one that `plan --out` wrote")
    with path.open("rb") as file:
        content = file.read(LARGEST + 1) if path.is_fifo() else b""
        if max(len(content), path.stat().st_size) > LARGEST:
            raise BadPlanFile(f"{path} is over 1 GiB; make the plan anew with `plan --out`")
        return content or file.read()
