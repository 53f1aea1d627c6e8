"""Carrying out a plan, judged by a store of facts that forgets, lags, fails and dies on order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.apply import Hands, apply, settle_interrupted
from reconciler.core.course import Course, Mark
from reconciler.core.diff import diff
from reconciler.core.model import Address, Attribute, Found, Gap, Kind, Live, Wanted
from reconciler.core.order import order
from reconciler.core.plan import Action, ApprovedPlan, Consented, Outcome, Plan, Status
from reconciler.providers.contract import FORGETFUL, Diary, Progress, Question, silent
from reconciler.store.folder import FolderStore
from reconciler.store.journal import Journal, read
from tests.core.estates import KINDS, address, facts, frame, wanted

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
EXISTS = Attribute("exists")
ANA, BO = Attribute("acl", "user:ana@corp.example"), Attribute("acl", "user:bo@corp.example")


class Dead(BaseException):
    """The process is gone: nothing may catch it."""


@dataclass
class Shelf:
    """A provider whose whole world is a mapping: what it accepts is there, unless told otherwise."""

    things: dict[Address, dict[Attribute, str]]
    name: str = "databricks"
    kinds: Sequence[Kind] = ()
    answers: dict[Attribute, Status] = field(default_factory=dict)
    """What to say, and not do, for a fact: FAILED, REFUSED."""
    lose_answer: bool = False
    lag: int = 0
    """How many readings after a write still show the state before it."""
    die_before: int | None = None
    die_after: int | None = None
    unreadable: bool = False
    writes: list[tuple[str, ...]] = field(default_factory=list)
    _old: dict[Address, dict[Attribute, str]] = field(default_factory=dict)
    _stale: int = 0

    def read(self, question: Question) -> Live:
        raise NotImplementedError("apply reads through its reader")

    def look(self, addresses: Sequence[Address]) -> Live:
        if self.unreadable:
            return Live(gaps={where: Gap(address=where, reason="503") for where in addresses})
        shown = self._old if self._stale > 0 else self.things
        self._stale -= 1
        return Live(
            found={
                where: Found(address=where, grants=dict(shown[where]))
                for where in addresses
                if where in shown
            }
        )

    def write(
        self,
        where: Address,
        actions: Sequence[Action],
        diary: Diary = FORGETFUL,
        progress: Progress = silent,
    ) -> Sequence[Outcome]:
        if self.die_before == len(self.writes):
            raise Dead
        self._old = {key: dict(value) for key, value in self.things.items()}
        self._stale = self.lag
        self.writes.append(tuple(action.id for action in actions))
        outcomes = [self._do(where, action) for action in actions]
        if self.die_after == len(self.writes) - 1:
            raise Dead
        return outcomes

    def _do(self, where: Address, action: Action) -> Outcome:
        if action.attribute in self.answers:
            return Outcome(action=action.id, status=self.answers[action.attribute], reason="no")
        thing = self.things.setdefault(where, {})
        if action.after is None:
            thing.pop(action.attribute, None)
        else:
            thing[action.attribute] = action.after
        status = Status.UNKNOWN if self.lose_answer else Status.ACCEPTED
        return Outcome(action=action.id, status=status, reason="answer lost" if self.lose_answer else "")

    def close(self) -> None: ...


def planned(want: Wanted, shelf: Shelf) -> Plan:
    state = Live(
        found={where: Found(address=where, grants=dict(thing)) for where, thing in shelf.things.items()}
    )
    actions = order(diff([want], state, frame()).actions, KINDS, [want])
    return Plan(environment="test", revision="abc", as_of=date(2026, 11, 23), actions=actions)


def carry_out(
    plan: Plan,
    shelf: Shelf,
    folder: Path,
    keep: Callable[[Action], bool] = lambda action: True,
    run: str = "run-1",
) -> dict[str, Outcome]:
    kept = tuple(action for action in plan.actions if keep(action))
    consents = {a.id: Consented(approval="approval-1", file="a.yaml", approvers=()) for a in kept}
    hands = Hands(
        providers={"databricks": shelf, "entra": shelf, "adls": shelf},
        read=shelf.look,
        journal=Journal(FolderStore(folder), f"journal/{run}.jsonl", run, "test"),
        now=lambda: NOON,
        pause=lambda seconds: None,
        tell=lambda action, outcome: None,
        unfinished=read(FolderStore(folder), "test").unfinished,
    )
    outcomes = apply(ApprovedPlan(plan=plan, actions=kept, consents=consents), hands)
    assert [outcome.action for outcome in outcomes] == [action.id for action in kept]
    return {outcome.action: outcome for outcome in outcomes}


def statuses(outcomes: dict[str, Outcome]) -> set[Status]:
    return {outcome.status for outcome in outcomes.values()}


@given(data=st.data())
def test_after_apply_the_facts_are_what_was_wanted(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kind = data.draw(st.sampled_from(["secret-scope", "group"]))
    want = wanted(data.draw(facts(kind)), kind)
    shelf = Shelf({want.address: data.draw(facts(kind))})
    outcomes = carry_out(planned(want, shelf), shelf, tmp_path_factory.mktemp("store"))
    assert shelf.things[want.address] == want.grants
    assert statuses(outcomes) <= {Status.VERIFIED}


@given(data=st.data())
def test_exactly_the_approved_half_is_applied(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    want = wanted(data.draw(facts("secret-scope")))
    before = data.draw(facts("secret-scope"))
    shelf = Shelf({want.address: dict(before)})
    plan = planned(want, shelf)
    half = (
        data.draw(st.sets(st.sampled_from([action.id for action in plan.actions]))) if plan.actions else set()
    )
    carry_out(plan, shelf, tmp_path_factory.mktemp("store"), keep=lambda action: action.id in half)
    for action in plan.actions:
        value = shelf.things[want.address].get(action.attribute)
        assert value == (action.after if action.id in half else action.before[0])


def two_grants() -> tuple[Wanted, Shelf]:
    return wanted({EXISTS: "present", ANA: "READ", BO: "WRITE"}), Shelf({address(): {EXISTS: "present"}})


def test_a_failure_stops_nobody_else(tmp_path: Path) -> None:
    want, shelf = two_grants()
    shelf.answers[ANA] = Status.FAILED
    outcomes = carry_out(planned(want, shelf), shelf, tmp_path)
    assert statuses(outcomes) == {Status.FAILED, Status.VERIFIED}
    assert shelf.things[want.address] == {EXISTS: "present", BO: "WRITE"}


def test_what_needs_a_failed_action_is_deferred_and_never_sent(tmp_path: Path) -> None:
    want = wanted({EXISTS: "present", ANA: "READ"})
    shelf = Shelf({}, answers={EXISTS: Status.FAILED})
    outcomes = carry_out(planned(want, shelf), shelf, tmp_path)
    assert statuses(outcomes) == {Status.FAILED, Status.DEFERRED}
    assert len(shelf.writes) == 1
    assert "waits for create" in next(o.reason for o in outcomes.values() if o.status is Status.DEFERRED)


def test_what_needs_an_unapproved_action_is_deferred(tmp_path: Path) -> None:
    want, shelf = wanted({EXISTS: "present", ANA: "READ"}), Shelf({})
    outcomes = carry_out(planned(want, shelf), shelf, tmp_path, keep=lambda action: action.attribute == ANA)
    assert statuses(outcomes) == {Status.DEFERRED}
    assert "not approved" in next(iter(outcomes.values())).reason
    assert shelf.things == {}


def test_a_lost_answer_is_settled_by_reading(tmp_path: Path) -> None:
    want, shelf = two_grants()
    shelf.lose_answer = True
    assert statuses(carry_out(planned(want, shelf), shelf, tmp_path)) == {Status.VERIFIED}


@pytest.mark.parametrize("lag", [1, 2, 5])
def test_stale_readings_are_waited_out(lag: int, tmp_path: Path) -> None:
    want, shelf = two_grants()
    shelf.lag = lag
    assert statuses(carry_out(planned(want, shelf), shelf, tmp_path)) == {Status.VERIFIED}


def test_what_is_never_seen_is_unknown_and_not_claimed(tmp_path: Path) -> None:
    want, shelf = two_grants()
    shelf.lag = 1000
    outcomes = carry_out(planned(want, shelf), shelf, tmp_path)
    assert statuses(outcomes) == {Status.UNKNOWN}
    assert "did not show it" in next(iter(outcomes.values())).reason


def test_what_cannot_be_read_back_is_unknown(tmp_path: Path) -> None:
    want, shelf = two_grants()
    plan = planned(want, shelf)
    shelf.unreadable = True
    assert statuses(carry_out(plan, shelf, tmp_path)) == {Status.UNKNOWN}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("point", [0, 1, 2])
def test_killed_at_any_write_the_same_run_again_finishes_the_job(
    point: int, after: bool, tmp_path: Path
) -> None:
    want = wanted({EXISTS: "present", ANA: "READ"})
    shelf = Shelf({address(): {EXISTS: "present", ANA: "MANAGE", BO: "READ"}})
    other = wanted({EXISTS: "present", BO: "READ"}, address=address(locator="fraud"))
    shelf.things[other.address] = {EXISTS: "present", ANA: "READ"}
    plans = [planned(each, shelf) for each in (want, other)]
    actions = order([action for plan in plans for action in plan.actions], KINDS, [want, other])
    plan = replace(plans[0], actions=actions)
    shelf.die_after = point if after else None
    shelf.die_before = None if after else point
    with pytest.raises(Dead):
        carry_out(plan, shelf, tmp_path)
    history = read(FolderStore(tmp_path), "test")
    assert history.interrupted(), "what was about to be sent is on record"
    shelf.die_after = shelf.die_before = None
    again = [planned(each, shelf) for each in (want, other)]
    rest = order([action for plan in again for action in plan.actions], KINDS, [want, other])
    spent = {ident for _, ident in history.spent()}
    assert not spent & {action.id for action in rest}, "nothing that is still to do is spent"
    journal = Journal(FolderStore(tmp_path), "journal/run-2.jsonl", "run-2", "test")
    seen = shelf.look(sorted(shelf.things))
    list(settle_interrupted(history, seen, shelf.things.keys(), journal, NOON))
    carry_out(replace(plan, actions=rest), shelf, tmp_path, run="run-3")
    assert shelf.things[want.address] == want.grants
    assert shelf.things[other.address] == other.grants
    assert read(FolderStore(tmp_path), "test").interrupted() == {}


def test_every_action_is_on_record_before_it_is_sent(tmp_path: Path) -> None:
    want, shelf = two_grants()
    shelf.die_before = 0
    with pytest.raises(Dead):
        carry_out(planned(want, shelf), shelf, tmp_path)
    assert shelf.writes == []
    assert len(read(FolderStore(tmp_path), "test").interrupted()) == 2


def interrupted(want: Wanted, shelf: Shelf, folder: Path) -> Journal:
    """A run that died right before its first write, and the journal of the next one."""
    shelf.die_before = 0
    with pytest.raises(Dead):
        carry_out(planned(want, shelf), shelf, folder)
    return Journal(FolderStore(folder), "journal/run-2.jsonl", "run-2", "test")


@pytest.mark.parametrize(
    ("now", "status"),
    [
        ({EXISTS: "present"}, Status.FAILED),
        ({EXISTS: "present", ANA: "READ"}, Status.VERIFIED),
        ({EXISTS: "present", ANA: "MANAGE"}, Status.UNKNOWN),
    ],
)
def test_an_interrupted_action_is_settled_by_what_is_there(
    now: dict[Attribute, str], status: Status, tmp_path: Path
) -> None:
    want, shelf = wanted({EXISTS: "present", ANA: "READ"}), Shelf({address(): {EXISTS: "present"}})
    journal = interrupted(want, shelf, tmp_path)
    shelf.things[address()] = now
    history = read(FolderStore(tmp_path), "test")
    ends = list(settle_interrupted(history, shelf.look([address()]), {address()}, journal, NOON))
    assert [outcome.status for _, outcome in ends] == [status]
    spent = read(FolderStore(tmp_path), "test").spent()
    assert bool(spent) is (status is not Status.FAILED), "what had no effect may be sent again"


def test_what_was_not_read_stays_open(tmp_path: Path) -> None:
    want, shelf = wanted({EXISTS: "present", ANA: "READ"}), Shelf({address(): {EXISTS: "present"}})
    journal = interrupted(want, shelf, tmp_path)
    history = read(FolderStore(tmp_path), "test")
    assert list(settle_interrupted(history, Live(), (), journal, NOON)) == []
    assert len(read(FolderStore(tmp_path), "test").interrupted()) == 1


def test_what_was_done_in_part_is_spent_and_not_watched_for(tmp_path: Path) -> None:
    want, shelf = two_grants()
    shelf.answers[ANA] = Status.PARTIAL
    outcomes = carry_out(planned(want, shelf), shelf, tmp_path)
    assert statuses(outcomes) == {Status.PARTIAL, Status.VERIFIED}
    assert len({ident for _, ident in read(FolderStore(tmp_path), "test").spent()}) == 2


class Wanderer(Shelf):
    """A provider whose writes take three requests, with a diary, and which may die between two of them."""

    dies_at = 0

    def write(
        self,
        where: Address,
        actions: Sequence[Action],
        diary: Diary = FORGETFUL,
        progress: Progress = silent,
    ) -> Sequence[Outcome]:
        course = Course(str(where), "set", "x")
        mark = diary.recall(course)
        self.begun = mark.done if mark else 0
        for page in range(self.begun, 3):
            if page == self.dies_at:
                raise Dead
            progress("pages", page + 1, 3)
            diary.note(course, Mark(f"page-{page + 1}" if page < 2 else "", page + 1))
        outcomes = Shelf.write(self, where, actions, diary, progress)
        return [replace(outcome, remark="something raced") for outcome in outcomes]


def test_a_long_write_goes_on_where_an_interrupted_run_had_come(tmp_path: Path) -> None:
    want, shelf = two_grants()
    wanderer = Wanderer(shelf.things)
    plan = planned(want, wanderer)
    wanderer.dies_at = 2
    with pytest.raises(Dead):
        carry_out(plan, wanderer, tmp_path)
    wanderer.dies_at = -1
    outcomes = carry_out(plan, wanderer, tmp_path, run="run-2")
    assert (wanderer.begun, statuses(outcomes)) == (2, {Status.VERIFIED})
    assert {outcome.reason for outcome in outcomes.values()} == {"something raced"}
    assert read(FolderStore(tmp_path), "test").unfinished == {}


def test_an_action_that_was_interrupted_halfway_through_a_tree_is_spent_for_later_runs(
    tmp_path: Path,
) -> None:
    state = Live(
        found={
            address(): Found(address=address(), grants={EXISTS: "present"}, mixed={ANA: ("READ", "WRITE")})
        }
    )
    want = wanted({EXISTS: "present", ANA: "MANAGE"})
    (action,) = diff([want], state, frame()).actions
    shelf = Shelf({})
    shelf.die_before = 0
    with pytest.raises(Dead):
        carry_out(
            Plan(environment="test", revision="abc", as_of=date(2026, 11, 23), actions=(action,)),
            shelf,
            tmp_path,
        )
    halfway = replace(state.found[address()], mixed={ANA: ("WRITE", "MANAGE")})
    history = read(FolderStore(tmp_path), "test")
    journal = Journal(FolderStore(tmp_path), "journal/run-2.jsonl", "run-2", "test")
    ends = list(settle_interrupted(history, Live(found={address(): halfway}), {address()}, journal, NOON))
    assert [outcome.status for _, outcome in ends] == [Status.PARTIAL]
    assert ("approval-1", action.id) in read(FolderStore(tmp_path), "test").spent()


def test_kinds_take_turns_so_that_one_waits_while_the_others_are_served(tmp_path: Path) -> None:
    wants = [wanted({EXISTS: "present", ANA: "READ"}, address=address(locator=f"s{at}")) for at in range(6)]
    groups = [wanted({EXISTS: "present"}, "group", address=address("group", f"g{at}")) for at in range(2)]
    shelf = Shelf({want.address: {} for want in (*wants, *groups)})
    state = shelf.look(sorted(shelf.things))
    actions = order(diff([*wants, *groups], state, frame()).actions, KINDS, [*wants, *groups])
    plan = Plan(environment="test", revision="abc", as_of=date(2026, 11, 23), actions=actions)
    carry_out(plan, shelf, tmp_path)
    kinds = {action.id: action.address.kind for action in actions}
    sent = [kinds[ids[0]] for ids in shelf.writes][:8]
    assert [place for place, kind in enumerate(sent) if kind == "group"] == [2, 6]
