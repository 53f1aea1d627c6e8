"""Secrets to plant wherever one could come from, and what looks for them in all that was written."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from reconciler.emulator.wire import Request, Response
from tests.cli.desk import APPS, Desk, Said

LAID: dict[str, Any] = {
    "AZURE_CLIENT_CERTIFICATE_PASSWORD": "canary-certificate-pass",
    "AZURE_PASSWORD": "canary user password",
    "DATABRICKS_TOKEN": "dapi0123456789abcdefcanary",
    "GITHUB_TOKEN": "ghp_canary0123456789abcdef01234567",
    "AZURE_STORAGE_CONNECTION_STRING": "EndpointSuffix=x;AccountName=lake;AccountKey=canaryKey+/==;X=y",
    "LAKE_URL": "https://lake.blob.core.windows.net/data?sv=2023&sig=canarySignature%2Fx%3D&se=2027",
    "MIRROR": "https://noor:canary-mirror-pass@git.corp.example/policies.git",
    "REPORT_SAS": "sv=2023&sp=r&sig=canaryReport%3D",
    "STORAGE_ACCESS_KEY": "canaryAccess/Key==",
}
"""What a runner's environment may hold beside what the tool needs."""
VALUES = (
    *(secret for _, secret in APPS.values()),
    *(base64.b64encode(f"{client}:{secret}".encode()).decode() for client, secret in APPS.values()),
    "canary-secret-value", "canary-certificate-pass", "canary user password", quote("canary user password"),
    LAID["DATABRICKS_TOKEN"], LAID["GITHUB_TOKEN"], "canaryKey", "canarySignature", "canary-mirror-pass",
    "canaryReport", "canaryAccess",
)  # fmt: skip


def written(desk: Desk) -> Iterator[tuple[str, str]]:
    """Every file below the root that git does not keep for itself, by path."""
    for path in sorted(desk.root.rglob("*")):
        if path.is_file() and ".git" not in path.parts:
            yield str(path.relative_to(desk.root)), path.read_bytes().decode("utf-8", "replace")


def leaks(desk: Desk, *said: Said, more: tuple[str, ...] = ()) -> list[str]:
    """Where a canary, or a token that the emulator gave out, can be read."""
    secrets = {*VALUES, *more, *desk.emulator.world.tokens}
    texts = {f"output {number}": each.everything for number, each in enumerate(said)} | dict(written(desk))
    return [f"{name}: {secret}: {near(text, secret)}" for name, text in texts.items() for secret in secrets
            if secret in text]  # fmt: skip


def near(text: str, secret: str) -> str:
    at = text.index(secret)
    return text[max(0, at - 60) : at + 10]


def echo(request: Request, status: int) -> Response:
    """An answer that gives back all of a request, in the place where each service puts its words."""
    headers = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
    token = request.headers.get("authorization", "none")
    body = request.body.decode("utf-8", "replace")
    said = f"bad request with {token} ({request.path}?{request.raw_query}) {body} | {headers}"
    code = f"Denied {token}"
    document: dict[str, Any] = {
        "error_code": code,
        "message": said,
        "detail": said,
        "error_description": f"AADSTS1: {said}",
    }
    document["error"] = "invalid_client" if "/token" in request.path else {"code": code, "message": said}
    given = [("Content-Type", "application/json"), ("x-ms-error-code", code), ("Retry-After", "0")]
    return Response(status, given, json.dumps(document).encode())
