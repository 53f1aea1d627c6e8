"""`$batch`: up to 20 requests in one, each answered, charged and throttled on its own.

Source: Microsoft docs, "Combine multiple HTTP requests using JSON batching".
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from reconciler.emulator.graph.call import Call
from reconciler.emulator.graph.errors import GraphError

LIMIT = 20
Answer = tuple[int, dict[str, str], Any]
METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE"})


def run(call: Call, answer: Callable[[str, str, dict[str, str], Any], Answer]) -> dict[str, Any]:
    """Answer every item, dependent ones after what they depend on; raises GraphError for a malformed batch.

    `answer` takes method, URL below the version, headers with names in lower case and the body of an item.
    """
    items = _items(call)
    responses: list[dict[str, Any]] = []
    failed: set[str] = set()
    for item in _ordered(items):
        if failed.intersection(item.get("dependsOn") or ()):
            failed.add(item["id"])
            responses.append(_failed_dependency(item["id"]))
            continue
        headers = {name.lower(): str(value) for name, value in (item.get("headers") or {}).items()}
        status, given, body = answer(item["method"].upper(), item["url"], headers, item.get("body"))
        if status >= 400:
            failed.add(item["id"])
        response = {"id": item["id"], "status": status, "headers": given}
        if body is not None:
            response["body"] = _encoded(body)
        responses.append(response)
    return {"responses": responses}


def _encoded(body: Any) -> Any:
    # Bodies other than JSON travel as base64, such as the bare number of a `$count`.
    return base64.b64encode(body.encode()).decode() if isinstance(body, str) else body


def _items(call: Call) -> list[dict[str, Any]]:
    items = call.json().get("requests")
    if not isinstance(items, list) or not items:
        raise _malformed("Invalid batch payload format.")
    if len(items) > LIMIT:
        raise _malformed(f"Number of batch request steps exceeds the maximum value of {LIMIT}.")
    seen: set[str] = set()
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("id"), str) or not item["id"]:
            raise _malformed("Invalid batch payload format.")
        if item["id"] in seen:
            raise _malformed("Request Id's must be unique.")
        seen.add(item["id"])
        if str(item.get("method", "")).upper() not in METHODS or not isinstance(item.get("url"), str):
            raise _malformed("Invalid batch payload format.")
    for item in items:
        for needed in item.get("dependsOn") or ():
            if needed not in seen:
                raise _malformed(
                    f"Batch request step '{item['id']}' depends on '{needed}', which is not in the batch."
                )
    return items


def _ordered(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    done: set[str] = set()
    ordered: list[dict[str, Any]] = []
    waiting = items
    while waiting:
        ready = [item for item in waiting if done.issuperset(item.get("dependsOn") or ())]
        if not ready:
            raise _malformed("Batch request dependencies are circular.")
        ordered += ready
        done.update(item["id"] for item in ready)
        waiting = [item for item in waiting if item["id"] not in done]
    return ordered


def _failed_dependency(identifier: str) -> dict[str, Any]:
    error = {
        "code": "FailedDependency",
        "message": "One or more of this request's dependencies failed.",
    }
    return {
        "id": identifier,
        "status": 424,
        "headers": {"Content-Type": "application/json"},
        "body": {"error": error},
    }


def _malformed(message: str) -> GraphError:
    return GraphError(400, "BadRequest", message)
