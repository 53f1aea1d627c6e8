"""Keep what a long reading has come to in a file, so that the same question goes on from there.

Its law: a file serves the very question that it was written for, whole and young, or not at all; it is never
seen half written.  Nothing is written for what is read again in moments.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from pydantic import ValidationError

from reconciler.providers.adls.ground import Plots
from reconciler.providers.adls.sweeping.catch import Catch
from reconciler.providers.adls.sweeping.region import Region
from reconciler.providers.adls.sweeping.saving import (
    DoneState,
    LeftState,
    ScanState,
    State,
    Texts,
    pack,
    pack_catch,
)
from reconciler.providers.adls.sweeping.walk import Walk
from reconciler.providers.contract import Checkpoint

KEPT_FROM = 50_000
"""Paths of a container up to which reading it again takes less time than anybody notices."""
EVERY = timedelta(seconds=10)
"""What a crash costs at most; an interruption that the process hears of costs nothing."""
SHARE = 20
"""How many times as long as writing took there is no writing again."""
TOTALS = 100
"""Questions of which it is remembered how many paths there were."""
LARGEST = 1 << 30
"""Bytes of a file that is still read: everything that is kept fits many times over."""


def question_of(
    plots: Plots, ways: frozenset[str], parents: frozenset[str], place: str, more: object = None
) -> str:
    """The fingerprint of what is asked of one container at one endpoint."""
    asked = {
        "place": place,
        "plots": {path: sorted(tract.spots) if tract else None for path, tract in plots.items()},
        "ways": sorted(ways),
        "parents": sorted(parents),
        "more": more,
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


class Unkept:
    """Keeps nothing: for readings that have to be of this very moment."""

    texts: Sequence[str] = ()

    def saved(self, key: str) -> State | None:
        """Nothing is known."""
        return None

    def reject(self, error: ValueError) -> None:
        """Nothing was kept."""

    def begin(self, key: str, work: Region | Walk) -> None:
        """Nothing is kept of it."""

    def end(self, key: str, paths: int, catch: Catch) -> None:
        """Nothing is kept of it."""

    def leave(self, key: str, why: str) -> None:
        """Nothing is kept of it."""

    def drop(self, key: str) -> None:
        """Nothing was kept of it."""

    def step(self) -> None:
        """Nothing is written."""


NOWHERE = Unkept()


@dataclass(slots=True, kw_only=True)
class Keeping:
    """What is kept of the reading of one container."""

    checkpoint: Checkpoint
    name: str
    """Lake and container, for the file's name and for what is said about it."""
    question: str
    written: datetime | None = None
    """When anything in the lakes was last written to by the reconciler itself."""
    told: Callable[[], None] = lambda: None
    """Called after every change of what is kept."""
    kept: int = 0
    """Paths that are in the file now."""
    _saved: dict[str, State] = field(default_factory=dict)
    _begun: datetime | None = None
    _texts: Texts = field(default_factory=Texts)
    _ended: dict[str, DoneState | LeftState] = field(default_factory=dict)
    _open: dict[str, Region | Walk] = field(default_factory=dict)
    _due: datetime | None = None

    @property
    def file(self) -> Path:
        """Where it is kept: other questions about the same container have files of their own."""
        return self.checkpoint.folder / f"{quote(self.name, safe='')}-{self.question[:12]}.json"

    def load(self) -> None:
        """Look for what an interrupted reading left; what is of no use is told and forgotten."""
        now = self.checkpoint.now()
        self._begun, self._due = now, now + EVERY
        try:
            if self.checkpoint.fresh or self.file.stat().st_size > LARGEST:
                self.forget()
                return
            state = ScanState.model_validate_json(self.file.read_bytes())
            begun = datetime.fromisoformat(state.begun)
            age = now - begun
        except FileNotFoundError:
            return
        except (OSError, ValidationError, ValueError, TypeError) as error:
            said = str(error).partition("\n")[0]
            self._reject(f"it cannot be read: {said}")
            return
        if state.question != self.question:
            self._reject("it answers another question")
        elif not timedelta(0) <= age <= self.checkpoint.stale:
            hours = age / timedelta(hours=1)
            self._reject(f"it was begun {hours:.1f} h ago, which is too long")
        elif self.written is not None and begun <= self.written:
            self._reject("what it holds may be from before the last apply")
        elif len(set(state.texts)) != len(state.texts):
            self._reject("it names a list twice")
        else:
            self._begun, self._saved = begun, dict(state.regions)
            # Numbers of texts stay what they are, for the parts that are not asked for again yet.
            self._texts = Texts({text: number for number, text in enumerate(state.texts)})

    def saved(self, key: str) -> State | None:
        """What is known of a region from before; it is asked for once."""
        return self._saved.pop(key, None)

    @property
    def texts(self) -> Sequence[str]:
        """What states speak of by number."""
        return list(self._texts.known)

    def reject(self, error: ValueError) -> None:
        """Say that what was kept does not fit, and use no more of it."""
        self._saved.clear()
        self._reject(str(error))

    def _reject(self, why: str) -> None:
        self.checkpoint.warn(f"{self.name} is read from the beginning, as {self.file} is not used: {why}")
        self.forget()

    def begin(self, key: str, work: Region | Walk) -> None:
        """From now on this is being read."""
        self._open[key] = work
        self._ended.pop(key, None)

    def end(self, key: str, paths: int, catch: Catch) -> None:
        """This was read to its end."""
        self._open.pop(key, None)
        self._ended[key] = DoneState.model_construct(paths=paths, catch=pack_catch(catch, self._texts))

    def leave(self, key: str, why: str) -> None:
        """This is not to be read this way."""
        self._open.pop(key, None)
        self._ended[key] = LeftState(why=why)

    def drop(self, key: str) -> None:
        """Nothing is known of this."""
        self._open.pop(key, None)
        self._ended.pop(key, None)

    def step(self) -> None:
        """Write, if it is worth it and time for it."""
        if self._due is None or self._paths() < KEPT_FROM:
            return
        now = self.checkpoint.now()
        if now >= self._due:
            written = self.write()
            after = self.checkpoint.now()
            self._due = after + max(EVERY, SHARE * (after - now)) if written else None

    def write(self) -> bool:
        """Write what there is by now, and whether that succeeded.

        Whoever reads the file sees this, or what was there before.
        """
        paths = self._paths()
        if paths < KEPT_FROM or self._begun is None:
            return True
        open_states = {key: pack(work, self._texts) for key, work in self._open.items()}
        state = ScanState.model_construct(
            question=self.question,
            begun=self._begun.isoformat(),
            # What was kept and not asked for again yet is kept on.
            regions={**self._saved, **self._ended, **open_states},
            texts=list(self._texts.known),
        )
        try:
            write_whole(self.file, state.model_dump_json(warnings=False))
        except OSError as error:
            self.checkpoint.warn(f"how far {self.name} was read cannot be kept: {error}")
            return False
        self.kept = paths
        self.told()
        return True

    def _paths(self) -> int:
        states = (*self._saved.values(), *self._ended.values())
        ended = sum(state.paths for state in states if not isinstance(state, LeftState))
        return ended + sum(work.paths for work in self._open.values())

    def forget(self) -> None:
        """Keep nothing any more: the reading is complete, or of no use."""
        with suppress(OSError):
            self.file.unlink(missing_ok=True)
        self.kept = 0


