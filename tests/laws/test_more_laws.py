"""Laws 6, 10, 11 and 12 of every provider: gaps, moved values, secrets, odd names and long lists."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.model import Attribute
from reconciler.core.moments import BAD_MOMENT
from reconciler.core.plan import Status
from reconciler.core.planfile import to_document
from reconciler.emulator.faults import Fault
from reconciler.report.lines import plain
from reconciler.report.text import plan_lines
from tests.laws.conftest import Begin
from tests.laws.estate import APP, CANARY, EXISTS, Facts, group, seed
from tests.laws.facts import expected, read_facts
from tests.laws.loop import KINDS as VOCABULARY
from tests.laws.loop import Loop
from tests.laws.strategies import facts
from tests.laws.test_laws import converge, each_kind, lawful

DENIED = {
    "group": {"service": "graph", "target": "batch"},
    "entitlements": {"service": "databricks/ws", "target": "scim/v2/(Groups|Users|ServicePrincipals)"},
    "secret-scope": {"service": "databricks/ws", "target": "acls/list"},
    "folder": {"service": "lake.*", "method": "GET|HEAD", "target": "."},
}
"""What has to be refused so that nothing of a kind can be read."""
WRITES = ("PATCH", "PUT", "DELETE")


def deny(loop: Loop, kind: str, status: int) -> None:
    loop.emulator.world.faults.add(Fault(**DENIED[kind], status=status, body="{}", times=None))  # type: ignore[arg-type]


def written(loop: Loop) -> list[str]:
    """Requests that changed, or tried to change, something of the managed systems."""
    return [
        f"{entry.method} {entry.path}"
        for entry in loop.emulator.world.log.entries
        if entry.method in WRITES or (entry.method == "POST" and "/secrets/" in entry.path)
    ]


@each_kind
@pytest.mark.parametrize("status", [403, 404, 500])
@settings(lawful, max_examples=2)
@given(data=st.data())
def test_law_6_nothing_unreadable_is_touched(
    kind: str, status: int, data: st.DataObject, begin: Begin
) -> None:
    if status == 404 and kind in ("folder", "group"):
        return  # there a 404 is an absence, and the service's honest word for it
    wanted = data.draw(facts(kind, complete=True), "wanted")
    live = data.draw(facts(kind, complete=True), "live")
    loop = begin(kind, live, wanted)
    loop.approve(loop.plan())
    before = read_facts(loop.emulator)
    deny(loop, kind, status)
    loop.emulator.world.log.clear()
    made = loop.plan().plan
    assert {gap.address for gap in made.gaps} >= set(wanted), "unread is unknown, never empty"
    assert made.actions == ()
    assert all(gap.reason for gap in made.gaps)
    assert all(outcome.status is Status.REFUSED for outcome in loop.apply())
    assert written(loop) == []
    assert read_facts(loop.emulator) == before


@each_kind
@lawful
@given(data=st.data())
def test_law_10_an_approval_for_a_moved_value_is_refused(
    kind: str, data: st.DataObject, begin: Begin
) -> None:
    wanted = data.draw(facts(kind, complete=True), "wanted")
    loop = begin(kind, data.draw(facts(kind, complete=True), "seen"), wanted)
    approved = {action.id for action in loop.approve(loop.plan())}
    moved = data.draw(facts(kind, complete=True), "moved")
    loop.emulator.reset(seed(moved, assigned=kind == "secret-scope"))
    now = loop.plan().plan
    outcomes = {outcome.action: outcome for outcome in loop.apply()}
    sent = {ident for ident, outcome in outcomes.items() if outcome.status is Status.VERIFIED}
    still = approved & {action.id for action in now.actions}
    assert sent <= still
    # What has moved may be what another action was to come after.
    for held_up in (outcomes[ident] for ident in still - sent):
        stopped = held_up.reason.startswith(f"guardrail {BAD_MOMENT}")
        assert held_up.status is Status.DEFERRED or stopped, held_up
    fitting = {(a.address, a.attribute): a.after for a in now.actions if a.id in sent}
    if kind != "folder":
        after = read_facts(loop.emulator)
        for address, held in moved.items():
            for fact in held.keys() | after[address].keys():
                expect = fitting.get((address, fact), held.get(fact))
                assert after[address].get(fact) == expect, f"{address} {fact}"


@each_kind
@lawful
@given(data=st.data())
def test_law_11_no_secret_is_in_any_output(kind: str, data: st.DataObject, begin: Begin) -> None:
    loop = begin(kind, data.draw(facts(kind, complete=False)), data.draw(facts(kind, complete=True)))
    made = loop.plan().plan
    said = [json.dumps(to_document(made)), plain(plan_lines(made, VOCABULARY, 120)), repr(made)]
    converge(loop)
    for name in loop.store.names():
        said.extend(loop.store.lines(name))
    tokens = list(loop.emulator.world.tokens)
    for secret in (CANARY, f'"{APP["secret"]}"', *tokens):
        assert not any(secret in text for text in said)
    assert not any(entry.path.endswith("/secrets/get") for entry in loop.emulator.world.log.entries)


def crowd(count: int) -> Facts:
    members = {Attribute("member", f"user:u{number}@corp.example"): "member" for number in range(count)}
    return {
        group("team-a"): {EXISTS: "present", Attribute("owner", "user:ana@corp.example"): "owner", **members}
    }


@pytest.mark.parametrize(
    "switches", [{}, {"graph.page-limit": 7}, {"graph.page-limit": 100, "graph.empty-pages": True}]
)
def test_law_12_a_thousand_and_one_members_over_odd_pages(switches: dict[str, object], begin: Begin) -> None:
    live, wanted = crowd(1001), crowd(1000)
    everybody = seed(live)
    everybody["directory"]["users"] += [{"upn": f"u{number}@corp.example"} for number in range(1001)]
    everybody["switches"].update(switches)
    loop = begin("group", {}, live)
    loop.emulator.reset(everybody)
    assert loop.plan().plan.actions == (), "whoever is on a later page is not missing"
    loop.want(wanted)
    (action,) = loop.plan().plan.actions
    assert action.attribute.principal == "user:u1000@corp.example"
    converge(loop)
    assert read_facts(loop.emulator)[group("team-a")] == expected(wanted)[group("team-a")]
