"""What tests ask of the estate and of what came back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.core.model import Address, Finding, Live, Wanted
from reconciler.core.plan import Action, Outcome
from reconciler.core.vocabulary import Boundary
from reconciler.emulator.databricks.state import GROUPS, Identity, stable_id
from reconciler.emulator.faults import Fault
from tests.providers.databricks.estate import CLIENT_ID, Estate, databricks

DS, ENG, NEW = "group:pricing-ds", "group:pricing-eng", "group:newcomers"
LEA, AIRFLOW = "user:lea@corp.example", "sp:pricing-airflow"
OWN = {CLIENT_ID: "MANAGE"}
"""The ACL of a scope on which there is nobody but ourselves."""
ALL = (
    Boundary(tenant="pricing", kind="entitlements", installation="ml-prod", patterns=("**",)),
    Boundary(tenant="pricing", kind="secret-scope", installation="ml-prod", patterns=("*",)),
)


def at(kind: str, locator: str) -> Address:
    """An address in ml-prod."""
    return Address("databricks", "ml-prod", kind, locator)


def facts(live: Live, kind: str, locator: str) -> dict[tuple[str, str], str]:
    """What was found of one thing."""
    found = live.found[at(kind, locator)]
    return {(fact.role, fact.principal): value for fact, value in found.grants.items()}


def told(live: Live, rule: str) -> list[Finding]:
    """The findings of one rule."""
    return [finding for finding in live.findings if finding.rule == rule]


def wanted(here: Estate, *documents: Mapping[str, Any]) -> tuple[Wanted, ...]:
    """What faultless documents come to."""
    result = here.compile(*documents)
    assert result.problems == ()
    return tuple(result.wanted)


def plan(here: Estate, *documents: Mapping[str, Any]) -> tuple[Action, ...]:
    """The ordered actions that faultless documents ask for."""
    return here.plan(wanted(here, *documents))


def pick(actions: Iterable[Action], verb: str, who: str = "", role: str = "") -> Action:
    """The one action of this verb, principal and role."""
    (action,) = [
        each
        for each in actions
        if each.verb == verb and each.attribute.principal == who and role in ("", each.attribute.role)
    ]
    return action


def only(outcomes: Mapping[str, Outcome]) -> Outcome:
    """The one outcome."""
    (outcome,) = outcomes.values()
    return outcome


def order(here: Estate, **fault: Any) -> Fault:
    """Put a fault in force on the API of ml-prod, its token endpoint spared."""
    made = Fault(**{"service": "databricks/ml-prod", "target": "/api/", **fault})
    here.emulator.world.faults.add(made)
    return made


def writes(here: Estate) -> list[str]:
    """Everything sent but reads, as `POST secrets/acls/put`."""
    sent = [each for each in here.requests() if each.method != "GET"]
    return [f"{each.method} {each.path.removeprefix('/api/2.0/')}" for each in sent]


def local_group(here: Estate, name: str) -> Identity:
    """A group that only the workspace knows."""
    account = databricks(here.emulator).account
    ident = stable_id(GROUPS, f"local/{name}")
    return account.add(Identity(GROUPS, ident, {"displayName": name}, home="ml-prod"))
