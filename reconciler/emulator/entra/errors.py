"""The sign-in endpoint's error bodies (Microsoft docs: Microsoft Entra authentication error codes)."""

from __future__ import annotations

from typing import Any


class EntraError(Exception):
    """A token request that is refused; `number` is that of the AADSTS code."""

    def __init__(self, status: int, error: str, number: int, message: str) -> None:
        super().__init__(f"AADSTS{number}: {message}")
        self.status = status
        self.error = error
        self.number = number
        self.message = message

    def payload(self, timestamp: str, trace: str, correlation: str) -> dict[str, Any]:
        """The error body; `timestamp` is `2024-01-31 08:00:00Z`."""
        return {
            "error": self.error,
            "error_description": f"AADSTS{self.number}: {self.message} Trace ID: {trace} "
            f"Correlation ID: {correlation} Timestamp: {timestamp}",
            "error_codes": [self.number],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={self.number}",
        }


def tenant_not_found(tenant: str) -> EntraError:
    """No such tenant."""
    return EntraError(
        400,
        "invalid_tenant",
        90002,
        f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing "
        "into "
        "the correct cloud. Check with your subscription administrator, this may happen if there are no "
        "active "
        "subscriptions for the tenant.",
    )


def missing_parameter(name: str) -> EntraError:
    """The form lacks a field."""
    return EntraError(
        400, "invalid_request", 900144, f"The request body must contain the following parameter: '{name}'."
    )


def application_not_found(app_id: str, tenant: str) -> EntraError:
    """No service principal of this application in the tenant."""
    return EntraError(
        400,
        "unauthorized_client",
        700016,
        f"Application with identifier '{app_id}' was not found in the directory '{tenant}'. This can "
        "happen if "
        "the application has not been installed by the administrator of the tenant or consented to by any "
        "user "
        "in the tenant. You may have sent your authentication request to the wrong tenant.",
    )


def wrong_secret(app_id: str) -> EntraError:
    """The secret is not the application's."""
    return EntraError(
        401,
        "invalid_client",
        7000215,
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
        f"value, not the client secret ID, for a secret added to app '{app_id}'.",
    )


def no_credential() -> EntraError:
    """Neither a secret nor an assertion."""
    return EntraError(
        401,
        "invalid_client",
        7000216,
        "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant "
        "type.",
    )


_FEDERATION = (
    "Check your federated identity credential Subject, Audience and Issuer against the presented assertion. "
    "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
)


def unknown_issuer(issuer: str) -> EntraError:
    """An assertion of an issuer that the application does not trust."""
    return EntraError(
        401,
        "invalid_client",
        700211,
        f"No matching federated identity record found for presented assertion issuer '{issuer}'. "
        f"{_FEDERATION}",
    )


def unknown_audience(audience: str) -> EntraError:
    """An assertion that was made for somebody else."""
    return EntraError(
        401,
        "invalid_client",
        700212,
        f"No matching federated identity record found for presented assertion audience '{audience}'. "
        f"{_FEDERATION}",
    )


def unknown_subject(subject: str) -> EntraError:
    """An assertion of a subject that the application does not trust."""
    return EntraError(
        401,
        "invalid_client",
        700213,
        f"No matching federated identity record found for presented assertion subject '{subject}'. "
        f"{_FEDERATION}",
    )


def expired_assertion(now: str, expiry: str) -> EntraError:
    """An assertion past its time."""
    return EntraError(
        401,
        "invalid_client",
        700024,
        "Client assertion is not within its valid time range. "
        f"Current time: {now}, expiry time of assertion {expiry}.",
    )


def bad_signature() -> EntraError:
    """An assertion whose signature does not fit its content."""
    return EntraError(
        401,
        "invalid_client",
        700027,
        "The certificate with identifier used to sign the client assertion is not registered on application.",
    )


def malformed_assertion() -> EntraError:
    """Something that is not a signed JWT."""
    return EntraError(401, "invalid_client", 50027, "JWT token is invalid or malformed.")


def bad_scope(scope: str) -> EntraError:
    """A scope that is not `<resource>/.default`."""
    return EntraError(
        400,
        "invalid_scope",
        1002012,
        f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value "
        "with /.default suffixed to the resource identifier (application ID URI).",
    )


def unknown_resource(resource: str, tenant: str) -> EntraError:
    """A resource that nobody in the tenant provides."""
    return EntraError(
        400,
        "invalid_resource",
        500011,
        f"The resource principal named {resource} was not found in the tenant named {tenant}. This can "
        "happen "
        "if the application has not been installed by the administrator of the tenant or consented to by any "
        "user in the tenant. You might have sent your authentication request to the wrong tenant.",
    )


def unsupported_grant(grant: str) -> EntraError:
    """A grant type that this endpoint does not know."""
    return EntraError(
        400, "unsupported_grant_type", 70003, f"The app requested an unsupported grant type '{grant}'."
    )


def wrong_password() -> EntraError:
    """A person's name and password do not fit."""
    return EntraError(
        400, "invalid_grant", 50126, "Error validating credentials due to invalid username or password."
    )
