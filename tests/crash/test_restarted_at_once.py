"""Restarted at once, while services still show what was before: nothing is made twice."""

from __future__ import annotations

import pytest

from reconciler import cli_apply
from reconciler.cli_session import Session
from tests.cli.facts import held
from tests.crash.conftest import Sit
from tests.crash.killing import Point, Ran, Runner


def test_a_group_that_does_not_show_yet_is_not_made_again(sit: Sit, runs: Runner) -> None:
    desk = sit("groups")
    desk.emulator.world.switches["graph.stale-seconds"] = 90
    killed = runs.run(desk, "apply", point=Point(write=1))
    assert ("+", "group red-fresh", "is there") in killed.effects
    again = desk.run("apply")
    groups = [group.display_name for group in desk.emulator.world.directory.groups.values()]
    assert groups.count("red-fresh") == 1
    assert again.code == 0, again.everything
    assert "group red-left" not in held(desk.emulator)
    assert "what an interrupted run may have made shows in 120 s at the latest; waiting" in again.err


def test_a_group_that_another_run_made_meanwhile_is_not_made_again(
    sit: Sit, runs: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other run comes and goes after this one has read what there is to wait for, and before its lock."""
    desk = sit("groups")
    desk.emulator.world.switches["graph.stale-seconds"] = 90
    true_wait, killed = cli_apply._wait, list[Ran]()

    def wait(session: Session) -> bool:
        waited = true_wait(session)
        if not killed:
            killed.append(runs.run(desk, "apply", point=Point(write=1)))
        return waited

    monkeypatch.setattr(cli_apply, "_wait", wait)
    again = desk.run("apply")
    assert ("+", "group red-fresh", "is there") in killed[0].effects
    groups = [group.display_name for group in desk.emulator.world.directory.groups.values()]
    assert groups.count("red-fresh") == 1
    assert again.code == 0, again.everything
