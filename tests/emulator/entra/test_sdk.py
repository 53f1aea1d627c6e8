"""The credentials of azure-identity against the emulated endpoint: over TLS, with the ways that they have."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    ClientAssertionCredential,
    ClientSecretCredential,
    EnvironmentCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from azure.identity.aio import ClientSecretCredential as AsyncClientSecretCredential
from azure.identity.aio import WorkloadIdentityCredential as AsyncWorkloadIdentityCredential

from reconciler.emulator.server import Emulator, running
from tests.emulator.entra.test_tokens import APP, FEDERATED, GRAPH, SEED, SUBJECT

SCOPE = f"{GRAPH}/.default"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running({"directory": SEED}, tmp_path_factory.mktemp("tls") / "ca.pem") as emulator:
        yield emulator


def who(emulator: Emulator, token: str) -> str | None:
    caller = emulator.world.caller(f"Bearer {token}")
    return caller.app_id if caller else None


def secret(emulator: Emulator, value: str = "s3cret") -> ClientSecretCredential:
    return ClientSecretCredential(
        emulator.world.directory.tenant_id,
        APP,
        value,
        authority=emulator.url("entra"),
        disable_instance_discovery=True,
        connection_verify=str(emulator.ca_file),
    )


def test_a_client_secret_in_both_colours(emulator: Emulator) -> None:
    token = secret(emulator).get_token(SCOPE, enable_cae=True)
    assert who(emulator, token.token) == APP

    async def run() -> str:
        async with AsyncClientSecretCredential(
            emulator.world.directory.tenant_id,
            APP,
            "s3cret",
            authority=emulator.url("entra"),
            connection_verify=str(emulator.ca_file),
        ) as credential:
            return (await credential.get_token(SCOPE)).token

    assert who(emulator, asyncio.run(run())) == APP


def test_a_token_is_fetched_once(emulator: Emulator) -> None:
    emulator.world.log.clear()
    credential = secret(emulator)
    assert credential.get_token(SCOPE).token == credential.get_token(SCOPE).token
    paths = [entry.path.rpartition("/")[2] for entry in emulator.world.log.entries]
    assert paths == ["openid-configuration", "token"]
    assert all(entry.body == b"" for entry in emulator.world.log.entries), "secrets are not logged"


def test_a_wrong_secret_says_so(emulator: Emulator) -> None:
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        secret(emulator, "wrong").get_token(SCOPE)


def test_an_unknown_tenant_says_so(emulator: Emulator) -> None:
    credential = ClientSecretCredential(
        "99999999-0000-4000-8000-000000000000",
        APP,
        "s3cret",
        authority=emulator.url("entra"),
        disable_instance_discovery=True,
        connection_verify=str(emulator.ca_file),
    )
    with pytest.raises(ClientAuthenticationError, match="(?i)tenant|authority"):
        credential.get_token(SCOPE)


def job_token(emulator: Emulator, audience: str = "api://AzureADTokenExchange") -> str:
    import requests

    response = requests.get(
        f"{emulator.url('entra')}/actions/idtoken?api-version=2.0&audience={audience}",
        headers={"Authorization": f"bearer {SUBJECT}"},
        verify=str(emulator.ca_file),
        timeout=5,
    )
    return str(response.json()["value"])


def test_workload_identity_federation_in_every_form(emulator: Emulator, tmp_path: Path) -> None:
    tenant, authority = emulator.world.directory.tenant_id, emulator.url("entra")
    verify = str(emulator.ca_file)
    file = tmp_path / "token"
    file.write_text(job_token(emulator))
    assertion = ClientAssertionCredential(
        tenant,
        FEDERATED,
        lambda: job_token(emulator),
        authority=authority,
        disable_instance_discovery=True,
        connection_verify=verify,
    )
    assert who(emulator, assertion.get_token(SCOPE).token) == FEDERATED
    workload = WorkloadIdentityCredential(
        tenant_id=tenant,
        client_id=FEDERATED,
        token_file_path=str(file),
        authority=authority,
        disable_instance_discovery=True,
        connection_verify=verify,
    )
    assert who(emulator, workload.get_token(SCOPE).token) == FEDERATED

    async def run() -> str:
        async with AsyncWorkloadIdentityCredential(
            tenant_id=tenant,
            client_id=FEDERATED,
            token_file_path=str(file),
            authority=authority,
            connection_verify=verify,
        ) as credential:
            return (await credential.get_token(SCOPE)).token

    assert who(emulator, asyncio.run(run())) == FEDERATED


def test_the_environment_credential_needs_nothing_but_the_environment(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_TENANT_ID", emulator.world.directory.tenant_id)
    monkeypatch.setenv("AZURE_CLIENT_ID", APP)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "s3cret")
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", emulator.url("entra"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(emulator.ca_file))
    credential = EnvironmentCredential(disable_instance_discovery=True)
    assert who(emulator, credential.get_token(SCOPE).token) == APP


def test_a_managed_identity_asks_the_instance_metadata_endpoint(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", emulator.url("entra"))
    credential = ManagedIdentityCredential(connection_verify=str(emulator.ca_file))
    directory = emulator.world.directory
    vm = directory.service_principals[directory.resolve("sp:vm")]
    assert who(emulator, credential.get_token(SCOPE).token) == vm.app_id
