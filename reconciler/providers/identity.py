"""Credentials and trust: who the reconciler is to each service, and whose certificates it believes.

Its law: what is secret comes from the process environment that the caller hands over, and is never in a
file of the policies, a message or a log.
"""

from __future__ import annotations

import json
import logging
import shutil
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from functools import cache
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from reconciler.core.environment import Environment
from reconciler.providers.client_credential import AwaitableCredential, RenewableCredential
from reconciler.providers.contract import Unusable

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

Environ = Mapping[str, str]
"""The process environment, as the command line hands it down."""

AZURE_AUDIENCE = "api://AzureADTokenExchange"
"""What Entra expects in the `aud` of a federated assertion (Microsoft docs: workload identity federation)."""

_SILENT = logging.NullHandler()

LONGEST_PAUSE = 2.0
"""Seconds for which the sign-in service may hold back the one retry."""

GITHUB = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")


def ca_path(environment: Environment, root: Path | str) -> str:
    """The file of the authority to trust instead of the system's, "" for none; raises Unusable if absent."""
    if not environment.ca_file:
        return ""
    path = Path(root, environment.ca_file)
    if not path.is_file():
        raise Unusable(
            f"environment {environment.name}: ca-file {path} does not exist; correct its path or remove it "
            "to trust the system's certificate authorities"
        )
    return str(path)


def ssl_context(environment: Environment, root: Path | str) -> ssl.SSLContext:
    """A client context that trusts the environment's authority, or else the system's; raises Unusable."""
    path = ca_path(environment, root)
    try:
        return ssl.create_default_context(cafile=path or None)
    except ssl.SSLError as error:
        raise Unusable(
            f"environment {environment.name}: ca-file {path} holds no PEM certificate ({error.reason})"
        ) from error


def azure_credential(environment: Environment, environ: Environ, root: Path | str) -> RenewableCredential:
    """The credential that the environment names, usable from any thread; it fetches tokens when asked.

    Raises Unusable when the process environment is not set up for it.
    """
    tenant = environ.get("AZURE_TENANT_ID", "")
    if tenant and tenant.lower() != environment.entra.tenant_id.lower():
        raise Unusable(
            f"AZURE_TENANT_ID is {tenant}, but environment {environment.name} is tenant "
            f"{environment.entra.tenant_id}: choose the right --env, or unset AZURE_TENANT_ID"
        )
    kind = environment.azure_credential
    if kind == "default":
        kind = _first_set_up(environment, environ)
    # Whatever goes wrong comes back as an error; without a handler it would be printed beside that.
    logging.getLogger("azure").addHandler(_SILENT)
    try:
        build = BUILDERS[kind]
    except KeyError:
        known = ", ".join(["default", *BUILDERS])
        raise Unusable(
            f"environment {environment.name}: azure-credential {kind!r} is none of {known}"
        ) from None
    # `az` takes no claims, and its refusal would show them.
    return RenewableCredential(lambda: build(environment, environ, root), takes_claims=kind != "cli")


def azure_credential_aio(environment: Environment, environ: Environ, root: Path | str) -> AwaitableCredential:
    """The same credential for callers on an event loop; raises Unusable."""
    return AwaitableCredential(azure_credential(environment, environ, root))


def refusal(error: BaseException) -> str:
    """Why no token could be had, in one line with the next step; "" for an error of another kind.

    Entra appends trace ids and a link to its own message; only its first sentence is kept.
    """
    from azure.core.exceptions import AzureError, ClientAuthenticationError, ServiceRequestError

    if not isinstance(error, AzureError):
        return ""
    said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    said = said.removeprefix("Authentication failed: ").partition(" Trace ID:")[0]
    # MSAL goes on to explain at length what an authority looks like.
    said = said.partition(". Authority would typically")[0].strip()
    # The SDK words a connection that failed as a refusal, and keeps the truth as its cause.
    if isinstance(error, ServiceRequestError) or isinstance(error.__cause__, ServiceRequestError):
        return f"the sign-in service cannot be reached: {said}; check the network, `authority` and `ca-file`"
    if isinstance(error, ClientAuthenticationError):
        return f"signing in failed: {said}; check the identity and its secret or federated credential"
    return f"signing in failed: {said}"


