"""The real SDK against the emulated Graph: signed in, over TLS, raw and typed."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.identity.aio import ClientSecretCredential
from kiota_abstractions.method import Method
from kiota_abstractions.request_information import RequestInformation
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.group import Group
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.reference_create import ReferenceCreate
from msgraph.graph_request_adapter import options
from msgraph_core import GraphClientFactory

from reconciler.emulator.server import Emulator, running
from tests.emulator.graph.tenant import SEED

APP = "cccccccc-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    principals = [{**SEED["service-principals"][0], "app-id": APP}, SEED["service-principals"][1]]
    ca_file: Path = tmp_path_factory.mktemp("tls") / "ca.pem"
    with running({"directory": {**SEED, "service-principals": principals}}, ca_file) as emulator:
        yield emulator


Use = Callable[[GraphServiceClient, GraphRequestAdapter], Awaitable[Any]]


def with_client(emulator: Emulator, use: Use) -> Any:
    """Run something with a client that is made as the SDK's documentation says."""

    async def run() -> Any:
        context = ssl.create_default_context(cafile=str(emulator.ca_file))
        base = f"{emulator.url('graph')}/v1.0"
        credential = ClientSecretCredential(
            emulator.world.directory.tenant_id,
            APP,
            "s3cret",
            authority=emulator.url("entra"),
            connection_verify=str(emulator.ca_file),
        )
        http = GraphClientFactory.create_with_default_middleware(
            client=httpx.AsyncClient(base_url=base, verify=context, timeout=10), options=options
        )
        provider = AzureIdentityAuthenticationProvider(
            credential, scopes=["https://graph.microsoft.com/.default"]
        )
        adapter = GraphRequestAdapter(provider, client=http)
        adapter.base_url = base
        try:
            return await use(GraphServiceClient(request_adapter=adapter), adapter)
        finally:
            await credential.close()
            await http.aclose()

    return asyncio.run(run())


def test_groups_and_members_are_read_raw(emulator: Emulator) -> None:
    async def use(client: GraphServiceClient, adapter: GraphRequestAdapter) -> Any:
        group = emulator.world.directory.resolve("group:pricing-ds")
        info = client.groups.by_group_id(group).members.to_get_request_information()
        body = await adapter.send_primitive_async(info, "bytes", {"XXX": ODataError})
        return [one["id"] for one in json.loads(body)["value"]]

    directory = emulator.world.directory
    assert with_client(emulator, use) == [
        directory.resolve("user:ana@corp.example"),
        directory.resolve("group:pricing-leads"),
    ]


def test_a_small_page_is_read_typed_and_its_link_followed(emulator: Emulator) -> None:
    async def use(client: GraphServiceClient, _: GraphRequestAdapter) -> Any:
        from msgraph.generated.groups.groups_request_builder import GroupsRequestBuilder as Builder

        query = Builder.GroupsRequestBuilderGetQueryParameters(top=3, select=["id", "displayName"])
        config = Builder.GroupsRequestBuilderGetRequestConfiguration(query_parameters=query)
        page = await client.groups.get(request_configuration=config)
        names = []
        while page and page.value:
            names += [group.display_name for group in page.value]
            if not page.odata_next_link:
                break
            page = await client.groups.with_url(page.odata_next_link).get()
        return names

    assert sorted(with_client(emulator, use)) == sorted(group["name"] for group in SEED["groups"])


def test_members_are_written_by_reference_and_by_bind(emulator: Emulator) -> None:
    directory = emulator.world.directory
    group, bo = directory.resolve("group:empty"), directory.resolve("user:bo@corp.example")
    lea = directory.resolve("user:lea@corp.example")
    prefix = "https://graph.microsoft.com/v1.0/directoryObjects/"

    async def use(client: GraphServiceClient, _: GraphRequestAdapter) -> Any:
        builder = client.groups.by_group_id(group)
        await builder.members.ref.post(ReferenceCreate(odata_id=f"{prefix}{bo}"))
        body = Group(additional_data={"members@odata.bind": [f"{prefix}{lea}"]})
        await builder.patch(body)
        await builder.members.by_directory_object_id(bo).ref.delete()

    with_client(emulator, use)
    assert list(directory.groups[group].members) == [lea]
    directory.unlink(group, "members", lea)


def test_a_refusal_arrives_as_the_sdks_error(emulator: Emulator) -> None:
    async def use(client: GraphServiceClient, _: GraphRequestAdapter) -> Any:
        with pytest.raises(ODataError) as caught:
            await client.groups.by_group_id("00000000-0000-4000-8000-000000000000").get()
        return caught.value

    error = with_client(emulator, use)
    assert error.response_status_code == 404
    assert error.error.code == "Request_ResourceNotFound"


def test_a_batch_goes_through_the_sdks_pipeline(emulator: Emulator) -> None:
    async def use(_: GraphServiceClient, adapter: GraphRequestAdapter) -> Any:
        info = RequestInformation(Method.POST, "{+baseurl}/$batch", {"baseurl": adapter.base_url})
        items = [{"id": str(number), "method": "GET", "url": "/groups?$select=id"} for number in range(20)]
        info.set_stream_content(json.dumps({"requests": items}).encode(), "application/json")
        body = await adapter.send_primitive_async(info, "bytes", {"XXX": ODataError})
        return json.loads(body)["responses"]

    responses = with_client(emulator, use)
    assert [one["status"] for one in responses] == [200] * 20


def test_the_sdk_waits_as_told_when_throttled(emulator: Emulator) -> None:
    async def use(client: GraphServiceClient, _: GraphRequestAdapter) -> Any:
        return await client.groups.by_group_id(emulator.world.directory.resolve("group:empty")).get()

    world = emulator.world
    world.log.clear()
    world.faults.add_json(
        {"service": "graph", "status": 429, "headers": {"Retry-After": "1"}, "times": 1, "body": "{}"}
    )
    assert with_client(emulator, use).display_name == "empty"
    assert [entry.status for entry in world.log.entries if entry.service == "graph"] == [429, 200]
