"""Who asked for an action and who approved it, on real commits: nobody approves alone what they wrote."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from reconciler.core.environment import EntraSettings, Environment
from reconciler.core.model import Address, Attribute, Source, Verb
from reconciler.core.plan import Action, Cause, Plan
from reconciler.court import court
from reconciler.policy.load import load
from reconciler.policy.policies import Policies
from reconciler.policy.revision import open_revision
from reconciler.providers.registry import VOCABULARIES
from reconciler.survey import Inputs
from tests.policy.repository import Repository

GROUPS = "tenants.d/t/groups.yaml"
CARD = "tenants.d/t/tenant.yaml"
APPROVAL = "tenants.d/t/approvals/one.yaml"
TEXT = """\
kind: group
name: team-a
members:
  - {who: "user:ana@corp.example", until: 2027-01-31}
  - user:bo@corp.example
---
kind: group
name: team-b
members: []
"""
CONSENT = """\
kind: approval
environment: test
because: agreed
expires: 2099-01-01
actions:
  - {verb: grant, address: entra/corp/group/team-a, role: member, who: "user:bo@corp.example", after: member}
"""
HERE = Environment(name="test", entra=EntraSettings(name="corp", tenant_id="t"))
BO = Action(
    id="0" * 64,
    environment="test",
    verb=Verb.GRANT,
    address=Address("entra", "corp", "group", "team-a"),
    attribute=Attribute("member", "user:bo@corp.example"),
    before=(None,),
    after="member",
    until=None,
    object_ids={},
    tenant="t",
    cause=Cause.MISSING,
    source=Source(GROUPS, 5),
)
GONE = replace(
    BO, verb=Verb.REVOKE, before=("member",), after=None, cause=Cause.UNLISTED, source=Source(GROUPS, 3)
)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "clone")
    made.commit({GROUPS: TEXT, CARD: "kind: tenant\nname: T\n", APPROVAL: CONSENT}, person="noor")
    return made


def policies(repository: Repository) -> Policies:
    return load(open_revision(repository.root), VOCABULARIES)


def asked(repository: Repository, action: Action) -> set[str]:
    revision = open_revision(repository.root)
    inputs = Inputs(
        policies=policies(repository),
        environment=HERE,
        as_of=date(2026, 11, 23),
        now=datetime(2026, 11, 23, tzinfo=UTC),
    )
    plan = Plan(environment="test", revision="x", as_of=date(2026, 11, 23), actions=(action,))
    return {mail.partition("@")[0] for mail in court(inputs, revision, plan).authors(action)}


def approvers(repository: Repository) -> set[str]:
    revision = open_revision(repository.root)
    inputs = Inputs(
        policies=policies(repository),
        environment=HERE,
        as_of=date(2026, 11, 23),
        now=datetime(2026, 11, 23, tzinfo=UTC),
    )
    plan = Plan(environment="test", revision="x", as_of=date(2026, 11, 23))
    (approval,) = court(inputs, revision, plan).approvals
    return {mail.partition("@")[0] for mail in approval.approvers}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  - user:bo@corp.example\n", '  - {who: "user:bo@corp.example", because: "x"}\n'),
        ("name: team-a", "name: team-a "),
        ("until: 2027-01-31", "until: 2030-01-31"),
    ],
)
def test_whoever_wrote_any_line_of_the_document_asked_for_it(
    old: str, new: str, repository: Repository
) -> None:
    repository.commit({GROUPS: TEXT.replace(old, new, 1)}, person="mallory")
    assert "mallory" in asked(repository, BO)


def test_other_documents_of_the_file_are_other_peoples(repository: Repository) -> None:
    repository.commit({GROUPS: TEXT.replace("name: team-b", "name: team-c")}, person="tom")
    assert asked(repository, BO) == {"noor"}


def test_whoever_took_a_name_out_asked_for_its_removal_whoever_came_later(repository: Repository) -> None:
    without = TEXT.replace("  - user:bo@corp.example\n", "")
    repository.commit({GROUPS: without}, person="mallory")
    repository.commit({GROUPS: f"# tidied\n{without}"}, person="sam")
    assert asked(repository, GONE) >= {"mallory", "sam"}
    assert "mallory" not in asked(
        repository, replace(BO, attribute=Attribute("member", "user:ana@corp.example"))
    )


def test_whoever_adopted_the_environment_asked_for_what_is_unlisted(repository: Repository) -> None:
    repository.commit({CARD: "kind: tenant\nname: T\nadopted: [test]\n"}, person="mallory")
    assert "mallory" in asked(repository, GONE)
    assert "mallory" not in asked(repository, BO)


def test_a_withdrawn_approval_put_back_is_whose_who_put_it_back(repository: Repository) -> None:
    assert approvers(repository) == {"noor"}
    (repository.root / APPROVAL).unlink()
    repository.commit({}, person="noor")
    repository.commit({APPROVAL: CONSENT}, person="mallory")
    assert approvers(repository) == {"mallory"}


def test_a_merged_approval_is_its_authors_and_whose_who_merged_it(repository: Repository) -> None:
    repository.git("checkout", "-q", "-b", "topic")
    repository.commit({APPROVAL: CONSENT.replace("agreed", "CHG-1")}, person="bo")
    repository.git("checkout", "-q", "main")
    repository.merge("topic", person="lea")
    assert approvers(repository) == {"bo", "lea"}
