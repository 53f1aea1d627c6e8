"""The public format of a plan: the same bytes for the same plan, and refused when anything was touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.consent import fingerprint
from reconciler.core.diff import diff
from reconciler.core.errors import BadPlanFile
from reconciler.core.model import Evidence, Finding, Gap, Live, Reading, Wanted
from reconciler.core.order import order
from reconciler.core.plan import Blocked, Plan, Violation
from reconciler.core.planfile import from_document, sealed, to_document
from tests.core.estates import HERE, KINDS, address, frame, pairs, wanted


def plan_of(want: Wanted, state: Live) -> Plan:
    drift = diff([want], state, frame())
    return sealed(
        Plan(
            environment="test",
            revision="abc",
            as_of=date(2026, 11, 23),
            actions=order(drift.actions, KINDS, [want]),
            blocked=(*drift.blocked, Blocked(address=address(), attribute=next(iter(want.grants)),
                                             tenant="pricing", source=HERE, reason="unknown")),
            gaps=(Gap(address=address("group"), reason="403", status="403 Forbidden"),),
            findings=(*drift.findings, Finding(rule="unmanaged", address=address(), text="unclaimed")),
            violations=(Violation(rule="removals", text="too many", actions=("x",), tenant="pricing"),),
            problems=("a.yaml:1:1: wrong",),
            unpinned=("user:ana@corp.example",),
            managed=drift.managed,
        )
    )  # fmt: skip


@given(pairs())
def test_writing_and_reading_gives_the_same_plan_and_the_same_bytes(pair: tuple[Wanted, Live]) -> None:
    plan = plan_of(*pair)
    text = json.dumps(to_document(plan))
    again = from_document(json.loads(text))
    assert again == plan
    assert json.dumps(to_document(again)) == text


@given(pairs(), st.integers(0, 3))
def test_the_digest_taken_action_by_action_is_that_of_the_whole_content(
    pair: tuple[Wanted, Live], times: int
) -> None:
    made = plan_of(*pair)
    # Readings, whose key is left out where there are none, and no, one or several actions.
    plan = sealed(
        replace(
            made,
            actions=made.actions[:times],
            readings=(Reading(place="adls/é", reader="list", paths=1, why="", as_of=""),)[: times % 2],
        )
    )
    content = {key: value for key, value in to_document(plan).items() if key != "digest"}
    assert plan.digest == fingerprint(content) == to_document(replace(plan, digest=""))["digest"]


def document() -> dict[str, Any]:
    from reconciler.core.model import Attribute

    return to_document(plan_of(wanted({Attribute("acl", "user:ana@corp.example"): "READ"}), Live()))


def forge_action(doc: dict[str, Any]) -> None:
    doc["actions"][0]["after"] = "MANAGE"
    doc["digest"] = fingerprint({key: value for key, value in doc.items() if key != "digest"})


def drop_field(doc: dict[str, Any]) -> None:
    del doc["actions"][0]["verb"]
    doc["digest"] = fingerprint({key: value for key, value in doc.items() if key != "digest"})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda doc: doc.update(format="reconciler/plan/v9"), "no plan of format"),
        (lambda doc: doc["actions"][0].update(after="MANAGE"), "was edited"),
        (lambda doc: doc["actions"].clear(), "was edited"),
        (forge_action, "is not what its id says"),
        (drop_field, "is damaged"),
    ],
)
def test_a_touched_plan_is_refused(spoil: Callable[[dict[str, Any]], None], said: str) -> None:
    doc = document()
    spoil(doc)
    with pytest.raises(BadPlanFile, match=said):
        from_document(doc)


BEFORE_LISTS = """
{"format": "reconciler/plan/v1", "environment": "prod", "revision": "abc", "as_of": "2026-11-23",
 "managed": 1,
 "actions": [{"id": "5eca3d5bef744bd77dcf298fd6ab0f108a16ccad514c8ac1c34b4486b47333bd", "verb": "grant",
   "address": "adls/datalake/folder/curated/pricing", "role": "access", "principal": "group:pricing-eng",
   "before": [null, "r-x"], "after": "rwx", "until": null, "object_ids": {}, "tenant": "pricing",
   "cause": "missing", "source": {"file": "tenants.d/pricing/lake.yaml", "line": 4, "column": 5},
   "because": "", "needs": [],
   "evidence": {"counts": {"-": 3, "r-x": 9, "rwx": 1}, "samples": ["pricing/a"]}}],
 "blocked": [], "gaps": [], "findings": [], "violations": [], "problems": [], "unpinned": [],
 "digest": "b0a9c48f221377d77b71f1a551e6897fb15b182fcaca6b24e1980ca0235ad38c"}
