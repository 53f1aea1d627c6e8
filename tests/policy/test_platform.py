"""The platform's half: its settings arrive, and while it is in error no tenant is blamed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.core.environment import InventorySettings
from reconciler.core.guardrails import Limit
from tests.policy.small import GUID, environment, estate, group, said, scope

RED = "tenants.d/red/groups.yaml"


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


def test_what_a_broken_environment_would_know_is_not_held_against_a_tenant(tmp_path: Path) -> None:
    broken = environment("two", workspaces=("other",)).replace("tenant-id", "tenantid")
    files = {"policies/two.yaml": broken, RED: scope("red", "other") + "environments: [two]\n"}
    policies = estate(tmp_path, files)
    (told,) = said(policies)
    assert told.startswith("policies/two.yaml:3:")
    assert policies.blocked == {}
    assert len(policies.unusable) == 1


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


def with_inventory(text: str) -> dict[str, str | bytes | None]:
    return {"policies/local.yaml": f"{environment('local')}    inventory:\n      {text}\n"}


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("{container: inventory, rule: nightly}", InventorySettings(container="inventory", rule="nightly")),
        (
            "{container: inv-1, rule: Rule_1, prefix: a/b, max-age: 3d, containers: [curated], names: path, "
            "percent-encoded: true}",
            InventorySettings(
                container="inv-1",
                rule="Rule_1",
                prefix="a/b",
                max_age=timedelta(days=3),
                containers=frozenset({"curated"}),
                names="path",
                percent_encoded=True,
            ),
        ),
    ],
)
def test_an_inventory_arrives(tmp_path: Path, text: str, settings: InventorySettings) -> None:
    policies = estate(tmp_path, with_inventory(text))
    assert said(policies) == []
    lake = policies.environments["local"].lakes["lake"]
    assert lake.inventory == settings
    assert lake.inventoried("curated") and not lake.inventoried("raw")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{rule: nightly}", "lakes.lake.inventory: the key `container` is missing"),
        (
            "{container: Inventory, rule: nightly}",
            "'Inventory' is not spelt as it has to be, such as inventory",
        ),
        ("{container: inventory, rule: a/b}", "'a/b' is not spelt as it has to be, such as nightly"),
        (
            "{container: inventory, rule: n, max-age: 36}",
            "inventory.max-age: '36' is not spelt as it has to be, such as 36h",
        ),
        (
            "{container: inventory, rule: n, max-age: 36m}",
            "'36m' is not spelt as it has to be, such as 36h",
        ),
        ("{container: inventory, rule: n, prefix: ../x}", "'../x' is not spelt as it has to be"),
        ("{container: inventory, rule: n, prefix: /x}", "'/x' is not spelt as it has to be"),
        ("{container: inventory, rule: n, names: none}", "'none' is none of auto, container, path"),
        (
            "{container: inventory, rule: n, containers: [curate]}",
            ":14:52: lakes.lake.inventory.containers: the lake has no container 'curate'; did you mean",
        ),
    ],
)
def test_a_mistake_in_an_inventory_is_told(tmp_path: Path, text: str, words: str) -> None:
    told = said(estate(tmp_path, with_inventory(text)))[-1]
    assert told.startswith("policies/local.yaml:14:" if "container:" in text else "policies/local.yaml:13:")
    assert words in told


def test_missing_guardrails_are_careful_ones_and_said(tmp_path: Path) -> None:
    missing = {"policies/guardrails.yaml": None, "policies/approval-rules.yaml": None}
    policies = estate(tmp_path, missing)
    assert policies.rules.removals == {"*": Limit(count=10, percent=30.0)}
    assert policies.entitlements == ()
    assert len(policies.notes) == 2


@pytest.mark.parametrize(
    ("written", "limit"),
    [
        ("", Limit(count=10, percent=30.0)),
        ("removals: {'*': {count: 4}}", Limit(count=4, percent=30.0)),
        ("removals: {'*': {percent: 5}}", Limit(count=10, percent=5.0)),
        ("removals: {group: {count: 4}}", Limit(count=4, percent=30.0)),
        ("removals: {group: {count: 0}, '*': {percent: 0}}", Limit(count=0, percent=0.0)),
        (
            "removals: {'*': {percent: 50}}\ntenant-removals: {red: {'*': {count: 2}}}",
            Limit(count=2, percent=50.0),
        ),
        ("tenant-removals: {red: {group: {percent: 100}}}", Limit(count=10, percent=100.0)),
    ],
)
def test_a_figure_that_nobody_wrote_is_a_careful_one(tmp_path: Path, written: str, limit: Limit) -> None:
    policies = estate(tmp_path, {"policies/guardrails.yaml": f"kind: guardrails\n{written}\n"})
    assert said(policies) == []
    assert policies.rules.limit("red", "group") == limit


def test_what_several_lose_together_is_limited_unless_somebody_says_so(tmp_path: Path) -> None:
    for number, (written, tenant, everything) in enumerate(
        [
            ("", Limit(count=20), Limit(count=100)),
            ("removals-together: {tenant: {count: 5}}", Limit(count=5), Limit(count=100)),
            ("removals-together: {all: {percent: 5}}", Limit(count=20), Limit(percent=5.0)),
        ]
    ):
        text = f"kind: guardrails\n{written}\n"
        rules = estate(tmp_path / str(number), {"policies/guardrails.yaml": text}).rules
        assert (rules.together.tenant, rules.together.all) == (tenant, everything)
        assert rules.together.kind == Limit(count=50)
    none = estate(tmp_path / "none", {"policies/guardrails.yaml": None}).rules
    assert none.together.all == Limit(count=100)


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
