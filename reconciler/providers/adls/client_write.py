"""Write to a storage account through its SDK: lists, of one path or of a tree, directories, renames.

Its law: one call is one request, and a request whose answer was lost is not sent again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.providers.adls.client import STORAGE_SCOPE, LakeReader, Refused, advised, uncertain
from reconciler.providers.adls.correcting.requests import PAGE
from reconciler.providers.transport import Answer, Lost

if TYPE_CHECKING:
    from azure.storage.filedatalake.aio import DataLakeDirectoryClient, DataLakeServiceClient


class Failure(NamedTuple):
    """A path that a recursive request could not change; the walk went on."""

    path: str
    message: str
    directory: bool


class Walked(NamedTuple):
    """What one recursive request came to."""

    directories: int
    """That took the change."""
    files: int
    failed: int
    failures: Sequence[Failure]
    """As many of the failed paths as the service names."""
    continuation: str
    """What the next request has to say to go on; "" where the service ended the walk."""

    @property
    def visited(self) -> int:
        """Paths that the service has behind it now, whether they took the change or not."""
        return self.directories + self.files + self.failed


@dataclass(slots=True)
class LakeWriter:
    """The writing half of one lake; it shares the reader's session."""

    reader: LakeReader
    page: int = PAGE
    """Paths that a recursive request is asked to visit."""
    _service: DataLakeServiceClient | None = field(default=None, init=False)

    async def assign(self, container: str, path: str, acl: str) -> None:
        """Give a path this whole list; raises Refused, Unreachable, Lost."""
        await self._send(container, path, lambda client: client.set_access_control(acl=acl))

    async def recursive(
        self, container: str, path: str, mode: str, entries: str, continuation: str = ""
    ) -> Walked:
        """Set, modify or remove these entries on a path and the next part of what is below it.

        One request, which visits at most a page of paths.  What it does to a path it may do again without
        harm, so that a page may be sent twice by whoever has looked at the tree in between; here it is not,
        as somebody else's change of the meantime would be undone unseen.  The walk goes on where a path
        refuses (`forceFlag`): without that the service ends at the first failure and gives no continuation
        (recorded traffic), and nobody could tell that from the end of the tree.  Even so the absence of a
        continuation beside failures is no proof that everything was visited: whoever calls looks again.

        Raises Refused, Unreachable, Lost.
        """
        pages: list[Any] = []

        async def keep(page: Any) -> None:
            pages.append(page)

        async def walk(client: DataLakeDirectoryClient) -> None:
            modes = {
                "set": client.set_access_control_recursive,
                "modify": client.update_access_control_recursive,
                "remove": client.remove_access_control_recursive,
            }
            await modes[mode](
                entries,
                batch_size=self.page,
                # The SDK goes on by itself otherwise, and nothing could be written down between its requests.
                max_batches=1,
                continue_on_failure=True,
                continuation_token=continuation or None,
                progress_hook=keep,
            )

        await self._send(container, path, walk)
        if not pages:
            raise Lost(f"the answer to a recursive {mode} on {container}/{path} does not say what it did")
        return _walked(pages[0])

    async def create(self, container: str, path: str, acl: str = "") -> bool:
        """Make a directory with its parents; False where it is already there.

        Its first list is `acl`, or what it inherits.  Raises Refused, Unreachable, Lost.
        """
        from azure.core import MatchConditions

        missing: dict[str, Any] = {"match_condition": MatchConditions.IfMissing}
        if acl:
            missing["acl"] = acl
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
        from azure.core.exceptions import DeserializationError, HttpResponseError

        client = self._client().get_directory_client(container, path or "/")
        refusals: list[Refused] = []
        host = self.reader.endpoints.dfs.partition("://")[2]

        async def once() -> Answer:
            try:
                await work(client)
            except DeserializationError as error:
                # Somebody on the way answered with a page of his own, and a status that says all is well.
                raise Lost(f"{host} answered with something else than JSON: {error}") from error
            except HttpResponseError as error:
                response: Any = error.response
                if response is None:
                    raise
                if response.status_code < 400:
                    # The SDK takes any other success for a failure; it is a page of somebody else's as well.
                    said = f"{response.status_code} and not with what a success looks like"
                    raise Lost(f"{host} answered with {said}") from error
                refusals.append(_refused(error))
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, headers, b"")
            return Answer(200, {}, b"")

        answer = await self.reader.wire.ask("storage", STORAGE_SCOPE, once, host, repeatable=False)
        if uncertain(answer):
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
                # The transport signs; without one the SDK cannot rename (SDK source: rename_directory).
                credential=wire.credential,
                transport=wire.transport(STORAGE_SCOPE),
                retry_total=0,
            )
        return self._service


def _walked(page: Any) -> Walked:
    counts = page.batch_counters
    return Walked(
        directories=counts.directories_successful,
        files=counts.files_successful,
        failed=max(counts.failure_count, len(page.batch_failures)),
        failures=[
            Failure(failure.name, failure.error_message or "", failure.is_directory)
            for failure in page.batch_failures
        ],
        continuation=page.continuation or "",
    )


def _refused(error: Any) -> Refused:
    code = getattr(error, "error_code", "") or ""
    said = str(error.message or "").partition("\n")[0]
    status = error.response.status_code
    return Refused(status, str(getattr(code, "value", code)), advised(status, said))
