"""Keep the figures of benchmarks in one file, `build/bench.json`, each run replacing its own."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "build" / "bench.json"

Figure = int | float | str | bool | None
COLUMNS = ("requests", "cpu s", "wall s", "peak MiB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one piece of work took, or a yardstick beside it; None is what does not apply to it."""

    what: str
    requests: int | None = None
    cpu: float | None = None
    """Seconds of CPU of the measured process alone."""
    wall: float | None = None
    mebibytes: float | None = None
    """The measured process at its largest."""
    target: str = ""
    """What it should come to, in words; nothing is asserted."""

    def figures(self) -> tuple[Figure, ...]:
        """In the order of `COLUMNS`."""
        return self.requests, self.cpu, self.wall, self.mebibytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The figures of one benchmark."""

    name: str
    title: str
    rows: Sequence[Row]
    facts: Mapping[str, Figure] = field(default_factory=dict)
    """What else was counted or seen, printed below the table."""
    notes: Sequence[str] = ()

    def text(self) -> str:
        """The table as it is printed."""
        heads = ("", *COLUMNS, "target")
        cells = [heads, *((row.what, *map(spell, row.figures()), row.target) for row in self.rows)]
        wide = [max(len(line[place]) for line in cells) for place in range(len(heads))]
        lines = [self.title]
        for what, *figures, target in cells:
            shown = (text.rjust(width) for text, width in zip(figures, wide[1:-1], strict=True))
            lines.append("  ".join(["", what.ljust(wide[0]), *shown, target]).rstrip())
        lines += [f"    {key}: {spell(value)}" for key, value in self.facts.items()]
        lines += [f"    {note}" for note in self.notes]
        return "\n".join([*lines, ""])


def record(report: Report) -> Report:
    """Write one benchmark's figures beside the others' and give them back, for printing.

    The time, the commit, the number of cores and the load of the machine go with them; figures of other
    benchmarks stay.
    """
    entry = {
        "title": report.title,
        "rows": [_figures(row) for row in report.rows],
        "facts": {key: _plain(value) for key, value in report.facts.items()},
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
    }
    FILE.parent.mkdir(exist_ok=True)
    with FileLock(f"{FILE}.lock"):
        known = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
        known[report.name] = entry
        FILE.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return report


def spell(value: Figure) -> str:
    """A figure as a person reads it; "-" for none."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _figures(row: Row) -> dict[str, Figure]:
    figures = dict(zip(COLUMNS, map(_plain, row.figures()), strict=True))
    return {"what": row.what, "target": row.target, **figures}


def _plain(value: Figure) -> Figure:
    return round(value, 4) if isinstance(value, float) else value


def _commit() -> str:
    answer = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()
