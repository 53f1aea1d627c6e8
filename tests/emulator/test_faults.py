"""Ordered faults, as a client without any SDK meets them on the wire."""

from __future__ import annotations

import base64
import json
import re
import ssl
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from reconciler.emulator.directory import ServicePrincipal
from reconciler.emulator.entra.service import EntraService
from reconciler.emulator.faults import KINDS, Fault
from reconciler.emulator.server import Emulator, running
from reconciler.emulator.wire import Caller
from reconciler.emulator.world import Token

SEED: dict[str, Any] = {
    "directory": {
        "users": [{"upn": "ana@corp.example"}],
        "groups": [{"name": "red", "members": ["user:ana@corp.example"]}],
    },
    "lakes": {"lake": {"filesystems": {"data": {"paths": [{"path": "a"}, {"path": "b"}]}}}},
}
USERS = "/v1.0/users?$select=id"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running(SEED, tmp_path_factory.mktemp("tls") / "ca.pem") as emulator:
        yield emulator


@pytest.fixture
def emulator(cloud: Emulator) -> Emulator:
    cloud.reset(SEED)
    for audience in ("https://graph.microsoft.com", "https://storage.azure.com"):
        caller = Caller(object_id="", kind="superuser", audience=audience)
        cloud.world.tokens[audience] = Token(caller, float("inf"))
    return cloud


def ask(emulator: Emulator, path: str, endpoint: str = "graph", body: Any = None) -> Any:
    """The JSON or text of an answer; raises HTTPError, OSError."""
    graph = endpoint == "graph"
    token = "https://graph.microsoft.com" if graph else "https://storage.azure.com"
    url = path if path.startswith("https://") else emulator.url(endpoint) + path
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data, {"Authorization": f"Bearer {token}", "x-ms-version": "2023-11-03"}
    )
    context = ssl.create_default_context(cafile=str(emulator.ca_file))
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:
        text = answer.read().decode("utf-8-sig")
    return text if text.startswith("<") else json.loads(text)


def test_half_a_body_looks_whole(emulator: Emulator) -> None:
    emulator.world.faults.add(Fault(kind="cut"))
    with pytest.raises(json.JSONDecodeError):
        ask(emulator, USERS)
    assert ask(emulator, USERS)["value"]


def test_what_is_no_tls_breaks_the_connection(emulator: Emulator) -> None:
    emulator.world.faults.add(Fault(kind="tls"))
    with pytest.raises((ssl.SSLError, HTTPException, OSError)) as told:
        ask(emulator, USERS)
    assert "SSL" in repr(told.value), told.value
    assert not emulator.world.log.entries[-1].status


def test_a_page_of_graph_comes_twice(emulator: Emulator) -> None:
    emulator.world.faults.add(Fault(kind="loop"))
    first = ask(emulator, USERS)
    second = ask(emulator, first["@odata.nextLink"])
    assert first["value"] == second["value"] != []
    assert "@odata.nextLink" not in second


def test_an_empty_page_comes_first(emulator: Emulator) -> None:
    emulator.world.faults.add(Fault(kind="empty"))
    first = ask(emulator, USERS)
    assert first["value"] == []
    assert ask(emulator, first["@odata.nextLink"])["value"]


@pytest.mark.parametrize(("kind", "names"), [("loop", ["a", "b"]), ("empty", [])])
def test_pages_of_a_lake(emulator: Emulator, kind: str, names: list[str]) -> None:
    listing = "/data?restype=container&comp=list"
    emulator.world.faults.add(Fault(kind=kind, times=2))
    page = ask(emulator, listing, "lake/lake/blob")
    for again in (True, False):
        assert re.findall("<Name>(.*?)</Name>", page) == names
        (marker,) = re.findall("<NextMarker>(.*?)</NextMarker>", page)
        page = ask(emulator, f"{listing}&marker={marker}", "lake/lake/blob")
        names = names if again else ["a", "b"]
    assert re.findall("<Name>(.*?)</Name>", page) == ["a", "b"]
    assert "<NextMarker>" not in page


