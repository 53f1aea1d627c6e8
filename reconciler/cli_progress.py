"""How far long work is: a line that renews itself on a terminal, a line now and then in a log.

Its law: work of a few seconds says nothing in a log, and however long it takes, the log stays short.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from reconciler.report.clean import plain
from reconciler.report.lines import cells

FIRST = 10.0
"""Seconds that work may take before a log hears of it."""
EVERY = 30.0
"""Seconds between two words of a log on the same work."""
RENEWED = 0.1
"""Seconds between two looks of the line on a terminal: more often nobody can read it."""
WINDOW = 30.0
"""Seconds over which the rate is taken: long enough to be steady, short enough to notice throttling."""
APART = "  |  "


@dataclass(slots=True)
class Work:
    """One piece of work as far as it was told, by a clock that only ever goes forward."""

    what: str
    started: float
    done: int
    total: int
    spoke: float | None = None
    """When a log last heard of it."""
    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    @property
    def over(self) -> bool:
        """Whether it is done.  A total may be an estimate: more than it is not done but on its way."""
        return 0 < self.total == self.done

    def step(self, at: float, done: int, total: int) -> None:
        """Take what is done by now."""
        self.done, self.total = done, total
        if not self._seen or at - self._seen[-1][0] >= 1:
            self._seen.append((at, done))
        while len(self._seen) > 2 and at - self._seen[1][0] > WINDOW:
            self._seen.popleft()

    def rate(self, at: float) -> float:
        """Units per second of late; 0 before that can be told.  What was done at the first word, such as what
        an interrupted run left behind, is no speed."""
        since, done = self._seen[0] if self._seen else (at, self.done)
        return (self.done - done) / (at - since) if at - since >= 1 else 0.0

    def left(self, at: float) -> float | None:
        """Seconds that the rest will take at this rate; None where nobody knows."""
        rate = self.rate(at)
        return (self.total - self.done) / rate if rate > 0 and self.total > self.done else None


class Teller:
    """Tells a person or a log how far reading is.  It may be called from several threads at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._live = sys.stderr.isatty()
        self._clock = clock
        self._lock = threading.Lock()
        self._work: dict[str, Work] = {}
        self._drawn: float | None = None
        self._wide = 0

    def __call__(self, what: str, done: int, total: int) -> None:
        """Say how far one piece of work is; `total` is 0 where nobody knows."""
        at = self._clock()
        with self._lock:
            work = self._work.get(what)
            if work is None:
                work = self._work[what] = Work(what=plain(what), started=at, done=done, total=total)
            work.step(at, done, total)
            if self._live:
                self._draw(at)
            elif at - work.started >= FIRST and (work.spoke is None or at - work.spoke >= EVERY):
                self._log(work, at)

    def say(self, text: str) -> None:
        """A sentence in between, on a line of its own."""
        with self._lock:
            self._clear()
            _write(f"{text}\n")

    def close(self) -> None:
        """Leave a clean line, and tell a log what became of the work that it has heard of."""
        at = self._clock()
        with self._lock:
            self._clear()
            for work in self._work.values():
                if work.spoke is not None:
                    self._log(work, at)
            self._work.clear()

    def _draw(self, at: float) -> None:
        if self._drawn is not None and at - self._drawn < RENEWED:
            return
        self._drawn = at
        # A line that fills the screen would begin a new one, and could not be renewed.
        text = line(list(self._work.values()), at, _columns() - 1)
        _write("\r" + text + " " * (self._wide - cells(text)))
        self._wide = cells(text)

    def _clear(self) -> None:
        if self._wide:
            _write("\r" + " " * self._wide + "\r")
            self._wide = 0

    def _log(self, work: Work, at: float) -> None:
        work.spoke = at
        _write(f"{logged(work, at)}\n")


@dataclass(slots=True)
class Kept:
    """How much of a reading an interruption leaves behind; whoever reads says so as it goes on."""

    paths: int = 0

    def __call__(self, paths: int) -> None:
        """Take what would not have to be read again as of now."""
        self.paths = paths

    def told(self, hours: float) -> str:
        """How to go on after an interruption; "" where there is nothing to go on from."""
        if not self.paths:
            return ""
        return (
            f"interrupted; nothing has changed, and {self.paths:,} lake paths are kept in a checkpoint: the "
            f"same command goes on from there within {hours:.0f} h"
        )


def _columns() -> int:
    """How wide the terminal is that progress goes to; output may go elsewhere."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _write(text: str) -> None:
    with suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()


def line(works: Sequence[Work], at: float, columns: int) -> str:
    """What is going on, in one line of at most so many columns: the longest in full as long as there is room.

    `  lake paths 1,204,331 of 3,000,000, 41,200/s, 44 s left  |  Entra groups 312 of 5,000`
    """
    going = [work for work in works if not work.over] or works[-1:]
    # What has most before it is what a person waits for.
    first = max(going, key=lambda work: (work.left(at) or 0, work.done))
    more = [f"{len(going) - 1} more"] if len(going) > 1 else []
    forms = (
        [_told(work, at) for work in going],
        [_told(work, at) if work is first else _far(work) for work in going],
        [_far(work) for work in going],
        [_told(first, at), *more],
        [_far(first), *more],
    )
    texts = ("  " + APART.join(form) for form in forms)
    return next((text for text in texts if cells(text) <= columns), "")


def _told(work: Work, at: float) -> str:
    return ", ".join([_far(work), *_pace(work, at)])


def _far(work: Work) -> str:
    total = f" of {work.total:,}" if work.done <= work.total else ""
    return f"{work.what} {work.done:,}{total}"


def _pace(work: Work, at: float) -> Iterator[str]:
    rate, left = work.rate(at), work.left(at)
    if rate > 0:
        yield f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"
    if left is not None:
        yield f"{lasting(left)} left"


def lasting(seconds: float) -> str:
    """A time in words: `44 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def logged(work: Work, at: float) -> str:
    """One line for a log, as pairs that a program can read: units, units per second, seconds.

    `progress what=lake-paths done=1204331 total=3000000 rate=41200 elapsed=30 eta=44`; what nobody knows is
    left out.
    """
    what = re.sub(r"[^\w.:/-]+", "-", work.what)
    rate, left = work.rate(at), work.left(at)
    pairs = {
        "what": what,
        "done": f"{work.done}",
        "total": f"{work.total}" if work.total else "",
        "rate": f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}" if rate > 0 else "",
        "elapsed": f"{at - work.started:.0f}",
        "eta": "" if left is None else f"{left:.0f}",
    }
    return "progress " + " ".join(f"{name}={value}" for name, value in pairs.items() if value)
