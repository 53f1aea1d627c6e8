"""Commands that are killed at a request of their choosing: by the service that receives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from reconciler.emulator.server import Emulator
from reconciler.emulator.wire import Request, Response
from tests.cli.desk import HOME, Desk, signed_in
from tests.cli.facts import held
from tests.stories.story import writes

Effect = tuple[str, str, str]
"""`+` or `-`, a thing, and a fact about it that came or went."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Where a run ends: at a request of it, or while it writes its journal.  0 is never."""

    write: int = 0
    """The number of the request among those that could change something; its answer is never heard."""
    effect: bool = True
    """Whether that request still has its effect."""
    append: int = 0
    """The number of the entry in the journal."""
    how: str = ""
    """`middle` or `after`."""

    def __str__(self) -> str:
        if self.append:
            return f"entry {self.append}, {self.how}"
        return f"write {self.write}, {'with' if self.effect else 'without'} its effect"


NEVER = Point()


@dataclass(slots=True)
class Watch:
    """Stands in the emulator's door: what every request changed, and which one the sender did not survive."""

    emulator: Emulator
    point: Point = NEVER
    victim: int = 0
    counts: Callable[[Request], bool] = writes
    """Which requests are points."""
    known: threading.Event = field(default_factory=threading.Event)
    """Set once the victim is."""
    requests: int = 0
    writes: int = 0
    meddling: list[str] = field(default_factory=list)
    """Requests that pass for reading and changed something."""
    effects: list[Effect] = field(default_factory=list)

    def handle(self, request: Request) -> Response:
        """Answer as ever, and remember; or end the one who asks, before the effect or after it."""
        answer = type(self.emulator.app).handle
        self.requests += 1
        if not self.counts(request):
            return self._read(request)
        self.writes += 1
        if self.writes == self.point.write and not self.point.effect:
            return self.reach(Response(503))
        before = facts(self.emulator)
        response = answer(self.emulator.app, request)
        after = facts(self.emulator)
        self.effects += [("-", *fact) for fact in sorted(before - after)]
        self.effects += [("+", *fact) for fact in sorted(after - before)]
        return self.reach(response) if self.writes == self.point.write else response

    def _read(self, request: Request) -> Response:
        before = facts(self.emulator)
        response = type(self.emulator.app).handle(self.emulator.app, request)
        if facts(self.emulator) != before:
            self.meddling.append(f"{request.method} {request.service} {request.path}")
        return response

    def reach(self, response: Response) -> Response:
        """What happens at the point; the answer is heard by nobody."""
        assert self.known.wait(30)
        os.kill(self.victim, signal.SIGKILL)
        return response


@dataclass(slots=True)
class Meanwhile(Watch):
    """Something else happens at the point, while the one who asks waits for the answer."""

    act: Callable[[], object] = field(default=lambda: None)

    def reach(self, response: Response) -> Response:
        """Do it, and answer."""
        self.act()
        return response


def facts(emulator: Emulator) -> frozenset[tuple[str, str]]:
    """Everything that holds, fact by fact: that a thing is there, and each who holds something of it."""
    return frozenset(
        (thing, text) for thing, facts in held(emulator).items() for text in ("is there", *_texts(facts))
    )


def _texts(facts: Any) -> Iterator[str]:
    if isinstance(facts, str):
        # A mask follows from the entries beside it.
        yield from (entry for entry in facts.split(",") if "mask::" not in entry)
    elif isinstance(facts, Mapping):
        for name, value in facts.items():
            yield from (f"{name} {each}" for each in ([value] if isinstance(value, str) else value))
    else:
        yield from facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a command ended, and what it did until then."""

    code: int
    """-9 for one that was killed."""
    told: str
    requests: int
    writes: int
    appends: int
    """0 for one that was killed."""
    effects: Counter[Effect]
    meddling: list[str]


@dataclass(slots=True)
class Runner:
    """Runs commands at a desk, each in a process of its own."""

    process: subprocess.Popen[str]
    modules: list[str] = field(default_factory=list)
    """What the first command had imported by its end; all others find it there."""

    def run(self, desk: Desk, *arguments: str, point: Point = NEVER, watch: Watch | None = None) -> Ran:
        """Run a command until it ends, or until this point of it."""
        told = desk.root / "told.txt"
        counts = desk.root / "told.txt.json"
        counts.unlink(missing_ok=True)
        order = {
            "arguments": arguments,
            "cwd": str(desk.root),
            "environ": signed_in("apply" in arguments),
            "told": str(told),
            "now": desk.now().isoformat(),
            "append": point.append,
            "how": point.how,
            "modules": self.modules,
        }
        watch = watch or Watch(desk.emulator, point)
        with watching(watch):
            assert self.process.stdin is not None
            assert self.process.stdout is not None
            print(json.dumps(order), file=self.process.stdin, flush=True)
            watch.victim = int(self.process.stdout.readline())
            watch.known.set()
            code = int(self.process.stdout.readline())
        more: dict[str, Any] = {"appends": 0, "modules": self.modules}
        if counts.exists():
            more = json.loads(counts.read_text("utf-8"))
        self.modules = more["modules"]
        return Ran(
            code=code,
            told=told.read_text("utf-8"),
            requests=watch.requests,
            writes=watch.writes,
            appends=more["appends"],
            effects=Counter(watch.effects),
            meddling=watch.meddling,
        )


@contextmanager
def watching(watch: Watch) -> Iterator[Watch]:
    """Put a watch in the door."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watch.emulator.app, "handle", watch.handle)
        yield watch


@contextmanager
def runner() -> Iterator[Runner]:
    """Whoever runs commands, for the length of a `with` block."""
    environ = {**os.environ, "PYTHONPATH": str(HOME)}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.crash.forks"], cwd=HOME, env=environ,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        yield Runner(process)
