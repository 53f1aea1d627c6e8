"""Write the matrix into docs/reliability.md; rows can be chosen: `python -m tests.reliability Lake`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from reconciler.emulator.server import running
from tests.reliability.matrix import DOCUMENT, TABLES, Court, header, label, replaced, shown
from tests.reliability.scenes import first
from tests.reliability.timing import plain_surroundings


def main(chosen: str) -> int:
    """Try every cell of the chosen rows; 1 where one of them went wrong."""
    failed = 0
    found: dict[str, dict[str, str]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        plain_surroundings(),
        running(first(), Path(folder) / "ca.pem") as emulator,
    ):
        court = Court(emulator)
        for table in TABLES:
            for kind in table.kinds:
                if chosen not in label(kind):
                    continue
                line, wrong = court.row(table, kind)
                failed += len(wrong)
                found.setdefault(table.name, {})[label(kind)] = line
                sys.stdout.write("\n  ".join((f"{table.name} {line}", *wrong)) + "\n")
                sys.stdout.flush()
    text = DOCUMENT.read_text("utf-8")
    for table in TABLES:
        rows = {line.split(" | ")[0]: line for line in shown(text, table)} | found.get(table.name, {})
        lines = [rows[label(kind)] for kind in table.kinds if label(kind) in rows]
        text = replaced(text, table, [*header(table), *lines])
    DOCUMENT.write_text(text, "utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
