"""The command line: arguments in, exit code out.  Clock, environment and terminal are handed down.

Exit codes: 0 in step (or everything applied), 2 drift, 3 refused, 4 unknown, 1 error or wrong usage; when
several hold, 1 goes before 4 before 3 before 2.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from reconciler import __version__
from reconciler.core.errors import ReconcilerError

EXIT_CODES = """exit codes: 0 in step or all applied, 2 drift, 3 refused, 4 unknown (something could not be
read), 1 error or wrong usage, 130 interrupted; when several hold, 1 before 4 before 3 before 2"""

COMMANDS = {
    "validate": "cli_policies",
    "schema": "cli_policies",
    "ground": "cli_ground",
    "pin": "cli_pin",
    "plan": "cli_plan",
    "drift": "cli_plan",
    "show": "cli_show",
    "guardrails": "cli_guardrails",
    "approve": "cli_approve",
    "apply": "cli_apply",
    "emulator": "cli_emulator",
    "demo": "cli_demo",
}
"""Which module carries out a command: it is loaded when the command runs, and its SDKs later still."""

INTERRUPTED = {
    "apply": "interrupted; what was sent is in the journal: run the same command again to finish the job",
    "plan": "interrupted; planning sends nothing, so nothing has changed",
    "drift": "interrupted; planning sends nothing, so nothing has changed",
}
"""What a person is told who stops a command."""


class Parser(argparse.ArgumentParser):
    """argparse, except that wrong usage is an error (1), as 2 means drift, and that nothing is guessed."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and how to go on."""
        from reconciler.cli_process import harmless

        self.exit(1, f"{harmless(f'{self.prog}: {message}')}\nsee `{self.prog} --help`\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help as everything is printed: argparse would keep silent where that fails."""
        if message:
            (file or sys.stderr).write(message)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like 2027-01-31") from None


def _parser() -> Parser:
    parser = Parser(
        prog="reconciler",
        description="Hold access on Azure and Databricks against the policies in git: plan, approve, apply.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"reconciler {__version__}")
    _where(parser, Path(), None)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    _policy_commands(commands)
    _plan_commands(commands)
    _change_commands(commands)
    _local_commands(commands)
    return parser


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def _where(parser: Parser, root: object, env: object) -> None:
    """`--root` and `--env`, which may stand before the command as well as after it."""
    parser.add_argument(
        "--root", type=Path, default=root, metavar="DIR", help="the policies' repository (default: here)"
    )
    parser.add_argument(
        "--env",
        default=env,
        metavar="NAME",
        help="the environment (default: RECONCILER_ENV, or the only one)",
    )


def _command(commands: Commands, name: str, text: str) -> Parser:
    parser: Parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    _where(parser, argparse.SUPPRESS, argparse.SUPPRESS)
    return parser


def _policy_commands(commands: Commands) -> None:
    validate = _command(commands, "validate", "check the YAML in the working tree, offline")
    validate.add_argument(
        "--revision", metavar="REV", help="check a git revision instead of the working tree"
    )
    validate.add_argument("--format", choices=("text", "json", "github"), default="text")
    schema = _command(commands, "schema", "write schemas/*.json for editors")
    schema.add_argument("--check", action="store_true", help="write nothing; fail if a file is out of date")
    ground = _command(
        commands, "ground", "write what the paths of a container should hold, for `reconciler-judge`"
    )
    ground.add_argument("place", metavar="LAKE/CONTAINER")
    ground.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write")
    ground.add_argument(
        "--revision", metavar="REV", help="read the policies from a git revision instead of the working tree"
    )
    ground.add_argument("--as-of", type=_day, metavar="DATE", help="the day to judge for (default: today)")
    pin = _command(
        commands, "pin", "pin every name in the policies to its object id, in policies/principals.lock.yaml"
    )
    pin.add_argument("--check", action="store_true", help="write nothing; fail if the file would change")


def _plan_commands(commands: Commands) -> None:
    plan = _command(commands, "plan", "hold live state against the policies and print what would change")
    _reading(plan)
    plan.add_argument(
        "--tenant", action="append", default=[], metavar="NAME", help="show this tenant only (repeatable)"
    )
    plan.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="save the plan as JSON, for `show`, `approve` and `apply --plan`",
    )
    plan.add_argument("--format", choices=("text", "markdown", "json"), default="text")
    plan.add_argument(
        "--changed-since", metavar="REV", help="warn where the plan touches what changes since REV do not"
    )
    plan.add_argument(
        "--endpoints-of",
        metavar="REV",
        help="sign in nowhere that the environment at REV does not name: for changes not reviewed yet",
    )
    drift = _command(commands, "drift", "the nightly report: the plan of everything, for the person on duty")
    _reading(drift)
    drift.add_argument("--markdown", type=Path, metavar="FILE", help="also write the report as Markdown")
    drift.add_argument("--json", type=Path, metavar="FILE", help="also write the plan as JSON")


def _reading(parser: Parser) -> None:
    parser.add_argument(
        "--revision", metavar="REV", help="read the policies from a git revision instead of the working tree"
    )
    parser.add_argument(
        "--as-of", type=_day, metavar="DATE", help="the day to plan for (default: today, UTC)"
    )
    parser.add_argument(
        "--paths",
        type=Path,
        metavar="FILE",
        help="also write every lake path behind the actions, as Parquet (needs reconciler[lake])",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="read lakes anew, whatever an interrupted run has kept"
    )
    parser.add_argument(
        "--judged", type=_judged, action="append", default=[], metavar="LAKE/CONTAINER=FOLDER",
        help="take what `reconciler-judge` made of an inventory for the reading of a container (repeatable)",
    )  # fmt: skip
    _live(parser)


def _judged(text: str) -> tuple[str, Path]:
    place, equals, folder = text.partition("=")
    if not equals or place.count("/") != 1 or not folder:
        raise argparse.ArgumentTypeError(f"{text!r} is not LAKE/CONTAINER=FOLDER")
    return place, Path(folder)


def _live(parser: Parser) -> None:
    parser.add_argument(
        "--live", action="store_true", help="read the lakes themselves, though there is an inventory of them"
    )


def _change_commands(commands: Commands) -> None:
    show = commands.add_parser("show", help="print a saved plan", description="Print a saved plan.")
    show.add_argument("plan", type=Path, metavar="PLAN")
    show.add_argument("--format", choices=("text", "markdown", "json"), default="text")
    guardrails = _command(commands, "guardrails", "try the platform's own guardrails on saved plans, offline")
    guardrails.add_argument("plans", nargs="+", type=Path, metavar="PLAN")
    guardrails.add_argument(
        "--rules",
        type=Path,
        metavar="DIR",
        help="a folder or file of guardrails to try instead of those in policies/",
    )
    approve = _command(commands, "approve", "write an approval for actions of a saved plan, to be committed")
    approve.add_argument("plan", type=Path, metavar="PLAN")
    approve.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="ID",
        help="approve only this action, by a prefix of its id (repeatable)",
    )
    approve.add_argument(
        "--tenant",
        action="append",
        default=[],
        metavar="NAME",
        help="approve for this tenant only (repeatable)",
    )
    approve.add_argument("--because", required=True, metavar="TEXT", help="why, for the record")
    approve.add_argument(
        "--expires",
        type=_day,
        metavar="DATE",
        help="the last day on which it can be used (default: in 14 days)",
    )
    approve.add_argument(
        "--override",
        action="append",
        default=[],
        metavar="RULE=REASON",
        help="let this guardrail pass, with a reason (repeatable)",
    )
    apply = _command(commands, "apply", "carry out what is approved at a commit, verify it, and record it")
    apply.add_argument(
        "--revision",
        default="HEAD",
        metavar="REV",
        help="the commit that policies and approvals are read from (default: HEAD)",
    )
    apply.add_argument(
        "--plan", type=Path, metavar="FILE", help="send nothing that is not in this saved plan"
    )
    apply.add_argument("--markdown", type=Path, metavar="FILE", help="also write the outcomes as Markdown")
    _live(apply)


