"""The journal: every write is announced before it is sent, and settled once its end is known.

Folding all of it gives what is spent, what was interrupted, and what was taken away of late.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from reconciler.core.course import Course, Mark
from reconciler.core.errors import StoreError
from reconciler.core.model import Address, Attribute, Evidence
from reconciler.core.plan import Action, Consented, Outcome, Status
from reconciler.core.planfile import action_document
from reconciler.store.contract import Store
from reconciler.store.events import Announced, Event, Key, Progress, Settled, events

DAY = timedelta(hours=24)
NO_EVIDENCE = Evidence()
SENT = frozenset({Status.ACCEPTED, Status.VERIFIED, Status.UNKNOWN, Status.PARTIAL})
"""Ends after which consent is spent.  An action that the service turned down, or that was never sent,
has had no effect: its consent stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One action that was announced, and how it ended."""

    at: datetime
    run: str
    environment: str
    approval: str
    file: str
    """Where the approval stood."""
    action: Action
    """What was announced; of its evidence nothing is remembered, as years of it have to fit into memory."""
    removes: bool
    status: Status | None
    """None while nobody knows: the run was interrupted."""
    ended: datetime | None = None
    """When it was settled."""

    @property
    def id(self) -> str:
        """The id of the action."""
        return self.action.id


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the journals of one environment add up to."""

    records: Sequence[Record] = ()
    unfinished: Mapping[tuple[str, Course], Mark] = field(default_factory=dict)
    """Long writes that were begun and not ended, by address: where each one stopped."""

    def spent(self) -> frozenset[tuple[str, str]]:
        """(approval, action id) of everything that was sent and settled.

        An approval is known by its content and by its file: neither moving nor editing it brings spent
        consent back.
        """
        sent = [record for record in self.records if record.status in SENT]
        return frozenset((name, record.id) for record in sent for name in (record.approval, record.file))

    def interrupted(self) -> dict[tuple[str, str], Record]:
        """Announced and never settled, by run and action id.

        Only these may be sent again on the same consent.
        """
        return {(record.run, record.id): record for record in self.records if record.status is None}

    def removed_since(
        self, now: datetime, again: Collection[tuple[Address, Attribute]] = ()
    ) -> dict[tuple[str, str], int]:
        """Removals of the last 24 hours by (tenant, kind of thing); interrupted ones count.

        `again` are the facts that a plan is about to remove: of these, what was begun and not finished is
        what the plan finishes, and counts there.
        """
        counts: Counter[tuple[str, str]] = Counter()
        for record in self.records:
            if not record.removes or now - record.at > DAY:
                continue
            action = record.action
            begun = record.status is None or record.status is Status.PARTIAL
            if begun and (action.address, action.attribute) in again:
                continue
            if begun or record.status in SENT:
                counts[action.tenant, action.address.kind] += 1
        return dict(counts)

    def verified_since(self, now: datetime, window: timedelta) -> list[Record]:
        """What was seen to work this recently, oldest first."""
        return [
            record
            for record in self.records
            # An end far ahead of the clock would be believed until then.
            if record.status is Status.VERIFIED and record.ended and abs(now - record.ended) <= window
        ]

    def written(self) -> dict[Address, datetime]:
        """When something was last sent to each thing, or may have been."""
        last: dict[Address, datetime] = {}
        for record in self.records:
            if record.status is None or record.status in SENT:
                at = max(record.at, record.ended or record.at)
                last[record.action.address] = max(at, last.get(record.action.address, at))
        return last

    def grants(self) -> dict[tuple[Address, Attribute], Record]:
        """The newest grant that was sent for each fact of each thing and not taken away since."""
        standing: dict[tuple[Address, Attribute], Record] = {}
        for record in self.records:
            if record.status not in SENT:
                continue
            key = (record.action.address, record.action.attribute)
            standing.pop(key, None)
            if record.action.after is not None:
                standing[key] = record
        return standing


@dataclass(slots=True)
class Journal:
    """Writes one run's file.  `name` is new for every run."""

    store: Store
    name: str
    run: str
    environment: str

    def announce(
        self, now: datetime, actions: Iterable[tuple[Action, bool]], consents: Mapping[str, Consented]
    ) -> None:
        """Put on record what is about to be sent, each with whether it removes, and who consented."""
        lines = []
        for action, removes in actions:
            consent = consents[action.id]
            lines.append(
                _line(
                    event="announced",
                    at=now.isoformat(),
                    run=self.run,
                    environment=self.environment,
                    approval=consent.approval,
                    file=consent.file,
                    approvers=list(consent.approvers),
                    overrides=dict(consent.overrides),
                    removes=removes,
                    action=action_document(action),
                )
            )
        self.store.append(self.name, lines)

    def progress(
        self, now: datetime, address: Address, actions: Sequence[str], course: Course, mark: Mark
    ) -> None:
        """Put on record how far one long write has come, for these actions on this address."""
        line = _line(
            event="progress",
            at=now.isoformat(),
            run=self.run,
            environment=self.environment,
            address=str(address),
            ids=list(actions),
            **course._asdict(),
            continuation=mark.token,
            done=mark.done,
        )
        self.store.append(self.name, [line])

    def settle(self, now: datetime, outcomes: Iterable[Outcome], of: str = "") -> None:
        """Put on record how actions ended; `of` names the interrupted run that had announced them."""
        lines = [
            _line(
                event="settled",
                at=now.isoformat(),
                run=self.run,
                of=of or self.run,
                id=outcome.action,
                status=outcome.status.value,
                reason=outcome.reason,
            )
            for outcome in outcomes
        ]
        if lines:
            self.store.append(self.name, lines)


