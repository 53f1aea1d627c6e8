"""The Databricks SDK, loaded leanly and told everything: it looks nothing up by itself.

What is bent here, and why: the package's own `__init__` loads forty generated services that nobody calls;
`Config` reads the process environment, a profile file and the host's metadata; its HTTP session takes a
private authority from the process environment only.  Each is one small hook, held in place by a test.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Mapping
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

from reconciler.providers.contract import BeforeSend, Unusable, unguarded

if TYPE_CHECKING:
    from databricks.sdk.core import ApiClient

PACKAGE = "databricks.sdk"
CONNECT_SECONDS = 5.0
"""To open a connection: a wrong address is told within seconds, a slow answer may take longer."""


class Headers(Protocol):
    """The headers that sign a request in; called for each, so it keeps its token itself."""

    @property
    def turn(self) -> int:
        """How often the token was renewed: to be noted before a request is signed."""
        ...

    def __call__(self) -> dict[str, str]:
        """The headers; raises Unusable, or azure-core's errors, when no token can be had."""
        ...

    def renew(self, turn: int, claims: str) -> bool:
        """Use the token of this turn no more; the next one is asked for with claims, as JSON, if any.

        False where it is so young that there is no better one.
        """
        ...


@cache
def sdk() -> ModuleType:
    """`databricks.sdk.core`, without executing the package around it until somebody asks that for a name.

    Measured with SDK 0.156: 0.2 s and 45 MiB instead of 0.8 s and 80 MiB.
    """
    if PACKAGE not in sys.modules:
        spec = importlib.util.find_spec(PACKAGE)
        if spec is None or spec.loader is None:
            raise Unusable("the package databricks-sdk is not installed; run `make setup`")
        package = importlib.util.module_from_spec(spec)
        package.__dict__["__getattr__"] = _loading(package)
        sys.modules[PACKAGE] = package
        parent, _, name = PACKAGE.rpartition(".")
        setattr(importlib.import_module(parent), name, package)
    return importlib.import_module(f"{PACKAGE}.core")


def _loading(package: ModuleType) -> Callable[[str], Any]:
    """A module's `__getattr__` (PEP 562): a submodule is imported, anything else runs the package's body."""

    def load(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {PACKAGE!r} has no attribute {name!r}")
        if importlib.util.find_spec(f"{PACKAGE}.{name}") is not None:
            return importlib.import_module(f"{PACKAGE}.{name}")
        package.__dict__.pop("__getattr__", None)
        spec = package.__spec__
        assert spec is not None and spec.loader is not None
        spec.loader.exec_module(package)
        return getattr(package, name)

    return load


class Wire(HTTPAdapter):
    """The connections to one host: whom they trust, how many there are, and how the last answer began.

    The SDK's errors carry no HTTP status, and its session takes no authority: both are settled here.
    """

    def __init__(self, ca_file: str, connections: int) -> None:
        super().__init__(pool_connections=1, pool_maxsize=connections, pool_block=True)
        self.ca_file = ca_file
        self._last = threading.local()

    @property
    def status(self) -> int:
        """The status that this thread's last request was answered with; 0 when it was not answered."""
        return int(getattr(self._last, "status", 0))

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of that answer, names in lower case."""
        held: Mapping[str, str] = getattr(self._last, "headers", {})
        return held

    def begin(self, before_send: BeforeSend) -> None:
        """Begin a request of this thread: nothing has been answered yet."""
        self._last.before_send = before_send
        self._last.status = 0
        self._last.headers = {}

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> Response:
        """Send with our authority instead of the process's, and with a shorter patience for connecting."""
        waits = (min(CONNECT_SECONDS, timeout), timeout) if isinstance(timeout, int | float) else timeout
        trusted = self.ca_file or verify
        # The session has signed the request by now, for which it may have fetched a token.
        before_send: BeforeSend = getattr(self._last, "before_send", unguarded)
        before_send()
        answer = super().send(request, stream, waits, trusted, cert, dict(proxies or {}))
        self._last.status = answer.status_code
        self._last.headers = {name.lower(): value for name, value in answer.headers.items()}
        return answer


class Line(NamedTuple):
    """One host, ready to be called."""

    api: ApiClient
    wire: Wire
    headers: Headers


def connect(
    host: str,
    headers: Headers,
    *,
    ca_file: str = "",
    workspace_id: str = "",
    seconds: float,
    connections: int,
) -> Line:
    """The SDK's client for one host, which sends each request once; no request is made for this."""
    core = sdk()
    config = _settled_config(core)(
        host=host,
        credentials_strategy=_strategy(headers),
        auth_type="reconciler",
        http_timeout_seconds=seconds,
        retry_timeout_seconds=1,
        max_connection_pools=connections,
        max_connections_per_pool=connections,
        clock=_clock(core),
        product="reconciler",
        product_version="1",
        # The SDK's generated services add this to every workspace call, so that a shared host can route it.
        custom_headers={"X-Databricks-Workspace-Id": workspace_id} if workspace_id else {},
    )
    api: ApiClient = core.ApiClient(config)
    wire = Wire(ca_file, connections)
    # The SDK has no public way to its session; there is no other that spares the process environment.
    api._api_client._session.mount("https://", wire)
    return Line(api, wire, headers)


def _strategy(headers: Headers) -> Any:
    providers = importlib.import_module(f"{PACKAGE}.credentials_provider")

    @providers.credentials_strategy("reconciler", ["host"])
    def given(config: Any) -> Headers:
        return headers

    return given


@cache
def _settled_config(core: ModuleType) -> Any:
    base: Any = core.Config
    # The SDK finds its settings in the class that asks first; a subclass has none of its own.
    base.attributes()

    class Settled(base):
        """A configuration that is what it was given, whatever the process or the machine holds."""

        def _load_from_env(self) -> None:
            """Leave DATABRICKS_HOST and its like alone: the environment's file says where."""

        def _known_file_config_loader(self) -> None:
            """Leave ~/.databrickscfg alone."""

        def _resolve_host_metadata(self) -> None:
            """Spare the request: what the host would tell is known, and it knows no private authority."""

    return Settled


def _clock(core: ModuleType) -> Any:
    """A clock on which every wait is over at once, so that the SDK's retries end with the first attempt.

    The SDK retries writes after a lost answer, and does not retry what SCIM throttles with 500: the
    policy is `client.py`'s.
    """
    base: Any = importlib.import_module(f"{PACKAGE}.clock").Clock

    class Impatient(base):
        def __init__(self) -> None:
            self.skipped = threading.local()

        def time(self) -> float:
            return float(getattr(self.skipped, "seconds", 0.0))

        def sleep(self, seconds: float) -> None:
            self.skipped.seconds = self.time() + max(seconds, 3600.0)

    return Impatient()
