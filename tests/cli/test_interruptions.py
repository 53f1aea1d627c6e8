"""Ctrl-C, a cancelled job, a killed process: one line or none, a journal that holds, a rerun that finishes.

These run in processes of their own, by the real clock.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.cli_demo import READER, Stage
from reconciler.emulator.faults import Fault
from reconciler.emulator.lake.service import LakeService
from tests.cli.desk import HOME, Desk, signed_in
from tests.cli.facts import held
from tests.stories.story import writes

SOON = 15.0
"""Seconds: a guard against whoever waits for answers that will not come; it takes a fraction of one."""
MEMBERS = {"members": ["user:ana", "user:bo"], "owners": ["user:lea"]}


@pytest.fixture
def approved(desk: Desk) -> Desk:
    """A desk whose plan is approved but for what a guardrail stops; the journal has the real clock."""
    desk.run("plan", "--out", "plan.json")
    desk.approve_what_may_go("CHG-1")
    desk.commit("lea")
    desk.emulator.world.clock.frozen_at = None
    return desk


def wait(reached: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Until the emulator has seen something; fails when the process ends before."""
    until = time.monotonic() + 30
    while not reached():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.005)


def stop(process: subprocess.Popen[str], number: int, times: int = 1) -> tuple[int, str, str]:
    started = time.monotonic()
    for _ in range(times):
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - started < SOON
    return process.returncode, out, err


