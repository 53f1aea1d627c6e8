"""`reconciler-judge`: hold an inventory against a ground, on this machine or on Spark, and leave the result.

A program of its own, as a cluster runs it without policies, without an identity and without the rest.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli_process import as_program, harmless
from reconciler.cli_progress import Teller
from reconciler.core.environment import ContainerSettings, InventorySettings, LakeSettings
from reconciler.core.errors import ReconcilerError, Unusable
from reconciler.report.clean import plain

if TYPE_CHECKING:
    from reconciler.providers.adls.inventory.estate import Ground
    from reconciler.providers.adls.inventory.results import Result
    from reconciler.providers.adls.inventory.taking import Taken


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 when everything was judged, 4 when something could not be read, 1 for an error."""
    return as_program(lambda: judge(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reconciler-judge",
        description="Hold a run of a Blob Inventory against what `reconciler ground` wrote, and leave the "
        "result for `reconciler plan --judged`.",
    )
    parser.add_argument("ground", type=Path, metavar="GROUND", help="what `reconciler ground` wrote")
    parser.add_argument(
        "inventory", type=Path, metavar="FOLDER", help="a copy of the container of runs, or of one run"
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="a new folder for the result")
    parser.add_argument("--rule", required=True, metavar="NAME", help="the inventory rule")
    parser.add_argument("--max-age", type=float, default=36.0, metavar="HOURS", help="default: 36")
    parser.add_argument("--engine", choices=("local", "spark"), default="local")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes of the local engine")
    parser.add_argument(
        "--master", default="", metavar="URL", help="where Spark runs, `local[2]`; default: the cluster's own"
    )
    parser.add_argument("--names", choices=("auto", "container", "path"), default="auto")
    parser.add_argument("--percent-encoded", action="store_true")
    return parser


def judge(arguments: Sequence[str] | None = None) -> int:
    """The same within a program of somebody else's."""
    try:
        return _judge(_parser().parse_args(arguments))
    except ReconcilerError as error:
        print(harmless(f"reconciler-judge: {plain(str(error))}"), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "reconciler-judge: interrupted; there is no result, and the next run begins anew", file=sys.stderr
        )
        return 130


def _judge(arguments: argparse.Namespace) -> int:
    from reconciler.providers.adls.inventory import need_columns

    need_columns()
    from reconciler.providers.adls.inventory.estate import parse
    from reconciler.providers.adls.inventory.folder import Folder
    from reconciler.providers.adls.inventory.local import judge_run
    from reconciler.providers.adls.inventory.runs import shortfall
    from reconciler.providers.adls.inventory.taking import take

    try:
        ground = parse(arguments.ground.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ReconcilerError(f"cannot read {arguments.ground}: {error}") from None
    container = ground.container
    lake = LakeSettings(
        name="", dfs="", blob="",
        containers={container: ContainerSettings(name=container)},
        inventory=InventorySettings(
            container="", rule=arguments.rule, max_age=timedelta(hours=arguments.max_age),
            names=arguments.names, percent_encoded=arguments.percent_encoded,
        ),
    )  # fmt: skip
    now = datetime.now(UTC)
    taken = asyncio.run(take(Folder(path=arguments.inventory), lake, [container], now, arguments.out))
    if container in taken.unclear:
        raise taken.unclear[container]
    run = taken.chosen.run
    origin = {"run": run.folder or run.manifest.rule, "as_of": taken.chosen.as_of,
              "began": run.manifest.began.isoformat()}  # fmt: skip
    if arguments.engine == "spark":
        result = _on_spark(arguments, taken, ground, origin)
    else:
        tell = Teller()
        try:
            result = judge_run(
                taken.cut, taken.views[container], ground, arguments.out,
                workers=arguments.workers, origin=origin,
                whole=lambda met, kept: shortfall(run, met, container, kept),
                progress=lambda done, total: tell("inventory rows", done, total),
            )  # fmt: skip
        finally:
            tell.close()
    for fault in (*result.faults, *_unreadable(result)):
        print(harmless(f"reconciler-judge: {plain(fault)}"), file=sys.stderr)
    print(harmless(f"judged {result.rows:,} rows of {container} by {taken.chosen.as_of}: {arguments.out}"))
    return 4 if result.faults or result.unreadable().rows else 0


def _unreadable(result: Result) -> Iterator[str]:
    """Rows of which nobody can say how they stand: their folders are gaps in every plan."""
    found = result.unreadable()
    if found.rows:
        names = ", ".join(repr(name) for name in found.names)
        more = f" and {found.rows - len(found.names):,} more" if found.rows > len(found.names) else ""
        yield f"{found.rows:,} rows have lists that cannot be read, so their folders are gaps: {names}{more}"


def _on_spark(arguments: argparse.Namespace, taken: Taken, ground: Ground, origin: dict[str, str]) -> Result:
    from reconciler.providers.adls.inventory.runs import shortfall

    try:
        from reconciler.providers.adls.inventory import spark
    except ImportError:
        raise Unusable("judging on Spark needs pyspark: install reconciler[spark]") from None
    run = taken.chosen.run
    files = sorted({str(Path(unit.path).absolute()) for unit in taken.cut.units})
    # Workers of this machine have to be this Python, where the reconciler is installed.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    given = spark.Input(
        files=files, place=run.folder or run.manifest.rule, form=run.manifest.form,
        view=taken.views[ground.container],
    )  # fmt: skip

    def whole(met: int, kept: int) -> list[str]:
        faults = list(map(str, taken.cut.faults))
        short = None if faults else shortfall(run, met, ground.container, kept)
        return [*faults, *([str(short)] if short else [])]

    try:
        session = spark.start(arguments.master)
        return spark.judge_on_spark(session, given, ground, arguments.out, origin, whole)
    except spark.Trouble as error:
        raise Unusable(f"Spark did not get through: {spark.said(error)}") from None


if __name__ == "__main__":
    sys.exit(main())
