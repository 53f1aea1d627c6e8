"""Graph's error bodies, by the fault that they report."""

from __future__ import annotations

from typing import Any


class GraphError(Exception):
    """A request that Graph refuses; carries what the answer says."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers

    def payload(self, date: str, request_id: str, client_request_id: str) -> dict[str, Any]:
        """The error envelope (Microsoft docs: Microsoft Graph error responses)."""
        inner = {"date": date, "request-id": request_id, "client-request-id": client_request_id}
        return {"error": {"code": self.code, "message": self.message, "innerError": inner}}


def bad_request(message: str) -> GraphError:
    """400 for a request that makes no sense to the directory."""
    return GraphError(400, "Request_BadRequest", message)


def unsupported(message: str) -> GraphError:
    """400 for a query option that the directory does not support here."""
    return GraphError(400, "Request_UnsupportedQuery", message)


def not_found(oid: str) -> GraphError:
    """404 for an object, or an object that a reference names, which does not exist."""
    return GraphError(
        404,
        "Request_ResourceNotFound",
        f"Resource '{oid}' does not exist or one of its queried reference-property objects are not present.",
    )


def denied() -> GraphError:
    """403: the caller's permissions do not cover the request."""
    return GraphError(
        403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."
    )


def no_segment(segment: str) -> GraphError:
    """400 for a path that the service's model does not know."""
    return GraphError(400, "BadRequest", f"Resource not found for the segment '{segment}'.")


def already_linked(relation: str) -> GraphError:
    """400 for an addition of what is there already: the whole request is refused."""
    return bad_request(
        "One or more added object references already exist for the following modified properties: "
        f"'{relation}'."
    )


def invalid_identifier(key: str) -> GraphError:
    """400 for a key that is no GUID where only a GUID can be meant."""
    return bad_request(f"Invalid object identifier '{key}'.")


def not_linked(relation: str) -> GraphError:
    """400 for a removal of what is not there, in the rarer of the service's two ways to say so."""
    return bad_request(
        "One or more removed object references do not exist for the following modified properties: "
        f"'{relation}'."
    )
