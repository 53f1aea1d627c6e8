"""What the lines of a journal say: each is one event, and one that cannot be counted on is an error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from reconciler.core.course import Course, Mark
from reconciler.core.duplicates import DuplicateKeyError, no_duplicates
from reconciler.core.errors import StoreError
from reconciler.core.plan import Action, Status
from reconciler.core.planfile import identity_of, read_action
from reconciler.store.contract import Store

_READER = json.JSONDecoder(object_pairs_hook=no_duplicates)
"""One for all lines, as making one for each would take time."""

Key = tuple[str, str]
"""A run, and the id of an action that it announced."""


class Announced(NamedTuple):
    """An event of that name: an action is about to be sent."""

    at: datetime
    run: str
    approval: str
    file: str
    action: Action
    removes: bool

    @property
    def key(self) -> Key:
        """Which announcement this is."""
        return self.run, self.action.id


class Settled(NamedTuple):
    """An event of that name: how an action ended."""

    at: datetime
    key: Key
    status: Status


class Progress(NamedTuple):
    """An event of that name: one request of a long write was answered."""

    environment: str
    address: str
    course: Course
    mark: Mark


Event = Announced | Settled | Progress


def events(store: Store, name: str) -> Iterator[tuple[int, Event]]:
    """What a file says, with the number of each line; raises StoreError at the first damaged one."""
    lines = store.lines(name)
    for number, line in enumerate(lines, 1):
        try:
            event = _READER.decode(line)
        except DuplicateKeyError as error:
            raise _damaged(name, number, error) from None
        except (ValueError, RecursionError) as error:
            if number == len(lines):
                return  # A crash tore the last line: what it announced was never sent.
            raise _damaged(name, number, error) from None
        try:
            understood = _understood(event)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(name, number, error) from None
        yield number, understood


def _damaged(name: str, number: int, error: Exception) -> StoreError:
    return StoreError(
        f"{name}:{number}: not a journal line ({type(error).__name__}: {error}); restore the file: it is the "
        "record of what was sent"
    )


def _understood(event: Any) -> Event:
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
            return Announced(at, run, approval, file, action, event["removes"])
        case "settled":
            of, ident = _texts(event, "of", "id")
            return Settled(at, (of, ident), Status(event["status"]))
        case "progress":
            environment, address, *course = _texts(
                event, "environment", "address", "path", "mode", "entries", "continuation"
            )
            token = course.pop()
            if not isinstance(event["done"], int):
                raise TypeError("done")
            return Progress(environment, address, Course(*course), Mark(token, event["done"]))
        case other:
            raise ValueError(f"event {other!r}")


def _texts(event: Any, *names: str) -> list[str]:
    words = [event[name] for name in names]
    if not all(isinstance(word, str) for word in words):
        raise TypeError("a text is missing")
    # Runs and approvals come up in many events.
    return [sys.intern(word) for word in words]
