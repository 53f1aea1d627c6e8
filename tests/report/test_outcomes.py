"""Every end of an apply is told, the bad ones so that nobody misses them."""

from __future__ import annotations

import pytest

from reconciler.core.plan import ApprovedPlan, Outcome, Status
from reconciler.report.lines import Line, cells, plain
from reconciler.report.outcomes import FAR, NEXT, ended, outcome_lines, outcomes_markdown
from tests.report.plans import KINDS, many, quiet, rich

PLAN = many(60)


def run(statuses: list[Status], refused: int = 0) -> tuple[ApprovedPlan, list[Outcome]]:
    sent = PLAN.actions[: len(statuses)]
    ends = [Outcome(action=each.id, status=status, reason=f"because {n}")
            for n, (each, status) in enumerate(zip(sent, statuses, strict=True))]  # fmt: skip
    others = [Outcome(action=each.id, status=Status.REFUSED, reason="spent")
              for each in PLAN.actions[len(sent) : len(sent) + refused]]  # fmt: skip
    return ApprovedPlan(plan=PLAN, actions=sent, refused=others), [*others, *ends]


def told(approved: ApprovedPlan, outcomes: list[Outcome]) -> str:
    return plain(outcome_lines(approved, outcomes, KINDS, 100))


@pytest.mark.parametrize("status", Status)
def test_an_end_is_told_with_its_reason_and_what_to_do(status: Status) -> None:
    approved, outcomes = run([status])
    lines = plain(ended(approved.actions[0], outcomes[0], KINDS, 100))
    assert lines.startswith(f"  {status.value}")
    assert "- REVOKE user:person-0@corp.example" in lines
    assert "entra/corp/group/team-0" in lines
    assert "because 0" in lines
    assert (status in NEXT) == (status is not Status.VERIFIED)
    assert (NEXT.get(status, "nothing") in told(approved, outcomes)) == (status in NEXT)


def test_no_line_is_wider_than_the_screen() -> None:
    def wide(line: Line) -> bool:
        shown = "".join(text for _, text in line)
        return cells(shown.rstrip()) > 80 and len(shown.split()) > 1

    for each in rich().actions:
        lines = ended(each, Outcome(action=each.id, status=Status.FAILED, reason="why " * 50), KINDS, 80)
        assert not [line for line in lines if wide(line)]


def test_the_tally_counts_every_end_and_what_was_left_alone() -> None:
    text = told(*run([Status.VERIFIED] * 3 + [Status.FAILED], refused=2))
    assert "Applied: 3 verified, 2 refused, 1 failed." in text
    assert "Not approved and left alone: 54 planned actions, 54 removals among them." in text


def test_bad_ends_that_have_left_the_screen_are_told_again() -> None:
    far = told(*run([Status.FAILED] + [Status.VERIFIED] * FAR))
    assert far.count("because 0") == 1
    assert "Not done:" in far
    near = told(*run([Status.FAILED] + [Status.VERIFIED] * 5))
    assert "because 0" not in near
    assert "Not done:" not in told(*run([Status.VERIFIED] * 40))


def test_refusals_are_told_be_they_planned_or_gone() -> None:
    approved = ApprovedPlan(plan=quiet(), actions=(), refused=(
        Outcome(action="f" * 64, status=Status.REFUSED, reason="moved: live state left it"),))  # fmt: skip
    text = told(approved, list(approved.refused))
    assert "refused    ffffffffff" in text
    assert "moved: live state left it" in text


def test_nothing_approved_and_nothing_to_do_are_told_apart() -> None:
    assert "Nothing is approved, so nothing was sent." in told(ApprovedPlan(plan=PLAN, actions=()), [])
    assert told(ApprovedPlan(plan=quiet(), actions=()), []) == "Nothing to apply.\n"


def test_the_record_puts_first_what_did_not_work() -> None:
    approved, outcomes = run([Status.VERIFIED, Status.FAILED], refused=1)
    text = outcomes_markdown(approved, outcomes, KINDS)
    assert text.startswith("## Apply in `prod`: 1 verified, 1 refused, 1 failed\n")
    assert text.index("| **failed** |") < text.index("### Done and verified") < text.index("| **verified** |")
    assert "57 planned actions" in text
