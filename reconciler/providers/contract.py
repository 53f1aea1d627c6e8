"""What a provider is: it reads live state in canonical form, and writes exactly what was approved.

Laws: reading twice is equal; a gap is not an absence; a write merges only the given actions into what is
there, re-reading immediately before; nobody else's effective access changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Protocol, runtime_checkable

from reconciler.core.course import Course, Mark
from reconciler.core.errors import Unusable as Unusable
from reconciler.core.model import Address, Identity, Kind, Live, Wanted
from reconciler.core.plan import Action, Outcome
from reconciler.core.vocabulary import Boundary as Boundary

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many units are done, and how many there are (0 when unknown)."""


def silent(what: str, done: int, total: int) -> None:
    """Report progress to nobody."""


BeforeSend = Callable[[], None]
"""Called right before a request that writes leaves: after it waited for its limit and was signed, and again
before each repetition.  What it raises ends the write, and nothing is sent any more."""


def unguarded() -> None:
    """Let every write leave: for callers who hold no lock."""


class Directory(Protocol):
    """Who is who: names to object ids and back, from the directory that every other system trusts."""

    def resolve(self, principals: Iterable[str]) -> Mapping[str, Identity]:
        """What each principal's name (`user:…`, `group:…`, `sp:…`) stands for today.

        Every name given is a key of the result; what could not be asked is `UNREADABLE`, with the reason.
        """
        ...

    def name(self, object_ids: Iterable[str]) -> Mapping[str, Identity]:
        """Who is behind each object id: `user:ana@corp.example`; `id:<oid>` and UNKNOWN where nobody is."""
        ...

    def members(self, group_ids: Iterable[str]) -> Mapping[str, frozenset[str] | None]:
        """Direct members (object ids) of each group by object id; None where they could not be read."""
        ...


STALE = timedelta(hours=6)
"""The age from which on an interrupted reading is begun anew: what it saw first is too old by then to stand
beside what it would see last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where a long reading keeps what it has finished, so that the same question goes on from there."""

    folder: Path
    """It need not exist; small readings write nothing."""
    now: Callable[[], datetime]
    """The present moment, UTC."""
    fresh: bool = False
    """Begin anew, whatever was kept."""
    inventories: bool = True
    """Whether a lake may be read from its inventory, where the environment names one."""
    judged: Mapping[str, Path] = field(default_factory=dict)
    """By `lake/container`, the folder with what an inventory was judged to be elsewhere."""
    stale: timedelta = STALE
    kept: Callable[[int], None] = lambda paths: None
    """Called with the number of paths that would not be read again after an interruption at this moment."""
    warn: Callable[[str], None] = lambda text: None
    """Called with why something that was kept is not used, or cannot be kept."""
    _leaving: list[Callable[[], None]] = field(default_factory=list)

    def on_leaving(self, keep: Callable[[], None]) -> None:
        """From now on, keep what was read this way if nobody waits for the rest; any thread may call it."""
        self._leaving.append(keep)

    def leave(self) -> None:
        """Keep all that was read: the reading is interrupted."""
        for keep in self._leaving:
            keep()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a provider is asked to read."""

    wanted: Sequence[Wanted]
    """The things of this provider that the policies speak of."""
    boundaries: Sequence[Boundary] = ()
    """Where to look for things that no document claims; empty to look for none."""
    directory: Directory
    as_of: date
    progress: Progress = silent
    checkpoint: Checkpoint | None = None
    """None where everything has to be read now, as after a write; else an interrupted reading is resumed."""
    written: Mapping[Address, datetime] = field(default_factory=dict)
    """When the reconciler itself last wrote to things: what is older than that says nothing of them."""
    keep_paths: bool = False
    """Whether every path that is not plainly in step is kept, for a file beside the plan."""


class Diary(Protocol):
    """What is remembered of long writes on one address, over the end of a process."""

    def recall(self, course: Course) -> Mark | None:
        """Where this very course stopped, if it was begun and not ended; it may be long ago.

        Live state decides whether to go on from there: others may have written since.
        """
        ...

    def unfinished(self) -> Sequence[Course]:
        """Every course on this address that was begun and not ended."""
        ...

    def note(self, course: Course, mark: Mark) -> None:
        """Remember how far a course has come; returns once that would survive a crash."""
        ...


class Forgetful:
    """A diary for writes that nobody will have to take up again."""

    def recall(self, course: Course) -> Mark | None:
        """Nothing was ever begun."""
        return None

    def unfinished(self) -> Sequence[Course]:
        """Nothing was ever begun."""
        return ()

    def note(self, course: Course, mark: Mark) -> None:
        """Remember nothing."""


FORGETFUL = Forgetful()


class Provider(Protocol):
    """One system of record.  It is built from an environment's settings and never from another provider.

    It is opened with a `BeforeSend`, which it calls on the thread or loop that sends.
    """

    name: str
    kinds: Sequence[Kind]

    def read(self, question: Question) -> Live:
        """Read everything asked for.  What cannot be read is a gap with its reason, never an exception."""
        ...

    def write(
        self,
        address: Address,
        actions: Sequence[Action],
        diary: Diary = FORGETFUL,
        progress: Progress = silent,
    ) -> Sequence[Outcome]:
        """Merge these actions, all on one address, into what is there; one outcome per action.

        Reads again immediately before; an action whose present value is none of its `before` values is
        REFUSED (it moved), one that already holds is ACCEPTED without a request.  A lost answer is UNKNOWN.
        A write that takes many requests notes each in the diary before it sends the next.
        """
        ...

    def close(self) -> None:
        """Let go of connections; the provider is not used afterwards."""
        ...


@runtime_checkable
class Keeper(Protocol):
    """A provider that can tell every path behind an action, not only how many there are."""

    def write_paths(self, actions: Sequence[Action], file: Path) -> int:
        """Write a Parquet file with a row for each path of each of these actions, and count the rows.

        The question has to have asked for `keep_paths`.  The columns are `action` (its id), `address`,
        `principal`, `role`, `path`, `directory`, `before`, `after` and `acl`.  Raises OSError where the file
        cannot be written.
        """
        ...
