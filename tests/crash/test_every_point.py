"""Killed at any point of an apply, the same command run again ends at exactly what was approved.

What a killed run leaves is what the services and the journal hold at that moment.  Reading changes neither,
so that to be killed before, during or after a reading is to be killed after the write or the entry before it,
and so it is right before a write or an entry.  The points are therefore every write once it has had its
effect, and every entry of the journal when half of its bytes are there and when all are.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from reconciler.store.folder import FolderStore
from reconciler.store.journal import read
from tests.cli.desk import Desk
from tests.cli.facts import held
from tests.crash.conftest import Sit
from tests.crash.killing import Effect, Point, Ran, Runner
from tests.crash.scene import PARTS, begin_anew, journal

KILLED = -9
SHARES = {"groups": 1, "databricks": 2, "lake": 3}
"""Into how many tests the points of each estate are divided, for tests that run side by side."""


def points(whole: Ran, share: int, shares: int) -> Iterator[Point]:
    """Every point at which such a run can end, or one share of them, which lie next to each other in time."""

    def mine(total: int) -> range:
        return range(1 + share * total // shares, 1 + (share + 1) * total // shares)

    # First what a torn line leaves: the other points that come to the same need no second look.
    yield from (Point(append=number, how="middle") for number in mine(whole.appends))
    yield from (Point(write=number) for number in mine(whole.writes))
    yield from (Point(append=number, how="after") for number in mine(whole.appends))


def left(desk: Desk) -> str:
    """What the services hold, and what the journal adds up to: all that the next run goes by."""
    history = read(FolderStore(desk.root / ".reconciler/store/test"), "test")
    records = [(record.id, record.status, record.approval) for record in history.records]
    return json.dumps([held(desk.emulator), records, sorted(history.unfinished.items())], sort_keys=True)


@dataclass(frozen=True, slots=True)
class Story:
    """What a run that nobody disturbs does, which is what everybody else has to come to."""

    whole: Ran
    end: dict[str, Any]
    approved: frozenset[str]

    @classmethod
    def tell(cls, desk: Desk, runs: Runner) -> Story:
        """Let one run through."""
        whole = runs.run(desk, "apply")
        assert whole.code == 0, whole.told
        assert whole.meddling == []
        approved = frozenset(line["action"]["id"] for line in journal(desk) if line["event"] == "announced")
        assert {line["status"] for line in journal(desk) if line["event"] == "settled"} == {"verified"}
        return cls(whole, held(desk.emulator), approved)

    def ends_well(self, desk: Desk, runs: Runner, effects: Counter[Effect]) -> None:
        """Run the same command again, after one that had these effects, and ask for all that was promised."""
        again = runs.run(desk, "apply")
        assert again.code == 0, again.told
        assert held(desk.emulator) == self.end
        assert effects + again.effects == self.whole.effects
        assert seen_to_work(desk) == dict.fromkeys(self.approved, 1)
        third = runs.run(desk, "plan")
        assert third.code == 0, third.told
        assert third.told.rstrip().splitlines()[-1].startswith("In step")


def seen_to_work(desk: Desk) -> Counter[str]:
    """How often each action was sent and seen to work; no run may have left anything open."""
    ends: dict[tuple[str, str], str] = {}
    for line in journal(desk):
        if line["event"] == "announced":
            ends[line["run"], line["action"]["id"]] = "open"
        elif line["event"] == "settled":
            ends[line["of"], line["id"]] = line["status"]
    assert "open" not in ends.values()
    return Counter(ident for (_, ident), status in ends.items() if status == "verified")


@pytest.mark.parametrize(
    ("part", "share"), [(part, share) for part in PARTS for share in range(SHARES[part])]
)
def test_killed_at_any_point(part: str, share: int, sit: Sit, runs: Runner) -> None:
    desk = sit(part)
    story = Story.tell(desk, runs)
    known: set[str] = set()
    ends = list(points(story.whole, share, SHARES[part]))
    for point in ends:
        begin_anew(desk)
        killed = runs.run(desk, "apply", point=point)
        assert killed.code == KILLED, (str(point), killed.told)
        state = left(desk)
        if state not in known:
            known.add(state)
            try:
                story.ends_well(desk, runs, killed.effects)
            except AssertionError as error:
                error.add_note(f"killed at {point}")
                raise
    assert len(known) > len(ends) / 3


@pytest.mark.parametrize("part", PARTS)
def test_killed_before_its_first_effect_a_run_leaves_nothing_but_its_word(
    part: str, sit: Sit, runs: Runner
) -> None:
    desk = sit(part)
    before = held(desk.emulator)
    killed = runs.run(desk, "apply", point=Point(write=1, effect=False))
    assert (killed.code, killed.effects, held(desk.emulator)) == (KILLED, Counter(), before)
    assert {line["event"] for line in journal(desk)} == {"announced"}


def test_runs_that_are_killed_one_after_the_other_finish_the_job(sit: Sit, runs: Runner) -> None:
    """Every one of them gets as far as five effects of everything that there is to do, and dies."""
    desk = sit(*PARTS)
    story = Story.tell(desk, runs)
    begin_anew(desk)
    effects: Counter[Effect] = Counter()
    deaths = 0
    while True:
        ran = runs.run(desk, "apply", point=Point(write=5))
        effects += ran.effects
        if ran.code != KILLED:
            break
        deaths += 1
    assert ran.code == 0, ran.told
    assert deaths >= story.whole.writes // 5
    assert held(desk.emulator) == story.end
    assert effects == story.whole.effects
    assert seen_to_work(desk) == dict.fromkeys(story.approved, 1)
