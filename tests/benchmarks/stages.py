"""Where the time of one plan goes: `python -m tests.benchmarks.stages FILE ARGUMENTS …`.

Runs the command line with the functions that the plot calls by name, and every thread, timed; FILE gets the
seconds and what the pacers were asked for.  A stage's seconds hold what other threads do meanwhile.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from reconciler.cli_process import COLLECT_AFTER

STARTED = time.perf_counter()

DECIDING = ("settled", "diff", "arrange", "judge", "sealed")


class Stopwatch:
    """Wall and CPU seconds by stage, CPU seconds by thread, and units by class of requests."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = defaultdict(float)
        self.cpu: dict[str, float] = defaultdict(float)
        self.units: dict[tuple[int, str], float] = defaultdict(float)
        self.floors: dict[tuple[int, str], tuple[float, float]] = {}

    def wrap(self, owner: ModuleType | type, name: str, stage: str) -> None:
        """Time a function of a module or class under the name of a stage."""
        work: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            wall, cpu = time.perf_counter(), time.process_time()
            try:
                return work(*arguments, **options)
            finally:
                self.wall[stage] += time.perf_counter() - wall
                self.cpu[stage] += time.process_time() - cpu

        setattr(owner, name, timed)

    def watch_threads(self) -> None:
        """Count the CPU time of each thread under the name of whoever it works for."""
        threads: Any = threading.Thread
        run: Callable[..., None] = threads.run

        def counted(thread: threading.Thread) -> None:
            try:
                run(thread)
            finally:
                self.cpu[_worker(thread.name)] += time.thread_time()

        threads.run = counted

    def watch_reading(self, provider: Any) -> None:
        """Count what a provider does in the thread that asks it."""
        work: Callable[..., Any] = provider.read
        name: str = provider.name

        def timed(this: Any, question: Any) -> Any:
            wall, cpu = time.perf_counter(), time.thread_time()
            try:
                return work(this, question)
            finally:
                self.wall[f"read {name}"] += time.perf_counter() - wall
                self.cpu[f"thread {name}"] += time.thread_time() - cpu

        provider.read = timed

    def watch_pacing(self) -> None:
        """Count the units that are asked of every pacer, and remember the last limit of each class."""
        from reconciler.providers.pacing import Pacer

        pacers: Any = Pacer
        reserve: Callable[..., float] = pacers.reserve

        def counted(this: Pacer, name: str, units: float = 1.0) -> float:
            self.units[id(this), name] += units
            bucket = this._bucket(name)
            if bucket.limit is not None:
                self.floors[id(this), name] = (bucket.most, bucket.limit.rate)
            return reserve(this, name, units)

        pacers.reserve = counted

    def least(self) -> dict[str, float]:
        """Seconds that the published limits ask for at least, by class, in its busiest place."""
        found: dict[str, float] = {}
        for key, (most, rate) in self.floors.items():
            seconds = max(0.0, (self.units[key] - most) / rate)
            found[key[1]] = max(seconds, found.get(key[1], 0.0))
        return found


def _worker(thread: str) -> str:
    """Databricks is read by the pools that it makes itself; the first pool asks all providers."""
    known = {"entra": "thread entra", "lakes": "thread adls"}
    if thread in known:
        return known[thread]
    if thread.startswith("ThreadPoolExecutor"):
        return "pool" if thread.startswith("ThreadPoolExecutor-0_") else "thread databricks"
    return "thread databricks" if thread.startswith("Thread-") else "other threads"


def main(file: str, arguments: list[str]) -> int:
    """Run the command line and write the figures; its exit code is ours."""
    watch = Stopwatch()
    watch.watch_threads()
    from reconciler import cli, cli_plan, reconcile
    from reconciler.providers.adls.provider import Lakes
    from reconciler.providers.databricks.provider import DatabricksProvider
    from reconciler.providers.entra.provider import EntraProvider

    ready = time.perf_counter(), time.process_time()
    watch.wrap(cli_plan, "begin", "policies and journal")
    watch.wrap(reconcile, "desire", "what is wanted")
    watch.wrap(reconcile, "identify", "who is who")
    watch.wrap(reconcile, "read", "read all providers")
    watch.wrap(reconcile, "identify_found", "who is who")
    for name in DECIDING:
        watch.wrap(reconcile, name, "decide")
    watch.wrap(cli_plan, "print_plan", "print")
    watch.watch_pacing()
    for provider in (EntraProvider, DatabricksProvider, Lakes):
        watch.watch_reading(provider)
    gc.set_threshold(*COLLECT_AFTER)
    code = cli.main(arguments)
    figures = {
        "wall": {"start and imports": ready[0] - STARTED, **watch.wall},
        "cpu": {"start and imports": ready[1], **watch.cpu, "whole process": time.process_time()},
        "least": watch.least(),
    }
    Path(file).write_text(json.dumps(figures), "utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
