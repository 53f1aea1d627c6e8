"""The journal: every write is announced before it is sent, and settled once its end is known.

Folding all of it gives what is spent, what was interrupted, and what was taken away of late.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from reconciler.core.course import Course, Mark
from reconciler.core.errors import StoreError
from reconciler.core.model import Address, Attribute, Evidence
from reconciler.core.plan import Action, Consented, Outcome, Status
from reconciler.core.planfile import action_document, identity_of, read_action
from reconciler.store.contract import Store

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

    def interrupted(self) -> dict[str, Record]:
        """Announced and never settled, by action id: only these may be sent again on the same consent."""
        return {record.id: record for record in self.records if record.status is None}

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
            if record.status is Status.VERIFIED and record.ended and now - record.ended <= window
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
    """Fold all journals of an environment; raises StoreError when one is damaged or belongs elsewhere."""
    announced: dict[_Key, _Announced] = {}
    ends: dict[_Key, tuple[datetime, Status]] = {}
    unfinished: dict[tuple[str, Course], Mark] = {}
    known: dict[Any, Any] = {}
    for name in store.names():
        for event in _events(store, name):
            if isinstance(event, _Progress):
                # Whoever reads another environment's journal learns so from what it announced.
                if event.environment == environment:
                    _remember(unfinished, event)
                continue
            if isinstance(event, _Settled):
                # A later run may settle what an interrupted one announced: it names the run it speaks of.
                # Its file may come first, by a clock that is behind.
                ends[event.key] = (event.at, event.status)
                continue
            if event.action.environment != environment:
                raise StoreError(
                    f"{name}: this is the journal of {event.action.environment!r}, not of {environment!r}; "
                    "check `store` in the environment's file"
                )
            action = _lean(event.action, known)
            announced[event.run, action.id] = event._replace(action=action)
    records = tuple(_record(event, ends.get(key)) for key, event in announced.items())
    return History(records=records, unfinished=unfinished)


def _remember(unfinished: dict[tuple[str, Course], Mark], event: _Progress) -> None:
    key = event.address, event.course
    unfinished.pop(key, None)
    if event.mark.token:
        unfinished[key] = event.mark


_Key = tuple[str, str]
"""A run, and the id of an action that it announced."""


class _Announced(NamedTuple):
    """An event of that name: an action is about to be sent."""

    at: datetime
    run: str
    approval: str
    file: str
    action: Action
    removes: bool


class _Settled(NamedTuple):
    """An event of that name: how an action ended."""

    at: datetime
    key: _Key
    status: Status


class _Progress(NamedTuple):
    """An event of that name: one request of a long write was answered."""

    environment: str
    address: str
    course: Course
    mark: Mark


_Event = _Announced | _Settled | _Progress


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


def _record(event: _Announced, end: tuple[datetime, Status] | None) -> Record:
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


def _events(store: Store, name: str) -> Iterator[_Event]:
    lines = store.lines(name)
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError) as error:
            if number == len(lines):
                return  # A crash tore the last line: what it announced was never sent.
            raise _damaged(name, number, error) from None
        try:
            understood = _understood(event)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(name, number, error) from None
        yield understood


def _damaged(name: str, number: int, error: Exception) -> StoreError:
    return StoreError(
        f"{name}:{number}: not a journal line ({type(error).__name__}: {error}); restore the file: it is the "
        "record of what was sent"
    )


def _understood(event: Any) -> _Event:
    """The event; raises ValueError, KeyError, TypeError or AttributeError unless it can be counted on."""
    if event["v"] != 1:
        raise ValueError(f"version {event['v']}")
    at = datetime.fromisoformat(event["at"])
    if at.tzinfo is None:
        raise ValueError(f"{event['at']} is in no time zone")
    match event["event"]:
        case "announced":
            run, environment, approval, file = _texts(event, "run", "environment", "approval", "file")
            action = read_action(environment, event["action"])
            if action.id != identity_of(action):
                raise ValueError(f"action {action.id[:12]!r} is not what its id says")
            if not isinstance(event["removes"], bool):
                raise TypeError("removes")
            return _Announced(at, run, approval, file, action, event["removes"])
        case "settled":
            of, ident = _texts(event, "of", "id")
            return _Settled(at, (of, ident), Status(event["status"]))
        case "progress":
            environment, address, *course = _texts(
                event, "environment", "address", "path", "mode", "entries", "continuation"
            )
            token = course.pop()
            if not isinstance(event["done"], int):
                raise TypeError("done")
            return _Progress(environment, address, Course(*course), Mark(token, event["done"]))
        case other:
            raise ValueError(f"event {other!r}")


def _texts(event: Any, *names: str) -> list[str]:
    words = [event[name] for name in names]
    if not all(isinstance(word, str) for word in words):
        raise TypeError("a text is missing")
    # Runs and approvals come up in many events.
    return [sys.intern(word) for word in words]