def _client_secret(environment: Environment, environ: Environ, root: Path | str) -> TokenCredential:
    from azure.identity import ClientSecretCredential

    client_id, secret = _needed("client-secret", environ, "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
    return ClientSecretCredential(
        tenant_id=environment.entra.tenant_id,
        client_id=client_id,
        client_secret=secret,
        **_issuer(environment),
        **_pipeline(environment, root),
    )


def _workload_identity(environment: Environment, environ: Environ, root: Path | str) -> TokenCredential:
    from azure.identity import ClientAssertionCredential, WorkloadIdentityCredential

    (client_id,) = _needed("workload-identity", environ, "AZURE_CLIENT_ID")
    options = {**_issuer(environment), **_pipeline(environment, root)}
    token_file = environ.get("AZURE_FEDERATED_TOKEN_FILE", "")
    if token_file:
        if not Path(token_file).is_file():
            raise Unusable(f"AZURE_FEDERATED_TOKEN_FILE names {token_file}, which does not exist")
        return WorkloadIdentityCredential(
            tenant_id=environment.entra.tenant_id, client_id=client_id, token_file_path=token_file, **options
        )
    if not all(environ.get(name) for name in GITHUB):
        raise Unusable(
            "azure-credential workload-identity needs AZURE_FEDERATED_TOKEN_FILE, or in GitHub Actions "
            "`permissions: {id-token: write}`, which sets ACTIONS_ID_TOKEN_REQUEST_URL and _TOKEN"
        )
    context = github_context(environment, root)
    return ClientAssertionCredential(
        environment.entra.tenant_id,
        client_id,
        lambda: github_assertion(environ, AZURE_AUDIENCE, context),
        **options,
    )


def _cli(environment: Environment, environ: Environ, root: Path | str) -> TokenCredential:
    from azure.identity import AzureCliCredential

    return AzureCliCredential(
        tenant_id=environment.entra.tenant_id, process_timeout=int(_seconds(environment))
    )


def _managed_identity(environment: Environment, environ: Environ, root: Path | str) -> TokenCredential:
    from azure.identity import ManagedIdentityCredential

    client_id = environ.get("AZURE_CLIENT_ID") or None
    return ManagedIdentityCredential(client_id=client_id, **_pipeline(environment, root))


BUILDERS: Mapping[str, Callable[[Environment, Environ, Path | str], Any]] = {
    "client-secret": _client_secret,
    "workload-identity": _workload_identity,
    "cli": _cli,
    "managed-identity": _managed_identity,
}
"""What an environment may name, in the order in which `default` looks for them."""


def _first_set_up(environment: Environment, environ: Environ) -> str:
    if environ.get("AZURE_CLIENT_ID"):
        if environ.get("AZURE_CLIENT_SECRET"):
            return "client-secret"
        if environ.get("AZURE_FEDERATED_TOKEN_FILE") or all(environ.get(name) for name in GITHUB):
            return "workload-identity"
    if shutil.which("az", path=environ.get("PATH", "")):
        return "cli"
    if environ.get("IDENTITY_ENDPOINT") or environ.get("MSI_ENDPOINT"):
        return "managed-identity"
    # A virtual machine's identity leaves no mark in the process environment; probing for it takes seconds.
    raise Unusable(
        f"environment {environment.name}: no Azure credential is set up; set AZURE_CLIENT_ID with "
        "AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE, or sign in with `az login`, or on a virtual "
        "machine write `azure-credential: managed-identity` into the environment"
    )


def github_context(environment: Environment, root: Path | str) -> ssl.SSLContext:
    """Trust for GitHub's own token service: the system's authorities, and the environment's beside them."""
    context = ssl.create_default_context()
    path = ca_path(environment, root)
    if path:
        context.load_verify_locations(cafile=path)
    return context


def github_assertion(environ: Environ, audience: str, context: ssl.SSLContext) -> str:
    """A signed statement by GitHub of which workflow this is (GitHub docs: OpenID Connect reference).

    It lives for minutes, so that it is fetched anew for each token.  Raises Unusable.
    """
    url, token = (environ[name] for name in GITHUB)
    if not url.startswith("https://"):
        raise Unusable("ACTIONS_ID_TOKEN_REQUEST_URL is no https address: the request would leak its token")
    request = urllib.request.Request(f"{url}&audience={quote(audience, safe='')}")
    # A header of the other sort would go along to wherever a redirect leads.
    request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return str(json.load(answer)["value"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unusable(
            f"GitHub gave no identity token for audience {audience}: {error}; the job needs "
            "`permissions: {id-token: write}`"
        ) from error


def _needed(kind: str, environ: Environ, *names: str) -> list[str]:
    missing = [name for name in names if not environ.get(name)]
    if missing:
        raise Unusable(f"azure-credential {kind} needs {' and '.join(names)}; not set: {', '.join(missing)}")
    return [environ[name] for name in names]


def _issuer(environment: Environment) -> dict[str, Any]:
    authority = environment.entra.authority
    if not authority.startswith("https://"):
        raise Unusable(f"environment {environment.name}: authority {authority!r} is no https:// address")
    # Discovery asks Microsoft whether the authority is theirs; the reviewed environment has said so.
    # The managed identity's credential brings a retry policy of its own, so this is for the others only.
    return {
        "authority": authority,
        "disable_instance_discovery": True,
        "retry_policy_class": _impatient(),
    }


def _pipeline(environment: Environment, root: Path | str) -> dict[str, Any]:
    """How long to try, and whom to trust: one retry, as the SDK's three take half a minute to give up."""
    seconds = _seconds(environment)
    options: dict[str, Any] = {"retry_total": 1, "connection_timeout": seconds, "read_timeout": seconds}
    path = ca_path(environment, root)
    return options | ({"connection_verify": path} if path else {})


@cache
def _impatient() -> type[Any]:
    """The SDK's retries, without its obedience to a service that asks for an hour's pause (SDK source)."""
    from azure.core.pipeline.policies import RetryPolicy

    class Impatient(RetryPolicy):
        """Waits as long as it is asked to, up to a few seconds."""

        def get_retry_after(self, response: Any) -> float | None:
            """Seconds to wait before the one retry."""
            asked = super().get_retry_after(response)
            return None if asked is None else min(float(asked), LONGEST_PAUSE)

    return Impatient


def _seconds(environment: Environment) -> float:
    return max(1.0, min(10.0, environment.patience / 2))
