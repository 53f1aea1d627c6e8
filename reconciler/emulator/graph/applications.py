"""Application objects: what service principals are made of, with their passwords and owners."""

from __future__ import annotations

from typing import Any

from reconciler.emulator.directory import ServicePrincipal
from reconciler.emulator.graph import rights, shapes
from reconciler.emulator.graph.call import Application, Call, Reply, State
from reconciler.emulator.graph.errors import (
    already_linked,
    bad_request,
    invalid_identifier,
    no_segment,
    not_found,
)
from reconciler.emulator.graph.filters import compile_filter
from reconciler.emulator.graph.query import check_advanced
from reconciler.emulator.graph.reads import GUID
from reconciler.emulator.graph.references import referenced


def route(state: State, call: Call) -> Reply:
    """Everything below `/applications`; raises GraphError."""
    if call.method == "GET":
        rights.need_read(state, call, ServicePrincipal)
    else:
        rights.need_write(state, call, ServicePrincipal)
    match (call.method, *call.segments[1:]):
        case ("GET",):
            return _list(state, call)
        case ("POST",):
            return _create(state, call)
        case (method, key, *rest):
            one = _find(state, key)
            return _one(state, call, one, method, rest)
    raise no_segment("applications")


def _one(state: State, call: Call, one: Application, method: str, rest: list[str]) -> Reply:
    match (method, *rest):
        case ("GET",):
            context = call.context("applications/$entity")
            return Reply(200, {"@odata.context": context} | shapes.application(one))
        case ("PATCH",):
            changed = call.json()
            one.display_name = str(changed.pop("displayName", one.display_name))
            one.properties.update(changed)
            return Reply(204)
        case ("DELETE",):
            _delete(state, one)
            return Reply(204)
        case ("POST", "addPassword" | "microsoft.graph.addPassword"):
            return _add_password(state, call, one)
        case ("POST", "removePassword" | "microsoft.graph.removePassword"):
            return _remove_password(call, one)
        case ("GET", "owners"):
            found = [state.directory.find(oid) for oid in one.owners]
            value = [shapes.chosen(thing, (), call.beta, typed=True) for thing in found if thing]
            return Reply(200, {"@odata.context": call.context("directoryObjects"), "value": value})
        case ("POST", "owners", "$ref"):
            thing = referenced(state, call.json().get("@odata.id"))
            if thing.id in one.owners:
                raise already_linked("owners")
            one.owners[thing.id] = None
            return Reply(204)
        case ("DELETE", "owners", oid, "$ref"):
            if oid.lower() not in one.owners:
                raise not_found(oid)
            del one.owners[oid.lower()]
            return Reply(204)
    raise no_segment(rest[0] if rest else method)


def _find(state: State, key: str) -> Application:
    found = state.applications.get(key.lower())
    if found is None:
        raise not_found(key) if GUID.fullmatch(key) else invalid_identifier(key)
    return found


def _list(state: State, call: Call) -> Reply:
    check_advanced(call.query, call.headers)
    found = [shapes.application(one) for one in state.applications.values()]
    if call.query.filter:
        found = [one for one in found if compile_filter(call.query.filter).matches(one)]
    return Reply(200, {"@odata.context": call.context("applications"), "value": found})


def _create(state: State, call: Call) -> Reply:
    body = call.json()
    if not body.get("displayName"):
        raise bad_request("A value is required for property 'displayName' of resource 'Application'.")
    one = Application(
        id=state.new_id(),
        app_id=state.new_id(),
        display_name=body["displayName"],
        created=state.now(),
        properties={name: value for name, value in body.items() if name != "displayName" and "@" not in name},
    )
    state.applications[one.id] = one
    where = (
        f"{call.base}/v2/{state.directory.tenant_id}/directoryObjects/{one.id}"
        "/Microsoft.DirectoryServices.Application"
    )
    payload = {"@odata.context": call.context("applications/$entity")} | shapes.application(one)
    return Reply(201, payload, (("location", where),))


def _delete(state: State, one: Application) -> None:
    # The service principal in the application's own tenant goes with it.
    principal = state.directory.by_app_id(one.app_id)
    if principal is not None:
        state.note(principal.id)
        state.directory.remove(principal.id, state.world.clock.now())
    del state.applications[one.id]


def _add_password(state: State, call: Call, one: Application) -> Reply:
    asked = call.json().get("passwordCredential") or {}
    # Made up and worth nothing outside this process.
    secret = f"emulated~{state.new_id()}"
    credential: dict[str, Any] = {
        "customKeyIdentifier": None,
        "displayName": asked.get("displayName"),
        "endDateTime": asked.get("endDateTime") or "2299-12-31T00:00:00Z",
        "hint": secret[:3],
        "keyId": state.new_id(),
        "secretText": None,
        "startDateTime": asked.get("startDateTime") or state.now(),
    }
    one.secrets.append(credential)
    one.properties["secret"] = secret
    principal = state.directory.by_app_id(one.app_id)
    if principal is not None:
        principal.secret = secret
    shown = credential | {"secretText": secret}
    payload = {"@odata.context": call.context("microsoft.graph.passwordCredential")} | shown
    return Reply(200, payload, (("location", call.base),))


def _remove_password(call: Call, one: Application) -> Reply:
    key = call.json().get("keyId")
    if not any(credential["keyId"] == key for credential in one.secrets):
        raise bad_request(f"No password credential found with keyId '{key}'.")
    one.secrets = [credential for credential in one.secrets if credential["keyId"] != key]
    return Reply(204)