"""
"""A plan as it was saved before there were lists and readings in one."""


def test_a_plan_from_before_is_read_and_keeps_its_digest() -> None:
    old = json.loads(BEFORE_LISTS)
    plan = from_document(old)
    assert plan.readings == ()
    assert plan.actions[0].evidence.counts == {"-": 3, "r-x": 9, "rwx": 1}
    assert (plan.actions[0].evidence.lists, plan.actions[0].evidence.distinct) == ((), 0)
    assert to_document(plan) == old
    assert sealed(replace(plan, digest="")).digest == old["digest"]


def noted(plan: Plan, **more: Any) -> Plan:
    reading = Reading(place="adls/datalake/curated", reader="list-blobs", paths=1_204_331, **more)
    return sealed(replace(plan, readings=(reading,), digest=""))


def test_how_much_a_reading_took_is_no_part_of_a_plan() -> None:
    """The same live state read with more requests, or in two goes, gives the same bytes."""
    bare = from_document(document())
    plan = noted(bare)
    for other in (noted(bare, requests=243), noted(bare, requests=900, single=600, resumed=400_000)):
        assert json.dumps(to_document(other)) == json.dumps(to_document(plan))
        assert from_document(to_document(other)) == plan
    for other in (
        noted(bare, why="List Blobs was refused (403)"),
        noted(bare, as_of="run of 2026-11-23 01:00"),
    ):
        assert other.digest != plan.digest
    assert plan.digest != bare.digest


def listed(plan: Plan, evidence: Evidence) -> Plan:
    first, *rest = plan.actions
    return sealed(replace(plan, actions=(replace(first, evidence=evidence), *rest), digest=""))


def test_evidence_is_no_part_of_an_actions_id() -> None:
    bare = from_document(document())
    lists = (("owner rwx, owning group r-x, other ---", 7),)
    full = listed(
        bare, Evidence(counts={"-": 9}, samples=("a",), files=8, folders=1, lists=lists, distinct=3)
    )
    assert [each.id for each in full.actions] == [each.id for each in bare.actions]
    assert from_document(json.loads(json.dumps(to_document(full)))) == full


@pytest.mark.parametrize(
    "spoil",
    [
        lambda doc: doc.update(readings=[]),
        lambda doc: doc.update(readings=[{"place": "x", "reader": "y", "paths": 1, "why": ""}]),
        lambda doc: doc.update(
            readings=[{"place": "x", "reader": "y", "paths": 1, "why": "", "as_of": "", "requests": 3}]
        ),
        lambda doc: doc["actions"][0]["evidence"].update(lists=[]),
        lambda doc: doc["actions"][0]["evidence"].update(files=1),
        lambda doc: doc["actions"][0]["evidence"].update(lists=[{"list": "-", "paths": 1}]),
        lambda doc: doc["actions"][0]["evidence"].update(
            files=1, folders=0, distinct=1, lists=[{"list": "-", "paths": 1, "more": 2}]
        ),
    ],
)
def test_what_says_a_little_more_or_less_than_a_plan_is_refused(
    spoil: Callable[[dict[str, Any]], None],
) -> None:
    doc = document()
    spoil(doc)
    doc["digest"] = fingerprint({key: value for key, value in doc.items() if key != "digest"})
    with pytest.raises(BadPlanFile):
        from_document(doc)


@pytest.mark.parametrize("thing", [None, [], "plan", 3])
def test_what_is_no_plan_at_all_is_refused(thing: object) -> None:
    with pytest.raises(BadPlanFile, match="no plan of format"):
        from_document(thing)
