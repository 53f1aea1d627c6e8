"""The laws of a provider over generated estates: what was approved is what changed, and nothing else.

Facts are asserted in the emulator's own state, never through a diff.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.model import EXISTS, Attribute, Verb
from reconciler.core.plan import Action, Status
from tests.providers.databricks.estate import CLIENT_ID, SEED, Estate, entitlements, estate, grant, scope

PEOPLE = (
    "group:pricing-ds",
    "group:pricing-eng",
    "group:Pricing Leads é",
    "group:newcomers",
    "user:lea@corp.example",
    "sp:pricing-airflow",
)
"""Everybody but one is assigned in the sample estate."""
INSIDE = tuple(who for who in PEOPLE if who != "group:newcomers")
NAMES = (
    "workspace-access",
    "databricks-sql-access",
    "workspace-consume",
    "allow-cluster-create",
    "quantum-access",
)
RIGHTS = ("read", "write", "manage")

held = st.dictionaries(st.sampled_from(INSIDE), st.frozensets(st.sampled_from(NAMES)), max_size=5)
acl = st.dictionaries(st.sampled_from(INSIDE), st.sampled_from(RIGHTS), max_size=5)
wanted_held = st.dictionaries(
    st.sampled_from(PEOPLE), st.frozensets(st.sampled_from(NAMES[:4]), min_size=1), max_size=4
)
wanted_acl = st.dictionaries(st.sampled_from(INSIDE), st.sampled_from(RIGHTS), max_size=5)
case = st.fixed_dictionaries(
    {
        "held": held,
        "acl": acl,
        "wanted": wanted_held,
        "wanted_acl": wanted_acl,
        "new": st.booleans(),
    }
)


@contextmanager
def drifted(drawn: Mapping[str, Any]) -> Iterator[Estate]:
    """The sample estate with the drawn live state behind the policies' back."""
    with tempfile.TemporaryDirectory() as folder, estate(Path(folder)) as here:
        for who, names in drawn["held"].items():
            here.entitle(who, *sorted(names))
        scope_ = here.workspace.scopes["pricing"]
        scope_.acls = {key: right for key, right in scope_.acls.items() if right == "MANAGE"}
        for who, right in drawn["acl"].items():
            here.allow("pricing", who, right.upper())
        yield here


def documents(drawn: Mapping[str, Any]) -> list[dict[str, Any]]:
    grants = [grant(who, sorted(names)) for who, names in sorted(drawn["wanted"].items())]
    rights = [grant(who, right) for who, right in sorted(drawn["wanted_acl"].items())]
    return [entitlements(*grants), scope("brand-new" if drawn["new"] else "pricing", *rights)]


def plan(here: Estate, drawn: Mapping[str, Any]) -> tuple[Action, ...]:
    result = here.compile(*documents(drawn))
    assert result.problems == ()
    return here.plan(result.wanted)


def facts(here: Estate) -> dict[tuple[str, str, str], str]:
    """Everything that the workspace holds for anybody, as (thing, role, wire name or id) to value."""
    state: dict[tuple[str, str, str], str] = {}
    for ident, permissions in here.workspace.assigned.items():
        state["entitlements", "assignment", ident] = permissions[0]
    for ident, names in here.workspace.entitlements.items():
        state.update({("entitlements", name, ident): "held" for name in names})
    for name in here.workspace.scopes:
        state[name, EXISTS, ""] = "present"
        state.update({(name, "acl", who): right for who, right in here.acl(name).items()})
    return state


def key_of(here: Estate, action: Action) -> tuple[str, str, str]:
    """Where an action's fact stands in that state."""
    role, principal = action.attribute
    if action.address.kind == "entitlements":
        return "entitlements", role, here.ident(principal)
    wire = {"sp:reconciler": CLIENT_ID}.get(principal, principal.partition(":")[2])
    if principal == "sp:pricing-airflow":
        wire = "22222222-0000-4000-8000-000000000002"
    return action.address.locator, role, wire


