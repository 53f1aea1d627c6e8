"""The process that a command runs in: what libraries may say, how output leaves, and how it ends.

Its law: nothing but the reconciler's own lines reaches the person, and no secret does.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from reconciler.core.secrecy import known_secrets, without
from reconciler.report.clean import plain

INTERRUPTED = 130
"""The exit code of a command that was interrupted, as shells count it: 128 and the number of SIGINT."""

COLLECT_AFTER = (50_000, 20, 100)
"""New objects after which the garbage collector looks for cycles, and how often it looks further back.
Python's 700 let it walk an estate that only grows again and again: a fifth of the CPU time of a plan."""

LARGEST = 1 << 16
"""Bytes of a file that may be a token."""

LIBRARIES = logging.getLogger("reconciler.process")


def without_secrets(text: str, environ: Mapping[str, str]) -> str:
    """The text with everything left out that signs anybody in."""
    return without(text, known_secrets(environ, _in_files(environ)))


def _in_files(environ: Mapping[str, str]) -> Iterator[str]:
    """Secrets in files that the process environment names."""
    path = environ.get("AZURE_FEDERATED_TOKEN_FILE", "")
    if path:
        with suppress(OSError), Path(path).open("rb") as file:
            yield file.read(LARGEST).decode("utf-8", "replace")


def in_environment() -> dict[str, str]:
    """What this process holds that is secret, and what is shown in its place."""
    return known_secrets(os.environ, _in_files(os.environ))


def harmless(text: str) -> str:
    """The text as it may be shown: without secrets, and without what steers a terminal or a log.

    Further lines stay lines; none of them can pass for one of ours.
    """
    first, *more = without_secrets(text, os.environ).split("\n")
    rest = (plain(line if line[:1] in ("", " ") else f"  {line}") for line in more)
    return "\n".join((plain(first), *rest))


class _Debug(logging.StreamHandler):
    """Everybody's log on standard error, as it is at that moment, without secrets."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a log that cannot be written is no reason to stop."""
        self.stream = sys.stderr
        super().emit(record)

    def format(self, record: logging.LogRecord) -> str:
        """One record as text."""
        return harmless(f"[{record.name} {record.levelname}] {super().format(record)}")


def _take_logs() -> None:
    """Keep what libraries log, warn and leave behind off the person's screen; RECONCILER_DEBUG shows it.

    A logger without a handler prints warnings on standard error, and so does a thread or a destructor that
    fails: what came of all that is in the plan already, as a gap or an outcome.
    """
    root = logging.getLogger()
    if os.environ.get("RECONCILER_DEBUG"):
        root.addHandler(_Debug())
        root.setLevel(logging.DEBUG)
    else:
        root.addHandler(logging.NullHandler())
    logging.captureWarnings(True)


def _take_hooks() -> None:
    """Send what the interpreter would print of failed threads and destructors the way of all logs."""

    def unraisable(what: sys.UnraisableHookArgs) -> None:
        LIBRARIES.debug("in %r: %s", what.object, what.exc_value, exc_info=what.exc_value)

    def thread(what: threading.ExceptHookArgs) -> None:
        LIBRARIES.debug("in %s: %s", what.thread, what.exc_value, exc_info=what.exc_value)

    sys.unraisablehook = unraisable
    threading.excepthook = thread


def _take_streams() -> None:
    """Make standard output and error take any name: what an encoding lacks is written as an escape."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # Closed by whoever started us; printing must not fail for that.
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _take_signals() -> None:
    """Treat being told to end like Ctrl-C: a runner that cancels a job sends both."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, end)


def as_program(command: Callable[[], int]) -> int:
    """Run a command as what this process is for, and give its exit code.

    After an interruption this does not return: answers that are still awaited would hold the process back.
    """
    gc.set_threshold(*COLLECT_AFTER)
    _take_streams()
    _take_logs()
    _take_hooks()
    _take_signals()
    try:
        code = command()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BrokenPipeError:
        deafen()
        code = 1
    except OSError as error:
        code = _unwritable(error)
    code = _flushed(code)
    if code == INTERRUPTED:
        os._exit(code)
    return code


def _flushed(code: int) -> int:
    """Let everything out; a reader who has gone, as with `| head`, is told nothing more."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        deafen()
        return code or 1
    except OSError as error:
        return _unwritable(error)
    return code


def _unwritable(error: OSError) -> int:
    deafen()
    print(f"reconciler: cannot write the output: {error.strerror}", file=sys.stderr)
    return 1


def deafen() -> None:
    """Give up standard output, so that nothing tries again to write what was refused."""
    try:
        handle = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), handle)


def trace(error: BaseException) -> str:
    """Where an error came from, without secrets: for RECONCILER_DEBUG."""
    return harmless("".join(traceback.format_exception(error)))
