"""What tenants may write, and what they are told when they may not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from reconciler.providers.databricks import VOCABULARY
from reconciler.providers.databricks.documents import EntitlementsDocument, SecretScopeDocument
from tests.providers.databricks.estate import entitlements, grant, scope


def faults(model: Any, document: dict[str, Any]) -> list[tuple[tuple[Any, ...], str]]:
    """Every fault as (place, message)."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(document)
    return [(each["loc"], each["msg"]) for each in caught.value.errors()]


def test_one_entitlement_may_stand_alone() -> None:
    document = EntitlementsDocument.model_validate(entitlements(grant("group:x", "workspace-access")))
    assert document.grants[0].can == ("workspace-access",)


def test_a_misspelt_entitlement_is_told_with_all_there_are_at_its_place() -> None:
    bad = entitlements(grant("group:x", ["workspace-access", "sql-acces"]))
    ((place, text),) = faults(EntitlementsDocument, bad)
    assert place == ("grants", 0, "can", 1)
    assert "'databricks-sql-access'" in text


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({"was": "old"}, ("was",), "no name of their own"),
        ({"destroy": True}, ("destroy",), "`state: retired` alone"),
        ({"grants": [grant("group:x", [])]}, ("grants", 0, "can"), "at least 1"),
        ({"grants": [grant("everybody", "workspace-access")]}, ("grants", 0, "who"), "is not a principal"),
        ({"unlistd": "keep"}, ("unlistd",), "Extra inputs"),
    ],
)
def test_entitlements_that_are_refused(change: dict[str, Any], place: tuple[Any, ...], words: str) -> None:
    ((found, text),) = faults(EntitlementsDocument, entitlements(**change))
    assert found == place
    assert words in text


def test_grants_must_be_written_and_may_be_empty() -> None:
    document = entitlements()
    assert EntitlementsDocument.model_validate(document).grants == ()
    del document["grants"]
    assert faults(EntitlementsDocument, document) == [(("grants",), "Field required")]


VAULT = {"resource-id": "/subscriptions/s/vaults/kv", "dns-name": "https://kv.vault.azure.net/"}


def test_a_vault_is_named_in_full() -> None:
    document = SecretScopeDocument.model_validate(scope("s", backend="keyvault", **VAULT))
    assert (document.resource_id, document.dns_name) == tuple(VAULT.values())


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({"was": "old"}, ("was",), "cannot rename a secret scope"),
        ({"backend": "keyvault"}, (), "needs both"),
        ({"backend": "keyvault", "dns-name": "https://x/"}, (), "needs both"),
        (VAULT, (), "belong to `backend: keyvault`"),
        ({"name": "with space"}, ("name",), "match pattern"),
        ({"name": "é"}, ("name",), "match pattern"),
        ({"name": "x" * 129}, ("name",), "match pattern"),
        ({"grants": [grant("group:x", "READ")]}, ("grants", 0, "can"), "'read', 'write' or 'manage'"),
        ({"keys": [{"name": "k", "rotate-every": "3 months"}]}, ("keys", 0, "rotate-every"), "such as 90d"),
        ({"keys": [{"name": "k", "rotate-every": "0d"}]}, ("keys", 0, "rotate-every"), "such as 90d"),
        ({"keys": [{"name": "Key"}, {"name": "key"}]}, ("keys",), "listed twice"),
        ({"keys": [{"name": "k", "value": "s3cret"}]}, ("keys", 0, "value"), "Extra inputs"),
    ],
)
def test_scopes_that_are_refused(change: dict[str, Any], place: tuple[Any, ...], words: str) -> None:
    document = scope("s") | change
    ((found, text),) = faults(SecretScopeDocument, document)
    assert found == place
    assert words in text


@pytest.mark.parametrize("kind", VOCABULARY.documents, ids=lambda kind: kind.kind)
def test_schemas_help_an_editor(kind: Any) -> None:
    schema = kind.model.model_json_schema()
    assert all("description" in each for each in schema["properties"].values() if "const" not in each)
    assert schema["additionalProperties"] is False
    if kind.kind == "entitlements":
        can = schema["$defs"]["EntitlementGrant"]["properties"]["can"]
        assert can["anyOf"][1]["items"]["enum"][0] == "workspace-access"
    else:
        assert {"resource-id", "dns-name"} <= schema["properties"].keys()
