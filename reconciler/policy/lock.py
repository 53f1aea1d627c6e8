"""The lock file: which object every name stands for, reviewed like any change.

A name is hijackable: whoever may create a group may call it like yours.  An object id is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from reconciler.core.model import Identity, Presence, Source
from reconciler.core.spelling import principal
from reconciler.core.vocabulary import Problem
from reconciler.policy.documents import LockDocument
from reconciler.policy.parse import Parsed
from reconciler.policy.suggest import did_you_mean

Lock = Mapping[str, Mapping[str, str]]
"""Per directory, by the name that environments call it: principal to object id."""

_HEAD = """\
# Which object each name of the policies stands for.  `reconciler pin` writes this file; do not edit it.
# Review a change here like a change of access: whoever holds the new object holds what the name is granted.
# yaml-language-server: $schema=../schemas/principals-lock.json
kind: principals-lock
"""
MEND = "run `reconciler pin`"
"""How everything is told that pinning rights."""
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PLAIN = re.compile(r"[a-z]+:[A-Za-z0-9._@+-]+")


def render(lock: Lock) -> str:
    """The text of the lock file: one line for each name, in order of name, equal for equal locks."""
    lines = [_HEAD]
    lines.append("directories:\n" if any(lock.values()) else "directories: {}\n")
    for directory, pins in sorted(lock.items()):
        if pins:
            lines.append(f"  {directory}:\n")
        for name, object_id in sorted(pins.items()):
            # A space may hide a ` #` or `: `, and JSON's quoting is YAML's.
            key = name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)
            lines.append(f"    {key}: {object_id}\n")
    return "".join(lines)


def updated(lock: Lock, directory: str, identities: Iterable[Identity]) -> Lock:
    """The lock with one directory's names pinned to what they stand for today.

    Names that nobody asked for any more, and names that stand for nothing, are left out.  A name that moved,
    is ambiguous or could not be asked keeps its former pin: only a person may decide that.
    """
    former = lock.get(directory, {})
    pins: dict[str, str] = {}
    for identity in identities:
        if identity.presence is Presence.KNOWN and identity.object_id:
            pins[identity.principal] = identity.object_id
        elif identity.principal in former and identity.presence is not Presence.UNKNOWN:
            pins[identity.principal] = former[identity.principal]
    return {**lock, directory: pins}


def read_lock(
    document: Parsed, directories: frozenset[str]
) -> tuple[dict[str, dict[str, str]], list[Problem]]:
    """The pins of a lock file, and everything that a person seems to have done to it by hand."""
    model: LockDocument = document.model
    problems = [
        Problem(source=place, text=text)
        for directory, pins in model.directories.items()
        for place, text in _faults(document, directory, pins)
    ]
    # Without any environment there is nothing to compare with, and that is told already.
    for directory in model.directories.keys() - directories if directories else ():
        text = f"no environment has an entra.name {directory!r}{did_you_mean(directory, directories)}"
        problems.append(Problem(source=document.places.key("directories", directory), text=text))
    return model.directories, problems


def _faults(document: Parsed, directory: str, pins: Mapping[str, str]) -> Iterator[tuple[Source, str]]:
    def place(name: str) -> Source:
        return document.places.key("directories", directory, name)

    owners: dict[str, str] = {}
    for name, object_id in pins.items():
        try:
            spelt = principal(name)
        except ValueError as error:
            yield place(name), str(error)
            continue
        if spelt != name:
            yield place(name), f"{name!r} is written {spelt!r} here; {MEND}"
        if _GUID.fullmatch(object_id) is None:
            yield place(name), f"{name}: {object_id[:60]!r} is no object id; {MEND}"
        first = owners.setdefault(object_id, name)
        if first != name:
            yield place(name), f"{name} and {first} are pinned to one object; remove the line that is wrong"
    for before, after in pairwise(pins):
        if after < before:
            yield place(after), f"{after} stands behind {before}, out of order; {MEND}"
            return


def mends(problem: Problem) -> bool:
    """Whether pinning is what rights this: then it must not be in its way."""
    return problem.text.endswith(MEND)


def sound(lock: Lock) -> Lock:
    """The pins of a lock that pinning is about to right: names as they are spelt, with an object id."""
    return {
        directory: {
            name: object_id
            for name, object_id in pins.items()
            if _spelt(name) == name and _GUID.fullmatch(object_id)
        }
        for directory, pins in lock.items()
    }


def _spelt(name: str) -> str:
    try:
        return principal(name)
    except ValueError:
        return ""
