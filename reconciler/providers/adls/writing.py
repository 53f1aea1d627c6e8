"""Decide, for paths of a tree that are alike, which list they get from the approved actions.

Its law: a path is changed only where its present right is one that was approved to start from, and only in
the entries that were approved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reconciler.core.model import Attribute, Value
from reconciler.core.plan import Action
from reconciler.providers.adls.acl import ALL, BITS, EXECUTE, LIMIT, Acl, Conflict, Entry, Scope, merge
from reconciler.providers.adls.canonical import CONTENT, NOWHERE, Lens, parsed
from reconciler.providers.adls.documents import ACCESS, LIST
from reconciler.providers.adls.ground import Key

ABSENT = "-"


class Verdict(NamedTuple):
    """What the actions come to on paths that are alike."""

    acl: str | None
    """The whole new list; None where nothing changes."""
    done: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()
    why: str = ""


@dataclass(slots=True, kw_only=True)
class Edit:
    """The approved actions of one tract, as they bear on each of its paths."""

    lens: Lens
    actions: Sequence[Action]
    entries: Mapping[str, Sequence[Entry]]
    """The entries of every principal that the actions are about."""

    def verdict(self, key: Key) -> Verdict:
        """What the actions come to on paths that are alike; raises AclError where the list does not parse."""
        chosen: dict[Attribute, Action] = {}
        moved: list[str] = []
        for attribute, actions in _by_attribute(self.actions).items():
            present = self.lens.value(key, attribute, self.entries[attribute.principal])
            if present == NOWHERE:
                continue
            for action in actions:
                if present == action.after:
                    continue
                if present in action.before:
                    chosen[attribute] = action
                elif not _foreseen(present, actions):
                    moved.append(action.id)
        if not chosen:
            return Verdict(None, moved=tuple(moved))
        return self._merged(key, chosen)._replace(moved=tuple(moved))

    def _merged(self, key: Key, chosen: Mapping[Attribute, Action]) -> Verdict:
        acl, stuck, why = parsed(key.acl), list[str](), ""
        done = []
        for role, of in ((ACCESS, _access), ("default", _default)):
            mine = {attribute: action for attribute, action in chosen.items() if attribute.role == role}
            while mine:
                try:
                    merged = self._role(acl, key, mine)
                except Conflict as conflict:
                    out, why = (
                        [a for a in mine if conflict.entries & set(self.entries[a.principal])],
                        str(conflict),
                    )
                else:
                    scope = of(merged)
                    if scope is None or scope.size <= max(LIMIT, _size(of(acl))):
                        acl = merged
                        done += [action.id for action in mine.values()]
                        break
                    out = [a for a in mine if not _named(of(acl), self.entries[a.principal])]
                    why = f"{scope.size} entries, and an access control list takes {LIMIT}"
                stuck += [mine.pop(attribute).id for attribute in out or list(mine)]
        text = acl.text
        return Verdict(text if text != key.acl else None, tuple(done), stuck=tuple(stuck), why=why)

    def _role(self, acl: Acl, key: Key, chosen: Mapping[Attribute, Action]) -> Acl:
        try:
            return self._changed(acl, key, chosen, ALL)
        except Conflict:
            if key.directory:
                raise
            # Execute means nothing on a file, so that it is no reason to leave the file as it is.
            return self._changed(acl, key, chosen, CONTENT)

    def _changed(self, acl: Acl, key: Key, chosen: Mapping[Attribute, Action], meant: int) -> Acl:
        changes: dict[Entry, int | None] = {}
        for attribute, action in chosen.items():
            bits = self._bits(key, attribute, action.after)
            for entry in self.entries[attribute.principal]:
                changes[entry] = None if bits is None else bits & meant
        role = next(iter(chosen)).role
        return merge(acl, changes, {}) if role == ACCESS else merge(acl, {}, changes)

    def _bits(self, key: Key, attribute: Attribute, after: Value | None) -> int | None:
        """What the entry should grant on such a path."""
        tract = self.lens.tract
        if after == LIST:
            after = "r-x" if key.spot == tract.path else None
        if after is None:
            passes = attribute.role == ACCESS and attribute.principal in tract.passages.get(key.spot, ())
            return EXECUTE if passes and key.directory else None
        return BITS[after]


def _by_attribute(actions: Sequence[Action]) -> dict[Attribute, list[Action]]:
    grouped: dict[Attribute, list[Action]] = {}
    for action in actions:
        grouped.setdefault(action.attribute, []).append(action)
    return grouped


def _foreseen(value: Value | None, actions: Sequence[Action]) -> bool:
    """Whether the plan knew of such paths: then another action is about them, and it is not to be sent."""
    return any(value in action.before or (value or ABSENT) in action.evidence.counts for action in actions)


def _access(acl: Acl) -> Scope | None:
    return acl.access


def _default(acl: Acl) -> Scope | None:
    return acl.default


def _size(scope: Scope | None) -> int:
    return scope.size if scope else 0


def _named(scope: Scope | None, entries: Sequence[Entry]) -> bool:
    return scope is not None and any(entry in scope.named for entry in entries)
