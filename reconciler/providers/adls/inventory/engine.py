"""Judge the units of an inventory in several processes of this machine.

Its law: either every unit was judged, or what was not is told; a worker that dies makes no result.

Processes, not threads: half of the work holds the interpreter's lock (measured in docs/adr/0013).  Each takes
one unit after the other and remembers directories from one to the next.  Workers ignore Ctrl-C, which is the
parent's to handle, and end as soon as the parent is gone: their pipe closes.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from reconciler.core.errors import ReconcilerError
from reconciler.providers.adls.inventory.estate import Ground, parse
from reconciler.providers.adls.inventory.faults import InventoryFault
from reconciler.providers.adls.inventory.kernel import judge
from reconciler.providers.adls.inventory.results import write_part

GRACE = 5.0
"""Seconds that a worker has to end by itself once it is told to."""
Progress = Callable[[int, int], None]
"""Called with the rows that were read, and with all of them, 0 where only reading tells."""


class EngineError(ReconcilerError):
    """A worker that could not do its work: there is no result."""


class Opened(Protocol):
    """A stream of batches that counts."""

    met: int
    """Rows read so far, those of other containers included."""

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The batches; raises InventoryFault."""
        ...


class Work(Protocol):
    """A part of an inventory; it crosses to the worker, and may be opened once there."""

    @property
    def place(self) -> str:
        """The part, as messages name it."""
        ...

    @property
    def rows(self) -> int | None:
        """How many rows it has; None where only reading tells."""
        ...

    def open(self) -> Opened:
        """Its rows, once."""
        ...


@dataclass(slots=True)
class Ran:
    """What the workers came to."""

    rows: int = 0
    """Rows of the container."""
    met: int = 0
    """All rows."""
    faults: list[InventoryFault] = field(default_factory=list)


def run(
    works: Sequence[Work],
    ground: Ground,
    parts: Path,
    *,
    workers: int = 2,
    progress: Progress = lambda done, total: None,
) -> Ran:
    """Judge all of these; each worker writes one part.  Raises EngineError.

    Where it raises, be it for Ctrl-C, no worker is left, and the parts are no result.
    """
    crew = _Crew(works, ground.document(), progress)
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        for number in range(max(1, min(workers, len(works)))):
            ours, theirs = context.Pipe()
            path = parts / f"part-{number:04}.parquet"
            process = context.Process(target=_work, args=(theirs, str(path)), daemon=True)
            stack.callback(_end, process, ours)
            process.start()
            # Kept open here, it would never tell that the worker is gone.
            theirs.close()
            crew.hire(process, ours)
        crew.see_through()
    return crew.ran


@dataclass(slots=True)
class _Crew:
    """Hands out work, and hears of it."""

    works: Sequence[Work]
    document: str
    """The ground; workers ask for it, as nobody could be started while it is on its way."""
    progress: Progress
    ran: Ran = field(default_factory=Ran)
    workers: dict[Connection, BaseProcess] = field(default_factory=dict)
    doing: dict[Connection, str] = field(default_factory=dict)
    handed: int = 0

    def hire(self, process: BaseProcess, pipe: Connection) -> None:
        """Take a worker in, who will ask for work."""
        self.workers[pipe] = process
        self.doing[pipe] = "it started"

    def see_through(self) -> None:
        """Go on until every worker is done; raises EngineError."""
        rows = [work.rows for work in self.works]
        total = 0 if None in rows else sum(row or 0 for row in rows)
        while self.workers:
            for pipe in wait(list(self.workers)):
                assert isinstance(pipe, Connection)
                try:
                    message = pipe.recv()
                except (EOFError, OSError):
                    raise self._died(pipe) from None
                self._hear(pipe, message)
                if message[0] in ("next", "rows"):
                    self.progress(self.ran.met, total)

    def _hear(self, pipe: Connection, message: tuple[str, Any]) -> None:
        match message:
            case "rows", (met, kept):
                self.ran.met += met
                self.ran.rows += kept
            case "fault", fault:
                self.ran.faults.append(fault)
            case "ground", _:
                self._send(pipe, self.document)
            case "next", _:
                self._hand(pipe)
            case "failed", text:
                raise EngineError(f"a worker failed while {self.doing[pipe]}: {text}")
            case "done", _:
                del self.workers[pipe]

    def _hand(self, pipe: Connection) -> None:
        work = self.works[self.handed] if self.handed < len(self.works) else None
        self.doing[pipe] = f"it judged {work.place}" if work else "it wrote its result"
        self.handed += 1
        self._send(pipe, work)

    def _send(self, pipe: Connection, what: Work | str | None) -> None:
        try:
            pipe.send(what)
        except OSError:
            raise self._died(pipe) from None

    def _died(self, pipe: Connection) -> EngineError:
        process = self.workers[pipe]
        process.join(GRACE)
        code = process.exitcode or 0
        how = f"ended with exit code {code}"
        if code < 0:
            how = f"was ended by {signal.Signals(-code).name}"
        hint = "; if the machine ran out of memory, use fewer workers" if code == -signal.SIGKILL else ""
        return EngineError(f"a worker {how} while {self.doing[pipe]}; there is no result{hint}")


def _end(process: BaseProcess, pipe: Connection) -> None:
    """Have a worker ended, whatever it is doing."""
    pipe.close()
    if process.pid is None:
        return
    process.join(0 if process.is_alive() else None)
    if process.is_alive():
        process.terminate()
        process.join(GRACE)
    if process.is_alive():
        process.kill()
        process.join()


def _work(pipe: Connection, path: str) -> None:
    """What a worker does, in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pa.set_cpu_count(1)
    try:
        pipe.send(("ground", None))
        write_part(judge(_batches(pipe), parse(pipe.recv())), Path(path))
        pipe.send(("done", None))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # Nobody is waiting for it any more.
    except OSError as error:
        pipe.send(("failed", f"{path} cannot be written: {error.strerror or error}"))
    except MemoryError:
        pipe.send(("failed", "there is not enough memory; use fewer workers"))
    except Exception as error:  # noqa: BLE001 - it must reach whoever waits, in words
        pipe.send(("failed", f"{type(error).__name__}: {error}"))


def _batches(pipe: Connection) -> Iterator[pa.RecordBatch]:
    while True:
        pipe.send(("next", None))
        work: Work | None = pipe.recv()
        if work is None:
            return
        opened, told = work.open(), 0
        try:
            for batch in opened:
                yield batch
                pipe.send(("rows", (opened.met - told, batch.num_rows)))
                told = opened.met
        except InventoryFault as fault:
            # The other units may still show drift; that nothing drifted nobody can say any more.
            pipe.send(("fault", fault))
        # Batches in which nothing was of this container.
        pipe.send(("rows", (opened.met - told, 0)))
