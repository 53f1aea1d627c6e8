"""One Databricks account in process, its Entra directory, and callers of different rights."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote

from reconciler.emulator.databricks.oidc import AZURE_DATABRICKS
from reconciler.emulator.databricks.service import DatabricksService
from reconciler.emulator.directory import Group, ServicePrincipal, User, object_id
from reconciler.emulator.wire import Caller, Request, Response
from reconciler.emulator.world import Token, World

ACCOUNT = "b5c6d7e8-0000-4000-8000-00000000acc7"
WORKSPACE = "900800700600"
SCIM = "/api/2.0/preview/scim/v2"
ACCOUNT_SCIM = f"/api/2.0/accounts/{ACCOUNT}/scim/v2"
APP = "11111111-1111-4111-8111-111111111111"
READER = "22222222-2222-4222-8222-222222222222"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

SEED: dict[str, Any] = {
    "account": {
        "id": ACCOUNT,
        "admins": ["sp:reconciler"],
        "groups": [{"name": "platform", "id": "500", "members": ["user:ana@corp.example"]}],
    },
    "workspaces": {
        "main": {
            "id": WORKSPACE,
            "admins": ["sp:reconciler"],
            "assigned": [
                {"principal": "group:pricing-ds", "permissions": ["USER"]},
                {"principal": "sp:reader", "permissions": ["USER"]},
                {"principal": "user:bo@corp.example", "permissions": ["USER"]},
            ],
            "groups": [{"name": "local-team", "members": ["user:bo@corp.example"]}],
            "entitlements": {"group:pricing-ds": ["workspace-access"]},
            "scopes": [
                {
                    "name": "pricing",
                    "acls": {"pricing-ds": "READ", "sp:reconciler": "MANAGE"},
                    "secrets": {"api-key": {"value": "s3cret", "updated": "2024-05-01T00:00:00Z"}},
                }
            ],
        },
        "other": {"id": "900800700601", "admins": ["sp:reconciler"]},
    },
}


def directory(world: World) -> None:
    """Two users, a leaver, nested groups and two service principals."""
    for name in ("ana", "bo", "cy"):
        upn = f"{name}@corp.example"
        world.directory.add(User(id=object_id("user", upn), upn=upn, display_name=f"{name.title()} Example"))
    for name, app in (("reconciler", APP), ("reader", READER)):
        world.directory.add(
            ServicePrincipal(id=object_id("sp", name), app_id=app, display_name=name, secret=f"{name}-secret")
        )
    for name, members in (
        ("pricing-nested", ["user/cy@corp.example"]),
        ("pricing-ds", ["user/ana@corp.example", "group/pricing-nested"]),
        ("unresolved", ["user/bo@corp.example"]),
    ):
        ids = dict.fromkeys(object_id(*member.split("/")) for member in members)
        world.directory.add(Group(id=object_id("group", name), display_name=name, members=ids))


class Estate:
    """The service with its world; `call` speaks to it as a seeded principal."""

    def __init__(self, seed: Mapping[str, Any] | None = None, **switches: Any) -> None:
        self.audience = AZURE_DATABRICKS
        self.world = World()
        self.world.clock.freeze()
        self.world.switches.update({"databricks.stale-seconds": 0})
        for name, value in switches.items():
            self.world.switches[f"databricks.{name.replace('_', '-')}"] = value
        directory(self.world)
        self.service = DatabricksService(self.world)
        self.service.seed(SEED if seed is None else seed)

    @property
    def account(self) -> Any:
        """The account's state."""
        return self.service.account

    def id_of(self, reference: str) -> str:
        """The Databricks id of `user:…`, `group:…` or `sp:…`."""
        return self.service.identities.principal(reference, self.account.workspaces.get("main")).id

    def send(
        self,
        method: str,
        target: str,
        body: Any = None,
        *,
        caller: str | None = "reconciler",
        endpoint: str = "databricks/main",
        headers: Mapping[str, str] | None = None,
        peer: str = "",
    ) -> Response:
        """One request; `caller` is the name of a directory object, None for nobody."""
        path, _, query = target.partition("?")
        payload = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.service.handle(
            Request(
                service=endpoint,
                method=method,
                path=path,
                query=parse_qsl(query, keep_blank_values=True),
                raw_query=query,
                headers={"accept": "application/json", **(headers or {})},
                body=payload,
                base="https://host.example",
                peer=peer,
                caller=self.caller(caller) if caller else None,
            )
        )

    def caller(self, name: str) -> Caller:
        """The caller that a token for `audience` would make of a user or service principal."""
        directory = self.world.directory
        for principal in directory.service_principals.values():
            if principal.display_name == name:
                app = principal.app_id
                return Caller(object_id=principal.id, app_id=app, name=app, audience=self.audience)
        user = directory.by_upn(name)
        assert user is not None, name
        return Caller(object_id=user.id, name=user.upn, audience=self.audience, kind="user")

    def call(self, method: str, target: str, body: Any = None, **options: Any) -> Any:
        """One request that must succeed; returns the body."""
        response = self.send(method, target, body, **options)
        assert response.status < 300, (response.status, response.body)
        return json.loads(response.body) if response.body else None

    def refused(self, method: str, target: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        """One request that must fail; returns status and body."""
        response = self.send(method, target, body, **options)
        assert response.status >= 400, (response.status, response.body)
        return response.status, json.loads(response.body)

    def at_account(self, method: str, target: str, body: Any = None, **options: Any) -> Any:
        """`call` on the account's host."""
        return self.call(method, target, body, endpoint="databricks-account", **options)

    def patch(self, target: str, *operations: Mapping[str, Any], **options: Any) -> Any:
        """A PATCH that must succeed."""
        return self.call("PATCH", target, {"schemas": [PATCH], "Operations": list(operations)}, **options)

    def token(self, name: str) -> str:
        """A bearer token, for callers that come through a socket."""
        value = f"token-of-{name}"
        self.world.tokens[value] = Token(self.caller(name), self.world.clock.now() + 3600)
        return value


def filtered(expression: str) -> str:
    """A filter as a query parameter."""
    return f"filter={quote(expression)}"


def jwt(**claims: Any) -> str:
    """An unsigned token of an identity provider that is not emulated."""
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), "x"])
