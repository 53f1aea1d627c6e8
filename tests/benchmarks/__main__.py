"""Run benchmarks: every `bench_<name>.py` beside this file, or those whose names are given."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from tests.benchmarks.record import record


def known() -> list[str]:
    """The names of all benchmarks."""
    return sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))


def main(names: list[str]) -> int:
    """Print each benchmark's table as soon as it is there; an unknown name is an error."""
    unknown = sorted(set(names) - set(known()))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(known())}", file=sys.stderr)
        return 1
    for name in known():
        if not names or name in names:
            print(record(importlib.import_module(f"tests.benchmarks.bench_{name}").run()).text(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
