"""Read recorded exchanges of Graph and ARM, in whichever of three forms they were kept.

These are vcr's YAML, the JSON of the SDKs' test proxy, and excerpts: JSON with named interactions whose URLs
have no host and whose order tells nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

HOSTS = {"graph.microsoft.com": "graph", "management.azure.com": "arm"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what the real service answered.  Header names are in lower case."""

    label: str
    method: str
    url: str
    request: Any
    status: int
    headers: Mapping[str, str]
    body: Any
    partial: bool = False
    """True when collections of the answer were shortened by whoever kept it."""

    @property
    def service(self) -> str:
        """`graph` or `arm`, or nothing for a host that is neither."""
        return HOSTS.get(urlsplit(self.url).netloc.partition(":")[0].lower(), "")

    @property
    def path(self) -> str:
        """The path, decoded."""
        return unquote(urlsplit(self.url).path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One file of exchanges."""

    name: str
    exchanges: tuple[Exchange, ...]
    excerpt: bool
    """True when what was sent before an exchange may be missing."""


def load(path: Path) -> Recording | None:
    """A recording, or None for a file that holds something else."""
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix in (".yaml", ".yml"):
        found = yaml.safe_load(text)
        return Recording(name=path.name, exchanges=tuple(_vcr(found)), excerpt=False)
    document = json.loads(text)
    if "Entries" in document:
        return Recording(name=path.name, exchanges=tuple(_proxied(document)), excerpt=False)
    if isinstance(document.get("interactions"), dict):
        return Recording(name=path.name, exchanges=tuple(_named(document)), excerpt=True)
    return None


def _vcr(document: Any) -> Iterator[Exchange]:
    for number, one in enumerate(document["interactions"]):
        asked, answered = one["request"], one["response"]
        yield Exchange(
            label=str(number),
            method=asked["method"],
            url=asked["uri"],
            request=_content(asked.get("body")),
            status=int(answered["status"]["code"]),
            headers=_headers(answered["headers"]),
            body=_content((answered.get("body") or {}).get("string")),
        )


def _proxied(document: Any) -> Iterator[Exchange]:
    for number, one in enumerate(document["Entries"]):
        yield Exchange(
            label=str(number),
            method=one["RequestMethod"],
            url=one["RequestUri"],
            request=_content(one.get("RequestBody")),
            status=int(one["StatusCode"]),
            headers=_headers(one.get("ResponseHeaders") or {}),
            body=_content(one.get("ResponseBody")),
        )


def _named(document: Any) -> Iterator[Exchange]:
    for label, one in document["interactions"].items():
        on_graph = one["url"].startswith(("/v1.0", "/beta"))
        host = "https://graph.microsoft.com" if on_graph else "https://management.azure.com"
        yield Exchange(
            label=label,
            method=one["method"],
            url=host + one["url"],
            request=one.get("request"),
            status=int(one["status"]),
            headers=_headers(one.get("headers") or {}),
            body=_content(one.get("body")),
            partial="excerpt" in label,
        )


def _headers(headers: Mapping[str, Any]) -> dict[str, str]:
    return {
        name.lower(): str(value[0] if isinstance(value, list) else value) for name, value in headers.items()
    }


def _content(body: Any) -> Any:
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    if isinstance(body, str):
        try:
            return json.loads(body) if body.strip() else None
        except ValueError:
            return body
    return body
