"""How Databricks words its refusals: the REST form and the SCIM form."""

from __future__ import annotations

from reconciler.emulator.wire import Response, json_response

JSON = ("Content-Type", "application/json")
SCIM_JSON = ("Content-Type", "application/scim+json;charset=utf-8")
ERROR_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"


class Refusal(Exception):
    """A request that is answered with an error; `response` is what goes over the wire."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.body.decode())
        self.response = response


def rest(status: int, code: str, message: str, *, retry_after: int | None = None) -> Refusal:
    """An error of the REST API: `{"error_code": …, "message": …}`."""
    headers = [JSON]
    if retry_after is not None:
        headers.append(("Retry-After", str(retry_after)))
    return Refusal(json_response(status, {"error_code": code, "message": message}, headers))


def scim(status: int, detail: str, scim_type: str | None = None) -> Refusal:
    """An error of a SCIM endpoint; `status` is a string in the body, as RFC 7644 has it."""
    body = {"schemas": [ERROR_SCHEMA], "detail": detail, "status": str(status)}
    if scim_type:
        body["scimType"] = scim_type
    return Refusal(json_response(status, body, [SCIM_JSON]))


def invalid(message: str) -> Refusal:
    """400 INVALID_PARAMETER_VALUE."""
    return rest(400, "INVALID_PARAMETER_VALUE", message)


def missing(message: str) -> Refusal:
    """404 RESOURCE_DOES_NOT_EXIST."""
    return rest(404, "RESOURCE_DOES_NOT_EXIST", message)


def denied(message: str) -> Refusal:
    """403 PERMISSION_DENIED."""
    return rest(403, "PERMISSION_DENIED", message)


def no_endpoint(method: str, path: str) -> Refusal:
    """What the gateway says of a path that it has no API for."""
    return rest(404, "ENDPOINT_NOT_FOUND", f"No API found for '{method} {path.removeprefix('/api/2.0')}'")