def _local_commands(commands: Commands) -> None:
    emulator = commands.add_parser(
        "emulator", help="serve Azure and Databricks on loopback, for trials and tests"
    )
    verbs = emulator.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=Parser)
    serve = verbs.add_parser("serve", help="serve until interrupted")
    serve.add_argument(
        "--seed", type=Path, metavar="FILE", help="the state to begin with (default: the sample estate)"
    )
    serve.add_argument("--port", type=int, default=18440, metavar="N", help="the first port (default: 18440)")
    serve.add_argument(
        "--ca",
        type=Path,
        metavar="FILE",
        help="where to write the certificate authority to trust (default: .reconciler/emulator-ca.pem)",
    )
    demo = commands.add_parser(
        "demo", help="see the whole loop done against the emulator, in a scratch clone"
    )
    demo.add_argument("--keep", type=Path, metavar="DIR", help="keep the scratch clone there")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code; whatever goes wrong is one line on standard error.

    Without arguments given it is the program itself: what it was called with counts, and the process ends
    with it.
    """
    if argv is not None:
        return _run(argv)
    from reconciler.cli_process import as_program

    return as_program(lambda: _run(sys.argv[1:]))


def _run(argv: Sequence[str]) -> int:
    arguments = _parser().parse_args(argv)
    from reconciler import cli_process

    try:
        module = importlib.import_module(f"reconciler.{COMMANDS[arguments.command]}")
        code: int = module.run(arguments)
        sys.stdout.flush()
        return code
    except ReconcilerError as error:
        return _fail(str(error))
    except KeyboardInterrupt as stop:
        # Whoever was interrupted may know better how to go on than the command in general.
        told = str(stop) or INTERRUPTED.get(arguments.command, "interrupted")
        return _fail(told, cli_process.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone, as `| head` does; there is nobody left to tell.
        cli_process.deafen()
        return 1
    except Exception as error:  # noqa: BLE001 - a person is shown a sentence, RECONCILER_DEBUG the rest
        if os.environ.get("RECONCILER_DEBUG"):
            print(cli_process.trace(error), end="", file=sys.stderr)
        return _fail(
            f"internal error: {type(error).__name__} in {_place(error)}; this is a fault of reconciler: "
            "please report it with the output of the same command under RECONCILER_DEBUG=1"
        )


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return (
        f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "an unknown place"
    )


def _fail(text: str, code: int = 1) -> int:
    from reconciler.cli_process import harmless

    print(harmless(f"reconciler: {text}"), file=sys.stderr)
    return code
