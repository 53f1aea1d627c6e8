"""The journal: every write is announced before it is sent, and settled once its end is known.

Folding all of it gives what is spent, what was interrupted, and what was taken away of late.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from reconciler.core.errors import StoreError
from reconciler.core.plan import Action, Consented, Outcome, Status
from reconciler.core.planfile import action_document, read_action
from reconciler.store.contract import Store

DAY = timedelta(hours=24)
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
    action: Mapping[str, Any]
    """The action's words, as `planfile.action_document` writes them."""
    removes: bool
    status: Status | None
    """None while nobody knows: the run was interrupted."""
    ended: datetime | None = None
    """When it was settled."""

    @property
    def id(self) -> str:
        """The id of the action."""
        return str(self.action["id"])


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the journals of one environment add up to."""

    records: Sequence[Record] = ()

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

    def removed_since(self, now: datetime) -> dict[tuple[str, str], int]:
        """Removals of the last 24 hours by (tenant, kind of thing); interrupted ones count."""
        counts: Counter[tuple[str, str]] = Counter()
        for record in self.records:
            counted = record.status is None or record.status in SENT
            if record.removes and counted and now - record.at <= DAY:
                kind = str(record.action["address"]).split("/", 3)[2]
                counts[str(record.action["tenant"]), kind] += 1
        return dict(counts)

    def verified_since(self, now: datetime, window: timedelta) -> list[Record]:
        """What was seen to work this recently, oldest first."""
        return [
            record
            for record in self.records
            if record.status is Status.VERIFIED and record.ended and now - record.ended <= window
        ]

    def grants(self) -> dict[tuple[str, str, str], Record]:
        """The newest grant that was sent for each (address, role, principal) and not taken away since."""
        standing: dict[tuple[str, str, str], Record] = {}
        for record in self.records:
            if record.status not in SENT:
                continue
            key = (record.action["address"], record.action["role"], record.action["principal"])
            standing.pop(key, None)
            if record.action["after"] is not None:
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
    announced: dict[tuple[str, str], dict[str, Any]] = {}
    status: dict[str, tuple[str, Status]] = {}
    order: list[tuple[str, str]] = []
    for name in store.names():
        for event in _events(store, name):
            if event["event"] == "announced":
                if event["environment"] != environment:
                    raise StoreError(
                        f"{name}: this is the journal of {event['environment']!r}, not of {environment!r}; "
                        "check `store` in the environment's file"
                    )
                key = (event["run"], event["action"]["id"])
                announced[key] = event
                order.append(key)
            else:
                _settle(event, announced, status)
    return History(
        records=tuple(_record(announced[key], status.get(_key(key))) for key in dict.fromkeys(order))
    )


def _key(key: tuple[str, str]) -> str:
    return "\x00".join(key)


def _settle(
    event: Mapping[str, Any],
    announced: Mapping[tuple[str, str], Any],
    status: dict[str, tuple[str, Status]],
) -> None:
    # A later run may settle what an interrupted one announced: it names the run that it speaks of.
    if (event["of"], event["id"]) in announced:
        status[_key((event["of"], event["id"]))] = (event["at"], Status(event["status"]))


def _record(event: Mapping[str, Any], end: tuple[str, Status] | None) -> Record:
    return Record(
        at=datetime.fromisoformat(event["at"]),
        run=event["run"],
        environment=event["environment"],
        approval=event["approval"],
        file=event["file"],
        action=event["action"],
        removes=event["removes"],
        status=end[1] if end else None,
        ended=datetime.fromisoformat(end[0]) if end else None,
    )


def _events(store: Store, name: str) -> list[dict[str, Any]]:
    lines = store.lines(name)
    events = []
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError) as error:
            if number == len(lines):
                break  # A crash tore the last line: what it announced was never sent.
            raise _damaged(name, number, error) from None
        try:
            _check(event)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(name, number, error) from None
        events.append(event)
    return events


def _damaged(name: str, number: int, error: Exception) -> StoreError:
    return StoreError(
        f"{name}:{number}: not a journal line ({type(error).__name__}: {error}); restore the file: it is the "
        "record of what was sent"
    )


def _check(event: Any) -> None:
    """Raises ValueError, KeyError, TypeError or AttributeError unless the event can be counted on."""
    if event["v"] != 1:
        raise ValueError(f"version {event['v']}")
    if datetime.fromisoformat(event["at"]).tzinfo is None:
        raise ValueError(f"{event['at']} is in no time zone")
    match event["event"]:
        case "announced":
            read_action(event["environment"], event["action"])
            words = [event[key] for key in ("run", "environment", "approval", "file")]
            if not isinstance(event["removes"], bool):
                raise TypeError("removes")
        case "settled":
            words = [event["of"], event["id"], Status(event["status"])]
        case other:
            raise ValueError(f"event {other!r}")
    if not all(isinstance(word, str) for word in words):
        raise TypeError("a text is missing")
