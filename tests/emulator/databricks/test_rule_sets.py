"""Rule sets: who manages a group or a service principal."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.databricks.estate import ACCOUNT, APP, Estate

ROOT = f"/api/2.0/preview/accounts/{ACCOUNT}/access-control"
GROUP = f"accounts/{ACCOUNT}/groups/500/ruleSets/default"
RULE = {"role": "roles/group.manager", "principals": ["users/bo@corp.example"]}


@pytest.fixture
def estate() -> Estate:
    return Estate()


def read(estate: Estate, name: str = GROUP) -> Any:
    return estate.at_account("GET", f"{ROOT}/rule-sets?name={name}&etag=")


def written(name: str, etag: str, *rules: Any) -> dict[str, Any]:
    return {"name": name, "rule_set": {"name": name, "etag": etag, "grant_rules": list(rules)}}


def test_a_rule_set_is_read_changed_and_read_through_the_proxy(estate: Estate) -> None:
    before = read(estate)
    assert "grant_rules" not in before

    after = estate.at_account("PUT", f"{ROOT}/rule-sets", written(GROUP, before["etag"], RULE))

    assert after["grant_rules"] == [RULE]
    assert after["etag"] != before["etag"]
    proxy = "/api/2.0/preview/accounts/access-control/rule-sets"
    assert estate.call("GET", f"{proxy}?name={GROUP}&etag=") == after


def test_an_old_etag_is_a_conflict(estate: Estate) -> None:
    etag = read(estate)["etag"]
    estate.at_account("PUT", f"{ROOT}/rule-sets", written(GROUP, etag, RULE))

    status, error = estate.refused(
        "PUT", f"{ROOT}/rule-sets", written(GROUP, etag), endpoint="databricks-account"
    )

    assert (status, error["error_code"]) == (409, "RESOURCE_CONFLICT")
    assert read(estate)["grant_rules"] == [RULE]


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        ({"role": "roles/servicePrincipal.user", "principals": []}, 400),
        ({**RULE, "principals": ["users/nobody@corp.example"]}, 404),
        ({**RULE, "principals": ["bo@corp.example"]}, 404),
    ],
)
def test_rules_that_are_refused(estate: Estate, rule: Any, status: int) -> None:
    body = written(GROUP, read(estate)["etag"], rule)

    assert estate.refused("PUT", f"{ROOT}/rule-sets", body, endpoint="databricks-account")[0] == status


def test_roles_depend_on_the_resource(estate: Estate) -> None:
    def roles(resource: str) -> list[str]:
        found = estate.at_account("GET", f"{ROOT}/assignable-roles?resource={resource}")["roles"]
        return [role["name"] for role in found]

    assert roles(f"accounts/{ACCOUNT}/groups/500") == ["roles/group.manager"]
    assert "roles/servicePrincipal.manager" in roles(f"accounts/{ACCOUNT}/servicePrincipals/{APP}")


@pytest.mark.parametrize(
    ("name", "status"),
    [
        (f"accounts/{ACCOUNT}/groups/1/ruleSets/default", 404),
        ("accounts/other/ruleSets/default", 400),
        ("x", 400),
    ],
)
def test_names_of_nothing(estate: Estate, name: str, status: int) -> None:
    target = f"{ROOT}/rule-sets?name={name}&etag="

    assert estate.refused("GET", target, endpoint="databricks-account")[0] == status


def test_only_account_admins(estate: Estate) -> None:
    target = f"{ROOT}/rule-sets?name={GROUP}&etag="

    assert estate.refused("GET", target, caller="reader", endpoint="databricks-account")[0] == 403
