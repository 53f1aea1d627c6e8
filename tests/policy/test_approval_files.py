"""An approval says exact actions; a faulty one does not count, and blocks nobody."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from reconciler.core.model import Address, Attribute, Verb
from tests.policy.small import APPROVAL, GUID, estate, said


def test_an_approval_says_exact_actions(tmp_path: Path) -> None:
    policies = estate(tmp_path, {"tenants.d/red/approvals/one.yaml": APPROVAL})
    assert said(policies) == []
    (file,) = policies.approvals
    assert (file.tenant, file.environment, file.expires) == ("red", "local", date(2027, 1, 31))
    assert file.overrides == {"removals": "the team moves"}
    grant, change = file.consents
    assert (grant.verb, grant.address) == (Verb.GRANT, Address.parse("databricks/ml/secret-scope/red"))
    assert (grant.attribute, grant.before, grant.after) == (Attribute("acl", "group:red-ds"), (None,), "READ")
    assert grant.until == date(2027, 2, 1)
    assert grant.object_ids == {"group:red-ds": GUID.format(7)}
    assert change.before == (None, "r-x")
    assert str(change.source) == "tenants.d/red/approvals/one.yaml:14"
    assert file.given_by(frozenset({"bo@corp.example"})).approvers == {"bo@corp.example"}


def test_the_same_words_are_the_same_consent_and_others_are_not(tmp_path: Path) -> None:
    other = APPROVAL.replace("CHG-7", "CHG-8")
    files = {
        "tenants.d/red/approvals/a.yaml": APPROVAL,
        "tenants.d/red/approvals/b.yaml": "# once more\n" + APPROVAL.replace("  - {verb", "\n  - {verb"),
        "policies/approvals/c.yaml": other,
    }
    policies = estate(tmp_path, files)
    first, second, third = sorted(policies.approvals, key=lambda each: each.source.file[-6:])
    assert first.ident == second.ident != third.ident
    assert third.tenant == "platform"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("verb: grant", "verb: gramt"), ":7:11: actions[0].verb: 'gramt' is none of"),
        (
            ("address: databricks/ml", "address: ml"),
            ":8:14: actions[0].address: 'ml/secret-scope/red' is not an address",
        ),
        (
            ("environment: local", "environment: lokal"),
            ":2:14: no environment 'lokal'; did you mean 'local'?",
        ),
        (("because: agreed in CHG-7\n", ""), ":1:1: the key `because` is missing"),
        (("expires: 2027-01-31", "expires: never"), ":4:10: expires: 'never' is not a date"),
        (("because: agreed in CHG-7", 'because: " \\t "'), ":3:10: because: "),
        (('"the team moves"', '"   "'), ":5:38: override[0].because: ' ' is blank: write words"),
        (('"the team moves"', '"\\u200b\\u2003"'), ":5:38: override[0].because: "),
    ],
)
def test_a_faulty_approval_does_not_count_and_blocks_nobody(
    tmp_path: Path, change: tuple[str, str], line: str
) -> None:
    path = "tenants.d/red/approvals/one.yaml"
    policies = estate(tmp_path, {path: APPROVAL.replace(*change)})
    (told,) = said(policies)
    assert told.startswith(path + line)
    assert policies.approvals == ()
    assert policies.blocked == {}
    assert policies.unusable == ()


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("removls", "no rule 'removls'; did you mean 'removals'?"),
        ("'re*'", "no rule 're*'; known are bad-moment, "),
    ],
)
def test_an_approval_of_a_rule_that_is_none_is_told_and_counts_for_the_rest(
    tmp_path: Path, rule: str, line: str
) -> None:
    """It may be a rule of the platform's own that was there when it was given."""
    path = "tenants.d/red/approvals/one.yaml"
    policies = estate(tmp_path, {path: APPROVAL.replace("rule: removals", f"rule: {rule}")})
    assert said(policies) == []
    (note,) = policies.notes
    assert str(note).startswith(f"{path}:5:19: override[0].rule: {line}")
    assert len(policies.approvals) == 1


OWN = "kind: guardrail\nname: people-get-an-end\nexpression: 'true'\nmessage: write an end\n"
RULES = "kind: approval-rules\nrules:\n  - who: [bo@corp.example]\n    overrides: {}\n"


def test_a_rule_of_the_platforms_own_is_a_rule(tmp_path: Path) -> None:
    files = {
        "policies/guardrails/own.yaml": OWN,
        "policies/approval-rules.yaml": RULES.format("['*', removals, 'people-*', 'bad-moment*']"),
        "tenants.d/red/approvals/one.yaml": APPROVAL.replace("rule: removals", "rule: people-get-an-end"),
    }
    policies = estate(tmp_path, files)
    assert said(policies) == []
    assert policies.approvals[0].overrides == {"people-get-an-end": "the team moves"}


def test_who_may_override_what_is_no_rule_is_told(tmp_path: Path) -> None:
    policies = estate(
        tmp_path, {"policies/approval-rules.yaml": RULES.format("[removals, removls, 'people-*']")}
    )
    first, second = said(policies)
    where = "policies/approval-rules.yaml:4"
    assert first == f"{where}:27: rules[0].overrides[1]: no rule 'removls'; did you mean 'removals'?"
    assert second.startswith(f"{where}:36: rules[0].overrides[2]: no rule 'people-*'; known are bad-moment, ")
    assert len(policies.unusable) == 2, "nobody could say who may approve what"


def test_while_the_platforms_rules_are_in_error_an_unknown_one_is_a_note(tmp_path: Path) -> None:
    path = "tenants.d/red/approvals/one.yaml"
    files = {
        "policies/guardrails/own.yaml": OWN.replace("message", "massage"),
        "policies/approval-rules.yaml": RULES.format("[people-get-an-end]"),
        path: APPROVAL.replace("rule: removals", "rule: people-get-an-end"),
    }
    policies = estate(tmp_path, files)
    assert {problem.source.file for problem in policies.problems} == {"policies/guardrails/own.yaml"}
    assert [str(note).partition("; ")[0] for note in policies.notes] == [
        "policies/approval-rules.yaml:4:17: rules[0].overrides[0]: no rule 'people-get-an-end'",
        f"{path}:5:19: override[0].rule: no rule 'people-get-an-end'",
    ]
    assert len(policies.approvals) == 1