def _line(**fields: Any) -> str:
    return json.dumps({"v": 1, **fields}, separators=(",", ":"), ensure_ascii=True)


def read(store: Store, environment: str) -> History:
    """Fold all journals of an environment; raises StoreError when one is damaged or belongs elsewhere.

    Spent consent stays spent in whatever order the files come, and whatever lines they repeat or add: see
    `_either`.  What a journal no longer says cannot be told from what never was.
    """
    fold = _Fold(environment)
    for name in store.names():
        fold.file(name, events(store, name))
    return fold.history()


@dataclass(slots=True)
class _Fold:
    """What the journals that were read so far add up to."""

    environment: str
    announced: dict[Key, Announced] = field(default_factory=dict)
    ends: dict[Key, tuple[datetime, Status]] = field(default_factory=dict)
    unfinished: dict[tuple[str, Course], Mark] = field(default_factory=dict)
    known: dict[Any, Any] = field(default_factory=dict)
    early: dict[Key, tuple[str, int]] = field(default_factory=dict)
    """Where ends stand that no file before them announced."""

    def file(self, name: str, events: Iterable[tuple[int, Event]]) -> None:
        """Add one file; raises StoreError."""
        ahead: set[Key] = set()
        for number, event in events:
            if isinstance(event, Progress):
                # Whoever reads another environment's journal learns so from what it announced.
                if event.environment == self.environment:
                    _remember(self.unfinished, event)
                continue
            if isinstance(event, Settled):
                # A later run may settle what an interrupted one announced: it names the run it speaks of.
                # Its file may come first, by a clock that is behind.
                if event.key not in self.announced:
                    ahead.add(event.key)
                    self.early.setdefault(event.key, (name, number))
                end = event.at, event.status
                self.ends[event.key] = _either(self.ends.get(event.key, end), end)
                continue
            if event.action.environment != self.environment:
                raise StoreError(
                    f"{name}: this is the journal of {event.action.environment!r}, not of "
                    f"{self.environment!r}; check `store` in the environment's file"
                )
            if event.key in ahead:
                raise _wrong(name, number, "announces what the same file says has ended before")
            self._announce(name, number, event._replace(action=_lean(event.action, self.known)))

    def _announce(self, name: str, number: int, event: Announced) -> None:
        """A file that was copied says the same again; anything else would give an action another approval."""
        if self.announced.setdefault(event.key, event) != event:
            raise _wrong(name, number, "announces an action of a run that announced it in other words")

    def history(self) -> History:
        """All of it; raises StoreError for an end of what nobody announced.

        The id of an action holds its environment, so another environment's end is one of these.
        """
        for key, (name, number) in self.early.items():
            if key not in self.announced:
                raise _wrong(name, number, f"settles what no journal here announces (run {key[0]!r})")
        # A file that was copied may come before those that it followed.
        in_order = sorted(self.announced.items(), key=lambda each: each[1].at)
        records = tuple(_record(event, self.ends.get(key)) for key, event in in_order)
        return History(records=records, unfinished=self.unfinished)


def _either(one: tuple[datetime, Status], other: tuple[datetime, Status]) -> tuple[datetime, Status]:
    """What is known of an action with two ends; it does not matter which of them is read first.

    A run that was late to lose its lock may settle what the next one has settled as well.  If either of
    them says that something was sent, it was, and where they differ nobody knows what came of it.
    """
    statuses = {one[1], other[1]}
    differ = len(statuses) > 1 and statuses & SENT
    return max(one[0], other[0]), Status.UNKNOWN if differ else min(statuses)


def _wrong(name: str, number: int, why: str) -> StoreError:
    return StoreError(
        f"{name}:{number}: {why}; restore the store's files as the runs wrote them: they are the record of "
        "what was sent"
    )


def _remember(unfinished: dict[tuple[str, Course], Mark], event: Progress) -> None:
    key = event.address, event.course
    unfinished.pop(key, None)
    if event.mark.token:
        unfinished[key] = event.mark


def _lean(action: Action, known: dict[Any, Any]) -> Action:
    """The same action in little memory: what is equal in many of them is there once, evidence not at all."""

    def same(value: Any) -> Any:
        # Tuples of different types may be equal and are not the same.
        return known.setdefault((type(value), value), value)

    return replace(
        action,
        address=same(action.address),
        attribute=same(action.attribute),
        before=same(action.before),
        after=same(action.after),
        tenant=same(action.tenant),
        source=same(action.source),
        because=same(action.because),
        needs=(),
        evidence=NO_EVIDENCE,
    )


def _record(event: Announced, end: tuple[datetime, Status] | None) -> Record:
    return Record(
        at=event.at,
        run=event.run,
        environment=event.action.environment,
        approval=event.approval,
        file=event.file,
        action=event.action,
        removes=event.removes,
        status=end[1] if end else None,
        ended=end[0] if end else None,
    )
