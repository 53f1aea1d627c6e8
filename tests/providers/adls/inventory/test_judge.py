"""`reconciler-judge` leaves the same result whichever engine it is given, and refuses in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from reconciler import cli_judge
from reconciler.providers.adls.expectation import Expectation
from reconciler.providers.adls.inventory.merging import Judged
from reconciler.providers.adls.inventory.results import load
from tests.cli.hostile import EVIL
from tests.providers.adls.inventory.rows import expectations, on
from tests.providers.adls.inventory.runs import ACL, Inventoried
from tests.providers.adls.lake import ODD
from tests.providers.adls.test_expectation import GOOD, INHERITED
from tests.report.test_hostile import steering

ROWS = 100_000
FOLDERS: Mapping[str, Mapping[str, Any]] = {
    "t": {"grants": {"group:pricing-ds": "read"}},
    "t/d007": {"grants": {"group:sales": "read"}, "tenant": "sales"},
    "t/d013/deep": {"grants": {"group:pricing-ds": "list"}},
    "odd": {"grants": {}, "unlisted": "keep"},
    "gone": {"grants": {"group:sales": "read"}},
}
NOTHING: Mapping[str, Mapping[str, Any]] = {"t": {"grants": {"user:ana@corp.example": "write"}}}


def paths() -> Iterator[tuple[str, bool, str]]:
    random = Random(7)
    good = f"{GOOD},{INHERITED}"
    yield "t", True, good
    for number in range(200):
        yield f"t/d{number:03d}", True, good if random.random() < 0.98 else ACL
        for file in range(ROWS // 200):
            yield f"t/d{number:03d}/f{file:05d}", False, GOOD if random.random() < 0.99 else ACL
    yield "t/d013/deep", True, ""
    yield "odd", True, ""
    for name in (*ODD, "x" * 200, "e\N{COMBINING ACUTE ACCENT}", "ends in dots..."):
        yield f"odd/{name}", False, ""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Inventoried(folder=tmp_path_factory.mktemp("inventory"))
    made.fill(paths())
    made.make(form="parquet", files=3, group_rows=20_000, duplicates=50)
    return made.folder


def judge(
    copy: Path, tmp: Path, engine: str, folders: Mapping[str, Mapping[str, Any]]
) -> tuple[Judged, list[tuple[Any, ...]]]:
    here = on(expectations(folders).values())
    ground, out = tmp / "ground.json", tmp / engine
    ground.write_text(here.document(), encoding="utf-8")
    shutil.rmtree(out, ignore_errors=True)
    more = ["--engine", engine, "--rule", "nightly", *(["--master", "local[2]"] if engine == "spark" else [])]
    assert cli_judge.judge([str(ground), str(copy), str(out), *more]) == 0
    rows: list[pa.RecordBatch] = []
    judged = load(out).merged(rows.append)
    found = [tuple(row.values()) for batch in rows for row in batch.to_pylist()]
    return judged, sorted(found)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark runs on Java, and there is none here")
@pytest.mark.parametrize("folders", [FOLDERS, NOTHING], ids=["some drift", "every row drifted"])
def test_both_engines_judge_every_row_alike(
    copy: Path, tmp_path: Path, folders: Mapping[str, Mapping[str, Any]]
) -> None:
    local, alone = judge(copy, tmp_path, "local", folders)
    spark, spread = judge(copy, tmp_path, "spark", folders)
    assert spread == alone, "rows by themselves"
    assert len(alone) > (900 if folders is FOLDERS else ROWS)
    assert spark.tallies.keys() == local.tallies.keys()
    for path, tally in local.tallies.items():
        assert spark.tallies[path].counts == tally.counts, path
    assert (spark.missing, spark.outside, spark.rows) == (local.missing, local.outside, local.rows)
    assert (spark.drifted, spark.repeated) == (local.drifted, local.repeated)


@pytest.mark.parametrize(
    ("text", "words"),
    [("{}", "this is no ground"), ('{"format": "reconciler/ground/v9"}', "v9"), ("\xff", "ground")],
)
def test_a_ground_that_is_none_is_refused(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    ground = tmp_path / "ground.json"
    ground.write_text(text, encoding="latin-1")
    assert cli_judge.judge([str(ground), str(copy), str(tmp_path / "out"), "--rule", "nightly"]) == 1
    said = capsys.readouterr().err
    assert words in said and len(said.splitlines()) == 1


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_hostile_names_in_an_inventory(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    """Names of paths, of files of the run and of whoever holds rights are somebody else's choice."""
    made = Inventoried(folder=tmp_path / "copy")
    names = [name.replace("/", "_").replace("\x00", "") for name in EVIL.values()]
    made.fill([("t", True, GOOD), *((f"t/{name}", False, ACL) for name in names)])
    made.make(form=form)
    ground, out = tmp_path / "ground.json", tmp_path / "\x1b[31mout"
    ground.write_text(on(expectations(NOTHING).values()).document(), "utf-8")
    # A carriage return outside of quotes ends a row of CSV: what is behind it is told as unread.
    code = cli_judge.judge([str(ground), str(made.folder), str(out), "--rule", "nightly"])
    assert code == (4 if form == "csv" else 0)
    for file in made.folder.rglob(f"*.{form}"):
        file.write_bytes(file.read_bytes()[:-9])
    code = cli_judge.judge([str(ground), str(made.folder), str(tmp_path / "again"), "--rule", "nightly"])
    assert code in (1, 4)
    assert cli_judge.judge([str(ground), str(made.folder), str(out), "--rule", EVIL["lines"]]) == 1
    said = capsys.readouterr()
    lines = (said.out + said.err).splitlines()
    assert len(lines) >= 3
    assert [found for line in lines for found in steering(line)] == []


def test_a_ground_holds_no_name_of_a_person(copy: Path) -> None:
    held: Expectation = expectations(NOTHING)["t"]
    assert json.loads(on([held]).document())["format"] == "reconciler/ground/v1"
