"""Who governs which subtree, and who must pass through what on the way there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date

from reconciler.core.environment import ContainerSettings, EntraSettings, Environment, LakeSettings
from reconciler.core.model import EXISTS, Attribute, Lifecycle, Unlisted, Wanted
from reconciler.core.vocabulary import Compiled, Context, Declared
from reconciler.providers.adls import VOCABULARY
from tests.providers.adls.lake import folder

TODAY = date(2026, 11, 23)


def compiled(*documents: Declared, traverse: str = "named") -> Compiled:
    environment = Environment(
        name="test",
        entra=EntraSettings(name="corp", tenant_id="t"),
        lakes={
            "datalake": LakeSettings(
                name="datalake",
                dfs="https://d",
                blob="https://b",
                containers={"curated": ContainerSettings(name="curated", traverse=traverse)},
            )
        },
    )
    return VOCABULARY.compile(documents, Context(environment=environment, as_of=TODAY))


def wanted(*documents: Declared, traverse: str = "named") -> dict[str, Wanted]:
    found = compiled(*documents, traverse=traverse)
    assert [str(problem) for problem in found.problems] == []
    return {f"{each.address.kind}/{each.address.locator}": each for each in found.wanted}


def rights(want: Wanted) -> Mapping[str, str]:
    return {f"{role}/{who}": value for (role, who), value in want.grants.items() if role != EXISTS}


def test_grants_become_entries() -> None:
    found = wanted(folder(grants={"group:r": "read", "group:w": "write", "group:l": "list"}))
    want = found["folder/curated/pricing"]
    assert rights(want) == {
        "access/group:r": "r-x",
        "default/group:r": "r-x",
        "access/group:w": "rwx",
        "default/group:w": "rwx",
        "access/group:l": "list",
    }
    assert want.grants[Attribute(EXISTS)] == "present"
    assert (want.adopted, want.unlisted, want.lifecycle) == (True, Unlisted.REVOKE, Lifecycle.ACTIVE)


def test_every_directory_on_the_way_is_opened_for_whoever_has_something_below() -> None:
    found = wanted(
        folder("curated/a/b/c", grants={"group:one": "read"}),
        folder("curated/a/d", tenant="sales", grants={"group:two": "list"}),
    )
    assert rights(found["traverse/curated"]) == {"access/group:one": "--x", "access/group:two": "--x"}
    assert rights(found["traverse/curated/a"]) == {"access/group:one": "--x", "access/group:two": "--x"}
    assert rights(found["traverse/curated/a/b"]) == {"access/group:one": "--x"}
    assert found["traverse/curated/a"].tenant == "platform"
    assert found["traverse/curated/a"].shared


def test_a_group_or_everybody_may_pass_instead() -> None:
    document = folder("curated/a/b", grants={"group:one": "read"})
    found = wanted(document, traverse="group:lake-users")
    assert rights(found["traverse/curated/a"]) == {"access/group:lake-users": "--x"}
    found = wanted(document, traverse="everyone")
    assert rights(found["traverse/curated/a"]) == {"access/other": "--x"}


def test_one_tenant_that_has_not_adopted_keeps_the_way_as_it_is() -> None:
    found = wanted(
        folder("curated/a", grants={}), folder("curated/b", tenant="sales", adopted=False, grants={})
    )
    assert not found["traverse/curated"].adopted


def test_the_nearest_declared_folder_governs() -> None:
    found = wanted(
        folder("curated/a", grants={"group:one": "read"}),
        folder("curated/a/b/c", grants={"group:two": "read"}),
        folder("curated/a/b/c/d", grants={"group:three": "read"}),
        folder("curated/ab", grants={}),
    )
    assert json.loads(found["folder/curated/a"].details["deeper"]) == ["a/b/c"]
    assert json.loads(found["folder/curated/a/b/c"].details["deeper"]) == ["a/b/c/d"]
    assert json.loads(found["folder/curated/a"].details["passages"]) == {
        "a": ["group:three", "group:two"],
        "a/b": ["group:three", "group:two"],
    }
    # Who reads the folder around passes already.
    assert json.loads(found["traverse/curated/a/b"].details["held"]) == ["group:one"]
    again = wanted(
        folder("curated/a", grants={"group:one": "read"}),
        folder("curated/a/b", grants={"group:one": "read"}),
    )
    assert rights(again["traverse/curated/a"]) == {}


def test_whoever_may_only_list_the_folder_around_passes_through_it_and_no_further() -> None:
    found = wanted(
        folder("curated/a", grants={"group:one": "list"}),
        folder("curated/a/b/c", grants={"group:one": "read"}),
    )
    assert rights(found["traverse/curated/a"]) == {}
    assert rights(found["traverse/curated/a/b"]) == {"access/group:one": "--x"}


def test_a_grant_that_is_over_is_in_the_terms_alone() -> None:
    over = {"can": "read", "until": "2026-11-22", "because": "CHG-1"}
    found = wanted(folder("curated/a/b", grants={"group:one": over, "group:two": "read"}))
    want = found["folder/curated/a/b"]
    one = Attribute("access", "group:one")
    assert one not in want.grants
    assert (want.terms[one].until, want.terms[one].because) == (date(2026, 11, 22), "CHG-1")
    way = found["traverse/curated/a"]
    assert one not in way.grants
    assert way.terms[one].until == date(2026, 11, 22)


def test_the_longest_term_opens_the_way() -> None:
    found = wanted(
        folder("curated/a", grants={"group:one": {"can": "read", "until": "2026-12-31"}}),
        folder("curated/b", grants={"group:one": {"can": "read", "until": "2027-06-30"}}),
        folder("curated/c", grants={"group:one": {"can": "read", "until": "2026-11-01"}}),
    )
    way = found["traverse/curated"]
    assert way.terms[Attribute("access", "group:one")].until == date(2027, 6, 30)


def test_a_retired_folder_needs_no_way_and_keeps_its_tree() -> None:
    found = wanted(
        folder("curated/a", grants={"group:one": "read"}),
        folder("curated/a/b", grants={"group:two": "read"}, state="retired"),
        folder("curated/x/y", grants={"group:two": "read"}, state="retired", destroy=True),
    )
    assert rights(found["traverse/curated"]) == {"access/group:one": "--x"}
    assert "traverse/curated/x" not in found
    assert json.loads(found["folder/curated/a"].details["deeper"]) == ["a/b"]
    assert found["folder/curated/a/b"].lifecycle is Lifecycle.RETIRED
    assert found["folder/curated/x/y"].lifecycle is Lifecycle.DESTROYED


def test_more_principals_than_entries_fit_are_an_error() -> None:
    many = {f"group:g{number}": "read" for number in range(29)}
    found = compiled(folder("curated/a", grants=many), traverse="everyone")
    (problem,) = found.problems
    place = "tenants.d/pricing/datalake-curated-a.yaml:30:1"
    assert str(problem).startswith(f"{place}: 29 principals are granted")
    assert "curated/a" not in {want.address.locator for want in found.wanted}


def test_a_crowded_way_names_its_contributors() -> None:
    some = {f"group:a{number}": "read" for number in range(20)}
    others = {f"group:b{number}": "read" for number in range(9)}
    found = compiled(folder("curated/x/a", grants=some), folder("curated/x/b", tenant="sales", grants=others))
    assert [problem.tenant for problem in found.problems] == ["pricing", "pricing"]
    text = found.problems[1].text
    assert "29 principals would need an entry of their own to pass through datalake/curated/x" in text
    assert "datalake-curated-x-a.yaml:1 (20)" in text and "datalake-curated-x-b.yaml:1 (9)" in text
    assert {want.address.kind for want in found.wanted} == {"folder"}
    assert wanted(folder("curated/x/a", grants=some), folder("curated/x/b", grants={}))


def test_a_folder_of_another_lake_or_environment_is_left_out() -> None:
    assert wanted(folder("curated/a", grants={}))
    away = folder("curated/a", grants={})
    elsewhere = Declared(
        tenant="pricing",
        document=away.document,
        source=away.source,
        locate=away.locate,
        environments=frozenset({"prod"}),
    )
    assert wanted(elsewhere) == {}
