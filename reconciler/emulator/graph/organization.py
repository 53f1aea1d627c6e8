"""Who am I, and whose tenant is this."""

from __future__ import annotations

from reconciler.emulator.graph.call import Call, Reply, State
from reconciler.emulator.graph.errors import GraphError
from reconciler.emulator.graph.rights import is_user


def me(state: State, call: Call) -> str:
    """The object id of the signed-in user; raises GraphError (400) for an application."""
    if not is_user(state, call):
        raise GraphError(400, "BadRequest", "/me request is only valid with delegated authentication flow.")
    return call.caller.object_id


def describe(state: State, call: Call) -> Reply:
    """`GET /organization`: the tenant, in the few properties that identify it."""
    domains = sorted({user.upn.partition("@")[2] for user in state.directory.users.values()}) or [
        "corp.example"
    ]
    tenant = {
        "id": state.directory.tenant_id,
        "deletedDateTime": None,
        "displayName": domains[0].partition(".")[0].capitalize(),
        "tenantType": "AAD",
        "verifiedDomains": [
            {
                "capabilities": "Email",
                "isDefault": index == 0,
                "isInitial": index == 0,
                "name": name,
                "type": "Managed",
            }
            for index, name in enumerate(domains)
        ],
    }
    return Reply(200, {"@odata.context": call.context("organization"), "value": [tenant]})
