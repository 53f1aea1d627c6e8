"""Who is asking, and whether the account or the workspace lets them in."""

from __future__ import annotations

from reconciler.emulator.databricks import oidc
from reconciler.emulator.databricks.errors import rest
from reconciler.emulator.databricks.identities import Identities
from reconciler.emulator.databricks.state import PRINCIPALS, USERS, Identity, Workspace
from reconciler.emulator.databricks.view import Place, View
from reconciler.emulator.wire import Caller, Request
from reconciler.emulator.world import World

REFUSED = {
    "403": (403, "Invalid access token."),
    "401": (401, "Token is expired"),
    "400": (400, "io.jsonwebtoken.ExpiredJwtException: JWT expired"),
}
"""How a token is refused that counts no more, by switch `databricks.refused-token`: Azure Databricks has
answered in each of these ways (databrickslabs/splunk-integration, issue 55)."""


def enter(
    world: World, identities: Identities, request: Request, host: Workspace | None, place: Place
) -> View:
    """Authenticate a request; raises the refusal for no token, a foreign one, or one without a place here."""
    caller = request.caller
    if caller is None and "authorization" not in request.headers:
        raise rest(401, "401", "Credential was not sent or was of an unsupported type for this API.")
    if caller is None or not _fits(caller, host):
        status, text = REFUSED[str(world.switches.get("databricks.refused-token", "403"))]
        raise rest(status, str(status), text)
    me = _identity(world, identities, caller, host)
    if me is None or me.attrs.get("active") is False:
        raise rest(403, "403", "User not authorized.")
    return View(
        world=world,
        account=identities.account,
        identities=identities,
        request=request,
        me=me,
        workspace=host if place == "workspace" else None,
        place=place,
        admin=_administers(identities, me, host, request, place),
        entra=oidc.AZURE_DATABRICKS in caller.audience,
    )


def _fits(caller: Caller, host: Workspace | None) -> bool:
    """Whether a token was minted for this place."""
    if oidc.AZURE_DATABRICKS in caller.audience or caller.audience == oidc.ACCOUNT_AUDIENCE:
        return True
    return host is not None and caller.audience == oidc.workspace_audience(host.name)


def _administers(
    identities: Identities, me: Identity, host: Workspace | None, request: Request, place: Place
) -> bool:
    if host is not None and place != "account":
        permissions = identities.permissions(me, host)
        if not permissions:
            raise rest(403, "403", f"Unauthorized access to workspace: {host.id}")
        if place == "workspace" or request.method == "GET":
            return "ADMIN" in permissions
    # Workspace admins read the account through their workspace, and only account admins change it.
    return identities.is_account_admin(me)


def _identity(
    world: World, identities: Identities, caller: Caller, host: Workspace | None
) -> Identity | None:
    account = identities.account
    known = account.by_external.get(caller.object_id)
    if known is not None:
        return account.identities[known]
    kind, name = (PRINCIPALS, caller.app_id) if caller.app_id else (USERS, caller.name)
    found = account.named(kind, name)
    if found is not None or account.identity_sync != "aim" or host is None:
        return found
    # Just-in-time provisioning: somebody in an assigned Entra group exists from the first login on.
    for group in world.directory.transitive_groups(caller.object_id):
        if account.by_external.get(group) in host.assigned:
            return identities.sync.resolve(caller.object_id)
    return None
