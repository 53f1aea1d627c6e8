"""The Databricks service: which request goes where, who may make it, and how refusals get out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reconciler.emulator.databricks import limits, oidc
from reconciler.emulator.databricks.dump import dump
from reconciler.emulator.databricks.entry import enter
from reconciler.emulator.databricks.errors import Refusal, denied, no_endpoint, rest
from reconciler.emulator.databricks.identities import Identities
from reconciler.emulator.databricks.routing import routes
from reconciler.emulator.databricks.scim.routes import Scim
from reconciler.emulator.databricks.scim.stale import Staleness
from reconciler.emulator.databricks.seed import Seeder
from reconciler.emulator.databricks.state import Account, Workspace
from reconciler.emulator.databricks.view import View
from reconciler.emulator.wire import Request, Response
from reconciler.emulator.world import World

ENDPOINT = "databricks-account"
OIDC = re.compile(
    r"/oidc(?:/accounts/([^/]+))?/(\.well-known/(?:oauth-authorization-server|openid-configuration)|v1/token)"
)


class DatabricksService:
    """One Databricks account: its own host, and one host per workspace."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.account = Account()
        self.identities = Identities(world, self.account)
        self.scim = Scim(Staleness(world))
        self.routes = routes(self.scim)

    def endpoints(self) -> list[str]:
        """The account first, then the workspaces in the order in which they were seeded."""
        return [ENDPOINT, *(f"databricks/{name}" for name in self.account.workspaces)]

    def seed(self, section: Mapping[str, Any]) -> None:
        """Add what a seed file's `databricks` section describes."""
        Seeder(self.world, self.account, self.identities).load(section)
        self.identities.sync.catch_up()

    def dump(self) -> dict[str, Any]:
        """The present state in the form of a seed."""
        self.identities.sync.catch_up()
        return dump(self.account)

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        try:
            self.identities.sync.catch_up()
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

    def _guarded(self, request: Request, host: Workspace | None) -> Response:
        """The paths that need a token, on a workspace's host or on the account's."""
        for route in self.routes:
            if not route.serves(host is not None):
                continue
            match = route.pattern.fullmatch(request.path)
            if match is None:
                continue
            view = enter(self.world, self.identities, request, host, route.place)
            account = match.groupdict().get("account", self.account.id)
            if account != self.account.id:
                raise denied(f"Caller is not authorized for account {account}")
            self._limit(view, route.area, match)
            return route.handler(view, match)
        enter(self.world, self.identities, request, host, "workspace")
        raise no_endpoint(request.method, request.path)

    def _limit(self, view: View, area: str, match: re.Match[str]) -> None:
        if not self.world.throttle.buckets:
            return
        parts = match.groupdict()
        kind, one = parts.get("kind") or "", bool(parts.get("id") or parts.get("me"))
        bucket = limits.bucket_of(view.request.method, area, kind, one, view.workspace)
        limits.check(self.world, self.account, view.workspace, area, bucket)
