"""Which service answers an endpoint or a host name: one line per emulated service."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reconciler.emulator.arm.service import ArmService
from reconciler.emulator.databricks.service import DatabricksService
from reconciler.emulator.entra.service import EntraService
from reconciler.emulator.graph.service import GraphService
from reconciler.emulator.lake.service import LakeService
from reconciler.emulator.wire import Service
from reconciler.emulator.world import World

HOSTS = (
    (re.compile(r"login\.microsoftonline\.com"), "entra"),
    (re.compile(r"graph\.microsoft\.com"), "graph"),
    (re.compile(r"management\.azure\.com"), "arm"),
    (re.compile(r"accounts\.azuredatabricks\.net"), "databricks-account"),
    (re.compile(r"([\w.-]+)\.azuredatabricks\.net"), r"databricks/\1"),
    (re.compile(r"([\w-]+)\.dfs\.(?:\w+\.)?core\.windows\.net"), r"lake/\1/dfs"),
    (re.compile(r"([\w-]+)\.blob\.(?:\w+\.)?core\.windows\.net"), r"lake/\1/blob"),
)


def endpoint_of_host(host: str) -> str | None:
    """The endpoint that a real host name stands for, so that recorded traffic can be replayed as it is."""
    name = host.partition(":")[0].lower()
    for pattern, endpoint in HOSTS:
        match = pattern.fullmatch(name)
        if match:
            return match.expand(endpoint)
    return None


def build(world: World) -> dict[str, Service]:
    """All services of one emulator, by the first part of their endpoints' names."""
    lake = LakeService(world)
    arm = ArmService(world, lakes=lambda: lake.accounts)
    lake.roles = arm.data_roles
    databricks = DatabricksService(world)
    return {
        "entra": EntraService(world),
        "graph": GraphService(world),
        "arm": arm,
        "databricks-account": databricks,
        "databricks": databricks,
        "lake": lake,
    }


SECTIONS = {"directory": "graph", "arm": "arm", "databricks": "databricks", "lakes": "lake"}
"""Which service owns which section of a seed file, in the order in which they are seeded."""


def seed(world: World, services: Mapping[str, Service], document: Mapping[str, Any]) -> None:
    """Load a seed file's content; raises ValueError naming an unknown section."""
    unknown = set(document) - set(SECTIONS) - {"switches", "limits"}
    if unknown:
        raise ValueError(
            f"seed: unknown section {sorted(unknown)[0]!r}; known: {', '.join(SECTIONS)}, switches, limits"
        )
    world.switches.update(document.get("switches") or {})
    for name, (capacity, period) in (document.get("limits") or {}).items():
        world.throttle.limit(name, capacity, period, world.clock.now())
    for section, owner in SECTIONS.items():
        if document.get(section):
            services[owner].seed(document[section])


def dump(services: Mapping[str, Service]) -> dict[str, Any]:
    """The state of all services, in the form of a seed file."""
    return {section: services[owner].dump() for section, owner in SECTIONS.items()}


def inventory(services: Mapping[str, Service], document: Mapping[str, Any]) -> str:
    """Make a run of a lake's inventory rule and return its folder; raises ValueError."""
    lake = services["lake"]
    assert isinstance(lake, LakeService)
    return lake.inventory(document)
