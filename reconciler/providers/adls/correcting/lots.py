"""Lots: paths of a tree that hold the same list now and are to end alike.

Its law: what a path may become follows from what it held when it was met, never from what became of it since.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from reconciler.providers.adls.acl import Acl
from reconciler.providers.adls.canonical import parsed
from reconciler.providers.adls.correcting.semantics import same
from reconciler.providers.adls.ground import Key
from reconciler.providers.adls.listing import Listed
from reconciler.providers.adls.writing import Edit

FAILED, LOST, GONE = "failed", "lost", "gone"
"""What became of a path that did not take its list.  Such a path is not written again in this run."""


class Lot(NamedTuple):
    """What there is to know of paths that are alike."""

    acl: Acl
    """What they hold, as last seen."""
    directory: bool
    start: Acl
    """What they held when this run first met them so: on the way to the end they lie between the two."""
    spot: str = ""
    """The path itself where more applies to it than to the rest of the tract."""
    after: Acl | None = None
    """What they are to hold; None where nothing may change: right already, not approved, somebody else's."""
    done: tuple[str, ...] = ()
    """Ids of the actions that the list to come carries out."""
    moved: tuple[str, ...] = ()
    """Ids of the actions for which they hold no approved right to start from."""
    stuck: tuple[str, ...] = ()
    """Ids of the actions for which no list exists that does just this."""
    why: str = ""
    fault: str = ""
    """FAILED, LOST or GONE."""
    reason: str = ""

    @property
    def open(self) -> bool:
        """Whether there is something to write yet: what means the same as the end may be spelt otherwise."""
        return not self.fault and self.after is not None and not same(self.acl, self.after, self.directory)


@dataclass(slots=True)
class Lots:
    """Every lot that was met, by its number."""

    edit: Edit
    lots: list[Lot] = field(default_factory=list)
    _numbers: dict[tuple[int, ...], int] = field(default_factory=dict)
    _by_key: dict[tuple[Key, bool], int] = field(default_factory=dict)
    _acls: dict[str, int] = field(default_factory=dict)
    _texts: dict[str, int] = field(default_factory=dict)

    def __getitem__(self, number: int) -> Lot:
        return self.lots[number]

    def number(self, lot: Lot) -> int:
        """The number of a lot."""
        after = -1 if lot.after is None else self._acl(lot.after)
        text = "\n".join(
            (lot.spot, *lot.done, "", *lot.moved, "", *lot.stuck, "", lot.why, lot.fault, lot.reason)
        )
        key = (
            self._acl(lot.acl),
            lot.directory,
            self._acl(lot.start),
            after,
            self._texts.setdefault(text, len(self._texts)),
        )
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.lots)
            self.lots.append(lot)
        return number

    def _acl(self, acl: Acl) -> int:
        return self._acls.setdefault(acl.text, len(self._acls))

    def met(self, entry: Listed, acl: str, ours: bool) -> int:
        """The lot of a path as a listing shows it; `ours`: it belongs to the tract, not to a deeper folder.

        Raises AclError where the list does not parse.
        """
        name, directory = entry.name, bool(entry.directory)
        spot = name if ours and name in self.edit.lens.tract.spots else ""
        key = Key(acl, directory, spot), ours
        number = self._by_key.get(key)
        if number is None:
            number = self._by_key[key] = self.number(self._judged(*key))
        return number

    def judged(self, lot: Lot, acl: Acl) -> Lot:
        """What a path of this lot would be taken for by whoever met it with another list."""
        return self._judged(Key(acl.text, lot.directory, lot.spot), True)

    def _judged(self, key: Key, ours: bool) -> Lot:
        acl = parsed(key.acl)
        if not ours:
            return Lot(acl, key.directory, acl)
        verdict = self.edit.verdict(key)
        after = None if verdict.acl is None else parsed(verdict.acl)
        return Lot(
            acl, key.directory, acl, key.spot, after, verdict.done, verdict.moved, verdict.stuck, verdict.why
        )

    def changed(self, number: int, *, acl: Acl | None = None, fault: str = "", reason: str = "") -> int:
        """The number of the lot that paths are in once they hold another list, or met with a fault."""
        lot = self.lots[number]
        return self.number(
            lot._replace(acl=acl or lot.acl, fault=fault or lot.fault, reason=reason or lot.reason)
        )
