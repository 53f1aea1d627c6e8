"""How far long work is: in a line that fits a terminal, and in few lines of a log."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable

import pytest

from reconciler import cli_progress
from reconciler.cli_progress import AT_ONCE, EVERY, FIRST, Kept, Teller, Work, lasting, line, logged


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


class Screen(io.StringIO):
    """A terminal of 80 columns that remembers all that was ever drawn."""

    def isatty(self) -> bool:
        return True

    def seen(self) -> list[str]:
        """What stood on the last line, one look after the other."""
        return [text for text in self.getvalue().split("\r") if text.strip()]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def screen() -> Screen:
    return Screen()


def work(what: str, *steps: tuple[float, int], total: int = 0) -> Work:
    """Work that was told of at these moments."""
    made = Work(what=what, started=steps[0][0], done=steps[0][1], total=total)
    for at, done in steps:
        made.step(at, done, total)
    return made


LAKE = work("lake paths", (0, 0), (29, 1_204_331), total=3_000_000)
GROUPS = work("Entra groups", (0, 0), (7.8, 312), total=5_000)


def test_a_line_says_how_far_how_fast_and_how_long_yet() -> None:
    assert line([LAKE], 29, 79) == "  lake paths 1,204,331 (40 %), 41,529/s, 43 s left"


def test_several_kinds_of_work_stand_apart() -> None:
    assert line([LAKE, GROUPS], 29, 200) == (
        "  lake paths 1,204,331 (40 %), 41,529/s, 43 s left | Entra groups 312 of 5,000, 11/s, 7 min left"
    )


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (75, "  lake paths 1,204,331 (40 %) | Entra groups 312 of 5,000, 11/s, 7 min left"),
        (60, "  lake paths 1,204,331 (40 %) | Entra groups 312 of 5,000"),
        (55, "  Entra groups 312 of 5,000, 11/s, 7 min left | 1 more"),
        (40, "  Entra groups 312 of 5,000 | 1 more"),
        (20, ""),
    ],
)
def test_where_there_is_little_room_the_longest_wait_is_told(columns: int, text: str) -> None:
    assert line([LAKE, GROUPS], 29, columns) == text


def test_what_is_done_makes_room_and_the_last_of_all_stays() -> None:
    done = work("Entra groups", (0, 0), (5, 5_000), total=5_000)
    assert line([done, LAKE], 29, 79).startswith("  lake paths")
    assert line([done], 29, 79) == "  Entra groups 5,000 of 5,000"


def test_an_estimate_that_was_too_low_is_not_told_any_more() -> None:
    grown = work("lake paths", (0, 0), (10, 120), total=100)
    assert line([grown], 10, 79) == "  lake paths 120, 12/s"
    assert not grown.over


def test_what_an_interrupted_run_left_behind_is_no_speed() -> None:
    resumed = work("lake paths", (0, 800_000), (10, 900_000), total=1_000_000)
    assert (resumed.rate(10), resumed.left(10)) == (10_000, 10)


def test_the_rate_follows_a_service_that_throttles() -> None:
    slow = work("lake paths", *((second, 1_000 * second) for second in range(60)))
    for second in range(60, 120):
        slow.step(second, 59_000 + (second - 59) * 10, 0)
    assert 10 <= slow.rate(119) < 20


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (89, "89 s"), (100, "2 min"), (4_000, "67 min"), (12_000, "3 h 20 min")],
)
def test_times_read(seconds: float, text: str) -> None:
    assert lasting(seconds) == text


def test_a_log_line_can_be_read_by_a_program() -> None:
    text = logged(LAKE, 29)
    assert text == "progress what=lake-paths done=1204331 total=3000000 rate=41529 elapsed=29 eta=43"
    odd = work("secret scopes of ml prod\n::x", (0, 1), (4, 2))
    assert logged(odd, 4) == "progress what=secret-scopes-of-ml-prod-::x done=2 rate=0.2 elapsed=4"
    first, *pairs = text.split()
    assert first == "progress"
    assert all(len(pair.split("=")) == 2 for pair in pairs)


def test_short_work_says_nothing_in_a_log(log: io.StringIO, clock: Clock) -> None:
    tell = Teller(log, clock)
    for done in range(1_000):
        tell("lake paths", done, 0)
        clock.at += FIRST / 1_001
    tell.close()
    assert log.getvalue() == ""


def test_long_work_says_a_line_now_and_then_and_one_at_the_end(log: io.StringIO, clock: Clock) -> None:
    tell = Teller(log, clock)
    for done in range(100_000):
        tell("lake paths", done * 100, 10_000_000)
        tell("Entra groups", min(done, 5), 5)
        clock.at += 0.01
    lines = [text for text in log.getvalue().splitlines() if "lake-paths" in text]
    assert 1_000 / EVERY - 1 <= len(lines) <= 1_000 / EVERY + 1
    tell.close()
    assert log.getvalue().splitlines()[-1].startswith("progress what=lake-paths done=9999900 ")
    assert "elapsed=1000" in log.getvalue()
    tell.close()
    assert log.getvalue().count("elapsed=1000") == 1, "closing twice says nothing twice"


def test_a_log_stays_short_whatever_goes_on_at_once(log: io.StringIO, clock: Clock) -> None:
    tell = Teller(log, clock)
    for done in range(1_000):
        for which in range(100):
            tell(f"secret scopes of workspace-{which}", done, 1_000 + which)
        clock.at += 0.1
    spoken = log.getvalue().splitlines()
    assert len(spoken) == 3 * AT_ONCE, "after 10, 40 and 70 seconds"
    assert "what=secret-scopes-of-workspace-99 " in spoken[0], "what has most before it"


def test_a_terminal_is_left_clean_and_no_line_is_longer_than_it(screen: Screen, clock: Clock) -> None:
    tell = Teller(screen, clock)
    for done in range(200):
        tell("lake paths", done * 12_345, 200 * 12_345)
        tell(f"secret scopes of workspace-{done % 40}", done, 0)
        clock.at += 0.2
    tell.say("reconciler: a checkpoint is not used: it is of another version")
    tell("lake paths", 5, 0)
    tell.close()
    assert all(len(text.rstrip("\n")) < 80 for text in screen.seen())
    assert "\n" not in screen.getvalue().replace("another version\n", "")
    assert screen.getvalue().endswith("\r")
    said = [text for text in screen.getvalue().split("\r") if text.startswith("reconciler: ")]
    assert said == ["reconciler: a checkpoint is not used: it is of another version\n"]


def test_a_terminal_is_not_drawn_on_more_often_than_one_can_read(screen: Screen, clock: Clock) -> None:
    tell = Teller(screen, clock)
    for done in range(10_000):
        tell("lake paths", done, 0)
        clock.at += 0.001
    assert 90 <= len(screen.seen()) <= 110


def together(call: Callable[[int], None], number: int) -> list[Exception]:
    """Call it from that many threads at once; what went wrong in them."""
    failed: list[Exception] = []

    def run(which: int) -> None:
        try:
            call(which)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test is told
            failed.append(error)

    threads = [threading.Thread(target=run, args=(which,)) for which in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


class Doorway(Screen):
    """A terminal that notices two who write at once."""

    inside = 0

    def write(self, text: str) -> int:
        self.inside += 1
        os.sched_yield()
        assert self.inside == 1, "somebody else is in the middle of a line"
        self.inside -= 1
        return super().write(text)


def test_many_threads_may_tell_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Doorway()
    monkeypatch.setattr(cli_progress, "RENEWED", 0.0)
    tell = Teller(screen)

    def one(which: int) -> None:
        for done in range(300):
            tell(f"work {which}", done, 300)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        assert together(one, 8) == []
    finally:
        sys.setswitchinterval(interval)
    tell.close()
    assert all(len(text) < 80 for text in screen.seen())


def test_hostile_names_do_not_steer_a_terminal(screen: Screen, clock: Clock) -> None:
    Teller(screen, clock)("secret scopes of \x1b[2J\nx", 1, 2)
    assert "\x1b" not in screen.getvalue()
    assert "\n" not in screen.getvalue()


def test_an_interruption_says_how_to_go_on_only_where_there_is_something() -> None:
    kept = Kept()
    assert kept.told(6) == ""
    kept(1_000)
    kept(1_204_000)
    assert kept.told(6) == (
        "interrupted; nothing has changed, and 1,204,000 lake paths are kept in a checkpoint: the same "
        "command goes on from there within 6 h"
    )