def journal(desk: Desk) -> list[dict[str, object]]:
    files = sorted((desk.root / ".reconciler/store/test/journal").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def written(desk: Desk) -> list[str]:
    return [f"{entry.method} {entry.service}" for entry in desk.emulator.world.log.entries if writes(entry)]


@pytest.mark.parametrize("service", ["entra", "graph", "databricks/ws", "lake/.*"])
@pytest.mark.parametrize("command", ["plan", "apply"])
def test_ctrl_c_while_reading(approved: Desk, command: str, service: str) -> None:
    """A service that takes five minutes holds nobody back who has had enough."""
    fault = Fault(service=service, kind="delay", seconds=300, times=None)
    approved.emulator.world.faults.add(fault)
    text = (approved.root / "policies/environment.yaml").read_text("utf-8")
    approved.write("policies/environment.yaml", text.replace("patience: 4", "patience: 300"))
    approved.commit("noor")
    before = held(approved.emulator)
    with approved.process(command) as process:
        wait(lambda: fault.struck, process)
        code, out, err = stop(process, signal.SIGINT)
    assert code == 130
    assert err.splitlines() == [err.strip()]
    assert err.startswith("reconciler: interrupted; ")
    assert out == ""
    assert held(approved.emulator) == before
    assert not (approved.root / ".reconciler/store/test/journal").exists()


KEEPING = """
import reconciler.reconcile
import reconciler.survey as survey
def keeping(desired, cloud, inputs, tell, checkpoint, *more):
    checkpoint.kept(1_204_000)
    return survey.read(desired, cloud, inputs, tell, checkpoint, *more)
reconciler.reconcile.read = keeping
import sys
from reconciler.cli import main
sys.exit(main())
"""
"""A lake of which most has been read, and is kept, before the next answer."""


@pytest.mark.parametrize(
    ("command", "number"),
    [("plan", signal.SIGINT), ("drift", signal.SIGTERM), ("plan --fresh", signal.SIGTERM)],
)
def test_stopped_in_a_long_reading(approved: Desk, command: str, number: int) -> None:
    fault = Fault(service="lake/.*", kind="delay", seconds=300, times=None)
    approved.emulator.world.faults.add(fault)
    with approved.process(*command.split(), program=["-c", KEEPING]) as process:
        wait(lambda: fault.struck, process)
        code, out, err = stop(process, number)
    assert (code, out) == (130, "")
    assert err == (
        "reconciler: interrupted; nothing has changed, and 1,204,000 lake paths are kept in a checkpoint: "
        "the same command goes on from there within 6 h\n"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_reading_of_a_large_lake_goes_on_where_it_was_stopped(approved: Desk, number: int) -> None:
    service = approved.emulator.services["lake"]
    assert isinstance(service, LakeService)
    service.grow("lake", "data", ((f"red/part-{at:07}", False, "") for at in range(150_000)))
    listing = "comp=list.*prefix=red"
    fault = Fault(service="lake/.*", target=listing, kind="delay", seconds=300, skip=20, times=None)
    approved.emulator.world.faults.add(fault)
    with approved.process("plan") as process:
        wait(lambda: fault.struck >= 4, process)
        code, out, err = stop(process, number)
    assert (code, out) == (130, "")
    kept = re.search(r"and ([\d,]+) lake paths are kept in a checkpoint: the same command goes on", err)
    assert kept is not None, (err, listings(approved))
    approved.emulator.world.faults.clear()
    first = len(listings(approved))
    again = approved.spawn("plan")
    assert f"resumed after {kept[1]} paths" in " ".join(again.out.split())
    second = len(listings(approved))
    fresh = approved.spawn("plan", "--fresh")
    assert "resumed" not in fresh.out
    # Of what is kept, each page is a request less.
    assert second - first <= len(listings(approved)) - second - int(kept[1].replace(",", "")) // 5000 + 4
    assert actions(fresh.out) == actions(again.out)
    assert "150,003 paths" in fresh.out


def listings(desk: Desk) -> list[str]:
    return [entry.query for entry in desk.emulator.world.log.entries if "comp=list" in entry.query]


def actions(out: str) -> list[str]:
    return [line for line in out.splitlines() if line.lstrip().startswith(("+", "-", "~"))]


@pytest.mark.parametrize(("number", "times"), [(signal.SIGINT, 1), (signal.SIGINT, 3), (signal.SIGTERM, 1)])
def test_stopped_while_writing(approved: Desk, number: int, times: int) -> None:
    """A write has been announced, its answer is awaited, it had no effect.  The same command finishes."""
    fault = Fault(service="graph", method="PATCH|POST", target="/groups/", kind="delay", seconds=300)
    approved.emulator.world.faults.add(fault)
    with approved.process("apply") as process:
        wait(lambda: fault.struck, process)
        code, _, err = stop(process, number, times)
    assert code == 130
    assert err.startswith("reconciler: interrupted; what was sent is in the journal: run the same command")
    assert "Traceback" not in err
    assert {line["event"] for line in journal(approved)} == {"announced"}
    again = approved.spawn("apply")
    assert again.code == 0
    assert "settled from an interrupted run" in again.err
    assert held(approved.emulator)["group red-ds"] == MEMBERS
    assert "group:red-ds:r-x" in held(approved.emulator)["path data/red"]
    assert approved.spawn("plan").out.count("+ grant  ") == 1, "the legend's"


def test_killed_after_the_effect(approved: Desk) -> None:
    """The effect is there and nobody could write that down: it is settled by reading, and not sent again."""
    with approved.process("apply") as process:
        wait(lambda: written(approved), process)
        process.kill()
        process.communicate()
    first = [line for line in journal(approved) if line["event"] == "announced"]
    assert first
    if any(line["event"] == "settled" for line in journal(approved)):
        pytest.skip("the machine was too slow to kill it in time")
    again = approved.spawn("apply")
    assert again.code == 0
    assert "settled from an interrupted run" in again.err
    assert len([text for text in written(approved) if text.endswith("graph")]) == 1
    assert held(approved.emulator)["group red-ds"] == MEMBERS
    assert not (approved.root / ".reconciler/store/test/lock.holder").exists()


def test_ctrl_c_while_verifying(approved: Desk) -> None:
    """A reading that does not come keeps the run from settling what it sent."""
    approved.emulator.world.faults.add(
        Fault(service="graph", target="batch|getByIds|/members", kind="delay", seconds=300, times=0)
    )
    with approved.process("apply") as process:
        wait(lambda: written(approved), process)
        approved.emulator.world.faults.active[0].times = None
        code, _, err = stop(process, signal.SIGINT)
    assert code == 130
    assert len(err.splitlines()) == 1
    approved.emulator.world.faults.clear()
    assert approved.spawn("apply").code == 0
    assert held(approved.emulator)["group red-ds"] == MEMBERS


def test_ctrl_c_ends_the_emulator_well(desk: Desk, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    with desk.process("emulator", "serve", "--port", "0", "--ca", str(ca_file)) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("https://127.0.0.1:")
        code, _, err = stop(process, signal.SIGINT)
    assert code == 0
    assert "Traceback" not in err
    assert "interrupted" not in err


def test_ctrl_c_in_a_step_of_the_demo_ends_the_demo(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in signed_in(writing=False):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr("reconciler.cli.main", lambda arguments: 130)
    with pytest.raises(KeyboardInterrupt, match="interrupted; the demo ends here"):
        Stage(desk.root, desk.emulator).reconciler(READER, "plan")


def test_ctrl_c_ends_the_demo_in_one_line(desk: Desk, tmp_path: Path) -> None:
    with desk.process("demo", cwd=HOME, TMPDIR=str(tmp_path), PYTHONUNBUFFERED="1") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "reconciler plan" in line:
                break
        code, _, err = stop(process, signal.SIGINT)
    assert code == 130
    assert "Traceback" not in err
    assert "reconciler: interrupted" in err.splitlines()[-1]
