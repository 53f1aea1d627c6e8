"""The matrix: kinds of requests by faults, in three tables, as `docs/reliability.md` shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.emulator.server import Emulator
from tests.reliability.faults import TROUBLES, Trouble
from tests.reliability.requests import KINDS, Kind
from tests.reliability.scenes import SCENES
from tests.reliability.trial import Clean, Trial, rehearse

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/reliability.md"
RENEW = "make reliability"
NEVER = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: when the fault strikes."""

    name: str
    once: bool = False
    late: bool = False
    only: tuple[str, ...] = ()
    """The faults that it shows; all where empty."""

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """Its columns."""
        return tuple(each for each in TROUBLES if not self.only or each.title in self.only)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Its rows: what is sent after the plan is made again, where the fault begins there."""
        return tuple(
            kind
            for kind in KINDS
            # An inventory and journals are read before the plan is made, and not again.
            if not self.late
            or "again" in kind.traits
            or (kind.system not in ("Inventory", "Store") and kind.traits.isdisjoint({"writes", "signs-in"}))
        )


LASTS = Table(name="lasts")
ONCE = Table(
    name="once",
    once=True,
    only=("429, wait 10 s", "500, throttled", "503", "reset before", "reset after", "half a body"),
)
LATE = Table(name="late", late=True, only=("503", "stale reads", "token expires"))
TABLES = (LASTS, ONCE, LATE)


@dataclass(slots=True)
class Court:
    """Tries cell after cell on one emulator; a scene is rehearsed when the first of its cells is tried."""

    emulator: Emulator
    cleans: dict[str, Clean] = field(default_factory=dict)

    def clean(self, kind: Kind) -> Clean:
        """The first scene in which a kind of request is sent; raises KeyError where there is none."""
        for scene in SCENES:
            if scene.name not in self.cleans:
                self.cleans[scene.name] = rehearse(scene, self.emulator)
            if self.cleans[scene.name].sent.get(kind):
                return self.cleans[scene.name]
        raise KeyError(f"no scene sends {kind.system}: {kind.title}")

    def row(self, table: Table, kind: Kind) -> tuple[str, list[str]]:
        """A row as the document has it, and what was wrong in its cells."""
        clean = self.clean(kind)
        words: list[str] = []
        wrong: list[str] = []
        for trouble in table.troubles:
            never = not trouble.befalls_here(kind, clean.scene) or (table.once and not trouble.passing)
            unused = table.late and clean.sent[kind] <= clean.before_late(kind)
            if never or unused:
                words.append(NEVER)
                continue
            trial = Trial(clean=clean, kind=kind, trouble=trouble, once=table.once, late=table.late)
            try:
                words.append(trial.run(self.emulator))
            except AssertionError as error:
                words.append("wrong")
                wrong.append(f"{kind.system}, {kind.title}: {trouble.title} ({table.name}): {error}")
        return f"{label(kind)} | {' | '.join(words)} |", wrong


def label(kind: Kind) -> str:
    """How a kind's row begins."""
    return f"| {kind.system}: {kind.title}"


def header(table: Table) -> Iterator[str]:
    """The first two lines of a table."""
    yield f"| request | {' | '.join(trouble.title for trouble in table.troubles)} |"
    yield "| --- " * (len(table.troubles) + 1) + "|"


def shown(text: str, table: Table) -> list[str]:
    """The lines between a table's markers; raises ValueError where there are none."""
    begin, end = markers(table)
    return text[text.index(begin) + len(begin) : text.index(end)].strip().splitlines()


def replaced(text: str, table: Table, lines: list[str]) -> str:
    """The document with these lines between a table's markers."""
    begin, end = markers(table)
    return text[: text.index(begin) + len(begin)] + "\n" + "\n".join(lines) + "\n" + text[text.index(end) :]


def markers(table: Table) -> tuple[str, str]:
    """What stands before and after a table."""
    return f"<!-- matrix: {table.name} -->", f"<!-- end: {table.name} -->"
