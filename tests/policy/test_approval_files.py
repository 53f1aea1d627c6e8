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
