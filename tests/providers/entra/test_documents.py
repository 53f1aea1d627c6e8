"""The `group` document: what it accepts, what it says no to, and what it comes to."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from reconciler.core.environment import EntraSettings, Environment
from reconciler.core.model import Attribute, Lifecycle, Source, Unlisted, Wanted
from reconciler.core.vocabulary import Context, Declared
from reconciler.providers.entra import VOCABULARY
from reconciler.providers.entra.documents import DOCUMENT, GroupDocument, compile_groups

ENVIRONMENT = Environment(name="prod", entra=EntraSettings(name="corp", tenant_id="t"))
ANA, BO = "user:ana@corp.example", "user:bo@corp.example"


def locate(*path: str | int) -> Source:
    return Source("tenants.d/pricing/groups.yaml", 2 + sum(x for x in path if isinstance(x, int)))


def declared(**document: Any) -> Declared:
    return Declared(
        tenant="pricing",
        document=GroupDocument.model_validate({"kind": "group", "name": "pricing-ds", **document}),
        source=Source("tenants.d/pricing/groups.yaml", 1),
        locate=locate,
        adopted=frozenset({"prod"}),
    )


def wanted(as_of: date = date(2026, 11, 23), **document: Any) -> Wanted:
    (want,) = compile_groups([declared(**document)], Context(environment=ENVIRONMENT, as_of=as_of)).wanted
    return want


def members(*principals: str) -> dict[Attribute, str]:
    return {Attribute("exists"): "present"} | {Attribute("member", one): "member" for one in principals}


def test_a_plain_principal_is_short_for_who() -> None:
    short = wanted(members=[ANA, "user:BO@Corp.example"])
    assert short.grants == wanted(members=[{"who": ANA}, {"who": BO}]).grants == members(ANA, BO)
    assert str(short.address) == "entra/corp/group/pricing-ds"
    assert short.adopted and short.tenant == "pricing"


def test_terms_hold_even_when_the_grant_has_expired() -> None:
    until = {"who": BO, "until": "2027-01-31", "because": "helps out, CHG-1"}
    for day, holds in ((date(2027, 1, 31), True), (date(2027, 2, 1), False)):
        want = wanted(day, members=[ANA, until])
        assert want.grants == (members(ANA, BO) if holds else members(ANA))
        terms = want.terms[Attribute("member", BO)]
        assert (terms.until, terms.because) == (date(2027, 1, 31), "helps out, CHG-1")
        assert terms.source.line == 3


def test_members_must_be_written_and_owners_need_not() -> None:
    with pytest.raises(ValidationError, match="members"):
        declared()
    assert wanted(members=[]).grants == members()
    assert wanted(members=[]).details == {}
    assert wanted(members=[], owners=[]).details == {"owners": "declared"}
    owned = wanted(members=[], owners=[ANA, "sp:pricing-airflow"])
    assert owned.grants[Attribute("owner", "sp:pricing-airflow")] == "owner"


def test_a_description_is_a_fact_only_where_it_is_written() -> None:
    assert Attribute("description") not in wanted(members=[]).grants
    assert wanted(members=[], description="data people").grants[Attribute("description")] == "data people"


@pytest.mark.parametrize(
    ("document", "lifecycle"),
    [
        ({}, Lifecycle.ACTIVE),
        ({"state": "retired"}, Lifecycle.RETIRED),
        ({"state": "retired", "destroy": True}, Lifecycle.DESTROYED),
    ],
)
def test_lifecycle(document: dict[str, Any], lifecycle: Lifecycle) -> None:
    assert wanted(members=[ANA], unlisted="keep", **document).lifecycle is lifecycle
    assert wanted(members=[ANA], unlisted="keep").unlisted is Unlisted.KEEP


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"members": [ANA, ANA]}, "listed twice"),
        ({"members": [ANA, {"who": ANA.upper().replace("USER", "user")}]}, "listed twice"),
        ({"members": [], "owners": ["group:leads"]}, "cannot own a group"),
        ({"members": ["group:pricing-ds"]}, "member of itself"),
        ({"members": [], "was": "pricing-ds"}, "present name"),
        ({"members": [], "destroy": True}, "state: retired"),
        ({"members": ["ana@corp.example"]}, "did you mean user:ana@corp.example"),
        ({"members": [], "name": " pricing"}, "no group name"),
        ({"members": [], "name": "pri\u0000cing"}, "no group name"),
        ({"members": [], "name": ""}, "no group name"),
        ({"members": [], "name": "x" * 257}, "at most 256 characters"),
        ({"members": [{"who": ANA, "can": "read"}]}, "can"),
        ({"members": [ANA], "grants": []}, "grants"),
        ({"members": [{"who": ANA, "until": 20270131}]}, "until"),
        ({"members": ANA}, "members"),
        ({"members": None}, "members"),
    ],
)
def test_what_is_wrong_is_said(document: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        declared(**document)


def test_a_rename_reaches_for_both_names() -> None:
    both = declared(members=[], was="pricing-data")
    assert [reach.locator for reach in DOCUMENT.reach(both)] == ["pricing-ds", "pricing-data"]
    assert {reach.boundary for reach in DOCUMENT.reach(both)} == {"groups"}
    assert wanted(members=[], was="pricing-data").was == "pricing-data"


def test_a_document_holds_where_it_says() -> None:
    for environments, count in (({"prod"}, 1), ({"staging"}, 0), (set(), 1)):
        each = replace(declared(members=[]), environments=frozenset(environments))
        context = Context(environment=ENVIRONMENT, as_of=date(2026, 11, 23))
        assert len(compile_groups([each], context).wanted) == count


def test_every_principal_is_told_with_its_place() -> None:
    told = list(DOCUMENT.principals(declared(members=[ANA, BO], owners=[ANA])))
    assert [(name, source.line) for name, source in told] == [(ANA, 2), (BO, 3), (ANA, 2)]


def test_the_schema_knows_both_forms_of_a_member() -> None:
    schema = TypeAdapter(GroupDocument).json_schema()
    kinds = {option.get("type", "object") for option in schema["properties"]["members"]["items"]["anyOf"]}
    assert kinds == {"string", "object"}
    assert all("description" in schema["properties"][name] for name in ("name", "owners", "members"))


def test_the_vocabulary_is_whole() -> None:
    (kind,) = VOCABULARY.kinds
    assert (VOCABULARY.provider, kind.name, kind.rank, kind.identified) == ("entra", "group", 10, True)
    assert kind.parts("member", "member") == {"member"}
    assert kind.properties == {"name", "description"}
