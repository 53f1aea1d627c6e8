"""A provider whose words hold no secret, whatever the service behind it echoes.

Its law: what is said of live state and of writes goes through here before it can reach a plan, the journal or
a person.  Names, rights and ids are facts and stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from reconciler.core.model import Address, Identity, Kind, Live
from reconciler.core.plan import Action, Outcome
from reconciler.core.secrecy import Scrub
from reconciler.providers.contract import (
    FORGETFUL,
    Diary,
    Directory,
    Keeper,
    Progress,
    Provider,
    Question,
    silent,
)


class Discreet:
    """Passes everything on, and leaves secrets out of what comes back in words."""

    def __init__(self, inner: Provider, scrub: Scrub) -> None:
        self.name: str = inner.name
        self.kinds: Sequence[Kind] = inner.kinds
        self._inner = inner
        self._scrub = scrub

    def read(self, question: Question) -> Live:
        """What the provider reads; reasons and findings without secrets."""
        live, scrub = self._inner.read(question), self._scrub
        return replace(
            live,
            gaps={
                address: replace(gap, reason=scrub(gap.reason), status=scrub(gap.status))
                for address, gap in live.gaps.items()
            },
            findings=[replace(finding, text=scrub(finding.text)) for finding in live.findings],
            readings=[replace(each, why=scrub(each.why), as_of=scrub(each.as_of)) for each in live.readings],
        )

    def write(
        self,
        address: Address,
        actions: Sequence[Action],
        diary: Diary = FORGETFUL,
        progress: Progress = silent,
    ) -> Sequence[Outcome]:
        """What the provider writes; how it ended without secrets."""
        return [
            replace(ended, reason=self._scrub(ended.reason), remark=self._scrub(ended.remark))
            for ended in self._inner.write(address, actions, diary, progress)
        ]

    def close(self) -> None:
        """Let go of connections."""
        self._inner.close()


class DiscreetKeeper(Discreet):
    """The same for a provider that keeps paths: they are facts."""

    def __init__(self, inner: Provider, keeper: Keeper, scrub: Scrub) -> None:
        super().__init__(inner, scrub)
        self._keeper = keeper

    def write_paths(self, actions: Sequence[Action], file: Path) -> int:
        """Write every path behind these actions; raises OSError."""
        return self._keeper.write_paths(actions, file)


def discreet(inner: Provider, scrub: Scrub) -> Discreet:
    """The provider, with its words scrubbed."""
    return DiscreetKeeper(inner, inner, scrub) if isinstance(inner, Keeper) else Discreet(inner, scrub)


class DiscreetDirectory:
    """The same for a directory: why somebody is not who a name says is told without secrets."""

    def __init__(self, inner: Directory, scrub: Scrub) -> None:
        self._inner = inner
        self._scrub = scrub

    def resolve(self, principals: Iterable[str]) -> Mapping[str, Identity]:
        """What each name stands for today."""
        return self._scrubbed(self._inner.resolve(principals))

    def name(self, object_ids: Iterable[str]) -> Mapping[str, Identity]:
        """Who is behind each object id."""
        return self._scrubbed(self._inner.name(object_ids))

    def members(self, group_ids: Iterable[str]) -> Mapping[str, frozenset[str] | None]:
        """Direct members of each group."""
        return self._inner.members(group_ids)

    def _scrubbed(self, found: Mapping[str, Identity]) -> Mapping[str, Identity]:
        return {
            name: replace(each, reason=self._scrub(each.reason)) if each.reason else each
            for name, each in found.items()
        }
