"""The sign-in endpoint: every token that the other services accept as Entra's is minted here.

Beside it, at paths of their own, stand the two places where a workload gets a token without a secret: the
instance metadata endpoint of a managed identity, and the id-token endpoint of a GitHub Actions job.
"""

from __future__ import annotations

import json
import random
import re
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from reconciler.emulator.directory import ServicePrincipal, User
from reconciler.emulator.entra import assertions, discovery, errors
from reconciler.emulator.entra.errors import EntraError
from reconciler.emulator.entra.signing import Signer
from reconciler.emulator.wire import Caller, Request, Response, json_response
from reconciler.emulator.world import Token, World

JSON = "application/json; charset=utf-8"
RESOURCES = (
    re.compile(r"https://graph\.microsoft\.com/?|00000003-0000-0000-c000-000000000000"),
    re.compile(r"https://management\.(azure\.com|core\.windows\.net)/?"),
    re.compile(r"https://storage\.azure\.com/?|https://[\w-]+\.(dfs|blob)\.core\.windows\.net/?"),
    re.compile(r"(api://)?2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"),
    re.compile(r"https://vault\.azure\.net/?"),
)
"""Audiences that every tenant knows; beside them the applications of the directory, by their id."""


class EntraService:
    """Endpoint `entra`.  It has no seed section: who may sign in is part of the directory.

    Switches: `entra.token-seconds` (3599) and `entra.managed-identity-token-seconds` (86399) are the lives of
    tokens; `entra.federated-issuers` lists issuers of assertions that are trusted beside GitHub's.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.signer = Signer()
        self._ids = random.Random(2)

    def endpoints(self) -> list[str]:
        """The one endpoint."""
        return ["entra"]

    def seed(self, section: Mapping[str, Any]) -> None:
        """Nothing to add."""

    def dump(self) -> dict[str, Any]:
        """Nothing to keep: tokens die with the process."""
        return {}

    def handle(self, request: Request) -> Response:
        """Answer one HTTP request."""
        correlation = request.headers.get("client-request-id") or self._new_id()
        try:
            status, payload = 200, self._answer(request)
        except EntraError as error:
            stamp = self.world.clock.utc().strftime("%Y-%m-%d %H:%M:%SZ")
            status, payload = error.status, error.payload(stamp, self._new_id(), correlation)
        if payload is None:
            return Response(404, _headers(correlation), b"")
        return json_response(status, payload, [*_headers(correlation), ("Content-Type", JSON)])

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self._ids.getrandbits(128), version=4))

    def _answer(self, request: Request) -> dict[str, Any] | None:
        segments = [unquote(part) for part in request.path.split("/") if part]
        match (request.method, *segments):
            case ("GET", "common" | "organizations", "discovery", "instance"):
                return self._instance(request)
            case ("GET", tenant, "v2.0", ".well-known", "openid-configuration"):
                return discovery.openid_configuration(request.base, tenant, self._tenant(tenant), v2=True)
            case ("GET", tenant, ".well-known", "openid-configuration"):
                return discovery.openid_configuration(request.base, tenant, self._tenant(tenant), v2=False)
            case ("GET", tenant, "discovery", *_) if segments[-1] == "keys":
                return self.signer.jwks(f"{request.base}/{self._tenant(tenant)}/v2.0")
            case ("POST", tenant, "oauth2", "v2.0", "token"):
                return self._token(request, tenant, v2=True)
            case ("POST", tenant, "oauth2", "token"):
                return self._token(request, tenant, v2=False)
            case ("GET", "metadata", "identity", "oauth2", "token"):
                return self._managed_identity(request)
            case ("GET", "actions", "idtoken"):
                return self._github(request)
        return None

    def _instance(self, request: Request) -> dict[str, Any]:
        endpoint = request.param("authorization_endpoint") or ""
        found = discovery.instance(request.base, endpoint)
        if found is None:
            raise EntraError(
                400,
                "invalid_instance",
                50049,
                "Unknown or invalid instance.",
            )
        return found

    def _tenant(self, name: str) -> str:
        tenant_id = self.world.directory.tenant_id
        if name.lower() in (tenant_id.lower(), "common", "organizations"):
            return tenant_id
        domains = {user.upn.partition("@")[2].lower() for user in self.world.directory.users.values()}
        if name.lower() in domains:
            return tenant_id
        raise errors.tenant_not_found(name)

    def _token(self, request: Request, tenant: str, v2: bool) -> dict[str, Any]:
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        tenant_id = self._tenant(tenant)
        for name in ("grant_type", "client_id"):
            if not form.get(name):
                raise errors.missing_parameter(name)
        resource = self._resource(form, v2)
        match form["grant_type"]:
            case "client_credentials":
                principal = self._application(form)
                caller = _application_caller(principal, resource)
            case "password":
                caller = _user_caller(self._person(form), resource)
            case grant:
                raise errors.unsupported_grant(grant)
        seconds = int(self.world.switches.get("entra.token-seconds", 3599))
        token = self.mint(caller, request.base, tenant_id, seconds, form.get("claims", ""))
        if v2:
            return {
                "token_type": "Bearer",
                "expires_in": seconds,
                "ext_expires_in": seconds,
                "access_token": token,
            }
        now = int(self.world.clock.now())
        return {
            "token_type": "Bearer",
            "expires_in": str(seconds),
            "ext_expires_in": str(seconds),
            "expires_on": str(now + seconds),
            "not_before": str(now - 300),
            "resource": resource,
            "access_token": token,
        }

    def _resource(self, form: Mapping[str, str], v2: bool) -> str:
        name = "scope" if v2 else "resource"
        given = form.get(name, "")
        if not given:
            raise errors.missing_parameter(name)
        scopes = [one for one in given.split() if one not in ("openid", "profile", "offline_access")] or [
            given
        ]
        if v2 and form["grant_type"] == "client_credentials" and not given.endswith("/.default"):
            raise errors.bad_scope(given)
        resource = scopes[0].removesuffix("/.default") if v2 else given
        known = any(pattern.fullmatch(resource) for pattern in RESOURCES)
        if not known and not self.world.directory.by_app_id(resource.removeprefix("api://")):
            raise errors.unknown_resource(resource, self.world.directory.tenant_id)
        return resource

    def _application(self, form: Mapping[str, str]) -> ServicePrincipal:
        app_id = form["client_id"]
        principal = self.world.directory.by_app_id(app_id)
        if principal is None or principal.managed_identity:
            raise errors.application_not_found(app_id, self.world.directory.tenant_id)
        if form.get("client_assertion"):
            issuers = frozenset({assertions.GITHUB, *self.world.switches.get("entra.federated-issuers", ())})
            now = self.world.clock.now()
            assertions.check(form["client_assertion"], principal, self.signer, now, issuers)
        elif not form.get("client_secret"):
            raise errors.no_credential()
        elif not principal.secret or form["client_secret"] != principal.secret:
            raise errors.wrong_secret(app_id)
        return principal

    def _person(self, form: Mapping[str, str]) -> User:
        user = self.world.directory.by_upn(form.get("username", ""))
        if user is None or not user.password or user.password != form.get("password") or not user.enabled:
            raise errors.wrong_password()
        return user

    def mint(self, caller: Caller, base: str, tenant_id: str, seconds: int, claims: str = "") -> str:
        """A signed access token that all services of this emulator know until it expires."""
        now = self.world.clock.now()
        payload: dict[str, Any] = {
            "aud": caller.audience,
            "iss": f"https://sts.windows.net/{tenant_id}/",
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now) + seconds,
            "oid": caller.object_id,
            "sub": caller.object_id,
            "tid": tenant_id,
            "uti": self._new_id(),
            "ver": "1.0",
        }
        if caller.kind == "user":
            payload |= {
                "upn": caller.name,
                "unique_name": caller.name,
                "idtyp": "user",
                "scp": "user_impersonation",
            }
        else:
            principal = self.world.directory.service_principals[caller.object_id]
            payload |= {
                "appid": caller.app_id,
                "appidacr": "1",
                "idtyp": "app",
                "roles": sorted(principal.app_roles),
            }
        asked = _asked(claims)
        values = asked.get("xms_cc", {}).get("values", [])
        continuous = any(str(value).upper() == "CP1" for value in values)
        if continuous:
            payload["xms_cc"] = ["CP1"]
        since = str(asked.get("nbf", {}).get("value", "0"))
        not_before = int(since) if since.isdecimal() else 0
        token = self.signer.sign(payload)
        self.world.tokens[token] = Token(caller, now + seconds, continuous, not_before)
        return token

    def _managed_identity(self, request: Request) -> dict[str, Any]:
        """Instance metadata (Microsoft docs: acquire an access token on an Azure VM, REST)."""
        if request.headers.get("metadata", "").lower() != "true":
            raise EntraError(400, "invalid_request", 90014, "Required metadata header not specified")
        wanted = request.param("client_id") or request.param("object_id") or request.param("principal_id")
        principals = self.world.directory.service_principals.values()
        found = [sp for sp in principals if sp.managed_identity and wanted in (None, sp.app_id, sp.id)]
        if len(found) != 1:
            raise EntraError(400, "invalid_request", 70001, "Identity not found")
        resource = request.param("resource") or ""
        seconds = int(self.world.switches.get("entra.managed-identity-token-seconds", 86399))
        caller = _application_caller(found[0], resource)
        now = int(self.world.clock.now())
        return {
            "access_token": self.mint(caller, request.base, self.world.directory.tenant_id, seconds),
            "client_id": found[0].app_id,
            "expires_in": str(seconds),
            "expires_on": str(now + seconds),
            "ext_expires_in": str(seconds),
            "not_before": str(now - 300),
            "resource": resource,
            "token_type": "Bearer",
        }

    def _github(self, request: Request) -> dict[str, Any]:
        """A job's identity token; the request's bearer token is the subject that it is to speak for."""
        subject = request.headers.get("authorization", "").partition(" ")[2].strip()
        if not subject:
            raise EntraError(
                401, "unauthorized", 401, "The request carries no ACTIONS_ID_TOKEN_REQUEST_TOKEN."
            )
        now = int(self.world.clock.now())
        claims = {
            "iss": assertions.GITHUB,
            "sub": subject,
            "aud": request.param("audience") or "https://github.com/corp",
            "iat": now,
            "nbf": now - 300,
            "exp": now + 300,
            "jti": self._new_id(),
        }
        value = self.signer.sign(claims)
        return {"count": len(value), "value": value}


def _application_caller(principal: ServicePrincipal, audience: str) -> Caller:
    return Caller(
        object_id=principal.id,
        app_id=principal.app_id,
        name=principal.app_id,
        audience=audience,
    )


def _user_caller(user: User, audience: str) -> Caller:
    return Caller(object_id=user.id, name=user.upn, audience=audience, kind="user")


def _asked(claims: str) -> dict[str, Any]:
    """What a sign-in asks of the access token (OpenID Connect Core, 5.5)."""
    try:
        asked: dict[str, Any] = json.loads(claims)["access_token"] if claims else {}
    except (ValueError, KeyError):
        return {}
    return asked


def _headers(correlation: str) -> list[tuple[str, str]]:
    return [
        ("Cache-Control", "no-store, no-cache"),
        ("Pragma", "no-cache"),
        ("Expires", "-1"),
        ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
        ("X-Content-Type-Options", "nosniff"),
        ("client-request-id", correlation),
    ]
