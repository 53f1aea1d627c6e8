"""One cell of the matrix: a plan is approved, apply meets a fault, the fault is lifted, apply runs again.

What is asserted of every cell, on the emulator's facts, is in `Verdict`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from reconciler.core.plan import Action, Outcome, Status
from reconciler.emulator.faults import Fault, Faults
from reconciler.emulator.server import Emulator
from reconciler.emulator.wire import Request
from tests.reliability.estate import Facts, Scene, reseeded, wanted
from tests.reliability.facts import difference, facts
from tests.reliability.faults import DELETED, Trouble
from tests.reliability.inventoried import opened
from tests.reliability.loop import Loop, Told
from tests.reliability.recorded import Recorded, assert_on_record, journals
from tests.reliability.requests import KINDS, Kind, kinds_of, requests
from tests.reliability.scenes import SCENES

LONGEST = 900.0
"""Emulated seconds that an apply of a scene may wait in all, whatever happens."""
MOST = 4
"""How many times the requests of an apply without a fault may be sent, and a few more (`SPARE`)."""
SPARE = 300
Key = tuple[str, str]
DONE = frozenset({Status.VERIFIED})
UNTOUCHED = frozenset({Status.FAILED, Status.REFUSED, Status.DEFERRED})
"""Ends by which a person is told that nothing was changed."""
SPENT = frozenset({Status.UNKNOWN, Status.PARTIAL})
"""Ends after which what is left has to be approved anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clean:
    """How a scene goes when nothing is wrong."""

    scene: Scene
    actions: tuple[Action, ...]
    rules: tuple[str, ...]
    before: Facts
    after: Facts
    planned: Mapping[Kind, int]
    """Requests of each kind until the plan is made."""
    sent: Mapping[Kind, int]
    """Requests of each kind in the whole apply."""
    total: int
    leaver: frozenset[str] = frozenset()
    """What the facts may call whom somebody may delete: by name, by display name, by object id."""

    def before_late(self, kind: Kind) -> int:
        """Requests of a kind that are over when writing begins; of the store's, one that goes well."""
        return 1 if kind.keeps else self.planned.get(kind, 0)

    led_home: set[object] = field(default_factory=set)
    """Facts and ends, as a fault left them, from which another run was seen to lead to what was approved."""


def rehearse(scene: Scene, emulator: Emulator) -> Clean:
    """Go through a scene without a fault; what holds then is what its author says must hold."""
    loop = begin(scene, emulator)
    before = facts(emulator)
    after = wanted(scene, before)
    made = loop.plan().plan
    planned = counted(emulator)
    assert not [gap for gap in made.gaps if not gap.accepted]
    loop = begin(scene, emulator)
    rules = tuple(violation.rule for violation in made.violations)
    loop.approve(made.actions, rules)
    told = loop.apply()
    assert not difference(facts(emulator), after)
    assert told.code == 0, told
    return Clean(
        scene=scene,
        actions=made.actions,
        rules=rules,
        before=before,
        after=after,
        planned=planned,
        sent=counted(emulator),
        total=len(emulator.world.log.entries),
        leaver=_called(scene.leaver, emulator),
    )


def _called(principal: str, emulator: Emulator) -> frozenset[str]:
    if not principal:
        return frozenset()
    return frozenset({principal, principal.partition(":")[2], emulator.world.directory.resolve(principal)})


def begin(scene: Scene, emulator: Emulator) -> Loop:
    """The scene as it is before anything is done, and nothing remembered."""
    emulator.reset(reseeded(scene))
    return opened(scene, emulator)


