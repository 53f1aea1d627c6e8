"""Write to a storage account through its SDK: lists, directories, renames.

Its law: every request changes one path, and a request whose answer was lost is not sent again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.providers.adls.client import LakeReader, Refused
from reconciler.providers.transport import Answer, Lost

if TYPE_CHECKING:
    from azure.storage.filedatalake.aio import DataLakeDirectoryClient, DataLakeServiceClient


@dataclass(slots=True)
class LakeWriter:
    """The writing half of one lake; it shares the reader's session."""

    reader: LakeReader
    _service: DataLakeServiceClient | None = field(default=None, init=False)

    async def assign(self, container: str, path: str, acl: str) -> None:
        """Give a path this whole list; raises Refused, Unreachable, Lost."""
        await self._send(container, path, lambda client: client.set_access_control(acl=acl))

    async def create(self, container: str, path: str) -> bool:
        """Make a directory with its parents; False where it is already there.

        Raises Refused, Unreachable, Lost.
        """
        from azure.core import MatchConditions

        missing: dict[str, Any] = {"match_condition": MatchConditions.IfMissing}
        try:
            await self._send(container, path, lambda client: client.create_directory(**missing))
        except Refused as error:
            if error.status == 409 and error.code == "PathAlreadyExists":
                return False
            raise
        return True

    async def rename(self, container: str, path: str, target: str) -> None:
        """Move a directory with everything in it to `container/path`, which must be free.

        Raises Refused, Unreachable, Lost.
        """
        from azure.core import MatchConditions

        free: dict[str, Any] = {"match_condition": MatchConditions.IfMissing}
        await self._send(container, path, lambda client: client.rename_directory(target, **free))

    async def _send(
        self, container: str, path: str, work: Callable[[DataLakeDirectoryClient], Awaitable[Any]]
    ) -> None:
        from azure.core.exceptions import HttpResponseError

        client = self._client().get_directory_client(container, path or "/")

        async def once() -> Answer:
            try:
                await work(client)
            except HttpResponseError as error:
                response: Any = error.response
                if response is None:
                    raise
                refusals.append(_refused(error))
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, headers, b"")
            return Answer(200, {}, b"")

        refusals: list[Refused] = []
        host = self.reader.endpoints.dfs.partition("://")[2]
        answer = await self.reader.wire.ask("storage", once, host, repeatable=False)
        if answer.status >= 500 or answer.status == 408:
            # An error of the service is no word that it did nothing.
            raise Lost(f"{host}: {refusals[-1]}")
        if answer.status >= 400:
            raise refusals[-1]

    def _client(self) -> DataLakeServiceClient:
        from azure.storage.filedatalake.aio import DataLakeServiceClient

        if self._service is None:
            wire = self.reader.wire
            # Its own retries wait a quarter of a minute and repeat writes whose answer was lost.
            self._service = DataLakeServiceClient(
                self.reader.endpoints.dfs,
                credential=wire.credential,
                transport=wire.transport(),
                retry_total=0,
            )
        return self._service


def _refused(error: Any) -> Refused:
    code = getattr(error, "error_code", "") or ""
    said = str(error.message or "").partition("\n")[0]
    return Refused(error.response.status_code, str(getattr(code, "value", code)), said)
