"""Serve the emulated cloud over TLS on loopback, one port per endpoint, in a thread or in the foreground."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from reconciler.emulator import services as registry
from reconciler.emulator.app import App
from reconciler.emulator.tls import Authority
from reconciler.emulator.wire import Service
from reconciler.emulator.world import World

HOST = "127.0.0.1"


@dataclass(slots=True)
class Emulator:
    """An emulated cloud with its state within reach: tests assert on `services` and `world` directly."""

    app: App
    ca_file: Path
    ports: dict[int, str]

    @property
    def world(self) -> World:
        """The directory, the clock, the switches, the faults and the log of what is served now."""
        return self.app.world

    @property
    def services(self) -> dict[str, Service]:
        """The services that are served now, by the first part of their endpoints' names."""
        return self.app.services

    def reset(self, seed: Mapping[str, Any]) -> None:
        """Forget all state and begin again from a seed, on the same ports and with the same certificate.

        Endpoints that the first seed did not have cannot be reached by port.
        """
        world = World(clock=self.world.clock)
        services = registry.build(world)
        registry.seed(world, services, seed)
        self.app.world, self.app.services = world, services

    def url(self, endpoint: str) -> str:
        """The base URL of an endpoint, without a trailing slash; raises KeyError for an unknown one."""
        port = next((port for port, name in self.ports.items() if name == endpoint), None)
        if port is None:
            raise KeyError(f"no endpoint {endpoint!r}; there are {', '.join(self.ports.values())}")
        return f"https://{HOST}:{port}"

    def dump(self) -> dict[str, Any]:
        """The present state, in the form of a seed."""
        return registry.dump(self.services)


def endpoints(services: Mapping[str, Service]) -> list[str]:
    """Every endpoint name in a stable order: this is also the order of ports."""
    return list(dict.fromkeys(name for service in services.values() for name in service.endpoints()))


def _bind(names: list[str], first_port: int) -> dict[int, socket.socket]:
    sockets = {}
    for index in range(len(names)):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, first_port + index if first_port else 0))
        sockets[listener.getsockname()[1]] = listener
    return sockets


def prepare(
    seed: Mapping[str, Any], ca_file: Path, first_port: int = 0, world: World | None = None
) -> tuple[Emulator, uvicorn.Server, list[socket.socket]]:
    """Seed, bind and configure, without serving yet; raises OSError when a port is taken.

    `first_port` 0 lets the system choose every port; otherwise ports count up from it in endpoint order.
    """
    world = world or World()
    services = registry.build(world)
    registry.seed(world, services, seed)
    names = endpoints(services)
    sockets = _bind(names, first_port)
    ports = dict(zip(sockets, names, strict=True))
    authority = Authority()
    authority.write_ca(ca_file)
    app = App(world, services, ports)
    config = uvicorn.Config(
        app,
        http="httptools",
        loop="uvloop",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        timeout_keep_alive=60,
    )
    config.load()
    config.ssl = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure(config.ssl)
    return Emulator(app, ca_file, ports), uvicorn.Server(config), list(sockets.values())


@contextmanager
def running(
    seed: Mapping[str, Any], ca_file: Path, first_port: int = 0, world: World | None = None
) -> Iterator[Emulator]:
    """Serve from a background thread for the length of a `with` block."""
    emulator, server, sockets = prepare(seed, ca_file, first_port, world)
    thread = threading.Thread(target=server.run, kwargs={"sockets": sockets}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(0.005)
    try:
        yield emulator
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(10)
        for listener in sockets:
            listener.close()
