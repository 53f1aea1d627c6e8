"""A reader that asks the emulated account without a socket: small pages, and answers in any order."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import unquote

import pytest

from reconciler.core.model import Address, Source, Wanted
from reconciler.providers.adls.client import STORAGE_VERSION, Endpoints, LakeReader, Wire, refused
from reconciler.providers.adls.ground import Tally, Tract
from reconciler.providers.adls.sweeping import levels, region, sweep
from reconciler.providers.adls.sweeping.asking import Lanes
from reconciler.providers.adls.sweeping.sweep import Reading, Sweep
from reconciler.providers.transport import Answer
from tests.emulator.lake.harness import ACCOUNT, Lake

CONTAINER = "curated"
PAGE = 5
Change = Callable[[Lake], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct(LakeReader):
    """The real reader up to where a request would be sent."""

    lake: Lake
    page: int
    chance: random.Random
    """How long each answer takes, in turns of the event loop."""
    asked: list[str] = field(default_factory=list)
    changes: dict[int, Change] = field(default_factory=dict)
    """What somebody else does before the request of this number is answered."""

    under_way: list[int] = field(default_factory=lambda: [0, 0])
    """Listings that were asked for at once: now, and at most."""

    async def _storage(
        self,
        method: str,
        url: str,
        version: str = STORAGE_VERSION,
        whole: Callable[[bytes], bool] = lambda body: True,
    ) -> Answer:
        host, _, rest = url.removeprefix("https://").partition("/")
        change = self.changes.pop(len(self.asked), None)
        if change is not None:
            change(self.lake)
        self.asked.append(f"{method} /{unquote(rest)}")
        target = re.sub(r"max(r|R)esults=\d+", self._size, f"/{rest}")
        listing = "comp=list" in url
        self.under_way[0] += listing
        self.under_way[1] = max(self.under_way)
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)
        answer = self.lake.ask(method, target, host=host, version=version)
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)
        self.under_way[0] -= listing
        found = Answer(answer.status, answer.headers, answer.response.body)
        if found.status >= 400:
            raise refused(found)
        return found

    def _size(self, match: re.Match[str]) -> str:
        name, _, size = match[0].partition("=")
        return f"{name}={min(self.page, int(size))}"

    def count(self, pattern: str) -> int:
        """Requests that match."""
        return sum(re.search(pattern, request) is not None for request in self.asked)


def grown(paths: Iterable[tuple[str, bool]], **switches: str) -> Lake:
    """An account whose container holds these paths; they are directories where the second part is true."""
    lake = Lake()
    lake.make()
    lake.service.grow(ACCOUNT, CONTAINER, [(path, directory, "") for path, directory in sorted(paths)])
    lake.world.switches.update({f"lake.{name.replace('_', '-')}": value for name, value in switches.items()})
    return lake


def tract(path: str, deeper: Iterable[str] = ()) -> Tract:
    """A declared folder."""
    address = Address("adls", ACCOUNT, "folder", f"{CONTAINER}/{path}")
    return Tract(
        address=address,
        want=Wanted(address=address, tenant="t", source=Source("x", 1), grants={}),
        container=CONTAINER,
        path=path,
        deeper=frozenset(deeper),
        passages={},
        enforce_file_masks=False,
    )


@dataclass(slots=True)
class Met(Tally):
    """A tally that also remembers every path, as often as it was noted."""

    names: list[str] = field(default_factory=list)

    def note(self, entry: Any, acl: str) -> None:
        Tally.note(self, entry, acl)
        self.names.append(entry.name)

    def absorb(self, other: Tally) -> None:
        Tally.absorb(self, other)
        self.names += cast("Met", other).names


def reader_of(lake: Lake, page: int = PAGE, seed: int = 0, **more: Any) -> Direct:
    """A reader of this account."""
    return Direct(
        wire=cast(Wire, None),
        endpoints=Endpoints(dfs="https://dfs", blob="https://blob"),
        lake=lake,
        page=page,
        chance=random.Random(seed),
        **more,
    )


def swept(reader: Direct, plots: Mapping[str, Tract | None], *, split: bool = True, **more: Any) -> Reading:
    """What a sweep over the container comes to; raises Unread."""
    work = Sweep(
        reader=reader, container=CONTAINER, plots=plots, make=lambda tract: Met(tract.spots), split=split,
        lanes=Lanes(), **more,
    )  # fmt: skip
    return asyncio.run(work.run())


def names(reading: Reading, path: str) -> list[str]:
    """Every path that was noted for a folder, in order."""
    sink = reading.sinks.get(path)
    return sorted(cast(Met, sink).names) if sink is not None else []


def small_pages(patch: pytest.MonkeyPatch, size: int = PAGE) -> None:
    """Let the reading reckon with small pages, so that small trees are cut."""
    for module in (region, levels, sweep):
        patch.setattr(module, "PAGE", size)
