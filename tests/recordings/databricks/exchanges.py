"""Read recorded exchanges: unit-test fixtures of the Terraform provider, and excerpts from public threads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what was answered; `body` and `response` are None where nothing was written down."""

    method: str
    target: str
    body: Any = None
    status: int = 200
    response: Any = None

    @property
    def path(self) -> str:
        """The path without the query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The exchanges of one test, in order."""

    file: str
    name: str
    exchanges: list[Exchange] = field(default_factory=list)


def resolved(value: Any) -> Any:
    """Values that were Go expressions: a format string is filled in, a variable stands for its own name."""
    if isinstance(value, list):
        return [resolved(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$go" not in value:
        return {key: resolved(item) for key, item in value.items()}
    if value["$go"] == "fmt.Sprintf":
        form, *arguments = (str(resolved(item)) for item in value["args"])
        return form.replace("%d", "%s") % tuple(arguments)
    return str(value["$go"])


def recordings(folder: Path) -> list[Recording]:
    """Every test of every fixture file of a folder."""
    return [
        recording
        for path in sorted(folder.glob("*.json"))
        for recording in _of_file(path, json.loads(path.read_text()))
    ]


def _of_file(path: Path, document: Any) -> Iterator[Recording]:
    if not isinstance(document, dict):
        return
    for test in document.get("tests", []):
        steps = [_exchange(step) for step in test["exchange"]]
        yield Recording(file=path.name, name=test["test"], exchanges=with_bodies(steps))
    for index, entry in enumerate(document.get("responses", [])):
        name = str(entry.get("origin", index)).rpartition("/")[2]
        step = _of_response(entry["body"])
        yield Recording(file=path.name, name=name, exchanges=[step] if step else [])


def _exchange(step: dict[str, Any]) -> Exchange:
    return Exchange(
        method=step["method"],
        target=str(resolved(step["resource"])).rstrip("?"),
        body=resolved(step.get("request")),
        status=int(step.get("status") or 200),
        response=resolved(step.get("response")),
    )


def _of_response(body: dict[str, Any]) -> Exchange | None:
    """The request that a bare response answers, as far as the response tells."""
    target = None
    if "access_control_list" in body:
        legacy = not body["object_id"].startswith("/")
        target = (
            f"/api/2.0/preview/sql/permissions/{body['object_id']}"
            if legacy
            else f"/api/2.0/permissions{body['object_id']}"
        )
    elif "scopes" in body:
        target = "/api/2.0/secrets/scopes/list"
    elif "secrets" in body:
        target = "/api/2.0/secrets/list?scope=some-scope"
    elif "items" in body:
        target = "/api/2.0/secrets/acls/list?scope=some-scope"
    elif "principal" in body and "permission" in body:
        target = f"/api/2.0/secrets/acls/get?scope=some-scope&principal={body['principal']}"
    return Exchange(method="GET", target=target, response=body) if target else None


def with_bodies(exchanges: list[Exchange]) -> list[Exchange]:
    """Give a body to SCIM writes whose body nobody wrote down.

    A creation gets what the reading after it shows.  A PATCH disables, which is how Terraform deletes; where
    its refusal speaks of entitlements, it gives one.
    """
    completed = []
    for index, step in enumerate(exchanges):
        if step.body is None and "/scim/v2/" in step.target:
            if step.method == "POST" and step.status < 400:
                later = (each.response for each in exchanges[index + 1 :] if isinstance(each.response, dict))
                body = {"displayName": "unknown", "userName": "unknown", **next(later, {})}
                step = replace(step, body=body)
            elif step.method == "PATCH" and step.status < 400:
                step = replace(step, body=_operation("active", "false"))
            elif step.method == "PATCH" and "entitlements" in str(step.response):
                step = replace(step, body=_operation("entitlements", "workspace-access"))
        completed.append(step)
    return completed


def _operation(path: str, value: str) -> dict[str, Any]:
    return {"Operations": [{"op": "replace", "path": path, "value": [{"value": value}]}]}


def excerpts(folder: Path) -> list[dict[str, Any]]:
    """Every excerpt of every file that has some."""
    found = []
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text())
        if isinstance(document, dict):
            found += document.get("items", [])
    return found
