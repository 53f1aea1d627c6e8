"""Carry out an approved plan: announce, write, verify, record.

Its law: an action is on record before its request leaves, is sent only once what it needs was seen to
work, and counts as done only when two readings in a row show its effect.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from itertools import groupby

from reconciler.core.course import Course, Mark
from reconciler.core.model import Address, Live, Value, Verb
from reconciler.core.order import RANK, takes_away
from reconciler.core.plan import Action, ApprovedPlan, Outcome, Status
from reconciler.providers.contract import Progress, Provider, silent
from reconciler.store.journal import History, Journal, Record

PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0)
"""Seconds before each reading of a verification: two minutes in all, as Databricks groups may read stale
for a minute after a write (databrickslabs/ucx waits 90 s to 5 min for the same)."""

DOUBTFUL = frozenset({Status.ACCEPTED, Status.VERIFIED, Status.UNKNOWN})
"""What a provider may say of a write that only reading can settle."""

TOGETHER = (frozenset({Verb.GRANT, Verb.RAISE}), frozenset({Verb.LOWER, Verb.REVOKE}))
"""Verbs of which it does not matter what comes first: what does is in an action's `needs`."""

Reader = Callable[[Sequence[Address]], Live]
"""Reads just these addresses again, names and all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What an apply works with."""

    providers: Mapping[str, Provider]
    """Opened with the check of the journal's store as their `before_send`."""
    read: Reader
    journal: Journal
    now: Callable[[], datetime]
    pause: Callable[[float], None]
    tell: Callable[[Action, Outcome], None]
    """Called once per action as soon as its end is known."""
    unfinished: Mapping[tuple[str, Course], Mark] = field(default_factory=dict)
    """Where the long writes of earlier runs stopped, by address: see `History.unfinished`."""
    progress: Progress = silent
    """Called as long writes go on."""


@dataclass
class _Run:
    """The state of one apply."""

    hands: Hands
    approved: ApprovedPlan
    ended: dict[str, Outcome] = field(default_factory=dict)
    courses: dict[tuple[str, Course], Mark] = field(default_factory=dict)
    """Long writes that have not ended, by address; begun by this run or before it."""

    @cached_property
    def planned(self) -> Mapping[str, Action]:
        """Every action of the plan by its id."""
        return {action.id: action for action in self.approved.plan.actions}

    def end(self, action: Action, status: Status, reason: str = "") -> Outcome:
        outcome = Outcome(action=action.id, status=status, reason=reason)
        self.ended[action.id] = outcome
        self.hands.tell(action, outcome)
        return outcome


@dataclass(frozen=True, slots=True)
class _Diary:
    """The journal, as a provider sees it while it writes one batch."""

    run: _Run
    address: Address
    actions: Sequence[str]

    def recall(self, course: Course) -> Mark | None:
        """Where this very course stopped, if it was begun and not ended."""
        return self.run.courses.get((str(self.address), course))

    def unfinished(self) -> Sequence[Course]:
        """Every course on this address that was begun and not ended."""
        return [course for address, course in self.run.courses if address == str(self.address)]

    def note(self, course: Course, mark: Mark) -> None:
        """Put it into the journal; returns once it would survive a crash.  Raises StoreError."""
        hands = self.run.hands
        hands.journal.progress(hands.now(), self.address, self.actions, course, mark)
        self.run.courses[str(self.address), course] = mark
        if not mark.token:
            del self.run.courses[str(self.address), course]


def apply(approved: ApprovedPlan, hands: Hands) -> tuple[Outcome, ...]:
    """Send every approved action in order and say what became of each; a failure does not stop the others."""
    run = _Run(hands, approved, courses=dict(hands.unfinished))
    waiting = list(approved.actions)
    while waiting:
        ready = _ready(waiting, run)
        _verify(ready, _send(ready, run), run)
        waiting = [action for action in waiting if action.id not in run.ended]
    return tuple(run.ended[action.id] for action in approved.actions)


def _ready(waiting: Sequence[Action], run: _Run) -> list[Action]:
    """The next actions that may go together: all widening or all narrowing, none whose needs are still open.

    Ends as deferred what can no longer go, and everything where needs wait for one another.
    """
    open_ids = {action.id for action in waiting}
    free: list[Action] = []
    for action in waiting:
        unmet = [need for need in action.needs if _status(need, run) is not Status.VERIFIED]
        if not unmet:
            free.append(action)
        elif not any(need in open_ids for need in unmet):
            run.end(action, Status.DEFERRED, _why_deferred(unmet, run))
            open_ids.discard(action.id)
    if not free:
        for action in waiting:
            if action.id not in run.ended:
                run.end(action, Status.DEFERRED, "what it needs waits for it in turn; plan again")
    return [action for action in free if _step(action.verb) == _step(free[0].verb)]


def _step(verb: Verb) -> int:
    """Verbs of one step go in one write to a thing: each write of a large tree passes over all of it."""
    return next((at for at, verbs in enumerate(TOGETHER, len(RANK)) if verb in verbs), RANK[verb])


def _status(need: str, run: _Run) -> Status | None:
    outcome = run.ended.get(need)
    return outcome.status if outcome else None


