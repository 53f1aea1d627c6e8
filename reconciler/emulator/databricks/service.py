"""The Databricks service: which request goes where, who may make it, and how refusals get out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reconciler.emulator.databricks import assignments, limits, oidc, secrets
from reconciler.emulator.databricks.dump import dump
from reconciler.emulator.databricks.errors import Refusal, denied, no_endpoint, rest
from reconciler.emulator.databricks.identities import Identities
from reconciler.emulator.databricks.scim.routes import Scim
from reconciler.emulator.databricks.scim.stale import Staleness
from reconciler.emulator.databricks.seed import Seeder
from reconciler.emulator.databricks.state import PRINCIPALS, USERS, Account, Identity, Workspace
from reconciler.emulator.databricks.view import View
from reconciler.emulator.wire import Request, Response
from reconciler.emulator.world import World

ENDPOINT = "databricks-account"
KINDS = r"(Groups|Users|ServicePrincipals)(?:/([^/]+))?"
WORKSPACE_SCIM = re.compile(rf"/api/2\.0/(?:preview/)?scim/v2/(?:{KINDS}|(Me))")
ACCOUNT_SCIM = re.compile(rf"/api/2\.[01]/accounts/([^/]+)/scim/v2/(?:{KINDS}|(Me))")
PROXY_SCIM = re.compile(rf"/api/2\.0/account/scim/v2/{KINDS}")
WORKSPACE_ASSIGNMENT = re.compile(r"/api/2\.0/preview/permissionassignments(?:/principals/([^/]+))?")
ACCOUNT_ASSIGNMENT = re.compile(
    r"/api/2\.0/accounts/([^/]+)/workspaces/([^/]+)/permissionassignments(?:/principals/([^/]+)|/(permissions))?"
)
OIDC = re.compile(
    r"/oidc(?:/accounts/([^/]+))?/(\.well-known/(?:oauth-authorization-server|openid-configuration)|v1/token)"
)
SECRETS = "/api/2.0/secrets/"


class DatabricksService:
    """One Databricks account: its own host, and one host per workspace."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.account = Account()
        self.identities = Identities(world, self.account)
        self.scim = Scim(Staleness(world))

    def endpoints(self) -> list[str]:
        """The account first, then the workspaces in the order in which they were seeded."""
        return [ENDPOINT, *(f"databricks/{name}" for name in self.account.workspaces)]

    def seed(self, section: Mapping[str, Any]) -> None:
        """Add what a seed file's `databricks` section describes."""
        Seeder(self.world, self.account, self.identities).load(section)

    def dump(self) -> dict[str, Any]:
        """The present state in the form of a seed."""
        return dump(self.account)

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        try:
            workspace = self._workspace(request.service)
            response = self._open(request, workspace) or self._guarded(request, workspace)
        except Refusal as refusal:
            response = refusal.response
            workspace = self._known_workspace(request.service)
        if workspace is not None:
            return Response(
                response.status, [*response.headers, ("X-Databricks-Org-Id", workspace.id)], response.body
            )
        return response

    def _known_workspace(self, endpoint: str) -> Workspace | None:
        name = endpoint.partition("/")[2]
        found = self.account.workspaces.get(name)
        if found is None and name.startswith("adb-"):
            identifier = name[4:].partition(".")[0]
            found = next((each for each in self.account.workspaces.values() if each.id == identifier), None)
        return found

    def _workspace(self, endpoint: str) -> Workspace | None:
        if endpoint == ENDPOINT:
            return None
        found = self._known_workspace(endpoint)
        if found is None:
            raise rest(404, "ENDPOINT_NOT_FOUND", f"No workspace at {endpoint.partition('/')[2]}")
        return found

    def _open(self, request: Request, workspace: Workspace | None) -> Response | None:
        """The paths that need no token."""
        path = request.path
        if path == "/.well-known/databricks-config":
            return oidc.host_config(self.account, workspace, request.base)
        if path == "/aad/auth":
            return oidc.login_redirect(self.world.directory.tenant_id)
        if path == "/oidc/oauth2/v2.0/authorize":
            return oidc.entra_redirect(self.world.directory.tenant_id)
        match = OIDC.fullmatch(path)
        if match is None:
            return None
        account, word = match.groups()
        if word != "v1/token":
            return oidc.discovery(f"{request.base}/oidc" + (f"/accounts/{account}" if account else ""))
        name = workspace.name if workspace is not None and account is None else None
        audience = oidc.workspace_audience(name) if name else oidc.ACCOUNT_AUDIENCE
        return oidc.token(self.world, self.account, request, audience)

    def _guarded(self, request: Request, workspace: Workspace | None) -> Response:
        path = request.path
        if path.startswith(SECRETS) and workspace is not None:
            view = self._view(request, workspace, workspace)
            self._limit(view, "secrets")
            return secrets.handle(view, path[len(SECRETS) :])
        match = WORKSPACE_SCIM.fullmatch(path) if workspace is not None else None
        if match is not None:
            return self._scim(request, workspace, workspace, *match.groups())
        match = ACCOUNT_SCIM.fullmatch(path)
        if match is not None:
            self._own(match[1])
            return self._scim(request, None, workspace, *match.groups()[1:])
        match = PROXY_SCIM.fullmatch(path) if workspace is not None else None
        if match is not None:
            kind, identifier = match.groups()
            return self._scim(request, None, workspace, kind, identifier, None)
        return self._others(request, workspace)

    def _others(self, request: Request, workspace: Workspace | None) -> Response:
        match = WORKSPACE_ASSIGNMENT.fullmatch(request.path) if workspace is not None else None
        if match is not None:
            view = self._view(request, workspace, workspace)
            self._limit(view, "assignment")
            return assignments.handle(view, view.here, match[1])
        match = ACCOUNT_ASSIGNMENT.fullmatch(request.path)
        if match is not None:
            self._own(match[1])
            target = next((each for each in self.account.workspaces.values() if each.id == match[2]), None)
            view = self._view(request, None, workspace)
            if target is None:
                raise rest(
                    404, "RESOURCE_DOES_NOT_EXIST", f"Workspace {match[2]} does not exist in the account"
                )
            self._limit(view, "assignment")
            return (
                assignments.permissions_list(view) if match[4] else assignments.handle(view, target, match[3])
            )
        self._view(request, workspace, workspace)
        raise no_endpoint(request.method, request.path)

    def _own(self, account: str) -> None:
        if account != self.account.id:
            raise denied(f"Caller is not authorized for account {account}")

    def _scim(
        self,
        request: Request,
        workspace: Workspace | None,
        host: Workspace | None,
        kind: str | None,
        identifier: str | None,
        me: str | None,
    ) -> Response:
        view = self._view(request, workspace, host)
        self._limit(view, "scim", kind or "", identifier is not None)
        if me or kind is None:
            return self.scim.me(view)
        return self.scim.handle(view, kind, identifier)

    def _limit(self, view: View, area: str, kind: str = "", one: bool = False) -> None:
        if self.world.throttle.buckets:
            bucket = limits.bucket_of(view.request.method, area, kind, one, view.workspace)
            limits.check(self.world, self.account, view.workspace, area, bucket)

    def _view(self, request: Request, workspace: Workspace | None, host: Workspace | None) -> View:
        """Authenticate: raises the refusal for no token, a foreign one, or one without a place here."""
        caller = request.caller
        if "authorization" not in request.headers and caller is None:
            raise rest(401, "401", "Credential was not sent or was of an unsupported type for this API.")
        entra = caller is not None and oidc.AZURE_DATABRICKS in caller.audience
        fits = entra or (
            caller is not None
            and (
                caller.audience == oidc.ACCOUNT_AUDIENCE
                or (host is not None and caller.audience == oidc.workspace_audience(host.name))
            )
        )
        if caller is None or not fits:
            raise rest(403, "403", "Invalid access token.")
        me = self._identity(caller.object_id, caller.app_id, caller.name, host)
        if me is None or me.attrs.get("active") is False:
            raise denied(f"User {caller.name or caller.object_id} is not authorized.")
        if host is None:
            admin = self.identities.is_account_admin(me)
        else:
            permissions = self.identities.permissions(me, host)
            if not permissions:
                raise rest(403, "403", f"Unauthorized access to workspace: {host.id}")
            admin = "ADMIN" in permissions
        return View(
            world=self.world,
            account=self.account,
            identities=self.identities,
            request=request,
            me=me,
            workspace=workspace,
            host=host,
            admin=admin,
            entra=entra,
        )

    def _identity(
        self, object_id: str, app_id: str | None, name: str, host: Workspace | None
    ) -> Identity | None:
        known = self.account.by_external.get(object_id)
        if known is not None:
            return self.account.identities[known]
        found = self.account.named(PRINCIPALS, app_id) if app_id else self.account.named(USERS, name)
        if found is not None or self.account.identity_sync != "aim" or host is None:
            return found
        # Just-in-time provisioning: somebody in an assigned Entra group exists from the first login on.
        for group in self.world.directory.transitive_groups(object_id):
            if self.account.by_external.get(group) in host.assigned:
                return self.identities.resolve(object_id)
        return None
