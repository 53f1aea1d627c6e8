"""What became of each action on the paths of its tree, in words.

Its law: every path that the action was about is counted once, under the worst that happened to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.core.plan import Action, Outcome, Status
from reconciler.providers.adls.client import Refused
from reconciler.providers.adls.correcting.lots import FAILED, GONE, LOST, Lot, Lots
from reconciler.providers.adls.correcting.strip import Strip
from reconciler.providers.adls.ground import SAMPLES
from reconciler.providers.transport import Lost, Unreachable

UNSENT = "it changed again whenever it was about to be written; run the same command again"


def why(error: Refused | Unreachable | Lost) -> str:
    """The reason that a request without success gives for its paths."""
    if isinstance(error, Lost):
        return "the answer to the write was lost"
    hint = ""
    if isinstance(error, Refused) and error.status == 403:
        hint = "; grant the applying identity Storage Blob Data Owner on the container"
    return f"{error}{hint}"


@dataclass(slots=True)
class Count:
    """How many paths, and a few of them."""

    paths: int = 0
    samples: list[str] = field(default_factory=list)
    why: str = ""

    def add(self, paths: int, samples: Iterable[str], why: str = "") -> None:
        """Count more of them."""
        self.paths += paths
        self.samples += list(samples)[: SAMPLES - len(self.samples)]
        self.why = self.why or why

    @property
    def told(self) -> str:
        """`4 paths have (a, b, c, …)`."""
        return f"{self.paths} {'path has' if self.paths == 1 else 'paths have'} ({self.shown})"

    @property
    def shown(self) -> str:
        """`a, b, c, …`."""
        return ", ".join(self.samples) + (", …" if self.paths > len(self.samples) else "")


@dataclass(slots=True)
class Races:
    """What others did to a tree while recursive calls went over it."""

    appeared: int = 0
    astray: Count = field(default_factory=Count)
    """Paths that appeared or changed meanwhile and held something else than they should right after."""

    @property
    def told(self) -> str:
        """A sentence; "" where nothing raced."""
        if not self.astray.paths and not self.appeared:
            return ""
        new = f"{self.appeared} new {'path' if self.appeared == 1 else 'paths'}"
        if not self.astray.paths:
            held = "it holds what it should" if self.appeared == 1 else "they hold what they should"
            return f"{new} appeared while the call ran; {held}"
        number = f"{self.astray.paths} {'path' if self.astray.paths == 1 else 'paths'}"
        head = f"{number} changed while the call ran: {self.astray.shown}"
        return head + (f" ({new} among all)" if self.appeared else "")


@dataclass(slots=True)
class Toll:
    """What happened to one action on the paths of its tree."""

    done: int = 0
    moved: Count = field(default_factory=Count)
    """Paths that hold a right which was not approved to start from."""
    stuck: Count = field(default_factory=Count)
    """Paths on which no list exists that does just this."""
    failed: Count = field(default_factory=Count)
    lost: Count = field(default_factory=Count)

    def outcome(self, action: Action, races: str = "") -> Outcome:
        """What became of the action, worst first."""
        status, parts = Status.ACCEPTED, []
        if self.moved.paths:
            status = Status.REFUSED
            parts.append(f"{self.moved.told} no approved right to start from; plan again")
        if self.stuck.paths:
            status = Status.FAILED
            parts.append(f"{self.stuck.told} no room for it: {self.stuck.why}")
        if self.failed.paths:
            status = Status.FAILED
            parts.append(f"{self.failed.told} the old list, as the write failed: {self.failed.why}")
        if self.lost.paths:
            status = Status.UNKNOWN
            parts.append(f"{self.lost.told} an unknown list, as {self.lost.why}")
        if parts and self.done:
            parts.append(f"{self.done} others were written")
            # Requests left: whatever else happened, this consent is used up.
            status = Status.UNKNOWN if self.lost.paths else Status.PARTIAL
        if not parts:
            parts.append(f"written on {self.done}" if self.done else "held already")
        parts += [races] if races else []
        return Outcome(action=action.id, status=status, reason="; ".join(parts), remark=races)


def tolls(actions: Sequence[Action], strip: Strip, lots: Lots) -> Mapping[str, Toll]:
    """What happened to each action, from what the paths hold in the end."""
    found = {action.id: Toll() for action in actions}
    counts = strip.counts()
    told = [number for number in counts if _is_told(lots[number])]
    samples: dict[int, list[str]] = {number: [] for number in told}
    for name, number in strip.of_lots(told):
        if len(samples[number]) < SAMPLES:
            samples[number].append(name)
    for number, paths in counts.items():
        lot, shown = lots[number], samples.get(number, [])
        for ident in lot.moved:
            found[ident].moved.add(paths, shown)
        for ident in lot.stuck:
            found[ident].stuck.add(paths, shown, lot.why)
        for ident in lot.done:
            if lot.fault == FAILED or lot.open:
                found[ident].failed.add(paths, shown, lot.reason or UNSENT)
            elif lot.fault == LOST:
                found[ident].lost.add(paths, shown, lot.reason)
            elif lot.fault != GONE:
                found[ident].done += paths
    return found


def _is_told(lot: Lot) -> bool:
    return bool(lot.moved or lot.stuck or lot.fault or lot.open)
