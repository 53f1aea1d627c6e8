"""An azure-core pipeline against the emulated ARM: signed in, over TLS, as a management SDK sends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from azure.core import AsyncPipelineClient
from azure.core.pipeline.policies import (
    AsyncBearerTokenCredentialPolicy,
    AsyncRetryPolicy,
    ContentDecodePolicy,
)
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.identity.aio import ClientSecretCredential

from reconciler.emulator.arm.assignments import deterministic_name
from reconciler.emulator.lake.service import LakeService
from reconciler.emulator.server import Emulator, running

APP = "dddddddd-0000-4000-8000-000000000001"
SEED = {
    "directory": {
        "users": [{"upn": "ana@corp.example"}],
        "service-principals": [{"name": "owner", "app-id": APP, "secret": "s3cret"}],
    },
    "arm": {
        "role-assignments": [
            {"scope": "subscription", "role": "Owner", "principal": "sp:owner"},
            {
                "scope": "datalake/raw",
                "role": "Storage Blob Data Reader",
                "principal": "user:ana@corp.example",
            },
        ]
    },
    "lakes": {"datalake": {}},
}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running(SEED, tmp_path_factory.mktemp("tls") / "ca.pem") as emulator:
        yield emulator


def send(emulator: Emulator, *requests: HttpRequest) -> list[tuple[int, Any]]:
    """Send requests one after the other through one pipeline."""

    async def run() -> list[tuple[int, Any]]:
        verify = str(emulator.ca_file)
        credential = ClientSecretCredential(
            emulator.world.directory.tenant_id,
            APP,
            "s3cret",
            authority=emulator.url("entra"),
            connection_verify=verify,
        )
        policies: list[Any] = [
            AsyncRetryPolicy(),
            AsyncBearerTokenCredentialPolicy(credential, "https://management.azure.com/.default"),
            ContentDecodePolicy(),
        ]
        answers = []
        client: AsyncPipelineClient[HttpRequest, AsyncHttpResponse] = AsyncPipelineClient(
            emulator.url("arm"), policies=policies, connection_verify=verify
        )
        async with credential, client:
            for request in requests:
                request.url = client.format_url(request.url)
                response = await client.send_request(request)
                body = response.json() if response.content else None
                answers.append((response.status_code, body))
        return answers

    return asyncio.run(run())


def test_assignments_are_listed_written_and_deleted(emulator: Emulator) -> None:
    from reconciler.emulator.arm.scopes import DEFAULT_SUBSCRIPTION

    group = f"/subscriptions/{DEFAULT_SUBSCRIPTION}/resourceGroups/lake"
    account = f"{group}/providers/Microsoft.Storage/storageAccounts/datalake"
    ana = emulator.world.directory.resolve("user:ana@corp.example")
    path = f"{account}/providers/Microsoft.Authorization/roleAssignments"
    name = deterministic_name(account, ana)
    role = f"{group}/providers/Microsoft.Authorization/roleDefinitions/ba92f5b4-2d11-453d-a403-e96b0029c9fe"
    version = {"api-version": "2022-04-01"}
    body = {"properties": {"roleDefinitionId": role, "principalId": ana, "principalType": "User"}}
    answers = send(
        emulator,
        HttpRequest("GET", path, params=version | {"$filter": "atScope()"}),
        HttpRequest("PUT", f"{path}/{name}", params=version, json=body),
        HttpRequest("GET", path, params=version | {"$filter": f"principalId eq '{ana}'"}),
        HttpRequest("DELETE", f"{path}/{name}", params=version),
        HttpRequest("DELETE", f"{path}/{name}", params=version),
        HttpRequest("GET", account, params={"api-version": "2023-05-01"}),
    )
    assert [status for status, _ in answers] == [200, 201, 200, 200, 204, 200]
    assert [one["properties"]["scope"] for one in answers[0][1]["value"]] == [
        f"/subscriptions/{DEFAULT_SUBSCRIPTION}"
    ]
    assert len(answers[2][1]["value"]) == 2
    assert answers[5][1]["id"] == account, "an emulated lake is a storage account of the default subscription"


def test_the_lake_obeys_role_assignments(emulator: Emulator) -> None:
    lake = emulator.services["lake"]
    ana = emulator.world.directory.resolve("user:ana@corp.example")
    assert isinstance(lake, LakeService) and lake.roles is not None
    roles = lake.roles
    assert roles(ana, "datalake", "raw") == {"Storage Blob Data Reader"}
    assert roles(ana, "datalake", "curated") == frozenset()
