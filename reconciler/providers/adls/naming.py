"""Object ids of entries to principals' names and back.

Its law: an entry counts for a principal only if it is of that very object and of the right sort; a namesake,
or a group's id in a `user:` entry, is somebody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reconciler.core.model import Identity, Presence
from reconciler.providers.adls.acl import OTHER, Entry
from reconciler.providers.adls.documents import EVERYBODY
from reconciler.providers.contract import Directory


@dataclass(slots=True)
class Names:
    """Who the entries of a lake are for, as far as it has been asked."""

    by_entry: dict[Entry, str] = field(default_factory=lambda: {OTHER: EVERYBODY})
    unnamed: dict[str, str] = field(default_factory=dict)
    """Object ids that the directory could not be asked about, with the reason."""
    strange: dict[Entry, tuple[str, str]] = field(default_factory=dict)
    """Entries that stand for nobody known: the rule of the finding, and what is wrong."""

    def learn(self, directory: Directory, principals: Iterable[str], entries: Iterable[Entry]) -> None:
        """Ask for these principals by name, and for whoever else the entries are for."""
        wanted = sorted({name for name in principals if name != EVERYBODY})
        if wanted:
            for name, identity in directory.resolve(wanted).items():
                if identity.presence is Presence.KNOWN:
                    self.by_entry[entry_of(name, identity.object_id)] = name
        strangers = sorted({entry for entry in entries if entry not in self.by_entry})
        if strangers:
            found = directory.name(sorted({entry.who for entry in strangers}))
            self._meet(strangers, {who.lower(): identity for who, identity in found.items()})

    def _meet(self, strangers: Iterable[Entry], found: Mapping[str, Identity]) -> None:
        taken = set(self.by_entry.values())
        for entry in strangers:
            identity = found.get(entry.who)
            name = f"id:{entry.who}"
            if identity is None or identity.presence is Presence.UNREADABLE:
                reason = identity.reason if identity else "the directory did not answer for it"
                self.unnamed[entry.who] = reason
                continue
            if identity.principal.startswith("id:"):
                self.strange[entry] = "dangling", "nobody in the directory has this object id any more"
            elif entry_of(identity.principal, entry.who) != entry:
                self.strange[entry] = (
                    "misplaced",
                    f"it is the id of {identity.principal} in a `{entry.kind}:` entry, which grants nothing",
                )
            elif identity.principal in taken:
                self.strange[entry] = (
                    "namesake",
                    f"it is another object that is also called {identity.principal}",
                )
            else:
                name = identity.principal
                taken.add(name)
            self.by_entry[entry] = name

    def entries(self, principal: str) -> list[Entry]:
        """The entries that stand for a principal; `id:<object id>` may be two."""
        return sorted(entry for entry, name in self.by_entry.items() if name == principal)


def entry_of(principal: str, object_id: str) -> Entry:
    """The entry that an access control list has for a principal: service principals count as users."""
    return Entry("group" if principal.startswith("group:") else "user", object_id.lower())