@settings(max_examples=12)
@given(case)
def test_after_apply_live_is_what_was_wanted_and_a_second_plan_is_empty(drawn: dict[str, Any]) -> None:
    with drifted(drawn) as here:
        outcomes = here.write(plan(here, drawn))
        assert {outcome.status for outcome in outcomes.values()} <= {Status.ACCEPTED}
        for who, names in drawn["wanted"].items():
            kept = here.held(who)
            includes = {"workspace-access", "databricks-sql-access"} & names
            # Consumer access beside what includes it is noise that nobody is asked to approve.
            assert (kept - {"workspace-consume"} if includes else kept) == (
                names - {"workspace-consume"} if includes else names
            )
            assert here.assigned(who) == ["USER"]
        rights = {who.partition(":")[2]: right.upper() for who, right in drawn["wanted_acl"].items()}
        if "pricing-airflow" in rights:
            rights["22222222-0000-4000-8000-000000000002"] = rights.pop("pricing-airflow")
        name = "brand-new" if drawn["new"] else "pricing"
        assert here.acl(name) == {CLIENT_ID: "MANAGE", **rights}
        assert plan(here, drawn) == ()


@settings(max_examples=12)
@given(case, st.data())
def test_a_half_approved_plan_changes_exactly_its_half(drawn: dict[str, Any], data: Any) -> None:
    with drifted(drawn) as here:
        actions = plan(here, drawn)
        chosen = [action for action in actions if data.draw(st.booleans(), label=str(action.attribute))]
        before = facts(here)
        outcomes = here.write(chosen)
        after = facts(here)
        accepted = [action for action in chosen if outcomes[action.id].status is Status.ACCEPTED]
        allowed = {key_of(here, action): action.after for action in accepted}
        for action in accepted:
            if action.verb is Verb.CREATE:
                # Whoever makes a scope manages it.
                allowed[action.address.locator, "acl", CLIENT_ID] = "MANAGE"
        changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        assert changed <= allowed.keys()
        assert {key: after.get(key) for key in allowed} == allowed
        # What was not carried out was refused because something it rests on was not approved.
        for action in chosen:
            if outcomes[action.id].status is not Status.ACCEPTED:
                assert outcomes[action.id].status is Status.REFUSED
                assert "approve" in outcomes[action.id].reason


@settings(max_examples=10)
@given(case)
def test_reading_twice_is_equal_and_live_as_desired_plans_nothing(drawn: dict[str, Any]) -> None:
    with drifted(drawn) as here:
        wanted = here.compile(*documents(drawn)).wanted
        first, second = here.read(wanted), here.read(wanted)
        assert (first.found, first.gaps, first.findings) == (second.found, second.gaps, second.findings)
        as_live = [grant(who, right) for who, right in sorted(drawn["acl"].items())]
        assert here.plan(here.compile(scope("pricing", *as_live)).wanted) == ()


def test_a_thousand_and_one_groups_are_all_seen() -> None:
    names = [f"team-{number:04}" for number in range(1001)]
    groups = [*SEED["directory"]["groups"], *({"name": name} for name in names)]
    workspace = {
        "assigned": [{"principal": f"group:{name}"} for name in names],
        "entitlements": {f"group:{name}": ["workspace-access"] for name in names},
        "scopes": [{"name": "pricing", "acls": {f"group:{name}": "READ" for name in names}}],
    }
    change: dict[str, Any] = {
        "directory": {"groups": groups},
        "databricks": {"workspaces": {"ml-prod": workspace}},
    }
    with tempfile.TemporaryDirectory() as folder, estate(Path(folder), **change) as here:
        grants = [grant(f"group:{name}", "workspace-access") for name in names]
        rights = [grant(f"group:{name}", "read") for name in names[:-1]]
        wanted = here.compile(entitlements(*grants), scope("pricing", *rights)).wanted
        (action,) = here.plan(wanted)
        assert action.attribute == Attribute("acl", "group:team-1000")
        assert len(here.requests()) == 5
