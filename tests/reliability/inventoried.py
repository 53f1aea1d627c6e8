"""A scene whose lake is read from its inventory when a plan is made, and path by path before a write."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.context import ForkServerContext
from pathlib import Path
from types import SimpleNamespace

import pytest

from reconciler.core.model import Live
from reconciler.emulator.lake.inventory import Order, run
from reconciler.emulator.lake.service import LakeService
from reconciler.emulator.server import Emulator
from reconciler.providers.adls.inventory import engine, local
from reconciler.providers.adls.provider import Lakes
from reconciler.providers.contract import Checkpoint, Question
from reconciler.survey import Cloud, Inputs
from tests.reliability.estate import Scene
from tests.reliability.loop import Loop
from tests.reliability.memory import MemoryStore
from tests.reliability.recorded import Recorded


@dataclass
class Inventoried(Loop):
    """A loop that keeps what it fetched of an inventory from one run to the next."""

    folder: tempfile.TemporaryDirectory[str] = field(default_factory=tempfile.TemporaryDirectory)

    @contextmanager
    def _cloud(self) -> Iterator[tuple[Inputs, Cloud]]:
        checkpoint = Checkpoint(folder=Path(self.folder.name), now=self._now)
        with pytest.MonkeyPatch.context() as patch, Loop._cloud(self) as (inputs, cloud):
            patch.setattr(engine, "multiprocessing", SimpleNamespace(get_context=_quick))
            lakes = cloud.providers["adls"]
            assert isinstance(lakes, Lakes)
            read = lakes.read

            def surveyed(question: Question) -> Live:
                # Whoever reads again asks for nothing that no document claims, and not of an inventory.
                return read(replace(question, checkpoint=checkpoint) if question.boundaries else question)

            lakes.read = surveyed  # type: ignore[method-assign]
            yield inputs, cloud


def _quick(method: str) -> ForkServerContext:
    """Where workers come from a process that has read all modules: a new one takes half a second to."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([engine.__name__, local.__name__])
    return context


def opened(scene: Scene, emulator: Emulator) -> Loop:
    """A scene's loop, with nothing remembered."""
    if scene.stored:
        return Recorded(scene, emulator, MemoryStore())
    if not scene.inventory:
        return Loop(scene, emulator, MemoryStore())
    loop = Inventoried(scene, emulator, MemoryStore())
    lake = emulator.services["lake"]
    assert isinstance(lake, LakeService)
    order = Order(destination="inventory", form=scene.inventory, files=1, hours_ago=1)
    run(lake.account("lake"), order)
    return loop
