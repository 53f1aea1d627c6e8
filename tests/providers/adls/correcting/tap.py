"""A tap on the client: counts its requests, lets others act between two of them, and kills it at any."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.course import Course, Mark
from reconciler.core.model import Address
from reconciler.core.plan import Action, Outcome
from reconciler.emulator.lake.acl import Acl
from reconciler.emulator.lake.tree import Node
from reconciler.providers.adls.client import Wire
from reconciler.providers.adls.correcting import choosing
from reconciler.providers.adls.provider import Lakes
from reconciler.providers.contract import FORGETFUL
from reconciler.store.folder import FolderStore
from reconciler.store.journal import Journal, read
from tests.providers.adls.lake import Lake

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Dead(BaseException):
    """The process is gone: nothing may catch it."""


@dataclass(slots=True)
class Tap:
    """What happens at which request of the client, counted from 1."""

    requests: int = 0
    writes: int = 0
    dies_before: int = 0
    """The request that never leaves, with all that would follow; 0 for none."""
    dies_after_write: int = 0
    """The write that has its effect and whose answer nobody hears any more."""
    dies_before_write: int = 0
    """The same, counted in writes."""
    before_write: dict[int, Callable[[], None]] = field(default_factory=dict)
    after_write: dict[int, Callable[[], None]] = field(default_factory=dict)
    dead: bool = False

    async def ask(self, send: Callable[[], Awaitable[Any]], write: bool) -> Any:
        """One request of the client."""
        self.requests += 1
        self.writes += write
        number = self.writes if write else 0
        if self.dead or self.requests == self.dies_before or (number and number == self.dies_before_write):
            self.dead = True
            raise Dead
        self.before_write.get(number, _nothing)()
        answer = await send()
        if self.dead or (number and number == self.dies_after_write):
            self.dead = True
            raise Dead
        self.after_write.get(number, _nothing)()
        return answer


def _nothing() -> None:
    """Let the request be."""


@contextmanager
def tapped(tap: Tap) -> Iterator[Tap]:
    """Put a tap on every client of this process."""
    true_ask = Wire.ask

    async def ask(self: Wire, bucket: str, scope: str, once: Any, host: str, *, repeatable: bool) -> Any:
        return await tap.ask(
            lambda: true_ask(self, bucket, scope, once, host, repeatable=repeatable), not repeatable
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Wire, "ask", ask)
        yield tap


@dataclass(slots=True)
class Notes:
    """The journal of one run as a provider's diary; what earlier runs left is read from the store."""

    journal: Journal
    address: Address
    actions: list[str]
    noted: list[tuple[Course, Mark]] = field(default_factory=list)

    def recall(self, course: Course) -> Mark | None:
        return read(self.journal.store, "test").unfinished.get((str(self.address), course))

    def unfinished(self) -> Sequence[Course]:
        courses = read(self.journal.store, "test").unfinished
        return [course for address, course in courses if address == str(self.address)]

    def note(self, course: Course, mark: Mark) -> None:
        self.noted.append((course, mark))
        self.journal.progress(NOON, self.address, self.actions, course, mark)


def notes(folder: Path, actions: list[Action], run: str = "run-1") -> Notes:
    """A diary for these actions, on paper in this folder."""
    journal = Journal(FolderStore(folder), f"journal/{run}.jsonl", run, "test")
    return Notes(journal, actions[0].address, [action.id for action in actions])


def reborn(here: Lake, tmp: Path, page: int) -> None:
    """The same command in a new process: a provider that has read, and remembers nothing else."""
    here.provider.close()
    here.provider = Lakes(here.environment, here.environ, tmp)
    paged(here, page)
    here.read()


def paged(here: Lake, page: int) -> None:
    """Let recursive requests visit this many paths, so that small trees take several."""
    for writer in here.provider._writers.values():
        writer.page = page


def recursive(here: Lake) -> list[str]:
    """The recursive requests since the log was cleared."""
    return here.requests("action=setAccessControlRecursive")


def single(here: Lake) -> list[str]:
    """The single writes since the log was cleared."""
    return [line for line in here.requests("action=setAccessControl") if "Recursive" not in line]


def write(here: Lake, actions: list[Action], diary: Notes | None = None) -> dict[str, Outcome]:
    """Send actions of one address."""
    told = here.provider.write(actions[0].address, actions, FORGETFUL if diary is None else diary)
    return {outcome.action: outcome for outcome in told}


def kept(here: Lake, top: str) -> dict[str, tuple[Node, Acl]]:
    """Every path below a directory with its list, to be put back."""
    return {path: (node, node.acl) for path, node in here.paths(top).items()}


def put_back(before: dict[str, tuple[Node, Acl]]) -> None:
    """Give the paths the lists that they had."""
    for node, acl in before.values():
        node.acl = acl


def meaning(here: Lake, top: str) -> dict[str, Any]:
    """What every path of a tree grants, whatever its list spells."""
    return {
        path: (_granted(node.acl.access, node.is_folder), _granted(node.acl.default, True))
        for path, node in here.paths(top).items()
    }


def _granted(entries: Any, directory: bool) -> dict[tuple[str, str], tuple[int, ...]]:
    mask = next((entry.bits for entry in entries if entry.kind == "mask"), 7)
    means = 7 if directory else 6
    found: dict[tuple[str, str], tuple[int, ...]] = {}
    for entry in entries:
        if entry.kind == "other":
            found["other", ""] = (entry.bits & means, entry.bits & mask & means)
        elif entry.kind != "mask":
            limit = 7 if (entry.kind, entry.who) == ("user", "") else mask
            found[entry.kind, entry.who] = (entry.bits & limit & means,)
    return found


def eager(patch: pytest.MonkeyPatch) -> None:
    """Count listings for nothing, so that trees of a few paths are worth a recursive call."""
    patch.setattr(choosing, "LISTINGS", 0)
