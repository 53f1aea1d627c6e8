"""Laws 1 to 9 and 13 of every provider, on random estates with random drift.

Each law is asserted on the facts in the emulator.  Law 4 alone is worthless: a comparison that never revokes
passes it, and law 3 catches that.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.core.moments import BAD_MOMENT
from reconciler.core.plan import Action, Status
from reconciler.emulator.faults import Fault
from tests.laws.conftest import Begin
from tests.laws.estate import Facts, seed
from tests.laws.facts import difference, expected, others, reach, read_facts
from tests.laws.loop import Loop
from tests.laws.strategies import KINDS, facts, lists

each_kind = pytest.mark.parametrize("kind", KINDS)
# The fixture hands out a function that begins anew, so sharing it between examples is sound.
# An example costs up to a second: a tenth of what the profile gives to pure functions.
lawful = settings(
    max_examples=max(6, settings().max_examples // 10),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def drawn(data: st.DataObject, begin: Begin, kind: str, **terms: object) -> tuple[Loop, Facts]:
    """A random estate with random drift, and what its policies want."""
    wanted = data.draw(facts(kind, complete=True), "wanted")
    live = data.draw(facts(kind, complete=False), "live")
    odd = data.draw(lists(), "lists") if kind == "folder" else {}
    return begin(kind, live, wanted, odd, **terms), wanted


def converge(loop: Loop, rounds: int = 4) -> None:
    """Approve and apply everything, stage by stage, until nothing is left to do."""
    for _ in range(rounds):
        planned = loop.plan()
        if not planned.plan.actions:
            return
        loop.approve(planned)
        loop.apply()
        loop.settle_down()
    raise AssertionError(f"still to do after {rounds} rounds: {loop.plan().plan.actions}")


@each_kind
@lawful
@given(data=st.data())
def test_law_1_reading_twice_is_equal(kind: str, data: st.DataObject, begin: Begin) -> None:
    loop, _ = drawn(data, begin, kind)
    first, second = loop.plan(), loop.plan()
    assert first.live == second.live
    assert first.plan == second.plan


@each_kind
@lawful
@given(data=st.data())
def test_laws_2_3_4_7_all_of_it_applied_is_what_was_wanted(
    kind: str, data: st.DataObject, begin: Begin
) -> None:
    loop, wanted = drawn(data, begin, kind)
    untouched = others(loop.emulator)
    converge(loop)
    assert difference(read_facts(loop.emulator), expected(wanted)) == ""
    assert others(loop.emulator) == untouched
    last = loop.plan()
    assert (last.plan.actions, last.plan.blocked, last.plan.gaps) == ((), (), ())
    for want in last.desired.wanted:
        if want.address.kind == kind:
            found = last.live.found[want.address]
            assert {fact: value for fact, value in found.grants.items() if fact in want.grants} == want.grants


@each_kind
@lawful
@given(data=st.data())
def test_law_5_what_is_in_step_plans_nothing(kind: str, data: st.DataObject, begin: Begin) -> None:
    wanted = data.draw(facts(kind, complete=True))
    loop = begin(kind, wanted, wanted)
    made = loop.plan().plan
    assert (made.actions, made.blocked, made.gaps) == ((), (), ())
    assert made.managed >= len(wanted)


@each_kind
@lawful
@given(data=st.data())
def test_law_8_answers_lost_after_their_effect_do_no_harm(
    kind: str, data: st.DataObject, begin: Begin
) -> None:
    loop, wanted = drawn(data, begin, kind)
    faults = loop.emulator.world.faults
    faults.add(
        Fault(
            service="graph|databricks.*|lake.*",
            method="POST|PATCH|PUT|DELETE",
            target=r"^(?!.*(batch|getByIds|/token)).*$",
            kind="reset",
            after=True,
            skip=data.draw(st.integers(0, 3), "skip"),
        )
    )
    loop.approve(loop.plan())
    outcomes = loop.apply()
    assert all(outcome.status is not Status.FAILED for outcome in outcomes)
    loop.settle_down()
    faults.clear()
    converge(loop)
    assert difference(read_facts(loop.emulator), expected(wanted)) == ""


@each_kind
@lawful
@given(data=st.data())
def test_law_9_exactly_the_approved_half_is_applied(kind: str, data: st.DataObject, begin: Begin) -> None:
    loop, _ = drawn(data, begin, kind)
    planned = loop.plan()
    half = (
        data.draw(st.sets(st.sampled_from([a.id for a in planned.plan.actions])))
        if planned.plan.actions
        else set()
    )
    before, may = read_facts(loop.emulator), reach(loop.emulator)
    chosen = loop.approve(planned, lambda action: action.id in half)
    outcomes = {outcome.action: outcome for outcome in loop.apply()}
    done = [action for action in chosen if outcomes[action.id].status is Status.VERIFIED]
    for action in chosen:
        end = outcomes[action.id]
        stopped = end.status is Status.REFUSED and end.reason.startswith(f"guardrail {BAD_MOMENT}")
        assert stopped or end.status in (Status.VERIFIED, Status.DEFERRED), end
    after = read_facts(loop.emulator)
    if kind == "folder":
        _only_approved_reach_changed(loop, done, may)
    else:
        for address in before.keys() | after.keys():
            moved = {a.attribute: a.after for a in done if a.address == address}
            kept = {fact: value for fact, value in before.get(address, {}).items() if fact not in moved}
            held = {fact: value for fact, value in after.get(address, {}).items() if fact not in moved}
            assert held == kept, f"{address}: somebody else's grant changed"
            assert {fact: after.get(address, {}).get(fact) for fact in moved} == moved


def _only_approved_reach_changed(loop: Loop, done: list[Action], may: dict[tuple[str, str], str]) -> None:
    """Nobody whom no approved action is about may do more or less anywhere."""
    directory = loop.emulator.world.directory
    concerned = {action.attribute.principal for action in done if action.attribute.role == "access"}
    for (path, person), rights in reach(loop.emulator).items():
        through = {
            f"group:{directory.groups[oid].display_name}"
            for oid in directory.transitive_groups(directory.resolve(person))
        }
        if person not in concerned and not through & concerned and "other" not in concerned:
            assert rights == may[path, person], f"{person} at {path}"


@each_kind
@lawful
@given(data=st.data())
def test_law_13_consent_is_spent(kind: str, data: st.DataObject, begin: Begin) -> None:
    wanted = data.draw(facts(kind, complete=True), "wanted")
    live = data.draw(facts(kind, complete=True), "live")
    loop = begin(kind, live, wanted)
    loop.approve(loop.plan())
    sent = {outcome.action for outcome in loop.apply() if outcome.status is Status.VERIFIED}
    loop.settle_down()
    # An incident puts everything back: the same actions come up again, and the old consent carries none.
    loop.emulator.reset(seed(live, assigned=kind == "secret-scope"))
    before = read_facts(loop.emulator)
    again = {action.id for action in loop.plan().plan.actions}
    assert sent <= again
    refused = {outcome.action: outcome for outcome in loop.apply()}
    assert all(refused[ident].status is Status.REFUSED for ident in sent)
    assert all("is spent" in refused[ident].reason for ident in sent)
    assert read_facts(loop.emulator) == before
