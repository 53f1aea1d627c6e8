"""A whole estate: what it comes to, what is wrong in it, and who is blocked for it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.core.errors import PolicyError
from reconciler.core.model import Address, Source
from reconciler.core.vocabulary import Declared
from reconciler.policy.load import load
from reconciler.policy.tree import WorkingTree
from tests.policy.small import GUID, VOCABULARIES, environment, estate, folder, group, said, scope

BLUE = "tenants.d/blue/groups.yaml"
RED = "tenants.d/red/groups.yaml"
(GROUPS,) = (kind for each in VOCABULARIES for kind in each.documents if kind.kind == "group")


def test_a_sound_estate_has_no_problems(tmp_path: Path) -> None:
    policies = estate(tmp_path, {})
    assert said(policies) == []
    assert policies.blocked == {}
    assert policies.revision == "working tree"
    (declared,) = policies.declared["entra"]
    assert (declared.tenant, str(declared.source)) == ("red", "tenants.d/red/groups.yaml:1")
    assert declared.adopted == declared.environments == {"local"}
    assert str(declared.locate("members", 0)) == "tenants.d/red/groups.yaml:3"
    assert policies.declared["databricks"] == policies.declared["adls"] == ()
    assert policies.tenants["red"].title == "Red"
    assert policies.pins("local")["user:ana@corp.example"] == GUID.format(3)
    assert policies.inside("red", Address.parse("entra/local/group/red-x"))
    assert policies.inside("red", Address.parse("adls/lake/folder/curated/red/deep/er"))
    assert not policies.inside("red", Address.parse("adls/lake/folder/curated/redder"))
    assert not policies.inside("blue", Address.parse("entra/local/group/red-x"))
    assert policies.inside("platform", Address.parse("adls/lake/traverse/curated"))


LOOKS = "user:\u0430na@corp.example"
PAY = "group:\u0440\u0430\u0443"


@pytest.mark.parametrize(
    ("text", "said_so"),
    [
        ("kind: grup\n", "1:7: kind: 'grup' is unknown; did you mean 'group'?"),
        (
            "name: x\n",
            "1:1: a document says what it is: add `kind:`, one of group, lake-folder, secret-scope,",
        ),
        ("kind: [group]\n", "1:1: kind: has to be text"),
        ("kind: guardrails\n", "1:7: kind: 'guardrails' belongs into policies/, not here"),
        ("kind: approval\n", "1:7: kind: 'approval' belongs into tenants.d/<tenant>/approvals/, not here"),
        ("kind: group\nname:\nmembers: []\n", "2:6: name: has to be text, not nothing"),
        (group("red-x", more="was:\n"), "4:5: has no value; write one ([] for an empty list), or remove"),
        (
            group("hr"),
            "2:7: 'hr' is outside the boundary of red (groups at policies/boundaries.yaml:3); choose",
        ),
        (folder("lake/curated/blue"), "2:9: 'lake/curated/blue' is outside the boundary of red (folders at"),
        (folder("lake/curated/reddish"), "2:9: 'lake/curated/reddish' is outside the boundary"),
        (scope("red", "lm"), "2:12: no environment knows a workspace 'lm'; did you mean 'ml'?"),
        (folder("lakes/curated/red"), "2:9: no environment knows a lake 'lakes'; did you mean 'lake'?"),
        (
            folder("lake/curatd/red"),
            "2:9: no environment knows a container 'curatd' in lake 'lake'; did you mean",
        ),
        (group("red-x", more="environments: [locl]\n"), "4:16: no environment 'locl'; did you mean 'local'?"),
        (group("red-x", LOOKS), f"3:11: {LOOKS!r} mixes Cyrillic and Latin letters"),
        (group('"red-p\\u0430y"'), "2:7: 'red-p\u0430y' mixes Cyrillic and Latin letters"),
        (group('"red\\nx"'), "2:7: U+000A control character is not allowed in a name"),
        ("kind: group\nname: |\n  red-x\nmembers: []\n", "2:7: U+000A control character is not allowed in"),
        (group("red-x", PAY, "group:pay"), f"3:11: {PAY!r} looks like 'group:pay' and is another name"),
    ],
)
def test_a_mistake_is_told_at_its_place_and_blocks_its_tenant(
    tmp_path: Path, text: str, said_so: str
) -> None:
    policies = estate(tmp_path, {RED: text})
    (told,) = said(policies)
    assert told.startswith(f"{RED}:{said_so}")
    assert set(policies.blocked) == {"red"}
    assert policies.declared == {"entra": (), "databricks": (), "adls": ()}
    assert policies.unusable == ()


@pytest.mark.parametrize(
    ("file", "text", "line", "blocked"),
    [
        (
            "red/b.yaml",
            "kind: tenant\nname: R\n",
            "red/tenant.yaml:1:1: tenant red already has a card at",
            "red",
        ),
        (
            "rde/g.yaml",
            group("x"),
            "rde/g.yaml:2:7: rde has no boundary, so it may not declare 'x'; did you",
            "rde",
        ),
        (
            "Red_1/g.yaml",
            group("x"),
            "Red_1:1:1: a tenant's folder is named with lower-case letters",
            "Red_1",
        ),
        ("platform/g.yaml", group("x"), "platform:1:1: this name stands for the platform itself", ""),
        (
            "stray.yaml",
            group("x"),
            "stray.yaml:1:1: belongs to no tenant; move it into a folder of tenants.d/",
            "",
        ),
    ],
)
def test_a_mistake_with_folders_is_told(
    tmp_path: Path, file: str, text: str, line: str, blocked: str
) -> None:
    policies = estate(tmp_path, {f"tenants.d/{file}": text})
    (told,) = said(policies)
    assert told.startswith(f"tenants.d/{line}")
    assert set(policies.blocked) == {blocked} - {""}
    assert len(policies.declared["entra"]) == (0 if blocked == "red" else 1)
    assert policies.unusable == ()


def test_adopting_an_environment_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    card = "kind: tenant\nname: R\nadopted: [lokal]\n"
    (told,) = said(estate(tmp_path, {"tenants.d/red/tenant.yaml": card}))
    assert told == "tenants.d/red/tenant.yaml:3:11: adopted: no environment 'lokal'; did you mean 'local'?"


def test_one_tenants_mistakes_block_nobody_else_and_all_are_told(tmp_path: Path) -> None:
    policies = estate(
        tmp_path,
        {
            BLUE: group("blue-x"),
            RED: "kind: group\nnam: a\n---\nkind: x\n---\nkind: group\nname: red-y\nmembers: []\n",
            "tenants.d/red/broken.yaml": "a: [\n",
            "tenants.d/red/more.yaml": b"\xff",
            "tenants.d/red/good.yaml": scope("red"),
        },
    )
    assert [line.split(": ")[0] for line in said(policies)] == [
        "tenants.d/red/broken.yaml:2:1",
        "tenants.d/red/groups.yaml:1:1",
        "tenants.d/red/groups.yaml:2:1",
        "tenants.d/red/groups.yaml:4:7",
        "tenants.d/red/more.yaml:1:1",
    ]
    assert set(policies.blocked) == {"red"}
    assert policies.blocked["red"] == policies.problems
    assert [each.tenant for each in policies.declared["entra"]] == ["blue"]
    assert policies.declared["entra"][0].blocked_tenants == {"red"}
    assert policies.declared["databricks"] == ()


def test_two_tenants_claiming_one_thing_are_both_told(tmp_path: Path) -> None:
    policies = estate(tmp_path, {BLUE: group("shared"), RED: group("Shared".lower())})
    assert said(policies) == [
        f"{BLUE}:2:7: 'shared' is also declared at {RED}:2; keep one of the two",
        f"{RED}:2:7: 'shared' is also declared at {BLUE}:2; keep one of the two",
    ]
    assert set(policies.blocked) == {"red", "blue"}


def test_letter_case_does_not_tell_two_groups_apart_but_two_folders(tmp_path: Path) -> None:
    text = group("red-x") + "---\n" + group("red-X") + "---\n"
    text += folder("lake/curated/red/a") + "---\n" + folder("lake/curated/red/A")
    (told,) = said(estate(tmp_path, {RED: text}))
    assert told.startswith(
        "tenants.d/red/groups.yaml:6:7: 'red-X' is also declared at tenants.d/red/groups.yaml:2"
    )


def test_who_reaches_outside_cannot_block_whom_it_belongs_to(tmp_path: Path) -> None:
    policies = estate(tmp_path, {BLUE: group("red-ds")})
    assert set(policies.blocked) == {"blue"}


def test_one_thing_may_be_declared_once_per_environment(tmp_path: Path) -> None:
    text = scope("red", more="environments: [local]\n") + "---\n" + scope("red", more="environments: [two]\n")
    files = {RED: text, "policies/two.yaml": environment("two")}
    policies = estate(tmp_path, files)
    assert said(policies) == []
    assert [len(policies.declared_in(name)["databricks"]) for name in ("local", "two")] == [1, 1]
    files[RED] = text.replace("[two]", "[local, two]")
    (told,) = said(estate(tmp_path, files))
    assert "also declared at" in told


def test_a_document_holds_where_its_names_are_mapped(tmp_path: Path) -> None:
    files = {RED: scope("red"), "policies/two.yaml": environment("two", workspaces=("other",))}
    policies = estate(tmp_path, files)
    assert said(policies) == []
    assert len(policies.declared_in("local")["databricks"]) == 1
    assert policies.declared_in("two")["databricks"] == []
    (told,) = said(estate(tmp_path, {**files, RED: scope("red", more="environments: [two]\n")}))
    assert told.startswith("tenants.d/red/groups.yaml:5:16: environment two does not map every name")


def test_names_that_are_not_pinned_are_notes_with_a_suggestion(tmp_path: Path) -> None:
    members = (
        "user:ana@corp.example",
        "user:anna@corp.example",
        "group:red-dss",
        "group:red-ds2",
        "sp:robot",
    )
    policies = estate(tmp_path, {RED: group("red-ds") + "---\n" + group("red-x", *members)})
    assert said(policies) == []
    notes = [str(note).partition(": ")[2] for note in policies.notes]
    assert notes == [
        "user:anna@corp.example is not pinned to an object id; did you mean 'user:ana@corp.example'?",
        "group:red-dss is not pinned to an object id; did you mean 'group:red-ds'?",
        "group:red-ds2 is not pinned to an object id; did you mean 'group:red-ds'?",
        "sp:robot is not pinned to an object id; if it is meant, run `reconciler pin`",
    ]


def test_many_unpinned_names_are_looked_for_once_and_told_by_their_number(tmp_path: Path) -> None:
    walked: list[str] = []

    def principals(declared: Declared) -> Iterator[tuple[str, Source]]:
        for name, source in GROUPS.principals(declared):
            walked.append(name)
            yield name, source

    kinds = (replace(GROUPS, principals=principals),)
    vocabularies = [
        replace(each, documents=kinds) if GROUPS in each.documents else each for each in VOCABULARIES
    ]
    members = [f"user:person-{number}@corp.example" for number in range(20_000)]
    pinned = ["user:ana@corp.example"] * 5_000
    card = {"tenants.d/blue/tenant.yaml": "kind: tenant\nname: Blue\n"}
    files = {
        **card,
        RED: group("red-x", *members[:15_000]),
        BLUE: group("blue-x", *pinned, *reversed(members)),
    }
    estate(tmp_path, files)
    policies = load(WorkingTree(tmp_path), vocabularies)
    assert said(policies) == []
    assert len(walked) <= 2 * (5_000 + 20_000 + 15_000), (
        "each document: once for its names, once for their places"
    )
    *told, last = policies.notes
    assert len(told) == 100
    text = "from here on, 19,900 more names are not pinned to an object id; run `reconciler pin`"
    assert last.text == text
    next_name = (tmp_path / BLUE).read_text("utf-8").splitlines()[2][last.source.column - 1 :]
    assert next_name.startswith(f"{members[-101]},")
    for note in told:
        name = note.text.partition(" ")[0]
        line = (tmp_path / note.source.file).read_text("utf-8").splitlines()[note.source.line - 1]
        assert line[note.source.column - 1 :].startswith(name), "a note stands where its name does"


def test_every_tenant_that_names_an_impostor_is_told(tmp_path: Path) -> None:
    files = {RED: group("red-x", PAY), BLUE: group("blue-x", "group:pay", PAY)}
    policies = estate(tmp_path, files)
    assert set(policies.blocked) == {"red", "blue"}
    assert said(estate(tmp_path / "accent", {RED: group("shared", "group:sh\u00e5red")})) == []


def test_without_a_lock_there_is_one_note_and_not_one_per_name(tmp_path: Path) -> None:
    policies = estate(
        tmp_path, {"policies/principals.lock.yaml": None, RED: group("red-x", "user:a", "user:b")}
    )
    (note,) = policies.notes
    assert "no name is pinned" in note.text


def test_a_tenant_without_a_card_has_adopted_nothing(tmp_path: Path) -> None:
    policies = estate(tmp_path, {"tenants.d/red/tenant.yaml": None})
    assert policies.declared["entra"][0].adopted == frozenset()
    assert ["adopted no environment" in note.text for note in policies.notes] == [True]


def test_nothing_to_read_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"no policies/ and no tenants\.d/ here"):
        load(WorkingTree(tmp_path), VOCABULARIES)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(tmp_path: Path, enabled: bool) -> None:
    was = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        estate(tmp_path, {})
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()


def test_problems_are_sorted_whatever_the_order_of_files(tmp_path: Path) -> None:
    files = {f"tenants.d/red/{name}.yaml": "kind: x\n---\nkind: y\n" for name in "cab"}
    policies = estate(tmp_path, files)
    places = [(each.source.file, each.source.line) for each in policies.problems]
    assert places == sorted(places)
    assert len(places) == 6
