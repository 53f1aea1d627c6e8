"""How callers prove who they are: discovery, machine-to-machine tokens, token exchange.

A token of the account is good for every workspace that its principal may enter; a token of a workspace
only for that workspace.  Tokens that Entra minted for the Azure Databricks resource are good everywhere.
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from typing import Any
from urllib.parse import parse_qsl

from reconciler.emulator.databricks.errors import JSON
from reconciler.emulator.databricks.state import PRINCIPALS, Account, Workspace
from reconciler.emulator.wire import Caller, Request, Response, json_response
from reconciler.emulator.world import Token, World

AZURE_DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
"""The application id of the Azure Databricks resource: what Entra tokens are minted for."""
LIFETIME = 3600
ACCOUNT_AUDIENCE = "databricks/account"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


def workspace_audience(name: str) -> str:
    """The audience of tokens that a workspace's own token endpoint mints."""
    return f"databricks/{name}"


def host_config(account: Account, workspace: Workspace | None, base: str) -> Response:
    """`/.well-known/databricks-config`, which the SDKs read before anything else."""
    if workspace is None:
        payload: dict[str, Any] = {
            "oidc_endpoint": f"{base}/oidc/accounts/{{account_id}}",
            "account_id": account.id,
            "cloud": "AZURE",
            "host_type": "account",
        }
    else:
        payload = {
            "oidc_endpoint": f"{base}/oidc",
            "account_id": account.id,
            "workspace_id": workspace.id,
            "cloud": "AZURE",
            "host_type": "workspace",
        }
    return json_response(200, payload, [JSON])


def discovery(root: str) -> Response:
    """`…/.well-known/oauth-authorization-server` of an issuer."""
    payload = {
        "authorization_endpoint": f"{root}/v1/authorize",
        "token_endpoint": f"{root}/v1/token",
        "issuer": root,
        "jwks_uri": f"{root}/jwks.json",
        "scopes_supported": ["all-apis", "email", "offline_access", "openid", "profile", "sql"],
        "response_types_supported": ["code", "id_token"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": ["client_credentials", "authorization_code", "refresh_token", EXCHANGE],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }
    return json_response(200, payload, [JSON])


def login_redirect(tenant: str) -> Response:
    """`/aad/auth`: clients read the tenant out of where it sends them."""
    target = f"https://login.microsoftonline.com/{tenant}/oauth2/authorize?response_type=code"
    return Response(302, [("Location", target)])


def entra_redirect(tenant: str) -> Response:
    """`/oidc/oauth2/v2.0/authorize`: an Azure workspace sends logins on to Entra."""
    return Response(302, [("Location", f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize")])


def refuse(error: str, description: str, status: int = 400) -> Response:
    """An error of the token endpoint, in OAuth's own form."""
    identifier = uuid.uuid5(uuid.NAMESPACE_OID, description).hex
    body = {"error": error, "error_id": identifier, "error_description": description}
    return json_response(status, body, [JSON])


def token(world: World, account: Account, request: Request, audience: str) -> Response:
    """Answer the token endpoint: `client_credentials` and RFC 8693 token exchange."""
    form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    grant = form.get("grant_type")
    if grant == "client_credentials":
        client, secret = _basic(request.headers.get("authorization", ""))
        client = client or form.get("client_id", "")
        return _with_secret(world, account, client, secret or form.get("client_secret", ""), audience)
    if grant == EXCHANGE:
        return _exchange(world, account, form, audience, f"{request.base}{request.path}")
    return refuse("unsupported_grant_type", f"Unsupported grant type: {grant}")


def _basic(header: str) -> tuple[str, str]:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        client, _, secret = base64.b64decode(value).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return client, secret


def _with_secret(world: World, account: Account, client: str, secret: str, audience: str) -> Response:
    known = {account.secrets.get(client)}
    principal = world.directory.by_app_id(client)
    if principal is not None:
        known.add(principal.secret)
    if not secret or secret not in known:
        return refuse("invalid_client", "Client authentication failed", 401)
    return _mint(world, account, client, audience)


def claims_of(jwt: str) -> dict[str, Any]:
    """The claims of a JWT, unverified: an emulated identity provider needs no keys."""
    parts = jwt.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _exchange(world: World, account: Account, form: dict[str, str], audience: str, endpoint: str) -> Response:
    client = form.get("client_id", "")
    claims = claims_of(form.get("subject_token", ""))
    if not claims:
        return refuse("invalid_request", "Subject token is not a valid JWT")
    if float(claims.get("exp", world.clock.now() + 1)) <= world.clock.now():
        return refuse("invalid_grant", "Subject token has expired")
    if not _federated(world, account, client, claims, endpoint):
        return refuse("invalid_grant", "No federation policy matches the subject token", 400)
    return _mint(world, account, client, audience)


def _federated(world: World, account: Account, client: str, claims: dict[str, Any], endpoint: str) -> bool:
    """Whether a federation policy of the service principal fits, by issuer, audience and subject.

    A policy that names no audience means the account's id (Databricks docs, "Configure a federation policy").
    A principal of the directory that states a federated subject has an implied policy, which also takes the
    token endpoint for an audience: that is what the SDKs ask for unless they are told otherwise.
    """
    held = claims.get("aud")
    offered = held if isinstance(held, list) else [held]
    policies = list(account.federation.get(client, []))
    principal = world.directory.by_app_id(client)
    if principal is not None and principal.federated_subject:
        policies.append({"subject": principal.federated_subject, "audiences": [account.id, endpoint]})
    return any(
        claims.get(policy.get("subject_claim", "sub")) == policy.get("subject")
        and policy.get("issuer") in (None, claims.get("iss"))
        and any(audience in (policy.get("audiences") or [account.id]) for audience in offered)
        for policy in policies
    )


def _mint(world: World, account: Account, client: str, audience: str) -> Response:
    principal = world.directory.by_app_id(client)
    identity = account.named(PRINCIPALS, client)
    if identity is not None and identity.attrs.get("active") is False:
        return refuse("invalid_client", "Client authentication failed", 401)
    caller = Caller(
        object_id=principal.id if principal else "",
        app_id=client,
        name=client,
        audience=audience,
    )
    value = f"eyJraWQ.{uuid.UUID(int=world.random.getrandbits(128)).hex}.{len(world.tokens)}"
    world.tokens[value] = Token(caller, world.clock.now() + LIFETIME)
    payload = {"access_token": value, "scope": "all-apis", "token_type": "Bearer", "expires_in": LIFETIME}
    return json_response(200, payload, [JSON])
