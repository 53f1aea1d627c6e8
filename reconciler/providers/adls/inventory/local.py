"""Judge a run that lies on this machine: cut it into units, judge them, and leave the result in a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.providers.adls.inventory.columns import Rows, View
from reconciler.providers.adls.inventory.engine import Progress, run
from reconciler.providers.adls.inventory.estate import Ground
from reconciler.providers.adls.inventory.faults import InventoryFault
from reconciler.providers.adls.inventory.results import Result, begin, finish
from reconciler.providers.adls.inventory.units import Cut, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitWork:
    """One unit of a run, for one container."""

    unit: Unit
    view: View

    @property
    def place(self) -> str:
        """The file and the part of it."""
        return self.unit.place

    @property
    def rows(self) -> int | None:
        """How many rows it has; None where only reading tells."""
        return self.unit.rows

    def open(self) -> Rows:
        """Its rows of the container."""
        return Rows(unit=self.unit, view=self.view)


def judge_run(
    cut: Cut,
    view: View,
    ground: Ground,
    folder: Path,
    *,
    workers: int = 2,
    origin: Mapping[str, Any] | None = None,
    faults: Sequence[InventoryFault] = (),
    whole: Callable[[int, int], InventoryFault | None] = lambda met, kept: None,
    progress: Progress = lambda done, total: None,
) -> Result:
    """Judge a run and leave the result in a folder; raises EngineError, ResultError.

    Files that could not be cut or read are among the result's faults, and the rest is judged.  `whole` says
    what is wrong once all rows were read, given how many there were and how many of the container.
    """
    parts = begin(folder, ground)
    works = [UnitWork(unit=unit, view=view) for unit in cut.units]
    ran = run(works, ground, parts, workers=workers, progress=progress)
    found = [*faults, *cut.faults, *ran.faults]
    short = None if found else whole(ran.met, ran.rows)
    result = Result(
        folder=folder,
        ground=ground,
        engine="local",
        rows=ran.rows,
        faults=tuple(str(fault) for fault in (*found, *([short] if short else []))),
        origin=origin or {},
    )
    finish(result)
    return result
