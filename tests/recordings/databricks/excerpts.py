"""Provoke what users and maintainers saw real workspaces answer, and quoted in public threads."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from reconciler.emulator.databricks.oidc import ACCOUNT_AUDIENCE
from reconciler.emulator.wire import Response
from tests.emulator.databricks.estate import ACCOUNT_SCIM, PATCH, SCIM, SEED, Estate, filtered

Provocation = Callable[[Estate], Response]


def _throttled(form: str) -> Provocation:
    def provoke(estate: Estate) -> Response:
        estate.world.switches["databricks.scim-throttle"] = form
        estate.world.throttle.limit("databricks/scim-get", 1, 60, estate.world.clock.now())
        estate.send("GET", f"{SCIM}/Groups")
        return estate.send("GET", f"{SCIM}/Groups?" + filtered('displayName eq "x"'))

    return provoke


def _patch(
    target: Callable[[Estate], str], *operations: dict[str, Any], endpoint: str = "databricks/main"
) -> Provocation:
    body = {"schemas": [PATCH], "Operations": list(operations)}
    return lambda estate: estate.send("PATCH", target(estate), body, endpoint=endpoint)


def _group(reference: str) -> Callable[[Estate], str]:
    return lambda estate: f"{SCIM}/Groups/{estate.id_of(reference)}"


def _account_group(estate: Estate) -> Response:
    added = {"op": "add", "value": {"members": [{"value": estate.id_of("user:bo@corp.example")}]}}
    target = f"{ACCOUNT_SCIM}/Groups/{estate.id_of('group:pricing-ds')}"
    body = {"schemas": [PATCH], "Operations": [added]}
    return estate.send("PATCH", target, body, endpoint="databricks-account")


def _last_admin(estate: Estate) -> Response:
    target = f"{ACCOUNT_SCIM}/ServicePrincipals/{estate.id_of('sp:reconciler')}"
    removal = {"op": "remove", "path": 'roles[value eq "account_admin"]'}
    body = {"schemas": [PATCH], "Operations": [removal]}
    return estate.send("PATCH", target, body, endpoint="databricks-account")


def _duplicate(kind: str, body: dict[str, Any], *, account: bool = False) -> Provocation:
    def provoke(estate: Estate) -> Response:
        root, endpoint = (ACCOUNT_SCIM, "databricks-account") if account else (SCIM, "databricks/main")
        estate.send("POST", f"{root}/{kind}", body, endpoint=endpoint)
        return estate.send("POST", f"{root}/{kind}", body, endpoint=endpoint)

    return provoke


def _permissions(name: str, *entries: dict[str, str]) -> Provocation:
    body = {"access_control_list": list(entries)}
    return lambda estate: estate.send("PUT", f"/api/2.0/permissions/{name}", body)


def _lost_acl(estate: Estate) -> Response:
    group = estate.id_of("group:unresolved")
    assignment = f"/api/2.0/preview/permissionassignments/principals/{group}"
    estate.call("PUT", assignment, {"permissions": ["USER"]})
    grant = {"scope": "pricing", "principal": "unresolved", "permission": "WRITE"}
    assert estate.send("POST", "/api/2.0/secrets/acls/put", grant).status == 200
    return estate.send("GET", "/api/2.0/secrets/acls/list?scope=pricing")


def _keyvault(estate: Estate, metadata: dict[str, str] | None) -> Response:
    """Create a scope backed by a key vault, with a token of Databricks' own."""
    estate.audience = ACCOUNT_AUDIENCE
    body = {"scope": "kv", "scope_backend_type": "AZURE_KEYVAULT", "backend_azure_keyvault": metadata}
    return estate.send("POST", "/api/2.0/secrets/scopes/create", body)


def _grant(add: list[str], remove: list[str], principal: str) -> Provocation:
    change = {"principal": principal, "add": add, "remove": remove}
    target = "/api/2.1/unity-catalog/permissions/schema/main.default"
    return lambda estate: estate.send("PATCH", target, {"changes": [change]})


def _unfederated(estate: Estate) -> Response:
    estate.account.workspaces["main"].federated = False
    return estate.send("GET", "/api/2.0/preview/permissionassignments")


