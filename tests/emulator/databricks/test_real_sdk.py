"""The unmodified Databricks SDK against the emulator, over TLS with its CA and its own credential flows."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulator.faults import Fault
from reconciler.emulator.server import Emulator, running
from tests.emulator.databricks.estate import ACCOUNT, APP, READER, SCIM, SEED, WORKSPACE, jwt

sdk = pytest.importorskip("databricks.sdk", reason="the Databricks SDK is not installed")

from databricks.sdk.core import Config  # noqa: E402
from databricks.sdk.errors import InternalError, NotFound, PermissionDenied, ResourceConflict  # noqa: E402
from databricks.sdk.service import iam, workspace  # noqa: E402

DIRECTORY: dict[str, Any] = {
    "users": [
        {"upn": f"{name}@corp.example", "display-name": f"{name.title()} Example"}
        for name in ("ana", "bo", "cy")
    ],
    "groups": [
        {"name": "pricing-nested", "members": ["user:cy@corp.example"]},
        {"name": "pricing-ds", "members": ["user:ana@corp.example", "group:pricing-nested"]},
        {"name": "unresolved", "members": ["user:bo@corp.example"]},
    ],
    "service-principals": [
        {
            "name": "reconciler",
            "app-id": APP,
            "secret": "reconciler-secret",
            "federated-subject": "repo:x/y:ref",
        },
        {"name": "reader", "app-id": READER, "secret": "reader-secret"},
    ],
}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A running emulator that the SDK's HTTP client trusts."""
    ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
    switches = {"databricks.stale-seconds": 0, "databricks.acl-fresh-group-seconds": 0}
    with running({"directory": DIRECTORY, "databricks": SEED, "switches": switches}, ca_file) as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def trusted(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(emulator.ca_file))
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "none"))


def config(emulator: Emulator, endpoint: str = "databricks/main", **options: Any) -> Config:
    given = {"client_id": APP, "client_secret": "reconciler-secret", "auth_type": "oauth-m2m", **options}
    limits: dict[str, Any] = {"retry_timeout_seconds": 2, "http_timeout_seconds": 5}
    return Config(host=emulator.url(endpoint), **limits, **given)


@pytest.fixture
def main(emulator: Emulator) -> Any:
    return sdk.WorkspaceClient(config=config(emulator))


@pytest.fixture
def account(emulator: Emulator) -> Any:
    return sdk.AccountClient(config=config(emulator, "databricks-account", account_id=ACCOUNT))


def test_the_host_tells_its_workspace_and_account(emulator: Emulator) -> None:
    found = config(emulator)

    assert (found.workspace_id, found.account_id) == (WORKSPACE, ACCOUNT)


def test_one_token_serves_many_calls(emulator: Emulator, main: Any) -> None:
    for _ in range(3):
        main.current_user.me()

    tokens = [entry for entry in emulator.world.log.entries if entry.path == "/oidc/v1/token"]
    main.current_user.me()
    again = [entry for entry in emulator.world.log.entries if entry.path == "/oidc/v1/token"]
    assert len(again) == len(tokens)


def test_me_is_the_service_principal(main: Any) -> None:
    assert main.api_client.do("GET", f"{SCIM}/Me")["applicationId"] == APP


def test_iterating_ends_at_an_empty_page(main: Any) -> None:
    names = {group.display_name for group in main.groups.list(attributes="id,displayName")}

    assert {"admins", "users", "pricing-ds", "local-team"} <= names


def test_entitlements_are_patched_and_read_back(main: Any) -> None:
    group = next(main.groups.list(filter='displayName eq "pricing-ds"'))
    wanted = [{"value": "workspace-access"}, {"value": "allow-cluster-create"}]

    main.groups.patch(
        group.id,
        operations=[iam.Patch(op=iam.PatchOp.REPLACE, path="entitlements", value=wanted)],
        schemas=[iam.PatchSchema.URN_IETF_PARAMS_SCIM_API_MESSAGES_2_0_PATCH_OP],
    )

    read = main.api_client.do("GET", f"{SCIM}/Groups/{group.id}", query={"attributes": "entitlements"})
    assert read["entitlements"] == wanted


def test_groups_of_the_account_are_listed_without_members(account: Any) -> None:
    listed = {group.display_name: group for group in account.groups.list()}

    assert not listed["platform"].members
    assert [member.display for member in account.groups.get(listed["platform"].id).members] == ["Ana Example"]


def test_a_workspace_local_group_is_created_and_deleted(main: Any) -> None:
    created = main.groups.create(display_name="short-lived")
    assert created.meta.resource_type == "WorkspaceGroup"

    with pytest.raises(ResourceConflict, match="Group with name short-lived already exists."):
        main.groups.create(display_name="short-lived")
    main.groups.delete(created.id)
    with pytest.raises(NotFound, match="Group not found."):
        main.groups.get(created.id)