@dataclass(slots=True, kw_only=True)
class Scans:
    """Everything that one question to the lakes keeps."""

    checkpoint: Checkpoint | None
    progress: Callable[[int, int], None]
    """Called with the paths met so far, and with how many there were the last time; 0 for unknown."""
    written: datetime | None = None
    """When anything in the lakes was last written to by the reconciler itself."""
    keeps: bool = True
    """Whether more is kept than how many paths there were."""
    done: int = 0
    _keepings: list[Keeping] = field(default_factory=list)
    _totals: dict[str, int] = field(default_factory=dict)
    """Paths of the last complete reading, by the fingerprint of what was asked."""
    _expected: int | None = 0
    """None as soon as something is asked for the first time."""

    def __post_init__(self) -> None:
        if self.checkpoint is not None:
            self._totals = _totals(self._file(self.checkpoint))
            _clear(self.checkpoint)

    def count(self, paths: int) -> None:
        """Count paths that were met."""
        self.done += paths
        self.progress(self.done, self._expected or 0)

    def keeping(self, name: str, question: str) -> Keeping | None:
        """Where the reading of one container is kept; None where nothing may be."""
        expected = self._totals.get(question)
        self._expected = None if self._expected is None or expected is None else self._expected + expected
        if self.checkpoint is None or not self.keeps:
            return None
        made = Keeping(
            checkpoint=self.checkpoint, name=name, question=question, written=self.written, told=self._tell
        )
        made.load()
        self._keepings.append(made)
        return made

    def write(self) -> None:
        """Write all there is: the reading will not go on."""
        for keeping in self._keepings:
            keeping.write()

    def complete(self, paths: Mapping[str, int]) -> None:
        """Keep nothing but how many paths there were, by question, where that was long work."""
        for keeping in self._keepings:
            keeping.forget()
        if self.checkpoint is None or sum(paths.values()) < KEPT_FROM:
            return
        # The newest last, and only so many.
        merged = {**{key: value for key, value in self._totals.items() if key not in paths}, **paths}
        text = json.dumps(dict(list(merged.items())[-TOTALS:]))
        try:
            write_whole(self._file(self.checkpoint), text)
        except OSError as error:
            self.checkpoint.warn(f"how many paths there were cannot be kept: {error}")

    def _tell(self) -> None:
        assert self.checkpoint is not None
        self.checkpoint.kept(sum(keeping.kept for keeping in self._keepings))

    @staticmethod
    def _file(checkpoint: Checkpoint) -> Path:
        return checkpoint.folder / "totals.json"


def write_whole(file: Path, text: str) -> None:
    """Write a file so that nobody ever sees a part of it; raises OSError."""
    part = file.with_suffix(f".{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, "utf-8")
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _totals(file: Path) -> dict[str, int]:
    """What is in the file; nothing where it holds anything else."""
    try:
        found = json.loads(file.read_text("utf-8"))
        return {str(key): int(value) for key, value in found.items()}
    except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        # It only helps to say how long it will take.
        return {}


def _clear(checkpoint: Checkpoint) -> None:
    """Remove what other questions left behind and nobody came back for."""
    now = checkpoint.now().timestamp()
    for file in checkpoint.folder.glob("*-*"):
        with suppress(OSError):
            if now - file.stat().st_mtime > checkpoint.stale.total_seconds():
                file.unlink()
