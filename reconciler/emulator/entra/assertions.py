"""Judge the assertions that workloads present instead of a secret (workload identity federation)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import jwt

from reconciler.emulator.directory import ServicePrincipal
from reconciler.emulator.entra import errors
from reconciler.emulator.entra.signing import Signer

AUDIENCE = "api://AzureADTokenExchange"
GITHUB = "https://token.actions.githubusercontent.com"


def check(
    assertion: str, principal: ServicePrincipal, signer: Signer, now: float, issuers: frozenset[str]
) -> None:
    """Accept an assertion that fits the principal's federated credential, else raise EntraError.

    Order of the checks: form, issuer, audience, subject, time, signature.  Only assertions that carry this
    emulator's key id have their signature verified; other issuers' keys are out of reach on loopback.
    """
    try:
        header = jwt.get_unverified_header(assertion)
        claims: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise errors.malformed_assertion() from None
    issuer = str(claims.get("iss", ""))
    if not principal.federated_subject or issuer not in issuers:
        raise errors.unknown_issuer(issuer)
    audience = claims.get("aud")
    if AUDIENCE not in (audience if isinstance(audience, list) else [audience]):
        raise errors.unknown_audience(str(audience))
    if claims.get("sub") != principal.federated_subject:
        raise errors.unknown_subject(str(claims.get("sub")))
    expiry = float(claims.get("exp", 0))
    if expiry <= now:
        raise errors.expired_assertion(_written(now), _written(expiry))
    if header.get("kid") == signer.key_id and not signer.verifies(assertion):
        raise errors.bad_signature()


def _written(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
