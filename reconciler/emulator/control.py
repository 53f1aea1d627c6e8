"""The emulator's own endpoint, `/__emulator__/…` on every port: state, log, faults, clock, switches, runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.emulator import services as registry
from reconciler.emulator.wire import Request, Response, Service, json_response
from reconciler.emulator.world import World

PREFIX = "/__emulator__/"
JSON = [("Content-Type", "application/json")]


def handle(
    world: World, services: Mapping[str, Service], ports: Mapping[int, str], request: Request
) -> Response:
    """Answer one control request; a malformed one is answered 400 with the reason."""
    word = request.path.removeprefix(PREFIX).strip("/")
    try:
        payload = _obey(world, services, ports, request.method, word, request)
    except (ValueError, TypeError, KeyError) as error:
        return json_response(400, {"error": f"{request.method} {word}: {error}"}, JSON)
    if payload is None:
        return json_response(404, {"error": f"{request.method} {word}: no such control"}, JSON)
    return json_response(200, payload, JSON)


def _obey(
    world: World,
    services: Mapping[str, Service],
    ports: Mapping[int, str],
    method: str,
    word: str,
    request: Request,
) -> Any:
    match (method, word):
        case ("GET", "endpoints"):
            return {name: port for port, name in ports.items()}
        case ("GET", "state"):
            return registry.dump(services)
        case ("POST", "seed"):
            registry.seed(world, services, request.json())
        case ("GET", "log"):
            return [entry.as_dict() for entry in world.log.entries]
        case ("GET", "counts"):
            return dict(world.log.counts)
        case ("DELETE", "log"):
            world.log.clear()
        case ("POST", "faults"):
            world.faults.add_json(request.json())
        case ("DELETE", "faults"):
            world.faults.clear()
        case ("POST", "inventories"):
            return {"folder": registry.inventory(services, request.json())}
        case ("POST", "clock"):
            world.clock.advance(float(request.json()["advance"]))
        case ("POST", "switches"):
            world.switches.update(request.json())
        case _:
            return None
    return {}
