"""A whole estate: what it comes to, what is wrong in it, and who is blocked for it."""

from __future__ import annotations

import gc
from datetime import date
from pathlib import Path

import pytest

from reconciler.core.errors import PolicyError
from reconciler.core.guardrails import Limit
from reconciler.core.model import Address, Attribute, Verb
from reconciler.policy.load import load
from reconciler.policy.tree import WorkingTree
from tests.policy.small import GUID, VOCABULARIES, environment, estate, said

BLUE = "tenants.d/blue/groups.yaml"
RED = "tenants.d/red/groups.yaml"


def group(name: str, *members: str, more: str = "") -> str:
    return f"kind: group\nname: {name}\nmembers: [{', '.join(members)}]\n{more}"


def scope(name: str, workspace: str = "ml", more: str = "") -> str:
    return f"kind: secret-scope\nworkspace: {workspace}\nname: {name}\ngrants: []\n{more}"


def folder(path: str, more: str = "") -> str:
    return f"kind: lake-folder\nfolder: {path}\ngrants: []\n{more}"


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


def boundary(text: str) -> str:
    return f"kind: boundaries\ntenants: {{new: {{{text}}}}}\n"


OTHER_DIRECTORY = environment("two", directory="local").replace(GUID.format(1), GUID.format(9))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            environment("local"),
            "2:7: environment local is already given at policies/local.yaml:1; rename one",
        ),
        (OTHER_DIRECTORY, "3:15: entra.name 'local' stands for another directory at policies/local.yaml:3;"),
        (
            "kind: guardrails\n",
            "1:1: kind: guardrails is already given at policies/guardrails.yaml:1; merge the",
        ),
        ("kind: boundaries\ntenants: {red: {}}\n", "2:11: tenant red already has a boundary at"),
        (boundary("scopes: [red]"), "2:26: tenants.new.scopes: 'red' names no scope; write workspace/scope"),
        (
            boundary("folders: [lake]"),
            "2:27: tenants.new.folders: 'lake' names no folder; write lake/container",
        ),
        (
            boundary("workspaces: [lm]"),
            "2:30: tenants.new.workspaces: no environment knows a workspace 'lm'; did",
        ),
        (boundary("folder: []"), "2:17: tenants.new: unknown key 'folder'; did you mean `folders`?"),
        (group("red-x"), "1:7: kind: 'group' belongs into tenants.d/, not here"),
        ("a: [", "2:1: not valid YAML"),
    ],
)
def test_a_mistake_of_the_platform_leaves_nothing_to_plan(tmp_path: Path, text: str, line: str) -> None:
    policies = estate(tmp_path, {"policies/more.yaml": text})
    (told,) = said(policies)
    assert told.startswith(f"policies/more.yaml:{line}")
    assert len(policies.unusable) == 1
    # What is missing in the platform's half is not held against a tenant.
    assert policies.blocked == {}


def rules(text: str) -> str:
    return f"kind: approval-rules\nrules: [{{who: [user:a@b.c], {text}}}]\n"


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("local", None, "policies:1:1: no valid document of kind environment"),
        ("boundaries", None, "policies:1:1: no valid document of kind boundaries"),
        (
            "guardrails",
            "kind: guardrails\nremovals: {grup: {count: 1}}\n",
            ":2:12: removals: no kind 'grup'; did",
        ),
        (
            "guardrails",
            "kind: guardrails\nremovals: {group: {count: -1}}\n",
            ":2:27: removals.group.count: has to",
        ),
        (
            "approval-rules",
            rules("verbs: [grnt]"),
            ":2:37: rules[0].verbs: no such thing as 'grnt'; did you mean",
        ),
        (
            "approval-rules",
            rules("kinds: [x]"),
            ":2:37: rules[0].kinds: no such thing as 'x'; known are folder,",
        ),
        ("approval-rules", rules("who: []"), ":2:29: the key 'who' is already given in line 2"),
        (
            "approval-rules",
            rules("").replace("user:a@b.c", "group:x"),
            ":2:16: rules[0].who[0]: 'group:x' is no",
        ),
        (
            "approval-rules",
            "kind: approval-rules\nself: no\nrules: []\n",
            ":2:7: self: 'no' is none of refused",
        ),
    ],
)
def test_a_mistake_in_the_platforms_settings_is_told(
    tmp_path: Path, name: str, text: str | None, line: str
) -> None:
    file = f"policies/{name}.yaml"
    policies = estate(tmp_path, {file: text})
    (told,) = said(policies)
    assert told.startswith(line if text is None else file + line)
    assert len(policies.unusable) == 1
    assert policies.blocked == {}


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


def test_missing_guardrails_are_careful_ones_and_said(tmp_path: Path) -> None:
    missing = {"policies/guardrails.yaml": None, "policies/approval-rules.yaml": None}
    policies = estate(tmp_path, missing)
    assert policies.rules.removals == {"*": Limit(count=10, percent=30.0)}
    assert policies.entitlements == ()
    assert len(policies.notes) == 2


def test_settings_arrive(tmp_path: Path) -> None:
    files = {
        "policies/guardrails.yaml": "kind: guardrails\nremovals: {'*': {count: 5, percent: 10}}\n"
        "tenant-removals: {red: {group: {count: 1}}}\nown-identities: [sp:me]\n"
        "break-glass: [user:X@corp.example]\nprotected-admins: ['*-admins']\n"
        "groups-only: [blue]\nwide: [other]\n",
        "policies/approval-rules.yaml": "kind: approval-rules\nrules:\n"
        "  - {who: [user:Lea@corp.example, bo@corp.example], tenants: [red], overrides: [removals]}\n",
        "tenants.d/red/tenant.yaml": "kind: tenant\nname: Red\ngroups-only: true\n",
    }
    policies = estate(tmp_path, files)
    assert said(policies) == []
    rules = policies.rules
    assert rules.removals["*"] == Limit(count=5, percent=10.0)
    assert rules.tenant_removals["red"]["group"] == Limit(count=1)
    assert rules.protected == {"sp:me", "user:x@corp.example"}
    assert rules.groups_only == {"red", "blue"}
    assert (rules.admin_groups, rules.wide) == (("*-admins",), ("other",))
    (rule,) = policies.entitlements
    assert rule.approvers == {"lea@corp.example", "bo@corp.example"}
    assert (rule.tenants, rule.verbs, rule.overrides) == (("red",), ("*",), ("removals",))


APPROVAL = """\
kind: approval
environment: local
because: agreed in CHG-7
expires: 2027-01-31
override: [{rule: removals, because: "the team moves"}]
actions:
  - verb: grant
    on: databricks/ml/secret-scope/red
    role: acl
    who: group:red-ds
    after: READ
    until: 2027-02-01
    ids: {"group:red-ds": 00000000-0000-4000-8000-000000000007}
  - {verb: set, on: adls/lake/folder/a/b, role: access, who: user:x, before: [null, r-x], after: rwx}
"""


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
        (("on: databricks/ml", "on: ml"), ":8:9: actions[0].on: 'ml/secret-scope/red' is not an address"),
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
