"""The real SDKs over TLS: they cannot tell the emulated account from a real one."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob import BlobServiceClient
from azure.storage.filedatalake import DataLakeServiceClient
from azure.storage.filedatalake.aio import DataLakeServiceClient as AsyncClient

from reconciler.emulator.server import Emulator, running
from reconciler.emulator.wire import Caller
from reconciler.emulator.world import Token

ANA = "00000000-0000-4000-8000-0000000000a1"
TEAM = "00000000-0000-4000-8000-0000000007ea"
ROBOT = "00000000-0000-4000-8000-000000000070"
SEED = {
    "directory": {
        "users": [{"upn": "ana@corp.example", "id": ANA}],
        "groups": [{"name": "team", "id": TEAM, "members": ["user:ana@corp.example"]}],
        "service-principals": [{"name": "robot", "id": ROBOT, "app-id": "robot-app"}],
    },
    "arm": {
        "role-assignments": [
            {"principal": "sp:robot", "role": "Storage Blob Data Owner", "scope": "datalake"}
        ]
    },
    "lakes": {
        "datalake": {
            "filesystems": {
                "curated": {
                    "paths": [
                        {"path": "a/b", "acl": "group:team:r-x,default:group:team:r-x"},
                        {"path": "a/b/f", "type": "file", "size": 3},
                        {"path": "a/Ünï & <x> %20+"},
                    ]
                }
            }
        }
    },
}


class Signed:
    """A credential of somebody who has signed in."""

    def __init__(self, emulator: Emulator, who: str) -> None:
        self.token = f"token-of-{who}"
        caller = Caller(object_id=who, audience="https://storage.azure.com")
        emulator.world.tokens[self.token] = Token(caller, 4_000_000_000)

    def get_token(self, *scopes: str, **more: Any) -> AccessToken:
        """The token that the emulator knows."""
        assert scopes == ("https://storage.azure.com/.default",)
        return AccessToken(self.token, 4_000_000_000)


class SignedAsync:
    """The same for asynchronous clients."""

    def __init__(self, emulator: Emulator, who: str) -> None:
        self.signed = Signed(emulator, who)

    async def get_token(self, *scopes: str, **more: Any) -> AccessToken:
        """The token that the emulator knows."""
        return self.signed.get_token(*scopes, **more)

    async def close(self) -> None:
        """Nothing is held."""

    async def __aenter__(self) -> SignedAsync:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None


def _code(error: HttpResponseError) -> str:
    # The storage SDKs add the code to azure-core's exceptions, whose type does not know it.
    return str(getattr(error, "error_code", ""))


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    """A served emulator with one account."""
    with running(SEED, tmp_path / "ca.pem") as emulator:
        yield emulator


def client(emulator: Emulator, who: str = ROBOT) -> DataLakeServiceClient:
    """The synchronous SDK, signed in."""
    url = emulator.url("lake/datalake/dfs")
    return DataLakeServiceClient(
        url, credential=Signed(emulator, who), connection_verify=str(emulator.ca_file), retry_total=0
    )


def test_the_synchronous_sdk_manages_a_tree(emulator: Emulator) -> None:
    """Filesystems, directories, files, lists, recursive changes, renames, deletion."""
    service = client(emulator)
    created = service.create_file_system("fresh", metadata={"team": "pricing"})
    assert {item["name"] for item in service.list_file_systems()} == {"curated", "fresh"}
    assert created.get_file_system_properties()["metadata"] == {"team": "pricing"}
    with pytest.raises(ResourceExistsError):
        service.create_file_system("fresh")
    directory = created.create_directory("top", metadata={"a": "1"})
    directory.set_access_control(acl=f"user::rwx,group::r-x,other::---,default:group:{TEAM}:r-x")
    file = directory.create_file("data.txt")
    assert file.upload_data(b"hello world", overwrite=True)
    assert file.download_file().readall() == b"hello world"
    assert file.get_file_properties()["size"] == 11
    access = file.get_access_control()
    assert (access["owner"], access["permissions"]) == (ROBOT, "rw-r-----+")
    assert f"group:{TEAM}:r-x" in access["acl"]
    result = directory.update_access_control_recursive(acl=f"user:{ANA}:rwx", batch_size=1)
    counters = result.counters
    assert counters is not None
    assert (counters.directories_successful, counters.files_successful) == (1, 1)
    assert result.continuation is None
    moved = directory.rename_directory("fresh/renamed")
    assert [path["name"] for path in created.get_paths()] == ["renamed", "renamed/data.txt"]
    assert moved.get_directory_properties()["metadata"]["a"] == "1"
    lease = moved.acquire_lease(lease_duration=15)
    lease.release()
    moved.delete_directory()
    assert not moved.exists()
    service.delete_file_system("fresh")
    assert [item["name"] for item in service.list_file_systems()] == ["curated"]


def test_pages_and_odd_names_come_through(emulator: Emulator) -> None:
    """Continuation tokens survive the SDK's own encoding."""
    curated = client(emulator).get_file_system_client("curated")
    pages = curated.get_paths(max_results=1).by_page()
    names = [path["name"] for page in pages for path in page]
    assert names == ["a", "a/b", "a/b/f", "a/Ünï & <x> %20+"]
    odd = curated.get_directory_client("a/Ünï & <x> %20+")
    assert odd.get_access_control(upn=True)["permissions"] == "rwxr-x---"
    root = curated.get_directory_client("/")
    assert root.get_access_control()["acl"] == "user::rwx,group::r-x,other::---"
    with pytest.raises(ResourceNotFoundError) as error:
        curated.get_directory_client("nowhere").get_access_control()
    assert _code(error.value) == "PathNotFound"