def test_a_request_inside_a_batch(emulator: Emulator) -> None:
    emulator.world.faults.add(Fault(target="/users", status=503, body='{"error": {}}', item=True))
    requests = [{"id": name, "method": "GET", "url": f"/{name}"} for name in ("users", "groups")]
    answer = ask(emulator, "/v1.0/$batch", body={"requests": requests})
    assert {each["id"]: each["status"] for each in answer["responses"]} == {"users": 503, "groups": 200}
    assert ask(emulator, USERS)["value"]


def test_reads_go_back_and_forth_until_the_time_is_over(emulator: Emulator) -> None:
    emulator.world.faults.add(Fault(kind="stale", seconds=60, times=None))
    members = f"/v1.0/groups/{emulator.world.directory.resolve('group:red')}/members"

    def seen() -> int:
        return len(ask(emulator, members)["value"])

    assert seen() == 1
    group = emulator.world.directory.resolve("group:red")
    emulator.world.directory.unlink(
        group, "members", emulator.world.directory.resolve("user:ana@corp.example")
    )
    assert [seen() for _ in range(4)] == [1, 0, 1, 0]
    emulator.world.clock.advance(61)
    assert [seen() for _ in range(3)] == [0, 0, 0]


def test_a_token_that_expired_stays_so(emulator: Emulator) -> None:
    emulator.world.faults.add(Fault(kind="expire"))
    for _ in range(2):
        with pytest.raises(HTTPError) as told:
            ask(emulator, USERS)
        assert told.value.code == 401


def refused(emulator: Emulator, token: str) -> str:
    """The challenge that a token is answered with; "" where it is accepted."""
    request = urllib.request.Request(
        emulator.url("graph") + USERS, headers={"Authorization": f"Bearer {token}"}
    )
    context = ssl.create_default_context(cafile=str(emulator.ca_file))
    try:
        with urllib.request.urlopen(request, timeout=10, context=context):
            return ""
    except HTTPError as error:
        assert error.code == 401
        return str(error.headers["WWW-Authenticate"])


def test_revoked_sessions_take_the_claims_of_the_challenge(emulator: Emulator) -> None:
    entra = emulator.services["entra"]
    assert isinstance(entra, EntraService)
    emulator.world.directory.add(
        ServicePrincipal(id="1", app_id="2", display_name="x", app_roles=frozenset({"User.Read.All"}))
    )
    who = Caller(object_id="1", app_id="2", audience="https://graph.microsoft.com")
    knows = {"xms_cc": {"values": ["CP1"]}}

    def minted(**claims: Any) -> str:
        return entra.mint(who, "", "t", 3600, json.dumps({"access_token": claims}) if claims else "")

    first, plain = minted(**knows), minted()
    emulator.world.faults.add(Fault(kind="revoke"))
    challenge = refused(emulator, first)
    (encoded,) = re.findall('error="insufficient_claims", claims="([^"]+)"', challenge)
    claims = json.loads(base64.b64decode(encoded))["access_token"]
    assert claims["nbf"]["essential"] is True
    assert refused(emulator, first) == refused(emulator, minted(**knows)) == challenge
    assert refused(emulator, minted(**knows, **claims)) == ""
    assert refused(emulator, plain) == "", "a client that knows no challenges is sent none"


def test_a_client_that_knows_no_challenge_loses_its_token_only(emulator: Emulator) -> None:
    emulator.world.faults.add(Fault(kind="revoke"))
    challenge = refused(emulator, "https://graph.microsoft.com")
    assert challenge and "claims" not in challenge
    assert refused(emulator, "https://graph.microsoft.com") == challenge


def test_the_reference_lists_every_kind(root: Path) -> None:
    text = (root / "docs/reference/emulator.md").read_text("utf-8")
    table = text[text.index("| kind | what happens |") : text.index("## Databricks")]
    assert set(re.findall(r"^\| `([a-z]+)` \|", table, re.MULTILINE)) == set(KINDS)
