"""A store in a container of a lake: one memory for runners that share no disk.

Each run appends to a file of its own; the lock is a lease on one file, renewed while the run lives, so
that a holder that died holds it for a minute at most.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from reconciler.core.errors import Locked, StoreError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

LEASE_SECONDS = 60
"""The longest lease that ends by itself (Microsoft docs: Lease Blob, 15 to 60 s)."""
RENEW_SECONDS = 15
ASK_AGAIN_SECONDS = 2
"""Between attempts to renew after one that found no answer."""
MARGIN_SECONDS = 5
"""Before the lease ends nothing more is sent: what is on its way then still has to arrive."""


def awake() -> float:
    """Seconds that go on while the machine is suspended, where the system counts them."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


Result = TypeVar("Result")


class ContainerStore:
    """Append-only files below `https://<account>.dfs.core.windows.net/<container>/<prefix>`."""

    def __init__(
        self,
        url: str,
        credential: TokenCredential,
        ca_file: str = "",
        clock: Callable[[], float] = awake,
    ) -> None:
        from azure.storage.filedatalake import FileSystemClient

        parts = urlsplit(url)
        container, _, prefix = parts.path.strip("/").partition("/")
        if not parts.netloc or not container:
            raise StoreError(
                f"store {url!r} is not https://<account>.dfs.core.windows.net/<container>/<prefix>"
            )
        self.url = url
        self.prefix = prefix
        trust = {"connection_verify": ca_file} if ca_file else {}
        self._container = FileSystemClient(
            f"{parts.scheme}://{parts.netloc}",
            container,
            credential=credential,
            retry_total=3,
            connection_timeout=5,
            read_timeout=30,
            **trust,
        )
        self._ends: dict[str, int] = {}
        self._lost = threading.Event()
        self._clock = clock
        self._held_until = float("inf")
        """Until when the lease surely holds, by the clock: a process may sleep through it."""

    def append(self, name: str, lines: Sequence[str]) -> None:
        """Add lines; returns once the service has committed them.  Raises StoreError."""
        self.check()
        data = "".join(f"{line}\n" for line in lines).encode()
        file = self._file(name)

        def send() -> None:
            if name not in self._ends:
                file.create_file()
                self._ends[name] = 0
            start = self._ends[name]
            file.append_data(data, offset=start, length=len(data))
            file.flush_data(start + len(data))
            self._ends[name] = start + len(data)

        self._ask(f"append to {name}", send)

    def lines(self, name: str) -> list[str]:
        """The lines of a file; none for one that does not exist."""
        from azure.core.exceptions import ResourceNotFoundError

        def fetch() -> list[str]:
            try:
                content: bytes = self._file(name).download_file().readall()
            except ResourceNotFoundError:
                return []
            try:
                return content.decode("utf-8").splitlines()
            except UnicodeDecodeError as error:
                raise StoreError(
                    f"store {self.url}/{name}: {error}; restore the file, it is the record of what was sent"
                ) from None

        return self._ask(f"read {name}", fetch)

    def names(self) -> list[str]:
        """The names of all journal files, sorted."""
        from azure.core.exceptions import ResourceNotFoundError

        def fetch() -> list[str]:
            try:
                paths = list(self._paths())
            except ResourceNotFoundError:
                return []
            start = len(self.prefix) + 1 if self.prefix else 0
            return sorted(path[start:] for path in paths if path.endswith(".jsonl"))

        return self._ask("list journals", fetch)

    def _paths(self) -> Iterator[str]:
        pages = self._container.get_paths(self.prefix or None).by_page()
        met: set[object] = set()
        for page in pages:
            yield from (str(path.name) for path in page)
            # The SDK would follow a page that names itself for ever.
            token = getattr(pages, "continuation_token", None)
            if token and token in met:
                raise StoreError(f"store {self.url}: cannot list journals: the listing goes round in circles")
            met.add(token)

    def check(self) -> None:
        """Raise StoreError when the lease is lost, or may be by now: nothing may be sent then."""
        if self._lost.is_set() or self._clock() > self._held_until:
            raise StoreError(
                f"{self.url}: the lock was lost, and another run may be applying; nothing more is "
                "sent. Run the same command again"
            )

    @contextmanager
    def lock(self, holder: str) -> Iterator[None]:
        """Hold the container's prefix by a lease; raises Locked, naming who holds it."""
        # A lease lasts from some moment between asking and hearing: only the first of them is sure.
        asked = self._clock()
        lease = self._ask("take the lock", lambda: self._acquire(holder))
        stop = threading.Event()
        self._lost.clear()
        self._held_until = asked + LEASE_SECONDS - MARGIN_SECONDS
        keeper = threading.Thread(target=self._keep, args=(lease, stop), daemon=True)
        keeper.start()
        try:
            yield
        finally:
            stop.set()
            keeper.join()
            self._held_until = float("inf")
            self._release(lease)

    def _acquire(self, holder: str) -> Any:
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
        from azure.storage.filedatalake import DataLakeLeaseClient

        file = self._file("lock")
        lease = DataLakeLeaseClient(file)
        try:
            lease.acquire(lease_duration=LEASE_SECONDS)
        except ResourceNotFoundError:
            file.create_file()
            lease.acquire(lease_duration=LEASE_SECONDS)
        except ResourceExistsError:
            who = file.download_file().readall().decode("utf-8", "replace") or "another run"
            raise Locked(
                f"{self.url}: {who} is applying; wait for it to end. The lock of a run that died "
                f"frees itself within {LEASE_SECONDS} s"
            ) from None
        file.upload_data(holder.encode(), overwrite=True, lease=lease)
        return lease

    def _keep(self, lease: Any, stop: threading.Event) -> None:
        """Renew until told to stop, or until somebody else has the lease; no answer is not yet a loss."""
        from azure.core.exceptions import AzureError, HttpResponseError

        pause = RENEW_SECONDS
        while not stop.wait(pause):
            asked = self._clock()
            try:
                lease.renew()
            except HttpResponseError as error:
                if error.status_code in (404, 409, 412):
                    self._lost.set()
                    return
                pause = ASK_AGAIN_SECONDS
            except (AzureError, OSError, ValueError):
                # `_held_until` ends the run if this goes on for too long.
                pause = ASK_AGAIN_SECONDS
            else:
                self._held_until = asked + LEASE_SECONDS - MARGIN_SECONDS
                pause = RENEW_SECONDS

    def _release(self, lease: Any) -> None:
        """Let the next run in at once; a lease that cannot be released ends by itself."""
        from azure.core.exceptions import AzureError

        if not self._lost.is_set():
            with suppress(AzureError):
                lease.release()

    def _file(self, name: str) -> Any:
        return self._container.get_file_client(f"{self.prefix}/{name}" if self.prefix else name)

    def _ask(self, what: str, call: Callable[[], Result]) -> Result:
        from azure.core.exceptions import AzureError, DeserializationError

        try:
            return call()
        except (AzureError, DeserializationError) as error:
            # The second is what the SDK makes of a page that somebody on the way put in the answer's place.
            code = getattr(error, "error_code", None) or type(error).__name__
            said = (str(getattr(error, "message", error)).splitlines() or [""])[0]
            raise StoreError(
                f"store {self.url}: cannot {what}: {code}: {said}. Nothing more is sent until it answers; "
                "the identity needs Storage Blob Data Contributor on this container"
            ) from None