def counted(emulator: Emulator) -> dict[Kind, int]:
    """Requests by kind since the scene began; raises LookupError for a kind that the table lacks."""
    counts: dict[Kind, int] = {}
    for entry in emulator.world.log.entries:
        for kind in kinds_of(entry):
            counts[kind] = counts.get(kind, 0) + 1
    return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One fault on one kind of request."""

    clean: Clean
    kind: Kind
    trouble: Trouble
    once: bool = False
    late: bool = False
    """Whether it begins only when the plan has been made again and writing begins."""

    def run(self, emulator: Emulator) -> str:
        """What the reconciler makes of it, in a word; raises AssertionError where that is wrong."""
        loop = begin(self.clean.scene, emulator)
        loop.approve(self.clean.actions, self.clean.rules)
        fault = self._order(emulator)
        told = loop.apply()
        assert fault.struck, "the fault met no request"
        verdict = Verdict(
            trial=self,
            told=told,
            held=facts(emulator),
            sent=counted_again(emulator, self.kind),
            # Whether anything was sent is asked only where the run broke off: it is dear to find out.
            wrote=told.made is None and wrote(emulator),
        )
        verdict.assert_safe()
        verdict.assert_truthful()
        if self.clean.scene.stored:
            assert_on_record(emulator, verdict.changed())
        if self.trouble.loses and self.kind.writes:
            assert_looked_first(emulator, fault)
        sent, waited = len(emulator.world.log.entries), loop.time.waited
        assert sent <= MOST * self.clean.total + SPARE, f"{sent} requests"
        assert waited <= LONGEST, f"waited {waited:.0f} s"
        word = verdict.word()
        ends = frozenset((each.action, each.status) for each in told.outcomes)
        left = (frozenset(verdict.held.items()), ends, self.trouble.title == DELETED)
        remembers = journals(emulator) if isinstance(loop, Recorded) else loop.store.names()
        untouched = verdict.held == self.clean.before and not remembers
        # From the same facts and the same memory the next run is the same: it was seen, or is the rehearsal.
        if word not in FINE and not untouched and left not in self.clean.led_home:
            self._converges(loop, emulator, anew=any(each.status in SPENT for each in told.outcomes))
            self.clean.led_home.add(left)
        return word

    def _order(self, emulator: Emulator) -> Fault | Deletion:
        """Put the fault in force."""
        if self.trouble.title == DELETED:
            directory = emulator.world.directory
            deletion = Deletion(
                kind=self.kind, delete=partial(_delete, emulator, directory.resolve(self.clean.scene.leaver))
            )
            emulator.world.faults = deletion
            return deletion
        skip = self.clean.before_late(self.kind) if self.late else 0
        fault = self.trouble.on(self.kind, once=self.once, skip=skip)
        emulator.world.faults.add(fault)
        return fault

    def _converges(self, loop: Loop, emulator: Emulator, anew: bool) -> None:
        """Once the fault is lifted the same command leads to what was approved; consent that is spent is
        given anew, and no other."""
        emulator.world.faults.clear()
        loop.settle_down()
        if anew:
            loop.approve(self.clean.actions, self.clean.rules)
        told = loop.apply()
        left = difference(self.about(facts(emulator)), self.about(self.clean.after))
        assert not left, ("after the fault", left, told.outcomes, told.error)
        if self.trouble.title != DELETED:
            assert told.code == 0, ("after the fault", told.code, told.error, told.outcomes)

    def about(self, held: Facts) -> Facts:
        """The facts that the fault itself does not change: nobody who is deleted holds anything."""
        if self.trouble.title != DELETED:
            return held
        return {key: held[key] for key in held if self.clean.leaver.isdisjoint(" ".join(key).split())}


@dataclass(slots=True)
class Deletion(Faults):
    """No fault of a service: somebody deletes an object when the first request of a kind arrives."""

    kind: Kind = field(kw_only=True)
    delete: Callable[[], None] = field(kw_only=True)
    struck: int = field(default=0, kw_only=True)

    def strike(self, request: Request, item: bool = False) -> Fault | None:
        """Let the request through, after the deletion."""
        target = f"{request.path}?{request.raw_query}" if request.raw_query else request.path
        if not self.struck and self.kind.fits(request.service, request.method, target, item):
            self.struck = 1
            self.delete()
        return None


def assert_looked_first(emulator: Emulator, fault: Fault | Deletion) -> None:
    """What a lost answer was an answer to is not sent again before something was read."""
    lost: set[tuple[str, str, str, bytes]] = set()
    for entry in emulator.world.log.entries:
        asked = (entry.service, entry.method, f"{entry.path}?{entry.query}", entry.body)
        if entry.method in ("GET", "HEAD"):
            lost = {each for each in lost if each[0].partition("/")[0] != entry.service.partition("/")[0]}
        assert asked not in lost, ("sent again blindly", asked)
        if isinstance(fault, Fault) and entry.fault == fault.name:
            lost.add(asked)


def _delete(emulator: Emulator, oid: str) -> None:
    emulator.world.directory.remove(oid, emulator.world.clock.now())


def counted_again(emulator: Emulator, kind: Kind) -> int:
    """Requests of one kind; after a fault others may be there that a clean run does not know."""
    asked = [each for entry in emulator.world.log.entries for each in requests(entry)]
    return sum(kind.fits(*each) for each in asked)


FINE = frozenset({"retried", "settled", "waited", "read on", "otherwise"})
"""Words that say that all was done in the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was told after a fault, beside what holds."""

    trial: Trial
    told: Told
    held: Facts
    sent: int
    """Requests of the struck kind."""
    wrote: bool
    """Whether a write was sent to any service but the store, before the run broke off."""

    @property
    def clean(self) -> Clean:
        return self.trial.clean

    def assert_safe(self) -> None:
        """Every fact is as it was or as it was approved, and nothing else was even planned."""
        before, after, held = map(self.trial.about, (self.clean.before, self.clean.after, self.held))
        for key in held.keys() | before.keys() | after.keys():
            known = {before.get(key), after.get(key)}
            assert held.get(key) in known, f"{key} is {held.get(key)}, and neither of {known}"
        if self.told.made is not None and self.trial.trouble.title != DELETED:
            approved = {action.id for action in self.clean.actions}
            more = [each for each in self.told.made.plan.actions if each.id not in approved]
            assert not more, ("planned because of the fault", more)

    def assert_truthful(self) -> None:
        """What is said to be done is done, what is said to be left is left, and what is not said is a gap."""
        by_id = {action.id: action for action in self.clean.actions}
        for outcome in self.told.outcomes:
            keys = touched(by_id[outcome.action], self.clean)
            assert keys, by_id[outcome.action]
            keys = list(self.trial.about(dict.fromkeys(keys, "")))
            if outcome.status in DONE:
                self._assert_as(self.clean.after, keys, outcome)
            elif outcome.status in UNTOUCHED:
                self._assert_as(self.clean.before, keys, outcome)
            assert outcome.status is Status.VERIFIED or outcome.reason, outcome
        silent = by_id.keys() - {outcome.action for outcome in self.told.outcomes}
        if self.told.made is None:
            assert (self.told.code, bool(self.told.error)) == (1, True), self.told
        else:
            gaps = self.told.made.live.gaps
            named = {gap.address for gap in self.told.made.plan.gaps if gap.reason}
            for ident in silent:
                action = by_id[ident]
                keys = list(self.trial.about(dict.fromkeys(touched(action, self.clean), "")))
                self._assert_as(self.clean.before, keys, None)
                assert action.address in gaps.keys() & named, ("neither told nor a gap", action)
        if self.told.code == 0:
            about = self.trial.about
            assert not difference(about(self.held), about(self.clean.after)), self.told

    def _assert_as(self, wanted: Facts, keys: Sequence[Key], outcome: Outcome | None) -> None:
        for key in keys:
            found, right = self.held.get(key), wanted.get(key)
            assert found == right, f"{key} is {found}, not {right}, and what was told is {outcome}"

    def changed(self) -> set[str]:
        """The actions whose effect is there, or a part of it."""
        return {
            action.id
            for action in self.clean.actions
            if any(self.held.get(key) != self.clean.before.get(key) for key in touched(action, self.clean))
        }

    def word(self) -> str:
        """What happened, in the most serious of the words that are true."""
        if self.told.made is None:
            return "halted" if self.wrote else "stopped"
        statuses = {outcome.status for outcome in self.told.outcomes}
        if self.told.code == 0:
            return self._fine()
        for status in (Status.FAILED, Status.PARTIAL, Status.UNKNOWN):
            if status in statuses:
                return str(status)
        if self.told.code == 4:
            return "gap"
        return "refused" if Status.REFUSED in statuses else "deferred"

    def _fine(self) -> str:
        trial = self.trial
        more = self.sent > self.clean.sent.get(trial.kind, 0)
        if trial.kind.writes and trial.trouble.loses and not more:
            return "settled"
        if trial.kind.keeps:
            return "retried" if trial.once and more else "read on"
        if not trial.trouble.passing:
            return "waited" if more and "stale" in trial.trouble.title else "read on"
        return "retried" if trial.once and more else "otherwise"


def wrote(emulator: Emulator) -> bool:
    """Whether anything was sent that could change what is reconciled."""
    asked = [each for entry in emulator.world.log.entries for each in requests(entry)]
    return any(kind.writes and kind.fits(*each) for kind in KINDS for each in asked)


def touched(action: Action, clean: Clean) -> list[Key]:
    """The facts that an action is about."""
    address, (role, principal) = action.address, action.attribute
    keys = sorted(clean.before.keys() | clean.after.keys())
    if address.kind == "group":
        things = {f"group {address.locator}"} | {f"group {name}" for name in action.before if role == "name"}
        whole = role in ("exists", "name")
        return [key for key in keys if key[0] in things and (whole or key[1] == _fact(role, principal))]
    if address.kind == "entitlements":
        fact = "assigned" if role == "assignment" else role
        return [key for key in keys if key == (f"workspace {principal}", fact)]
    if address.kind == "secret-scope":
        return [
            key
            for key in keys
            if key[0] == f"scope {address.locator}" and (role == "exists" or key[1] == principal)
        ]
    tops = {f"path {address.locator}"} | {f"path {name}" for name in action.before if role == "name"}
    inside = [key for key in keys if any(key[0] == top or key[0].startswith(f"{top}/") for top in tops)]
    return (
        inside if role in ("exists", "name") else [key for key in inside if key[1] == f"{role} {principal}"]
    )


def _fact(role: str, principal: str) -> str:
    return f"{role} {principal}" if principal else role


def rehearsed(emulator: Emulator) -> dict[str, Clean]:
    """Every scene without a fault."""
    return {scene.name: rehearse(scene, emulator) for scene in SCENES}


def scene_of(kind: Kind, cleans: Mapping[str, Clean]) -> Clean:
    """The first scene in which a kind of request is sent; raises KeyError where there is none."""
    for clean in cleans.values():
        if clean.sent.get(kind):
            return clean
    raise KeyError(f"no scene sends {kind.system}: {kind.title}")
