"""Killed at any point of an apply, the same command run again ends at exactly what was approved.

What a killed run leaves is what the services and the journal hold at that moment.  Reading changes neither, so
that to be killed before, during or after a reading is to be killed after the write or the entry before it.
Every write is a point, before its effect and after it, and so is every entry, before it, halfway and after it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cli.desk import Desk
from tests.cli.facts import held
from tests.crash.conftest import Sit
from tests.crash.killing import Effect, Point, Ran, Runner
from tests.crash.scene import PARTS, begin_anew, journal

KILLED = -9
FINAL = {"verified"}


def points(whole: Ran) -> Iterator[Point]:
    """Every point at which such a run can end."""
    for number in range(1, whole.writes + 1):
        yield from (Point(write=number, effect=effect) for effect in (False, True))
    for number in range(1, whole.appends + 1):
        yield from (Point(append=number, how=how) for how in ("before", "middle", "after"))


def left(desk: Desk) -> str:
    """What the services and the journal hold, but for the names and times of runs."""
    lines = [{**line, "at": "", "run": "", "of": ""} for line in journal(desk)]
    return json.dumps([held(desk.emulator), lines], sort_keys=True)


@dataclass(frozen=True, slots=True)
class Story:
    """What a run that nobody disturbs does, which is what everybody else has to come to."""

    whole: Ran
    end: dict[str, Any]
    approved: frozenset[str]

    @classmethod
    def tell(cls, desk: Desk, runs: Runner) -> Story:
        whole = runs.run(desk, "apply")
        assert whole.code == 0, whole.told
        approved = frozenset(line["action"]["id"] for line in journal(desk) if line["event"] == "announced")
        assert {line["status"] for line in journal(desk) if line["event"] == "settled"} == {"verified"}
        return cls(whole, held(desk.emulator), approved)

    def ends_well(self, desk: Desk, runs: Runner, effects: Counter[Effect], point: object) -> None:
        """Run the same command again, and ask for everything that was promised."""
        again = runs.run(desk, "apply")
        assert again.code == 0, (str(point), again.told)
        assert held(desk.emulator) == self.end, str(point)
        assert effects + again.effects == self.whole.effects, str(point)
        assert spent(desk) == dict.fromkeys(self.approved, 1), str(point)
        third = runs.run(desk, "plan")
        assert third.code == 0, (str(point), third.told)


def spent(desk: Desk) -> Counter[str]:
    """How often each action was consented to, sent and seen to work."""
    ends: dict[tuple[str, str], str] = {}
    for line in journal(desk):
        if line["event"] == "announced":
            ends[line["run"], line["action"]["id"]] = "open"
        elif line["event"] == "settled":
            ends[line["of"], line["id"]] = line["status"]
    assert "open" not in ends.values()
    return Counter(ident for (_, ident), status in ends.items() if status == "verified")


@pytest.mark.parametrize("part", PARTS)
def test_killed_at_any_point(part: str, sit: Sit, runs: Runner) -> None:
    desk = sit(part)
    story = Story.tell(desk, runs)
    assert story.whole.meddling == []
    known: set[str] = set()
    for point in points(story.whole):
        begin_anew(desk)
        killed = runs.run(desk, "apply", point=point)
        assert killed.code == KILLED, (str(point), killed.told)
        state = left(desk)
        if state not in known:
            known.add(state)
            story.ends_well(desk, runs, killed.effects, point)
    assert len(known) > story.whole.writes
