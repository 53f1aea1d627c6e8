"""Every benchmark runs, at sizes that take moments: figures are looked at for sense, never for speed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks import (
    __main__,
    bench_apply,
    bench_core,
    bench_correcting,
    bench_estate,
    bench_groups,
    bench_help,
    bench_inventory,
    bench_limits,
    bench_order,
    bench_pacing,
    bench_validate,
    inventory_rows,
    record,
)
from tests.benchmarks.record import Report, Row
from tests.benchmarks.world import Size

SMALL = Size(tenants=2, groups=45, people=60, scopes=4, holders=10, folders=6, workspaces=2)


def row(report: Report, begins: str) -> Row:
    return next(each for each in report.rows if each.what.startswith(begins))


def whole(report: Report) -> None:
    """Every row has something to say, and all of it can be printed and kept."""
    assert all(any(figure is not None for figure in each.figures()) for each in report.rows)
    assert report.title in report.text() and all(each.what in report.text() for each in report.rows)


def test_help() -> None:
    report = bench_help.run(runs=1)
    whole(report)
    asked, nothing = report.rows
    assert nothing.mebibytes is not None and asked.mebibytes is not None
    # A process that was not measured apart would begin at the size of this one.
    assert 0 < nothing.mebibytes < asked.mebibytes < 40


def test_validate() -> None:
    report = bench_validate.run(tenants=3, runs=1)
    whole(report)
    assert report.facts["files"] == 6 and report.facts["lines"] == 339


def test_core() -> None:
    report = bench_core.run(grants=1000, runs=1)
    whole(report)
    assert [each.what.partition(": ")[2] for each in report.rows] == [
        "10 actions",
        "1,000 actions",
        "10 actions",
    ]
    after = [report.facts[f"1% drift, whole plan: MiB after {step}"] for step in ("diff", "judge", "text")]
    assert after == sorted(map(float, map(str, after)))


def test_order() -> None:
    report = bench_order.run(
        users=300, groups=40, sizes=(80,), runs=1,
        shapes=[("scopes", (30, 4), "a"), ("workspace", (40, 8), "b"), ("path", (3, 4, 5), "c")],
    )  # fmt: skip
    whole(report)
    assert row(report, "order of").what == "order of 80 actions"
    # An order that minds nobody would be a fast one.
    assert int(str(report.facts["80 actions: that wait for another"])) > 10
    each = [report.facts[f"{name}: actions, waiting, knots"] for name in "abc"]
    assert each == ["8 4 0", "4 3 0", "14 7 0"], "each revoke waits for its grant, and for what rests on it"


@pytest.mark.slow
def test_inventory() -> None:
    size = inventory_rows.Size(rows=40_000, directories=4_000, declared=400, trees=20)
    report = bench_inventory.run(size, runs=1)
    whole(report)
    assert int(str(report.facts["paths that drifted, all planted"])) > 10


def test_an_inventory_that_is_not_judged_as_planted_is_no_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    size = inventory_rows.Size(rows=400, directories=60, declared=20, trees=4)
    monkeypatch.setattr(bench_inventory, "_once", lambda *given: {"not planted": 0, "not found": 1})
    monkeypatch.setattr(bench_inventory, "make", lambda *given: None)
    with pytest.raises(RuntimeError, match="not what was planted"):
        bench_inventory.run(size, runs=1)


def test_limits() -> None:
    size = Size(tenants=2, groups=6, people=600, scopes=6, holders=24, folders=4, files=0)
    report = bench_limits.run(mixed=size, scopes=replace(size, folders=0, members=1))
    whole(report)
    for each in report.rows:
        assert "turned away: 0" in each.target
    # 24 changes of entitlements, of which the limit lets 10 through at once and one every six seconds.
    assert all(-0.01 <= float(str(over)) < 0.05 for over in report.facts.values())


def test_apply() -> None:
    report = bench_apply.run(actions=20, years=3)
    whole(report)
    assert report.rows[-1].what == "reading journals of 60 actions before a plan"


@pytest.mark.emulator
def test_groups() -> None:
    report = bench_groups.run(Size(tenants=2, groups=45, people=60), runs=1)
    whole(report)
    # Three batches and a few look-ups; the yardstick has one request for each group and one for the list.
    assert 4 <= (row(report, "reconciler plan").requests or 0) <= 8
    assert row(report, "yardstick").requests == 46


@pytest.mark.emulator
def test_estate() -> None:
    report = bench_estate.run(SMALL, runs=1)
    whole(report)
    # Two workspaces with two scopes each: the list of them, and one list for each scope.
    assert int(str(report.facts["requests to databricks/ml-0"])) >= 3
    assert 0 < (row(report, "  read entra").cpu or 0) < (row(report, "reconciler plan").cpu or 0)
    assert "least wall s that the published limit of secrets allows" in report.facts


@pytest.mark.emulator
def test_pacing() -> None:
    report = bench_pacing.run(replace(SMALL, workspaces=1), ["databricks/scim-get", "arm/read"], times=1.2)
    whole(report)
    assert all(0.95 <= share <= 1 for share in bench_pacing.shares(report))
    assert all(value == 0 for key, value in report.facts.items() if "turned away" in key)


@pytest.mark.emulator
def test_an_estate_that_is_not_in_step_is_no_benchmark(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def drifted(size: Size) -> dict[str, object]:
        document = seed(size)
        document["directory"]["groups"][0]["members"].pop()
        return document

    seed = bench_estate.seed
    monkeypatch.setattr(bench_estate, "seed", drifted)
    with pytest.raises(RuntimeError, match="ended with 2"):
        bench_estate.run(Size(tenants=1, groups=2, people=20), runs=1)


def test_figures_are_kept_beside_those_of_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(record, "FILE", tmp_path / "build" / "bench.json")
    for name, seconds in (("one", 1.0), ("two", 2.0), ("one", 3.0)):
        record.record(Report(name=name, title=name, rows=[Row(what="w", wall=seconds, requests=7)]))
    kept = json.loads((tmp_path / "build" / "bench.json").read_text("utf-8"))
    assert {name: entry["rows"][0]["wall s"] for name, entry in kept.items()} == {"one": 3.0, "two": 2.0}
    assert kept["one"]["rows"][0]["requests"] == 7 and kept["one"]["rows"][0]["cpu s"] is None


def test_a_name_that_is_none_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["pacign"]) == 1
    assert "no benchmark pacign; there are apply, core, correcting, estate" in capsys.readouterr().err


def test_correcting() -> None:
    report = bench_correcting.run(drifted=2_100, large=4_000, singles=20)
    whole(report)
    assert "2 writes" in row(report, "executor").what
    assert "20 writes" in row(report, "yardstick: one write a path").what
    planned = [each for each in report.rows if "are the least" in each.target]
    assert len(planned) == 6
    for each in planned:
        least = int(each.target.split(" ")[0].replace(",", ""))
        assert each.requests is not None and least <= each.requests <= 1.1 * least, each.what