def test_assignment_by_id(account: Any) -> None:
    group = next(account.groups.list(filter='displayName eq "platform"'))

    account.workspace_assignment.update(
        int(WORKSPACE), int(group.id), permissions=[iam.WorkspacePermission.USER]
    )
    shown = [each.principal.principal_id for each in account.workspace_assignment.list(int(WORKSPACE))]
    assert int(group.id) in shown
    account.workspace_assignment.delete(int(WORKSPACE), int(group.id))
    shown = [each.principal.principal_id for each in account.workspace_assignment.list(int(WORKSPACE))]
    assert int(group.id) not in shown


def test_a_scope_with_secrets_and_grants(main: Any) -> None:
    main.secrets.create_scope("sdk-scope")
    main.secrets.put_secret("sdk-scope", "key", string_value="value")
    main.secrets.put_acl("SDK-scope", "pricing-ds", workspace.AclPermission.READ)

    assert base64.b64decode(main.secrets.get_secret("sdk-scope", "KEY").value) == b"value"
    acls = {acl.principal: acl.permission.value for acl in main.secrets.list_acls("sdk-scope")}
    assert acls == {APP: "MANAGE", "pricing-ds": "READ"}
    main.secrets.delete_acl("sdk-scope", "pricing-ds")
    main.secrets.delete_scope("sdk-scope")
    assert "sdk-scope" not in {scope.name for scope in main.secrets.list_scopes()}


def test_refusals_arrive_as_the_sdks_own_errors(emulator: Emulator, main: Any) -> None:
    reader = sdk.WorkspaceClient(config=config(emulator, client_id=READER, client_secret="reader-secret"))

    with pytest.raises(PermissionDenied, match="READ permission on scope pricing"):
        list(reader.secrets.list_secrets("pricing"))
    with pytest.raises(NotFound, match="Scope nowhere does not exist!"):
        list(main.secrets.list_acls("nowhere"))


def test_scim_throttling_is_an_internal_error_that_the_sdk_does_not_retry(
    emulator: Emulator, main: Any
) -> None:
    emulator.world.throttle.limit("databricks/scim-get", 1, 60, emulator.world.clock.now())
    try:
        main.api_client.do("GET", f"{SCIM}/Groups")
        with pytest.raises(InternalError, match="concurrent limit of 4 requests"):
            main.api_client.do("GET", f"{SCIM}/Groups")
    finally:
        emulator.world.throttle.buckets.clear()


def test_an_answer_that_gets_lost_leaves_its_effect_and_the_retry_meets_it(
    emulator: Emulator, main: Any
) -> None:
    lost = Fault(service="databricks/.*", method="POST", target="/Groups", kind="reset", after=True)
    emulator.world.faults.add(lost)

    with pytest.raises(ResourceConflict, match="Group with name twice already exists."):
        main.groups.create(display_name="twice")

    assert lost.struck == 1
    main.groups.delete(next(main.groups.list(filter='displayName eq "twice"')).id)


def test_a_wrong_secret_is_refused_at_the_token_endpoint(emulator: Emulator) -> None:
    client = sdk.WorkspaceClient(config=config(emulator, client_secret="wrong"))

    with pytest.raises(Exception, match="invalid_client"):
        client.current_user.me()


def test_a_workload_exchanges_its_token_once(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "DATABRICKS_OIDC_TOKEN", jwt(sub="repo:x/y:ref", aud=ACCOUNT, iss="https://issuer.example")
    )
    client = sdk.WorkspaceClient(
        config=Config(host=emulator.url("databricks/main"), client_id=APP, auth_type="env-oidc")
    )
    before = len(emulator.world.log.entries)

    client.current_user.me()
    client.current_user.me()

    paths = [entry.path for entry in emulator.world.log.entries[before:]]
    assert paths.count("/oidc/v1/token") == 1


def test_entras_tokens_are_taken(emulator: Emulator) -> None:
    import requests

    tenant = emulator.world.directory.tenant_id
    form = {
        "grant_type": "client_credentials",
        "client_id": APP,
        "client_secret": "reconciler-secret",
        "scope": "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default",
    }
    url = f"{emulator.url('entra')}/{tenant}/oauth2/v2.0/token"
    token = requests.post(url, data=form, timeout=5).json()["access_token"]
    client = sdk.WorkspaceClient(
        config=Config(host=emulator.url("databricks/main"), token=token, auth_type="pat")
    )

    assert client.api_client.do("GET", f"{SCIM}/Me")["applicationId"] == APP
    # Only a token of Entra's may create a scope on a key vault.
    client.secrets.create_scope(
        "vault",
        scope_backend_type=workspace.ScopeBackendType.AZURE_KEYVAULT,
        backend_azure_keyvault=workspace.AzureKeyVaultSecretScopeMetadata(
            "/subscriptions/s", "https://kv.example"
        ),
    )
    client.secrets.delete_scope("vault")


def test_the_tenant_is_told_by_a_redirect(emulator: Emulator) -> None:
    found = Config(host=emulator.url("databricks/main"), token="x")
    found.load_azure_tenant_id()

    assert found.azure_tenant_id == emulator.world.directory.tenant_id
