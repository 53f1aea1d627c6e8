"""A store in a container of a lake: one memory for runners that share no disk.

Each run appends to a file of its own; the lock is a lease on one file, renewed while the run lives, so
that a holder that died holds it for a minute at most.

Its law: nothing counts as written, read or held but by an answer of the service itself.  Others on the way
answer 200 as well, and the SDK believes them.
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
    from azure.core.exceptions import HttpResponseError

LEASE_SECONDS = 60
"""The longest lease that ends by itself (Microsoft docs: Lease Blob, 15 to 60 s)."""
RENEW_SECONDS = 15
ASK_AGAIN_SECONDS = 2
"""Between attempts to renew after one that found no answer."""
HEARD_SECONDS = 10
"""How long one attempt to renew may take, so that there is time for others before the lease ends."""
MARGIN_SECONDS = 5
"""Before the lease ends nothing more is sent: what is on its way then still has to arrive."""
AGAIN: dict[str, Any] = {"retry_total": 3, "initial_backoff": 1, "increment_base": 2}
"""How the SDK repeats a request that found no answer: after 1, 3 and 5 s, give or take; its own 15, 18 and
24 s would outlast a lease."""
PAUSES = (2.0, 4.0)
"""Seconds before that is asked again which the SDK gives up at once: after "later", or a page of others."""
LONGEST_PAUSE = 20.0
"""A service that asks for more than this is not waited for: a lease has to be renewed meanwhile."""


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
        sleep: Callable[[float], None] = time.sleep,
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
        trust: dict[str, Any] = {"connection_verify": ca_file} if ca_file else {}
        self._container = FileSystemClient(
            f"{parts.scheme}://{parts.netloc}",
            container,
            credential=credential,
            connection_timeout=5,
            read_timeout=30,
            **AGAIN,
            **trust,
        )
        self._ends: dict[str, int] = {}
        """The length of each file that was appended to; one whose last answer was lost is not here."""
        self._ours: set[str] = set()
        """Files that this store has made."""
        self._lost = threading.Event()
        self._clock = clock
        self._sleep = sleep
        self._held_until = float("inf")
        """Until when the lease surely holds, by the clock: a process may sleep through it."""

    def append(self, name: str, lines: Sequence[str]) -> None:
        """Add lines; returns once the service has committed them.  Raises StoreError.

        Lines whose answer was lost may be there or not; what is appended next follows them either way.
        """
        self.check()
        data = "".join(f"{line}\n" for line in lines).encode()
        file = self._file(name)
        begun: int | None = None

        def send() -> None:
            nonlocal begun
            start = self._end(name, file)
            if begun is not None and start == begun + len(data):
                # Only the answer to the attempt before was lost.
                self._ends[name] = start
                return
            begun = start
            # A request that is repeated says the same position again, so that nothing comes twice.
            file.append_data(data, offset=start, length=len(data))
            flushed = file.flush_data(start + len(data))
            _believed(flushed.get("etag"))
            self._ends[name] = start + len(data)

        self._ask(f"append to {name}", send)

    def _end(self, name: str, file: Any) -> int:
        """Where a file ends, which this call makes if this store has not; a file of others is not touched."""
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceExistsError

        known = self._ends.pop(name, None)
        if known is not None:
            return known
        if name not in self._ours:
            try:
                _believed(file.create_file(match_condition=MatchConditions.IfMissing).get("etag"))
            except ResourceExistsError:
                # The answer to an earlier attempt may have been lost, and then it is empty.
                if file.get_file_properties().size:
                    raise StoreError(
                        f"store {self.url}: {name} is there already; run the same command again"
                    ) from None
            self._ours.add(name)
            return 0
        found = file.get_file_properties()
        _believed(found.etag)
        end = int(found.size)
        # What an earlier attempt has uploaded and not made last must not come back with what follows.
        _believed(file.flush_data(end).get("etag"))
        return end

    def lines(self, name: str) -> list[str]:
        """The lines of a file; none for one that does not exist."""
        from azure.core.exceptions import ResourceNotFoundError

        def fetch() -> list[str]:
            try:
                content = _whole(self._file(name))
            except ResourceNotFoundError as error:
                return _absent(error)
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
                paths = set(self._paths())
            except ResourceNotFoundError as error:
                return _absent(error)
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
        # The SDK thinks of an id; under one that we know, a repeated request takes the same lease again.
        ident = str(self._lease(None).id)
        # A lease lasts from some moment between asking and hearing: only the first of them is sure.
        asked = self._clock()
        try:
            self._ask("take the lock", lambda: self._acquire(ident, holder))
        except StoreError:
            # It may be ours all the same, and nobody else could have it for a minute then.
            self._release(ident)
            raise
        stop = threading.Event()
        self._lost.clear()
        self._held_until = asked + LEASE_SECONDS - MARGIN_SECONDS
        keeper = threading.Thread(target=self._keep, args=(ident, stop), daemon=True)
        keeper.start()
        try:
            yield
        finally:
            stop.set()
            keeper.join()
            self._held_until = float("inf")
            if not self._lost.is_set():
                self._release(ident)

    def _acquire(self, ident: str, holder: str) -> None:
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        file, lease = self._file("lock"), self._lease(ident)
        try:
            try:
                lease.acquire(lease_duration=LEASE_SECONDS)
            except ResourceNotFoundError:
                with suppress(ResourceExistsError):
                    file.create_file(match_condition=MatchConditions.IfMissing)
                lease.acquire(lease_duration=LEASE_SECONDS)
        except ResourceExistsError as error:
            if not _code(error).startswith("Lease"):
                raise
            who = _whole(file).decode("utf-8", "replace") or "another run"
            raise Locked(
                f"{self.url}: {who} is applying; wait for it to end. The lock of a run that died "
                f"frees itself within {LEASE_SECONDS} s"
            ) from None
        file.upload_data(holder.encode(), overwrite=True, lease=self._lease(ident))

    def _keep(self, ident: str, stop: threading.Event) -> None:
        """Renew until told to stop, or until somebody else has the lease."""
        pause: float | None = RENEW_SECONDS
        while pause is not None and not stop.wait(pause):
            pause = self._renew(ident)

    def _renew(self, ident: str) -> float | None:
        """Seconds until the next renewal; None where somebody else has the lease.

        No answer is not yet a loss: `_held_until` ends the run if this goes on for too long.
        """
        from azure.core.exceptions import AzureError, HttpResponseError

        asked = self._clock()
        lease = self._lease(ident)
        try:
            lease.renew(retry_total=0, read_timeout=HEARD_SECONDS, timeout=HEARD_SECONDS)
            _believed(lease.etag)
        except HttpResponseError as error:
            if error.status_code in (404, 409, 412) and _code(error):
                self._lost.set()
                return None
            return ASK_AGAIN_SECONDS
        except (AzureError, OSError, ValueError):
            return ASK_AGAIN_SECONDS
        self._held_until = asked + LEASE_SECONDS - MARGIN_SECONDS
        return RENEW_SECONDS

    def _release(self, ident: str) -> None:
        """Let the next run in at once; a lease that cannot be released ends by itself."""
        from azure.core.exceptions import AzureError

        with suppress(AzureError):
            self._lease(ident).release(timeout=MARGIN_SECONDS)

    def _lease(self, ident: str | None) -> Any:
        # The SDK puts into a client whatever an answer calls the lease, be it nothing.
        from azure.storage.filedatalake import DataLakeLeaseClient

        return DataLakeLeaseClient(self._file("lock"), lease_id=ident)

    def _file(self, name: str) -> Any:
        return self._container.get_file_client(f"{self.prefix}/{name}" if self.prefix else name)

    def _ask(self, what: str, call: Callable[[], Result]) -> Result:
        """What a call gives; raises StoreError.  Every call may be made again, whatever became of it."""
        from azure.core.exceptions import AzureError, DeserializationError

        pauses = iter(PAUSES)
        while True:
            try:
                return call()
            except (AzureError, DeserializationError, ValueError) as error:
                pause = _pause(error, next(pauses, None))
                if pause is None:
                    raise self._failed(what, error) from None
            self._sleep(pause)

    def _failed(self, what: str, error: Exception) -> StoreError:
        code = getattr(error, "error_code", None) or type(error).__name__
        said = (str(getattr(error, "message", error)).splitlines() or [""])[0]
        return StoreError(
            f"store {self.url}: cannot {what}: {code}: {said}. Nothing more is sent until it answers; "
            "the identity needs Storage Blob Data Contributor on this container"
        )


def _pause(error: Exception, usual: float | None) -> float | None:
    """Seconds after which to ask again; None where that is no use.

    The SDK has asked again already where no answer came.  An error that is no refusal is what it
    makes of a page that somebody on the way put in the answer's place.
    """
    from azure.core.exceptions import DecodeError, DeserializationError, HttpResponseError

    if usual is None or isinstance(error, (DecodeError, DeserializationError, ValueError)):
        return usual
    if not isinstance(error, HttpResponseError):
        return None
    if error.status_code is not None and error.status_code < 400:
        return usual
    if error.status_code != 429:
        return None
    response: Any = error.response
    said = response.headers.get("Retry-After", "") if response else ""
    pause = float(said) if said.isdecimal() else usual
    return pause if pause <= LONGEST_PAUSE else None


def _believed(etag: object) -> None:
    """Raise ValueError for an answer without what every answer of the service about a file has."""
    if not etag:
        raise ValueError("what answered is not the service")


def _whole(file: Any) -> bytes:
    """All of a file; raises ValueError where less of it came than there is."""
    opened = file.download_file()
    content = bytes(opened.readall())
    _believed(opened.properties.etag)
    if len(content) != opened.size:
        raise ValueError(f"{len(content):,} of {opened.size:,} bytes came")
    return content


def _absent(error: HttpResponseError) -> list[str]:
    """Nothing, where the service itself says that it is not there; raises the error else."""
    if not _code(error):
        raise error
    return []


def _code(error: HttpResponseError) -> str:
    """The service's own word for a refusal; "" where it gave none."""
    code = getattr(error, "error_code", None) or ""
    return str(getattr(code, "value", code))
