"""The lake provider: reads every declared tree, and writes exactly what was approved, path by path."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from reconciler.core.environment import Environment, LakeSettings
from reconciler.core.model import Address, Identity, Kind, Live, Presence, Reading, Wanted
from reconciler.core.plan import Action, Outcome, Status
from reconciler.providers import identity
from reconciler.providers.adls.acl import OTHER, Entry
from reconciler.providers.adls.applying import Hand, ended
from reconciler.providers.adls.client import Endpoints, LakeReader, Wire
from reconciler.providers.adls.client_write import LakeWriter
from reconciler.providers.adls.documents import EVERYBODY, KINDS, PROVIDER, TRAVERSE
from reconciler.providers.adls.ground import tract
from reconciler.providers.adls.inventories import inventories
from reconciler.providers.adls.naming import Names, entry_of
from reconciler.providers.adls.reading import Desk, Inventory, LakeAnswer, Manner, asks, covering, tally
from reconciler.providers.adls.reporting import Report
from reconciler.providers.adls.roles import Roles
from reconciler.providers.adls.sweeping.asking import PAGES_AT_ONCE, Lanes
from reconciler.providers.adls.sweeping.resuming import Scans
from reconciler.providers.adls.sweeping.sweep import Unread
from reconciler.providers.contract import (
    FORGETFUL,
    BeforeSend,
    Diary,
    Directory,
    Progress,
    Question,
    silent,
    unguarded,
)
from reconciler.providers.transport import Portal

if TYPE_CHECKING:
    from reconciler.providers.adls.keeping import Shelf

Result = TypeVar("Result")


class Lakes:
    """Every lake of one environment."""

    name = PROVIDER
    kinds: Sequence[Kind] = KINDS

    def __init__(
        self,
        environment: Environment,
        environ: Mapping[str, str],
        root: Path | str,
        before_send: BeforeSend = unguarded,
    ) -> None:
        self._settings = environment.lakes
        self._wire = Wire(
            credential=identity.azure_credential_aio(environment, environ, root),
            context=identity.ssl_context(environment, root),
            patience=environment.patience,
            before_send=before_send,
        )
        self._readers = {name: self._reader(lake, environment) for name, lake in environment.lakes.items()}
        self._writers = {name: LakeWriter(reader) for name, reader in self._readers.items()}
        self._portal: Portal | None = None
        self._starting = threading.Lock()
        self._asked: dict[Address, Wanted] = {}
        """Everything that was read, with its layout: a write needs to know where a tree ends."""
        self._strangers: dict[str, set[Entry]] = {}
        """The entries of everybody who was met under an object id only."""
        self._directory: Directory | None = None
        self._shelf: Shelf | None = None
        """Paths that were kept, if they were to be."""
        self._names = Names()

    def _reader(self, lake: LakeSettings, environment: Environment) -> LakeReader:
        endpoints = Endpoints(
            dfs=lake.dfs.rstrip("/"), blob=lake.blob.rstrip("/"), arm=environment.entra.arm.rstrip("/")
        )
        return LakeReader(wire=self._wire, endpoints=endpoints)

    def read(self, question: Question) -> Live:
        """Read everything asked for.  What cannot be read is a gap with its reason, never an exception."""
        self._directory = question.directory
        self._asked.update((want.address, want) for want in question.wanted)
        by_lake: dict[str, list[Wanted]] = {}
        for want in question.wanted:
            by_lake.setdefault(want.address.installation, []).append(want)
        # Before anything runs on the loop, as the directory is asked, and answers in its own time.
        self._open_shelf(question)
        answers = self._answers(question, by_lake)
        alive = [answer for answer in answers if not answer.dead]
        names = Names()
        names.learn(
            question.directory,
            {fact.principal for want in question.wanted for fact in (*want.grants, *want.terms)} - {""},
            {entry for answer in alive for entry in answer.entries()},
        )
        self._fill_shelf(alive, names)
        for entry, name in names.by_entry.items():
            if name.startswith("id:"):
                self._strangers.setdefault(name, set()).add(entry)
        report = Report(
            names=names, boundaries=question.boundaries, holders=_holders(question.directory, alive)
        )
        for answer in answers:
            if answer.dead:
                report.dead(answer.lake, by_lake.get(answer.lake, ()), answer.dead)
            else:
                report.lake(answer)
        answering = {f"{PROVIDER}/{name}" for name, reader in self._readers.items() if reader.answers}
        return replace(report.live(), readings=_readings(alive), answering=frozenset(answering))

    def _answers(self, question: Question, by_lake: Mapping[str, Sequence[Wanted]]) -> list[LakeAnswer]:
        """What every lake answered; an interruption leaves a checkpoint, where the question names one."""
        spool = self._shelf.spool if self._shelf else None
        offers = {
            name: inventories(question, lake, self._readers[name], spool)
            for name, lake in self._settings.items()
        }
        scans = Scans(
            checkpoint=question.checkpoint,
            # Counts can be kept, paths cannot: who wants every path has to read every page.
            keeps=not question.keep_paths,
            progress=lambda done, total: question.progress("lake paths", done, total),
            written=max(question.written.values(), default=None),
        )

        async def kept() -> None:
            scans.write()

        if question.checkpoint is not None:
            # On the loop, as only between two pages all that was met is where it belongs.
            question.checkpoint.on_leaving(lambda: self._run(kept()))
        answers = self._run(self._read(question, by_lake, offers, scans))
        parts = [part for answer in answers for part in answer.containers.values()]
        scans.complete(
            {part.question: part.main.counts.paths for part in parts if not isinstance(part.main, Unread)}
        )
        return answers

    async def _read(
        self,
        question: Question,
        by_lake: Mapping[str, Sequence[Wanted]],
        offers: Mapping[str, Mapping[str, Inventory]],
        scans: Scans,
    ) -> list[LakeAnswer]:
        pages = asyncio.Semaphore(PAGES_AT_ONCE)

        async def one(lake: str) -> LakeAnswer:
            wanted = by_lake.get(lake, ())
            if lake not in self._settings:
                gone = f"the environment names no lake {lake!r} any more"
                return LakeAnswer(lake=lake, containers={}, roles=Roles(lake=lake), dead=gone)
            manner = Manner(
                scans=scans, lanes=Lanes(pages=pages), make=self._shelf.sink if self._shelf else tally
            )
            desk = Desk(
                reader=self._readers[lake],
                lake=lake,
                resource_id=self._settings[lake].resource_id.rstrip("/"),
                manner=manner,
                inventories=offers[lake],
            )
            return await desk.read(asks(wanted, question.boundaries, lake))

        watched = {lake for lake in self._settings if covering(question.boundaries, lake)}
        return list(await asyncio.gather(*map(one, sorted(watched | by_lake.keys()))))

    def _open_shelf(self, question: Question) -> None:
        if not question.keep_paths:
            return
        from reconciler.providers.adls.keeping import Shelf

        self._close_shelf()
        named = {fact.principal for want in question.wanted for fact in (*want.grants, *want.terms)}
        people = sorted(name for name in named if name.startswith(("user:", "group:", "sp:")))
        self._shelf = Shelf(identities=question.directory.resolve(people))

    def _fill_shelf(self, answers: Iterable[LakeAnswer], names: Names) -> None:
        """Add the ways, and settle which of the paths belong to what was read in the end."""
        if self._shelf is None:
            return
        self._names = names
        for answer in answers:
            for part in answer.containers.values():
                self._shelf.settle(part)

    def _close_shelf(self) -> None:
        if self._shelf is not None:
            self._shelf.close()
            self._shelf = None

    def write_paths(self, actions: Sequence[Action], file: Path) -> int:
        """Write a row for each path of each of these actions, and count them; see `contract.Keeper`."""
        from reconciler.providers.adls import keeping

        shelf = self._shelf or keeping.Shelf(identities={})
        asks = keeping.asked(self._asked, tract, actions)
        return keeping.write(shelf, asks, self._names.entries, file)

    def write(
        self,
        address: Address,
        actions: Sequence[Action],
        diary: Diary = FORGETFUL,
        progress: Progress = silent,
    ) -> Sequence[Outcome]:
        """Merge these actions, all on one address, into what is there; one outcome per action."""
        want = self._asked.get(address)
        if want is None or self._directory is None:
            return ended(actions, Status.FAILED, f"nothing was sent: {address} was not read before")
        entries, refused = self._identify(actions)
        outcomes = [outcome for action in actions for outcome in refused.get(action.id, ())]
        sent = [action for action in actions if action.id not in refused]
        if sent:
            reader = self._readers[address.installation]
            writer = self._writers[address.installation]
            hand = Hand(reader=reader, writer=writer, diary=diary, progress=progress)
            work = hand.way if address.kind == TRAVERSE else hand.folder
            outcomes += self._run(work(want, sent, entries))
        return outcomes

    def _identify(
        self, actions: Sequence[Action]
    ) -> tuple[dict[str, Sequence[Entry]], dict[str, list[Outcome]]]:
        """Whose entries the actions are about, asked again; and the actions whose principal is not usable."""
        assert self._directory is not None
        named = {action.attribute.principal for action in actions} - {"", EVERYBODY}
        asked = self._directory.resolve(sorted(name for name in named if not name.startswith("id:")))
        entries: dict[str, Sequence[Entry]] = {EVERYBODY: [OTHER]}
        refused: dict[str, list[Outcome]] = {}
        for action in actions:
            name = action.attribute.principal
            if name in ("", EVERYBODY):
                continue
            if name.startswith("id:"):
                entries[name] = sorted(self._strangers.get(name, ()))
                continue
            who = asked[name]
            if who.presence is not Presence.KNOWN:
                reason = f"{name}: {who.reason or who.presence}; nothing was sent"
                refused[action.id] = ended([action], Status.REFUSED, reason)
            elif action.object_ids.get(name, who.object_id) != who.object_id:
                reason = f"{name} is another object by now ({who.object_id}); plan again"
                refused[action.id] = ended([action], Status.REFUSED, reason)
            else:
                entries[name] = [entry_of(name, who.object_id)]
        return entries, refused

    def close(self) -> None:
        """Let go of connections; the provider is not used afterwards."""
        self._close_shelf()
        if self._portal is not None:
            self._portal.run(self._wire.close())
            self._portal.close()
            self._portal = None

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run on the provider's own loop, where its connections live."""
        with self._starting:
            if self._portal is None:
                self._portal = Portal("lakes")
        return self._portal.run(work)


def _readings(answers: Iterable[LakeAnswer]) -> tuple[Reading, ...]:
    """How each container was read, those aside of which nothing was."""
    return tuple(
        reading
        for answer in sorted(answers, key=lambda answer: answer.lake)
        for container, part in sorted(answer.containers.items())
        for reading in part.readings(f"{PROVIDER}/{answer.lake}/{container}")
    )


def _holders(directory: Directory, answers: Iterable[LakeAnswer]) -> Mapping[str, Identity]:
    """Who holds the role assignments that were met."""
    ids = sorted({each.who for answer in answers for each in answer.roles.assignments})
    return directory.name(ids) if ids else {}
