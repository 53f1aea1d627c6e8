"""Exit codes and the last sentence: the most serious first, and never more than was read."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given

from reconciler.core.model import Address, Attribute, Finding, Gap, Source, Verb
from reconciler.core.plan import Blocked, Plan, Status, Violation
from reconciler.report.verdict import exit_code, in_step, outcome_code, verdict
from tests.report.plans import action, plans, quiet

THING = Address.parse("entra/corp/group/x")
GRANT = action(Verb.GRANT, str(THING), "member/user:a@x.example", None, "member")
OPEN = Gap(address=THING, reason="403")
ACCEPTED = Gap(address=THING, reason="403", accepted="until 2027-01-01: hidden")
STOPPED = Violation(rule="wide", text="stands for everybody", actions=(GRANT.id,))
STUCK = Blocked(address=THING, attribute=Attribute("member", "user:b@x.example"), tenant="t",
                source=Source("a.yaml", 1), reason="nobody has this name")  # fmt: skip
FACT = Finding(rule="bypass", address=THING, text="holds a role")
PARTS = {
    "problems": (("a.yaml:1:1: wrong",), 1),
    "gaps": ((OPEN,), 4),
    "violations": ((STOPPED,), 3),
    "actions": ((GRANT,), 2),
    "blocked": ((STUCK,), 2),
}


@pytest.mark.parametrize("present", list(product([False, True], repeat=len(PARTS))))
def test_the_most_serious_part_gives_the_exit_code(present: tuple[bool, ...]) -> None:
    chosen = {name: part for (name, part), there in zip(PARTS.items(), present, strict=True) if there}
    plan = quiet(**{name: values for name, (values, _) in chosen.items()})
    codes = {code for _, code in chosen.values()}
    assert exit_code(plan) == next((code for code in (1, 4, 3, 2) if code in codes), 0)
    good = [text for style, text in verdict(plan) if style == "good"]
    assert bool(good) == (not chosen)


@given(plans())
def test_good_news_are_told_only_where_the_exit_code_is_nought(plan: Plan) -> None:
    told = [text for _, text in verdict(plan)]
    assert told
    assert any(text.startswith("In step") for text in told) == (exit_code(plan) == 0)


def test_accepted_gaps_and_findings_limit_the_good_news() -> None:
    assert in_step(quiet()) == "In step: 38 things are as the policies want."
    assert in_step(quiet(gaps=(ACCEPTED,), findings=(FACT, FACT))) == (
        "In step, as far as it was read (1 accepted gap): 38 things are as the policies want; 2 findings."
    )
    assert exit_code(quiet(gaps=(ACCEPTED,), findings=(FACT,))) == 0


def test_accepted_gaps_are_told_beside_actions_too() -> None:
    told = [text for _, text in verdict(quiet(gaps=(ACCEPTED, OPEN), actions=(GRANT,)))]
    assert any("1 could not be read" in text for text in told)
    assert any("Accepted: 1 gap" in text for text in told)


def test_what_is_blocked_is_named_with_its_reason() -> None:
    told = [text for _, text in verdict(quiet(blocked=(STUCK, STUCK)))]
    assert told == ["Blocked: 2 wanted facts (user:b@x.example: nobody has this name and 1 more)."]


def test_a_long_reason_is_not_told_whole_in_a_summary() -> None:
    from dataclasses import replace

    told = verdict(quiet(blocked=(replace(STUCK, reason="x" * 10_000),)))
    assert len(told[0][1]) < 400


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([], 0),
        ([Status.VERIFIED], 0),
        ([Status.VERIFIED, Status.DEFERRED], 3),
        ([Status.REFUSED], 3),
        ([Status.REFUSED, Status.UNKNOWN], 4),
        ([Status.ACCEPTED], 4),
        ([Status.UNKNOWN, Status.FAILED], 1),
    ],
)
def test_the_worst_end_gives_the_exit_code_of_an_apply(statuses: list[Status], code: int) -> None:
    assert outcome_code(statuses) == code
