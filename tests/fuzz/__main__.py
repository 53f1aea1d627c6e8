"""Fuzz for minutes instead of moments: `make fuzz MINUTES=5`, or only what ARGS names.

Every test of this folder that draws examples is run again and again with fresh ones until its time is up.
What it found is told by hypothesis, kept in `.hypothesis/` and so tried first the next time; the figures go
to standard output and to `build/fuzz.json`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

MODULES = ("test_policies", "test_saved", "test_lake", "test_services")
TOGETHER = 300
"""Examples of one round: between two rounds it is looked at the clock."""


@dataclass
class Run:
    """What fuzzing one test came to."""

    test: str
    seconds: float = 0.0
    examples: int = 0
    failed: bool = False


def tests() -> dict[str, Callable[[], None]]:
    """Every test that draws examples, by name."""
    found: dict[str, Callable[[], None]] = {}
    for module in map(importlib.import_module, (f"tests.fuzz.{name}" for name in MODULES)):
        for name, value in vars(module).items():
            if name.startswith("test_") and hasattr(value, "hypothesis"):
                found[f"{module.__name__.rpartition('.')[2]}::{name}"] = value
    return found


def fuzz(name: str, test: Callable[[], None], seconds: float) -> Run:
    """Run one test with fresh examples until its time is up or it fails."""
    run = Run(name)
    handle: Any = test
    inner = handle.hypothesis.inner_test

    def counted(*given: Any, **drawn: Any) -> None:
        run.examples += 1
        inner(*given, **drawn)

    handle.hypothesis.inner_test = counted
    handle._hypothesis_internal_use_settings = settings(
        max_examples=TOGETHER, deadline=None, derandomize=False, suppress_health_check=list(HealthCheck),
        database=DirectoryBasedExampleDatabase(".hypothesis/fuzz"), print_blob=True,
    )  # fmt: skip
    begun = time.monotonic()
    while not run.failed and (run.seconds < seconds):
        try:
            test()
        except Exception:
            logging.exception("%s", name)
            run.failed = True
        run.seconds = time.monotonic() - begun
    handle.hypothesis.inner_test = inner
    return run


def main() -> int:
    """Fuzz and print a table; 1 when anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("only", nargs="*", help="parts of the names of the tests to run (default: all)")
    parser.add_argument("--minutes", type=float, default=1.0, help="for each test (default: 1)")
    arguments = parser.parse_args()
    chosen = {name: test for name, test in tests().items()
              if not arguments.only or any(part in name for part in arguments.only)}  # fmt: skip
    runs = []
    for name, test in chosen.items():
        run = fuzz(name, test, 60 * arguments.minutes)
        runs.append(run)
        told = "FAILED" if run.failed else "held"
        print(f"{run.test:<62} {run.seconds:>6.0f} s {run.examples:>10,} examples  {told}", flush=True)
    total = sum(run.examples for run in runs)
    print(f"{len(runs)} tests, {sum(run.seconds for run in runs) / 60:.1f} min, {total:,} examples")
    place = Path("build/fuzz.json")
    place.parent.mkdir(exist_ok=True)
    place.write_text(json.dumps([asdict(run) for run in runs], indent=2) + "\n", "utf-8")
    return int(any(run.failed for run in runs))


if __name__ == "__main__":
    sys.exit(main())
