"""Read recorded exchanges, whichever recorder wrote them: vcr's YAML, or the JSON of the SDKs' test proxy."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what the real service answered.  Header names are in lower case."""

    number: int
    method: str
    url: str
    request_headers: Mapping[str, str]
    request_body: bytes
    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def host(self) -> str:
        """The host that was asked."""
        return urlsplit(self.url).netloc.partition(":")[0]

    @property
    def path(self) -> str:
        """The path with its escapes."""
        return urlsplit(self.url).path

    @property
    def query(self) -> dict[str, str]:
        """The query, decoded, names as they were written."""
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))


class _Loader(yaml.CSafeLoader):
    """Reads the recordings of asynchronous clients too, which hold URL and header objects."""


def _url(loader: yaml.SafeLoader, node: yaml.Node) -> str:
    assert isinstance(node, yaml.MappingNode)
    state = loader.construct_mapping(node, deep=True)["state"]
    return str(urlunsplit(state[0] if isinstance(state[0], (list, tuple)) else state))


def _sequence(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):
        items = loader.construct_sequence(node, deep=True)
        return items[0] if suffix.endswith("istr") else items
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    assert isinstance(node, yaml.ScalarNode)
    return loader.construct_scalar(node)


_Loader.add_constructor("tag:yaml.org,2002:python/object/new:yarl.URL", _url)
_Loader.add_multi_constructor("tag:yaml.org,2002:python/", _sequence)


def load(path: Path) -> list[Exchange]:
    """Every exchange of a recording, in order."""
    text = path.read_text(encoding="utf-8-sig")
    reader = (
        _test_proxy(json.loads(text)) if path.suffix == ".json" else _vcr(_Loader(text).get_single_data())
    )
    return list(reader)


def _headers(headers: Any) -> dict[str, str]:
    """Names in lower case; a value that a recorder took apart (a product list) is put together again."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    joined = {
        str(name).lower(): " ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in pairs
    }
    kind = joined.get("content-type", "")
    # Recorders on .NET parse this header and write it with a space.
    return joined | {"content-type": kind.replace("; ", ";")} if kind else joined


_OMITTED = re.compile(r"!!! The request body has been omitted from the recording because its size (\d+) is")


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    omitted = _OMITTED.match(str(body))
    if omitted:
        return bytes(int(omitted[1]))
    if isinstance(body, bytes):
        return body
    if isinstance(body, (dict, list)):
        return json.dumps(body).encode()
    return str(body).encode("utf-8", "surrogateescape")


def _vcr(document: Any) -> Iterator[Exchange]:
    for number, item in enumerate((document or {}).get("interactions", ()), 1):
        request, response = item["request"], item["response"]
        body = response.get("body")
        if isinstance(body, Mapping):
            body = body.get("string", body.get("base64_string"))
        yield Exchange(
            number=number,
            method=request["method"],
            url=str(request.get("uri") or request.get("url")),
            request_headers=_headers(request.get("headers")),
            request_body=_bytes(request.get("body")),
            status=response["status"]["code"],
            headers=_headers(response.get("headers")),
            body=body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or ""),
        )


def _test_proxy(document: Any) -> Iterator[Exchange]:
    for number, item in enumerate(document.get("Entries", ()), 1):
        headers = _headers(item["ResponseHeaders"])
        body = item.get("ResponseBody")
        if isinstance(body, (dict, list)):
            # Parsed by the recorder; chunked documents of the service end with a newline.
            end = "\n" if "transfer-encoding" in headers else ""
            body = json.dumps(body) + end if body else ""
        request_body = item.get("RequestBody")
        if isinstance(request_body, str) and "octet-stream" in _headers(item["RequestHeaders"]).get(
            "content-type", ""
        ):
            request_body = base64.b64decode(request_body)
        yield Exchange(
            number=number,
            method=item["RequestMethod"],
            url=item["RequestUri"],
            request_headers=_headers(item["RequestHeaders"]),
            request_body=_bytes(request_body),
            status=item["StatusCode"],
            headers=headers,
            body=body or "",
        )
