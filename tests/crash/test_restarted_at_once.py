"""Restarted at once, while services still show what was before: nothing is made twice."""

from __future__ import annotations

from tests.cli.facts import held
from tests.crash.conftest import Sit
from tests.crash.killing import Point, Runner


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
