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
from typing import TextIO

from reconciler.cli_process import harmless
from reconciler.report.clean import plain
from reconciler.report.lines import cells

FIRST = 10.0
"""Seconds that work may take before a log hears of it."""
EVERY = 30.0
"""Seconds between two words in a log."""
AT_ONCE = 4
"""Kinds of work that a log hears of at once: those with most before them."""
RENEWED = 0.1
"""Seconds between two looks of the line on a terminal: more often nobody can read it."""
WINDOW = 30.0
"""Seconds over which the rate is taken: long enough to be steady, short enough to notice throttling."""
APART = " | "
LARGE = 10_000
"""From this total on a share says more than the total itself, and is shorter."""


@dataclass(slots=True)
class Work:
    """One piece of work as far as it was told, by a clock that only ever goes forward."""

    what: str
    started: float
    done: int
    total: int
    spoke: bool = False
    """Whether a log has heard of it."""
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

    def before(self, at: float) -> tuple[float, int]:
        """What to order work by that has most before it, as far as anybody knows."""
        return self.left(at) or 0, self.done


class Teller:
    """Tells a person or a log how far reading is.  It may be called from several threads at once."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._clock = clock
        self._lock = threading.Lock()
        self._work: dict[str, Work] = {}
        self._spoke: float | None = None
        """When a line was last drawn, or a log last heard of anything."""
        self._wide = 0

    def __call__(self, what: str, done: int, total: int) -> None:
        """Say how far one piece of work is; `total` is 0 where nobody knows."""
        at = self._clock()
        with self._lock:
            work = self._work.get(what)
            if work is None:
                work = self._work[what] = Work(what=plain(what), started=at, done=done, total=total)
            work.step(at, done, total)
            if self._spoke is not None and at - self._spoke < (RENEWED if self._live else EVERY):
                return
            if self._live:
                self._draw(at)
            else:
                self._log(at)

    def say(self, text: str) -> None:
        """A sentence in between, on a line of its own."""
        with self._lock:
            self._clear()
            self._write(f"{harmless(text)}\n")

    def close(self) -> None:
        """Leave a clean line, and tell a log what became of the work that it has heard of."""
        at = self._clock()
        with self._lock:
            self._clear()
            for work in self._work.values():
                if work.spoke:
                    self._write(f"{logged(work, at)}\n")
            self._work.clear()

    def _draw(self, at: float) -> None:
        self._spoke = at
        # A line that fills the screen would begin a new one, and could not be renewed.
        text = line(list(self._work.values()), at, self._columns() - 1)
        self._write("\r" + text + " " * (self._wide - cells(text)))
        self._wide = cells(text)

    def _clear(self) -> None:
        if self._wide:
            self._write("\r" + " " * self._wide + "\r")
            self._wide = 0

    def _log(self, at: float) -> None:
        long = [work for work in self._work.values() if at - work.started >= FIRST and not work.over]
        for work in sorted(long, key=lambda each: each.before(at), reverse=True)[:AT_ONCE]:
            self._spoke, work.spoke = at, True
            self._write(f"{logged(work, at)}\n")

    def _columns(self) -> int:
        """How wide the terminal is that progress goes to; output may go elsewhere."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    def _write(self, text: str) -> None:
        # Nothing stops because it cannot be told how far it is.
        with suppress(OSError):
            self._stream.write(text)
            self._stream.flush()


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


def line(works: Sequence[Work], at: float, columns: int) -> str:
    """What is going on, in one line of at most so many columns: the longest in full as long as there is room.

    `  lake paths 1,204,331 (40 %), 41,200/s, 44 s left | Entra groups 312 of 5,000`
    """
    going = [work for work in works if not work.over] or works[-1:]
    # What has most before it is what a person waits for.
    first = max(going, key=lambda work: work.before(at))
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
    total = ""
    if work.done <= work.total:
        share = 100 * work.done // work.total if work.total else 100
        total = f" of {work.total:,}" if work.total < LARGE else f" ({share} %)"
    return f"{work.what} {work.done:,}{total}"


def _pace(work: Work, at: float) -> Iterator[str]:
    rate, left = (0, None) if work.over else (work.rate(at), work.left(at))
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
