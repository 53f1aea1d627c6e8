"""Keep the figures of benchmarks in one file, `build/bench.json`, each run replacing its own."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "build" / "bench.json"

Figure = int | float | str | bool | None


def record(name: str, **figures: Figure) -> dict[str, Figure]:
    """Write one benchmark's figures beside the others' and give them back, for printing.

    The time, the commit and the machine's number of cores go with them; figures of other names stay.
    """
    entry: dict[str, Figure] = {
        **{key: round(value, 4) if isinstance(value, float) else value for key, value in figures.items()},
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
    }
    FILE.parent.mkdir(exist_ok=True)
    with FileLock(f"{FILE}.lock"):
        known = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
        known[name] = entry
        FILE.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return entry


def table(title: str, rows: list[tuple[str, Figure]]) -> str:
    """Figures as lines of text, one under the other."""
    width = max(len(label) for label, _ in rows)
    lines = [title]
    lines += [f"  {label:<{width}}  {_spell(value)}" for label, value in rows]
    return "\n".join(lines)


def _spell(value: Figure) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _commit() -> str:
    answer = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()
