"""Find somebody in the account who is not in the workspace yet, bringing them there from Entra if need be."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.core.model import Identity
from reconciler.providers.databricks.canonical import COLLECTIONS, GROUP, PERSON, SERVICE, resident
from reconciler.providers.databricks.client import ACCOUNT_WRITE, UNCERTAIN, Failure, Host
from reconciler.providers.databricks.roster import wire_name
from reconciler.providers.databricks.site import Site

RESOLVABLE = {GROUP: "groups", PERSON: "users", SERVICE: "service-principals"}
ANSWERED = {
    GROUP: ("group", "group_id"),
    PERSON: ("user", "user_id"),
    SERVICE: ("service_principal", "service_principal_id"),
}
"""Where the answer to `resolve-by-external-id` holds the id (SDK source: iamv2)."""
CORE = "urn:ietf:params:scim:schemas:core:2.0:"


class Stuck(Exception):
    """Somebody cannot be assigned now; the text says what to do."""


def principal_id(site: Site, principal: str, identity: Identity) -> str:
    """The Databricks id of a principal, made known to the account first if need be; raises Stuck, Failure,
    Unusable and Malformed.

    Under automatic identity management a group of Entra is unknown to the APIs until it is resolved
    (Terraform provider, issues 5142, 5174 and 5414).
    """
    kind = principal.partition(":")[0]
    known = site.in_account(kind, wire_name(principal, identity))
    for each in known:
        if each.external_id == identity.object_id.lower() or (not each.external_id and kind != GROUP):
            return each.id
    if known:
        raise Stuck(
            f"the account knows {principal} as id {known[0].id} with external id "
            f"{known[0].external_id or '-'}, and Entra's is {identity.object_id}: correct its externalId"
        )
    if site.sync != "aim" and kind != SERVICE:
        raise Stuck(
            f"{principal} is not in the account: add it to the scope of Entra's provisioning application, "
            "and run again after its next cycle"
        )
    return _bring(site, principal, identity)


def _bring(site: Site, principal: str, identity: Identity) -> str:
    account = site.account()
    said: list[str] = []
    for attempt in (_resolve, _create):
        try:
            return attempt(account, site.account_id, principal, identity)
        except Failure as failure:
            refused = 400 <= failure.status < 500 and failure.status not in UNCERTAIN
            if not refused:
                # Whether the account knows it by now is open: to create it would be to create it twice.
                raise
            said.append(failure.text)
    raise Stuck(
        f"{principal} is in Entra and not in the account, and could not be brought there ({said[-1]}): let "
        "an account admin add it, or open the workspace's user management once with its name"
    )


def _resolve(account: Host, account_id: str, principal: str, identity: Identity) -> str:
    """The account's own import by Entra's object id: it creates what is missing (SDK source: iamv2).

    Nobody gains anything by it, and the second time it answers as the first.
    """
    kind = principal.partition(":")[0]
    path = f"/api/2.0/identity/accounts/{account_id}/{RESOLVABLE[kind]}/resolve-by-external-id"
    answer = account.ask(path, ACCOUNT_WRITE, {"external_id": identity.object_id})
    word, key = ANSWERED[kind]
    found = answer.get(word)
    ident = found.get(key) or found.get("id") if isinstance(found, dict) else None
    if not ident:
        raise Failure(f"{account.name} resolved {principal} and named no id")
    return str(ident)


def _create(account: Host, account_id: str, principal: str, identity: Identity) -> str:
    """The account's SCIM with Entra's object id as externalId: what an import by hand does."""
    kind = principal.partition(":")[0]
    name = principal.partition(":")[2]
    attributes: dict[str, Callable[[], dict[str, object]]] = {
        GROUP: lambda: {"displayName": name},
        PERSON: lambda: {"userName": name, "displayName": identity.display or name},
        SERVICE: lambda: {"applicationId": identity.app_id, "displayName": name},
    }
    body = {
        "schemas": [f"{CORE}{COLLECTIONS[kind].removesuffix('s')}"],
        "externalId": identity.object_id,
        **attributes[kind](),
    }
    path = f"/api/2.0/accounts/{account_id}/scim/v2/{COLLECTIONS[kind]}"
    return resident(kind, account.send("POST", path, ACCOUNT_WRITE, body)).id