def test_the_blob_sdk_sends_the_bulk_request_and_gets_lists(emulator: Emulator) -> None:
    """Its model drops them, so the answer is read as it came."""
    blobs = BlobServiceClient(
        emulator.url("lake/datalake/blob"),
        credential=Signed(emulator, ROBOT),
        connection_verify=str(emulator.ca_file),
        retry_total=0,
    )
    answers: list[bytes] = []
    listed = blobs.get_container_client("curated").list_blobs(
        include=cast("list[str]", ["permissions"]),
        results_per_page=2,
        raw_response_hook=lambda response: answers.append(response.http_response.body()),
    )
    assert [blob.name for blob in listed] == ["a", "a/b", "a/b/f", "a/Ünï & <x> %20+"]
    assert len(answers) == 2
    assert f"<Acl>user::rwx,group::r-x,group:{TEAM}:r-x,mask::r-x,other::---,default:".encode() in answers[0]
    assert str(blobs.get_account_information()["is_hns_enabled"]) == "True"
    assert blobs.get_service_properties()["delete_retention_policy"].enabled is False


def test_refusals_arrive_as_the_sdks_own_errors(emulator: Emulator) -> None:
    """Somebody without a role is judged by the lists."""
    curated = client(emulator, ANA).get_file_system_client("curated")
    with pytest.raises(HttpResponseError) as error:
        list(curated.get_paths("a/b"))
    assert error.value.status_code == 403
    assert _code(error.value) == "AuthorizationPermissionMismatch"
    owner = client(emulator).get_file_system_client("curated")
    for path in ("/", "a"):
        owner.get_directory_client(path).set_access_control(permissions="rwxr-x--x")
    assert [path["name"] for path in curated.get_paths("a/b")] == ["a/b/f"]


def test_the_asynchronous_sdk_works_on_one_session_of_its_own(emulator: Emulator) -> None:
    """With a session that keeps its connections, and the emulator's authority."""

    async def read_all() -> dict[str, str]:
        context = ssl.create_default_context(cafile=str(emulator.ca_file))
        connector = aiohttp.TCPConnector(ssl=context, limit=4)
        async with aiohttp.ClientSession(connector=connector) as session:
            transport = AioHttpTransport(session=session, session_owner=False)
            service = AsyncClient(
                emulator.url("lake/datalake/dfs"),
                credential=SignedAsync(emulator, ROBOT),
                transport=transport,
                retry_total=0,
            )
            curated = service.get_file_system_client("curated")
            paths = [path.name async for path in curated.get_paths()]
            clients = [curated.get_directory_client(path) for path in paths]
            found = await asyncio.gather(*(one.get_access_control() for one in clients))
            await service.close()
            return dict(zip(paths, (one["acl"] for one in found), strict=True))

    lists = asyncio.run(read_all())
    assert f"default:group:{TEAM}:r-x" in lists["a/b"]
    assert lists["a/b/f"].startswith("user::rw-")
    assert emulator.world.log.counts["lake/datalake/dfs"] == 5