def _unresolved(estate: Estate) -> Response:
    wanted = {"group_name": "unresolved", "permissions": ["USER"]}
    return estate.send("POST", "/api/2.0/preview/permissionassignments", {"permission_assignments": [wanted]})


KEYVAULT = {"resource_id": "/subscriptions/s/vaults/kv", "dns_name": "https://kv.vault.azure.net/"}
MEMBERS = {"op": "add", "path": "members", "value": [{"value": "77"}]}
PROVOCATIONS: list[tuple[str, Provocation]] = [
    (r"exceeded the concurrent limit of 4 requests", _throttled("500")),
    (r"RPC token bucket limit has been exceeded", _throttled("token-bucket")),
    (
        r"entitlements value:null",
        _patch(_group("group:users"), {"op": "add", "path": "entitlements", "value": None}),
    ),
    (r"PATCH members of an external", _patch(_group("group:pricing-ds"), MEMBERS)),
    (r"PATCH account SCIM group add members", _account_group),
    (
        r"Request is unparsable",
        _patch(_group("group:local-team"), {"op": "add", "path": "members", "value": "77"}),
    ),
    (
        r"filter operator is not supported",
        lambda estate: estate.send("GET", f"{SCIM}/Groups?" + filtered('displayName gt "x"')),
    ),
    (r"Cannot remove roles for", _last_admin),
    (r"Group with name", _duplicate("Groups", {"displayName": "{displayName}"})),
    (
        r"No such attribute with the name : entitlements",
        _patch(_group("group:local-team"), {"op": "remove", "path": "entitlements"}),
    ),
    (r"admins's CAN_MANAGE permission on 0", _permissions("directories/0")),
    (r"must have exactly one owner", _permissions("jobs/1")),
    (
        r"does not exist \(shape as quoted",
        _permissions("jobs/1", {"service_principal_name": "{name}", "permission_level": "IS_OWNER"}),
    ),
    (r"put returned 200 but the ACL never appeared", _lost_acl),
    (r"userAADToken", lambda estate: _keyvault(estate, KEYVAULT)),
    (r"AzureKeyVaultSecretScopeMetadata", lambda estate: _keyvault(estate, None)),
    (
        r"does not have READ permission on scope",
        lambda estate: estate.send("GET", "/api/2.0/secrets/list?scope=pricing", caller="reader"),
    ),
    (r"Could not find principal", _grant(["SELECT"], [], "{name}")),
    (r"Duplicate privileges", _grant(["SELECT"], ["SELECT"], "{principal}")),
    (r"Permission assignment APIs are not available", _unfederated),
    (r"Principal not found in account", _unresolved),
]
NOT_PROVOKED = {
    "permissions crawl": "the limit of 20 at once is that of an API that is emulated without a limit",
    "GET /api/2.0/permissions/notebooks/{id}": "a time-out inside the service: order it as a fault",
    "GET permissions of purged cluster": "there are no clusters here",
    "Azure AD token via az/MSI under load": "Entra's answer, not Databricks'",
}


def provocation(excerpt: dict[str, Any]) -> Provocation | None:
    """How to make the emulator say what an excerpt quotes."""
    text = " ".join(str(value) for value in excerpt.values())
    return next((provoke for pattern, provoke in PROVOCATIONS if re.search(pattern, text)), None)


def quoted(excerpt: dict[str, Any]) -> list[str]:
    """The texts of an excerpt that the answer must contain, without what is invented or trimmed in them."""
    texts = [str(excerpt.get("message", ""))]
    response = excerpt.get("response")
    if isinstance(response, dict):
        texts += [str(response.get(key, "")) for key in ("detail", "message")]
    words = [
        re.split(r" \(|: ServicePrincipalName|<|Workspace \d+|GetUser|X |\d{6,}|\{", text)[0]
        for text in texts
    ]
    return [
        re.sub(r"^(REQUEST_LIMIT_EXCEEDED|invalid\w+|PERMISSION_DENIED): ?|^invalid\w+ ", "", each)
        for each in words
    ]


def estate() -> Estate:
    """A fresh estate for one provocation."""
    return Estate(SEED)
