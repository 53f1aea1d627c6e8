"""What a change that nobody has reviewed may decide: never where credentials go."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.environment import (
    AcceptedGap,
    ContainerSettings,
    DatabricksSettings,
    EntraSettings,
    Environment,
    InventorySettings,
    LakeSettings,
    StoreSettings,
    WorkspaceSettings,
)
from reconciler.policy.revision import changed_files
from tests.policy.repository import Repository

HERE = Environment(
    name="prod",
    entra=EntraSettings(name="corp", tenant_id="1"),
    databricks=DatabricksSettings(
        account_id="2", workspaces={"ml": WorkspaceSettings(name="ml", host="https://ml", workspace_id="3")}
    ),
    lakes={"lake": LakeSettings(name="lake", dfs="https://dfs", blob="https://blob")},
)
GAP = AcceptedGap(address="a/b/c/d", until=date(2027, 1, 1), because="hidden")
ELSEWHERE = "https://elsewhere"


def databricks(**changes: Any) -> Environment:
    assert HERE.databricks
    return replace(HERE, databricks=replace(HERE.databricks, **changes))


def lake(**changes: Any) -> Environment:
    return replace(HERE, lakes={"lake": replace(HERE.lakes["lake"], **changes)})


MOVED = {
    "authority": replace(HERE, entra=replace(HERE.entra, authority=ELSEWHERE)),
    "graph": replace(HERE, entra=replace(HERE.entra, graph=ELSEWHERE)),
    "arm": replace(HERE, entra=replace(HERE.entra, arm=ELSEWHERE)),
    "tenant": replace(HERE, entra=replace(HERE.entra, tenant_id="9")),
    "account": databricks(account_id="9"),
    "account host": databricks(account_host=ELSEWHERE),
    "workspace": databricks(
        workspaces={"ml": WorkspaceSettings(name="ml", host=ELSEWHERE, workspace_id="3")}
    ),
    "new workspace": databricks(workspaces={}),
    "no Databricks": replace(HERE, databricks=None),
    "dfs": lake(dfs=ELSEWHERE),
    "blob": lake(blob=ELSEWHERE),
    "storage account": lake(resource_id="/subscriptions/9"),
    "new lake": replace(HERE, lakes={}),
    "credential": replace(HERE, azure_credential="client-secret"),
    "Databricks credential": replace(HERE, databricks_credential="oauth-m2m"),
    "trust": replace(HERE, ca_file="policies/ca.pem"),
    "store": replace(HERE, store=StoreSettings(container=ELSEWHERE)),
    "name": replace(HERE, name="dev"),
}
SAME = {
    "gaps": replace(HERE, accepted_gaps=(GAP,)),
    "patience": replace(HERE, patience=1.0),
    "sync": databricks(identity_sync="scim"),
    "containers": lake(containers={"raw": ContainerSettings(name="raw")}),
    "inventory": lake(inventory=InventorySettings(container="inventory", rule="nightly")),
}


@pytest.mark.parametrize("what", MOVED)
def test_whatever_moves_a_credential_is_seen(what: str) -> None:
    assert MOVED[what].endpoints != HERE.endpoints


@pytest.mark.parametrize("what", SAME)
def test_what_moves_none_is_free_to_change(what: str) -> None:
    assert SAME[what].endpoints == HERE.endpoints


def test_new_settings_are_held_to_move_credentials_until_somebody_says_otherwise() -> None:
    known = {"name", "entra", "databricks", "lakes", "azure_credential", "databricks_credential", "ca_file"}
    assert {each.name for each in fields(Environment)} - known - {"store"} == {"accepted_gaps", "patience"}


def test_what_a_revision_changes_is_known_whatever_lies_in_the_working_tree(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "clone")
    repository.commit({"policies/a.yaml": "a\n", "tenants.d/red/b.yaml": "b\n", "README.md": "r\n"})
    repository.git("checkout", "-q", "-b", "topic")
    topic = repository.commit({"tenants.d/red/b.yaml": "changed\n", "README.md": "changed\n"})
    repository.git("checkout", "-q", "main")
    repository.commit({"policies/a.yaml": "moved on\n"})
    repository.write("tenants.d/red/lying about.yaml", "c\n")
    assert changed_files(repository.root, "main", topic) == {"tenants.d/red/b.yaml"}
    assert changed_files(repository.root, "main") == {"tenants.d/red/lying about.yaml"}
