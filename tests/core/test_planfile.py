"""The public format of a plan: the same bytes for the same plan, and refused when anything was touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given

from reconciler.core.consent import fingerprint
from reconciler.core.diff import diff
from reconciler.core.errors import BadPlanFile
from reconciler.core.model import Finding, Gap, Live, Wanted
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


@pytest.mark.parametrize("thing", [None, [], "plan", 3])
def test_what_is_no_plan_at_all_is_refused(thing: object) -> None:
    with pytest.raises(BadPlanFile, match="no plan of format"):
        from_document(thing)