def _why_deferred(unmet: Sequence[str], run: _Run) -> str:
    need = run.planned.get(unmet[0])
    what = (
        f"{need.verb} {need.attribute.principal or need.address} on {need.address}" if need else unmet[0][:12]
    )
    state = _status(unmet[0], run) or run.approved.absence(unmet[0])
    return f"waits for {what}, which is {state}; nothing was sent"


def _send(actions: Sequence[Action], run: _Run) -> dict[str, Outcome]:
    """Announce and write, one address at a time; what the providers said of each action."""
    said: dict[str, Outcome] = {}
    hands = run.hands
    by_address = sorted(actions, key=lambda each: each.address)
    batches = [list(group) for _, group in groupby(by_address, lambda each: each.address)]
    for batch in _spread(batches):
        address = batch[0].address
        hands.journal.announce(hands.now(), ((a, takes_away(a)) for a in batch), run.approved.consents)
        diary = _Diary(run, address, [action.id for action in batch])
        answers = hands.providers[address.provider].write(address, batch, diary, hands.progress)
        said.update((outcome.action, outcome) for outcome in answers)
    return said


def _spread(batches: Sequence[list[Action]]) -> list[list[Action]]:
    """Batches of every kind evenly among those of the others, each kind in its own order.

    While one class of requests waits for its limit the buckets of all others fill: so every wait counts once.
    """
    kinds: dict[tuple[str, str, str], list[list[Action]]] = {}
    for batch in batches:
        where = batch[0].address
        kinds.setdefault((where.provider, where.installation, where.kind), []).append(batch)
    places = [
        ((number + 0.5) / len(each), kind, batch)
        for kind, each in kinds.items()
        for number, batch in enumerate(each)
    ]
    return [batch for _, _, batch in sorted(places, key=lambda place: place[:2])]


def _verify(actions: Sequence[Action], said: Mapping[str, Outcome], run: _Run) -> None:
    """Look until two readings in a row show the effects, or patience ends; record every end."""
    doubtful = []
    for action in actions:
        outcome = said.get(action.id)
        if outcome is None or outcome.status in DOUBTFUL:
            doubtful.append(action)
        else:
            run.end(action, outcome.status, outcome.reason)
    seen = _watch(doubtful, run.hands) if doubtful else {}
    for action in doubtful:
        outcome = said.get(action.id)
        if seen[action.id]:
            remarks = (outcome.remark if outcome else "", run.approved.remarks.get(action.id, ""))
            run.end(action, Status.VERIFIED, "; ".join(filter(None, remarks)))
        else:
            run.end(action, Status.UNKNOWN, _not_seen(outcome))
    run.hands.journal.settle(run.hands.now(), [run.ended[action.id] for action in actions])


def _not_seen(outcome: Outcome | None) -> str:
    said = outcome.reason if outcome and outcome.reason else "sent"
    return f"{said}; {sum(PAUSES):.0f} s of reading did not show it twice in a row. Plan again later"


def _watch(actions: Sequence[Action], hands: Hands) -> dict[str, bool]:
    addresses = sorted({action.address for action in actions})
    agreeing = {action.id: 0 for action in actions}
    for pause in PAUSES:
        if pause:
            hands.pause(pause)
        live = hands.read(addresses)
        for action in actions:
            agreeing[action.id] = agreeing[action.id] + 1 if holds(action, live) else 0
        if all(count >= 2 for count in agreeing.values()):
            break
    return {ident: count >= 2 for ident, count in agreeing.items()}


def holds(action: Action, live: Live) -> bool:
    """Whether live state shows the action's effect: its value is there and none of its starting values is."""
    if action.address in live.gaps:
        return False
    values = values_at(action, live)
    return action.after in values and not set(values) & set(action.before)


def values_at(action: Action, live: Live) -> tuple[Value | None, ...]:
    """The values that live state shows for the action's fact; (None,) where there is nothing."""
    found = live.found.get(action.address)
    if found is None:
        return (None,)
    return found.mixed.get(action.attribute) or (found.grants.get(action.attribute),)


def settle_interrupted(
    history: History, seen: Live, known: Collection[Address], journal: Journal, now: datetime
) -> Iterator[tuple[Record, Outcome]]:
    """Give every action that an interrupted run had announced its end, from what was read just now.

    `known` are the addresses that were asked for: what was not read stays open.  An action that has had no
    effect keeps its consent, and this run may send it again.  One that is halfway through a tree is spent for
    later runs; this run may finish it, and announces what is left of it anew.
    """
    for record in history.interrupted().values():
        action = record.action
        if action.address in seen.gaps or action.address not in known:
            continue
        outcome = Outcome(action=action.id, status=Status.UNKNOWN, reason="interrupted; live state moved on")
        if holds(action, seen):
            outcome = replace(outcome, status=Status.VERIFIED, reason="interrupted; its effect is there")
        elif set(values_at(action, seen)) <= {*action.before, action.after}:
            outcome = replace(outcome, status=Status.FAILED, reason="interrupted before its effect")
            if not set(action.before) <= set(values_at(action, seen)):
                outcome = replace(outcome, status=Status.PARTIAL, reason="interrupted halfway")
        journal.settle(now, [outcome], of=record.run)
        yield record, outcome
