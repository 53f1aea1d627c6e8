"""Several processes judge as one does, and none of them outlives an end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reconciler.providers.adls.inventory import results
from reconciler.providers.adls.inventory.engine import EngineError, run
from reconciler.providers.adls.inventory.faults import Flaw, InventoryFault
from tests.providers.adls.inventory.rows import Row, batch, expectations, on, outcome
from tests.providers.adls.test_expectation import BARE, GOOD, INHERITED

FULL = f"{GOOD},{INHERITED}"
WANTED = expectations({"a": {"grants": {"group:pricing-ds": "read"}}})
ROWS = [
    Row("a", True, FULL),
    *(Row(f"a/{number}", False, BARE if number % 7 == 0 else GOOD) for number in range(100)),
]


@dataclass(slots=True)
class Given:
    """Rows that come out of nowhere, and then what is to happen."""

    begin: int
    end: int
    then: str = ""
    met: int = 0

    @property
    def place(self) -> str:
        """What messages call it."""
        return f"rows {self.begin} to {self.end}"

    @property
    def rows(self) -> int:
        """How many there are."""
        return self.end - self.begin

    def open(self) -> Given:
        """Itself."""
        return self

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """One batch, and then."""
        self.met = self.rows
        yield batch(ROWS[self.begin : self.end])
        match self.then:
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "fail":
                raise RuntimeError("no such thing")
            case "fault":
                raise InventoryFault(Flaw.FILE, self.place, "it cannot be read: cut short")
            case "hang":
                while True:
                    yield batch([])


def works(*then: str) -> list[Given]:
    """Four units, of which some do what they should not."""
    return [
        Given(at * 25, at * 25 + 25 + (at == 3), what) for at, what in enumerate([*then, "", "", "", ""][:4])
    ]


def test_processes_judge_as_one_does(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    parts = results.begin(tmp_path, on(WANTED.values()))
    ran = run(works(""), on(WANTED.values()), parts, workers=2, progress=lambda *each: told.append(each))
    assert (ran.rows, ran.met, ran.faults) == (101, 101, [])
    assert told[-1] == (101, 101)
    spooled: list[pa.RecordBatch] = []
    result = results.Result(folder=tmp_path, ground=on(WANTED.values()), engine="local", rows=ran.rows)
    results.finish(result)
    judged = results.load(tmp_path).merged(spooled.append)
    alone = outcome([[batch(ROWS)]], on(WANTED.values()))
    assert judged.tallies["a"].counts == alone.judged.tallies["a"].counts
    paths = [row for each in spooled for row in each.to_pylist()]
    assert sorted(paths, key=lambda row: row["path"]) == alone.paths
    assert judged.drifted == 15


def test_a_worker_that_is_killed_is_an_error_that_names_its_work(tmp_path: Path) -> None:
    parts = results.begin(tmp_path, on(WANTED.values()))
    with pytest.raises(EngineError, match="ended by SIGKILL while it judged rows 0 to 25.*use fewer workers"):
        run(works("die"), on(WANTED.values()), parts)
    with pytest.raises(results.ResultError, match="no whole result"):
        results.load(tmp_path)


def test_a_worker_that_fails_is_an_error_that_names_its_work(tmp_path: Path) -> None:
    parts = results.begin(tmp_path, on(WANTED.values()))
    with pytest.raises(EngineError, match="judged rows 25 to 50: RuntimeError: no such thing"):
        run(works("", "fail"), on(WANTED.values()), parts, workers=1)


def test_what_cannot_be_read_is_told_and_the_rest_is_judged(tmp_path: Path) -> None:
    parts = results.begin(tmp_path, on(WANTED.values()))
    ran = run(works("fault"), on(WANTED.values()), parts)
    assert [str(fault) for fault in ran.faults] == ["inventory rows 0 to 25: it cannot be read: cut short"]
    assert ran.rows == 101


SCRIPT = """
import sys
from pathlib import Path
from reconciler.providers.adls.inventory import results
from reconciler.providers.adls.inventory.engine import run
from tests.providers.adls.inventory.rows import on
from tests.providers.adls.inventory.test_engine import WANTED, works

if __name__ == "__main__":
    parts = results.begin(Path(sys.argv[1]), on(WANTED.values()))
    progress = lambda done, total: print(done, flush=True)
    run(works("hang", "hang"), on(WANTED.values()), parts, progress=progress)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    file = tmp_path / "parent.py"
    file.write_text(SCRIPT, encoding="utf-8")
    parent = subprocess.Popen(
        [sys.executable, str(file), str(tmp_path / "out")],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert parent.stdout is not None
    for line in parent.stdout:
        if line == "50\n":
            break
    if number == signal.SIGINT:
        # As a terminal does it: everybody in the foreground gets it.
        os.killpg(parent.pid, number)
    else:
        parent.send_signal(number)
    # It ends when nobody is left who holds the other end: workers do as long as they live.
    _, complaints = parent.communicate(timeout=60)
    assert "Traceback" not in complaints or number == signal.SIGINT
    assert not list((tmp_path / "out" / "parts").glob("*.parquet"))


def test_a_result_is_not_written_over(tmp_path: Path) -> None:
    where = on(WANTED.values())
    results.begin(tmp_path, where)
    results.finish(results.Result(folder=tmp_path, ground=where, engine="local", rows=0))
    with pytest.raises(results.ResultError, match="holds a result already"):
        results.begin(tmp_path, where)


def test_a_part_that_is_missing_is_noticed(tmp_path: Path) -> None:
    where = on(WANTED.values())
    parts = results.begin(tmp_path, where)
    ran = run(works(), where, parts)
    results.finish(results.Result(folder=tmp_path, ground=where, engine="local", rows=ran.rows))
    (parts / "part-0000.parquet").unlink()
    with pytest.raises(results.ResultError, match="rows, 101 were read; judge the inventory anew"):
        results.load(tmp_path).merged(lambda each: None)


def test_a_part_that_is_cut_short_is_noticed(tmp_path: Path) -> None:
    where = on(WANTED.values())
    parts = results.begin(tmp_path, where)
    ran = run(works(), where, parts, workers=1)
    results.finish(results.Result(folder=tmp_path, ground=where, engine="local", rows=ran.rows))
    part = parts / "part-0000.parquet"
    assert pq.read_metadata(part).num_rows
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(results.ResultError, match="cannot be read"):
        results.load(tmp_path).merged(lambda each: None)
