"""From documents to what is wanted: one thing per principal of a workspace, one per scope."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.environment import (
    DatabricksSettings,
    EntraSettings,
    Environment,
    WorkspaceSettings,
)
from reconciler.core.model import Attribute, Lifecycle, Unlisted, Wanted
from reconciler.core.vocabulary import Compiled, Context
from reconciler.providers.databricks import VOCABULARY
from tests.providers.databricks.estate import TODAY, declare, entitlements, grant, scope

ENVIRONMENT = Environment(
    name="prod",
    entra=EntraSettings(name="corp", tenant_id="t"),
    databricks=DatabricksSettings(
        account_id="a",
        workspaces={"ml-prod": WorkspaceSettings(name="ml-prod", host="https://x", workspace_id="1")},
    ),
)
CONTEXT = Context(environment=ENVIRONMENT, as_of=TODAY)


def compiled(*documents: dict[str, Any], adopted: bool = True) -> Compiled:
    return VOCABULARY.compile(declare(*documents, adopted=adopted), CONTEXT)


def only(*documents: dict[str, Any]) -> Wanted:
    (want,) = compiled(*documents).wanted
    return want


def roles(want: Wanted) -> dict[str, str]:
    return {fact.role: value for fact, value in want.grants.items()}


def test_each_principal_is_a_thing_of_its_own() -> None:
    result = compiled(
        entitlements(
            grant("group:x", ["workspace-access", "databricks-sql-access"]),
            grant("user:Ana@corp.example", "workspace-access"),
            grant("group:x", "allow-cluster-create", until="2027-01-31"),
        )
    )
    assert result.problems == ()
    x, ana = result.wanted
    assert str(x.address) == "databricks/ml-prod/entitlements/group:x"
    assert roles(x) == {
        "assignment": "USER",
        "workspace-access": "held",
        "databricks-sql-access": "held",
        "allow-cluster-create": "held",
    }
    assert ana.address.locator == "user:ana@corp.example"
    assert x.terms[Attribute("allow-cluster-create", "group:x")].until == date(2027, 1, 31)


def test_an_assignment_lasts_as_long_as_the_last_grant() -> None:
    dated = only(
        entitlements(
            grant("group:x", "workspace-access", until="2026-12-31"),
            grant("group:x", "databricks-sql-access", until="2027-06-30", because="audit"),
        )
    )
    term = dated.terms[Attribute("assignment", "group:x")]
    assert (term.until, term.because) == (date(2027, 6, 30), "audit")
    endless = only(
        entitlements(
            grant("group:x", "workspace-access"),
            grant("group:x", "databricks-sql-access", until="2027-06-30"),
        )
    )
    assert endless.terms[Attribute("assignment", "group:x")].until is None


def test_what_has_expired_is_in_the_terms_only() -> None:
    want = only(entitlements(grant("group:x", "workspace-access", until="2026-11-19")))
    assert want.grants == {}
    assert {fact.role for fact in want.terms} == {"workspace-access", "assignment"}
    last_day = only(entitlements(grant("group:x", "workspace-access", until="2026-11-20")))
    assert roles(last_day) == {"workspace-access": "held", "assignment": "USER"}


def test_consumer_access_beside_what_includes_it_says_nothing() -> None:
    both = only(entitlements(grant("group:x", ["workspace-consume", "databricks-sql-access"])))
    assert "workspace-consume" not in roles(both)
    alone = only(entitlements(grant("group:x", "workspace-consume")))
    assert roles(alone)["workspace-consume"] == "held"


def test_a_scope_keeps_its_spelling_and_is_addressed_without_case() -> None:
    want = only(
        scope(
            "Pricing",
            grant("group:x", "read"),
            keys=[{"name": "A", "rotate-every": "90d"}, {"name": "B"}],
        )
    )
    assert str(want.address) == "databricks/ml-prod/secret-scope/pricing"
    assert want.grants == {Attribute("exists"): "present", Attribute("acl", "group:x"): "READ"}
    assert want.details == {"name": "Pricing", "backend": "databricks", "key:A": "90", "key:B": ""}


@pytest.mark.parametrize(
    ("more", "lifecycle"),
    [
        ({}, Lifecycle.ACTIVE),
        ({"state": "retired"}, Lifecycle.RETIRED),
        ({"state": "retired", "destroy": True}, Lifecycle.DESTROYED),
    ],
)
def test_the_end_of_a_scope_in_three_steps(more: dict[str, Any], lifecycle: Lifecycle) -> None:
    assert only(scope("s", **more)).lifecycle is lifecycle


def test_modes_and_adoption_are_passed_on() -> None:
    (want,) = compiled(scope("s", unlisted="keep"), adopted=False).wanted
    assert (want.unlisted, want.adopted, want.tenant) == (Unlisted.KEEP, False, "pricing")


def test_a_right_that_is_given_twice_names_both_places() -> None:
    result = compiled(scope("s", grant("group:x", "read"), grant("group:x", "manage")))
    (problem,) = result.problems
    assert str(problem).startswith("pricing.yaml:11:1: group:x is given a right on this scope here and at ")
    assert "pricing.yaml:10" in problem.text


def test_a_thing_that_is_declared_twice_names_both_places() -> None:
    result = compiled(scope("S"), scope("s"), entitlements(grant("group:x", "workspace-access")))
    (problem,) = result.problems
    assert problem.text.startswith("databricks/ml-prod/secret-scope/s is already declared at pricing.yaml:1")
    assert len(result.wanted) == 2


def test_only_what_holds_here_is_compiled() -> None:
    here, elsewhere = declare(scope("a"), scope("b"))
    result = VOCABULARY.compile([here, replace(elsewhere, environments=frozenset({"dev"}))], CONTEXT)
    assert [want.address.locator for want in result.wanted] == ["a"]


def test_claims_and_principals_are_told_with_their_places() -> None:
    kinds = {kind.kind: kind for kind in VOCABULARY.documents}
    (people,) = declare(
        entitlements(*(grant(who, "workspace-access") for who in ("group:x", "sp:y", "group:x")))
    )
    claims = list(kinds["entitlements"].reach(people))
    assert [(claim.boundary, claim.installation, claim.locator) for claim in claims] == [
        ("workspaces", "ml-prod", "group:x"),
        ("workspaces", "ml-prod", "sp:y"),
    ]
    assert [(who, str(place)) for who, place in kinds["entitlements"].principals(people)] == [
        ("group:x", "pricing.yaml:10"),
        ("sp:y", "pricing.yaml:11"),
        ("group:x", "pricing.yaml:12"),
    ]
    (place,) = declare(scope("Pricing"))
    (claim,) = kinds["secret-scope"].reach(place)
    assert (claim.boundary, claim.locator) == ("scopes", "pricing")
    assert kinds["secret-scope"].environments(place.document, ENVIRONMENT)
    assert not kinds["secret-scope"].environments(place.document, replace(ENVIRONMENT, databricks=None))


NAMES = st.sampled_from(["group:a", "group:b", "user:c@corp.example", "sp:d"])
RIGHTS = st.sampled_from(
    ["workspace-access", "databricks-sql-access", "workspace-consume", "allow-cluster-create"]
)


@given(st.sets(st.tuples(NAMES, RIGHTS), min_size=1), st.randoms())
def test_the_order_of_grants_makes_no_difference(pairs: set[tuple[str, str]], random: Any) -> None:
    grants = [grant(who, can) for who, can in sorted(pairs)]
    shuffled = list(grants)
    random.shuffle(shuffled)
    one, other = (compiled(entitlements(*each)).wanted for each in (grants, shuffled))
    assert {want.address: want.grants for want in one} == {want.address: want.grants for want in other}
