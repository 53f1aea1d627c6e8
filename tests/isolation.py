"""Keep a test run apart from the machine it runs on: its settings, its git, its network."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
from typing import Any

# The machine's own settings would reach the SDKs under test and git, and make results differ from CI's.
FOREIGN = ("AZURE_", "ARM_", "DATABRICKS_", "MSI_", "IDENTITY_", "ACTIONS_ID_TOKEN_", "GIT_")
FOREIGN_NAMES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy", "no_color", "force_color", "columns"}
GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
    "GIT_CONFIG_KEY_1": "init.defaultBranch",
    "GIT_CONFIG_VALUE_1": "main",
    "GIT_TERMINAL_PROMPT": "0",
}


def clean_environment(environ: dict[str, str]) -> dict[str, str]:
    """This environment without what would steer an SDK, a proxy or git; git gets neutral settings."""
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith(FOREIGN) and name.lower() not in FOREIGN_NAMES
    }
    return kept | GIT


def is_loopback(host: str) -> bool:
    """Whether a name or address stays on this machine; names outside `localhost` do not."""
    if host in {"", "localhost"} or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def stay_on_this_machine(event: str, args: tuple[Any, ...]) -> None:
    """Answer as a machine without a network does: names do not resolve, addresses are unreachable.

    An audit hook (sys.addaudithook), since libraries reach the socket module in many ways.
    """
    match event, args:
        case "socket.getaddrinfo", (bytes() | str() as name, *_):
            host = name.decode() if isinstance(name, bytes) else name
            if not (is_loopback(host) or is_address(host)):
                raise socket.gaierror(
                    socket.EAI_NONAME, f"tests resolve no names outside this machine: {host}"
                )
        case (("socket.connect" | "socket.sendto"), (_, (str(host), *_) as address)):
            if not is_loopback(host):
                raise OSError(errno.ENETUNREACH, f"tests reach nothing outside this machine: {address}")
        case _:
            pass


def is_address(host: str) -> bool:
    """Whether this is a numeric address, which needs no name service."""
    try:
        ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return False
    return True


def isolate() -> None:
    """Clean this process and close its way out; children inherit the environment, not the closed way."""
    kept = clean_environment(dict(os.environ))
    for name in set(os.environ) - set(kept):
        del os.environ[name]
    os.environ.update(kept)
    sys.addaudithook(stay_on_this_machine)
