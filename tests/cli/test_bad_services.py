"""Services that cannot be reached, let nobody in, or talk nonsense: told soon, and never by a traceback.

Where nobody answers, or no credential is accepted, there is nothing to compare: one line, exit code 1.  Where
one system is silent, the rest goes on: what it would have said is a gap, exit code 4.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from reconciler.emulator.clock import Clock
from reconciler.emulator.faults import Fault
from tests.cli.desk import HOSTS, Desk, Said, signed_in
from tests.cli.facts import held

ENVIRONMENT = "policies/environment.yaml"
CLOSED = "https://127.0.0.1:9"
SOON = 20.0
"""Seconds: a guard against the minutes that the SDKs' own retries take, not a measurement.  The machine may
be busy, so it is many times what it takes."""


@pytest.fixture
def impatient(desk: Desk) -> Iterator[Desk]:
    """A desk whose environment waits one second for a service; what it planned must have changed nothing."""
    text = (desk.root / ENVIRONMENT).read_text("utf-8")
    desk.write(ENVIRONMENT, text.replace("patience: 4", "patience: 1"))
    before = held(desk.emulator)
    yield desk
    assert held(desk.emulator) == before


def move(desk: Desk, *hosts: str, to: str = CLOSED) -> None:
    """Point the environment's endpoints elsewhere."""
    text = (desk.root / ENVIRONMENT).read_text("utf-8")
    for host in hosts:
        url = desk.emulator.url(HOSTS[host])
        assert url in text
        text = text.replace(url, to)
    desk.write(ENVIRONMENT, text)


def soon(desk: Desk, *arguments: str, **environ: Any) -> Said:
    """Run a command (`plan` unless another is named) and see that it ends within seconds, in words."""
    started = time.monotonic()
    said = desk.run(*(arguments or ("plan",)), **environ)
    assert time.monotonic() - started < SOON
    assert "Traceback" not in said.everything
    assert "internal error" not in said.everything, said.err
    return said


@pytest.mark.parametrize(
    ("hosts", "words"),
    [
        (["entra"], "sign-in service cannot be reached"),
        (["graph"], "who is who could not be read"),
        (["entra", "graph", "arm", "databricks-account", "ws", "dfs", "blob"], "cannot be reached"),
    ],
    ids=" ".join,
)
def test_without_a_directory_nothing_is_compared(impatient: Desk, hosts: list[str], words: str) -> None:
    move(impatient, *hosts)
    impatient.commit("noor")
    for command in ("plan", "drift", "apply"):
        said = soon(impatient, command)
        assert said.code == 1
        assert words in said.one_line()
        assert "127.0.0.1" in said.one_line()
        assert "check the network" in said.one_line()
        assert said.out == ""


@pytest.mark.parametrize("host", ["arm", "ws", "dfs", "blob"])
def test_one_silent_system_is_a_gap(impatient: Desk, host: str) -> None:
    move(impatient, host)
    said = soon(impatient)
    assert said.code == 4
    assert "127.0.0.1:9" in said.out
    assert "UNKNOWN: " in said.out
    assert "+ grant  user:bo@corp.example" in said.out


def test_a_host_that_does_not_exist(impatient: Desk) -> None:
    move(impatient, "graph", to="https://graph.invalid")
    said = soon(impatient)
    assert said.code == 1
    assert "graph.invalid" in said.one_line()


BAD_ADDRESSES = (
    "http://127.0.0.1:9",
    "https://",
    "https://host:port",
    "https://host:65536",
    "https://[::1",
    "https://two words",
    "https://noor:canary-password@host",
    "file:///etc/passwd",
    "https://host?query",
)


@pytest.mark.parametrize("address", BAD_ADDRESSES)
@pytest.mark.parametrize("host", ["entra", "ws", "dfs"])
def test_an_address_that_is_none(impatient: Desk, host: str, address: str) -> None:
    move(impatient, host, to=address)
    said = soon(impatient)
    assert said.code == 1
    assert "policies/environment.yaml:" in said.err
    assert "write https://<host>" in said.err
    assert "canary" not in said.err


def test_another_authority_is_not_trusted(impatient: Desk) -> None:
    trustme.CA().cert_pem.write_to_path(str(impatient.root / ".reconciler/ca.pem"))
    said = soon(impatient)
    assert said.code == 1
    assert "CERTIFICATE_VERIFY_FAILED" in said.one_line()
    assert "`ca-file`" in said.one_line()


def test_the_systems_authorities_do_not_know_the_emulator(impatient: Desk) -> None:
    text = (impatient.root / ENVIRONMENT).read_text("utf-8")
    impatient.write(ENVIRONMENT, text.replace("ca-file: .reconciler/ca.pem\n", ""))
    said = soon(impatient)
    assert said.code == 1
    assert "CERTIFICATE_VERIFY_FAILED" in said.one_line()


BAD_AUTHORITIES = {
    "text": b"no certificate",
    "nothing": b"",
    "broken": b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "binary": bytes(range(256)),
    "a key": b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
}


@pytest.mark.parametrize("name", BAD_AUTHORITIES)
def test_a_file_that_is_no_authority(impatient: Desk, name: str) -> None:
    (impatient.root / ".reconciler/ca.pem").write_bytes(BAD_AUTHORITIES[name])
    said = soon(impatient)
    assert said.code == 1
    assert "ca-file .reconciler/ca.pem holds no PEM certificate" in said.one_line()


@pytest.mark.parametrize("folder", [False, True])
def test_no_authority_file(impatient: Desk, folder: bool) -> None:
    (impatient.root / ".reconciler/ca.pem").unlink()
    if folder:
        (impatient.root / ".reconciler/ca.pem").mkdir()
    said = soon(impatient)
    assert said.code == 1
    assert "ca-file .reconciler/ca.pem" in said.one_line()


@pytest.mark.parametrize("name", signed_in(False))
@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_not_set(impatient: Desk, name: str, value: str | None) -> None:
    said = soon(impatient, **{name: value})
    assert said.code == 1
    assert f"not set: {name}" in said.one_line()


def test_a_credential_of_another_tenant(impatient: Desk) -> None:
    said = soon(impatient, AZURE_TENANT_ID="99999999-0000-4000-8000-000000000001")
    assert said.code == 1
    assert "AZURE_TENANT_ID" in said.one_line()


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"AZURE_CLIENT_SECRET": "canary-wrong-secret"}, "AADSTS7000215"),
        ({"AZURE_CLIENT_ID": "99999999-0000-4000-8000-000000000001"}, "AADSTS700016"),
        ({"AZURE_CLIENT_ID": "no id"}, "signing in failed"),
    ],
)
def test_entra_lets_nobody_in(impatient: Desk, environ: dict[str, str], words: str) -> None:
    said = soon(impatient, **environ)
    assert said.code == 1
    assert words in said.one_line()
    assert "canary" not in said.err


def test_databricks_lets_nobody_in(impatient: Desk) -> None:
    said = soon(impatient, DATABRICKS_CLIENT_SECRET="canary-wrong-secret")
    assert said.code == 4
    assert "check DATABRICKS_CLIENT_ID, and its secret" in " ".join(said.out.split())
    assert "canary" not in said.everything


def test_tokens_that_expire_while_they_are_used(impatient: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time runs a thousand times too fast for the services, so that every token is soon too old."""

    def rushing(clock: Clock) -> float:
        clock.offset += 1000
        assert clock.frozen_at is not None
        return clock.frozen_at + clock.offset

    monkeypatch.setattr(Clock, "now", rushing)
    said = soon(impatient)
    assert said.code in (1, 4)
    assert "401" in said.everything


EXPIRED = {"www-authenticate": 'Bearer error="invalid_token", error_description="The token has expired"'}


def test_no_token_is_accepted(impatient: Desk) -> None:
    faults = impatient.emulator.world.faults
    faults.add(Fault(service="(?!entra).*", target="^(?!/oidc)", status=401, headers=EXPIRED, times=None))
    said = soon(impatient)
    assert said.code == 1
    assert "does not accept the token" in said.one_line()


BAD_ANSWERS: dict[str, dict[str, Any]] = {
    "a proxy's page": {"kind": "html", "status": 502},
    "a portal's page": {"kind": "html", "status": 200},
    "a connection reset": {"kind": "reset"},
    "half an answer": {"kind": "truncate"},
    "an hour's pause": {"status": 429, "headers": {"retry-after": "3600"}},
    "nothing at all": {"status": 503},
    "an empty answer": {"status": 200},
    "another shape": {"status": 200, "body": "[1]", "headers": {"content-type": "application/json"}},
    "null": {"status": 200, "body": "null", "headers": {"content-type": "application/json"}},
    "a redirect": {"status": 302, "headers": {"location": "https://127.0.0.1:9/elsewhere"}},
}
SYSTEMS = {"entra": {1}, "graph": {1, 4}, "arm": {4}, "databricks/ws": {4}, "lake/.*": {4}}


@pytest.mark.parametrize("answer", BAD_ANSWERS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_that_answers_nonsense(impatient: Desk, system: str, answer: str) -> None:
    impatient.emulator.world.faults.add(Fault(service=system, times=None, **BAD_ANSWERS[answer]))
    said = soon(impatient)
    assert said.code in SYSTEMS[system]
    if said.code == 1:
        assert "so nothing was compared" in said.one_line()
    else:
        assert "UNKNOWN: " in said.out


def test_a_service_that_takes_too_long(impatient: Desk) -> None:
    impatient.emulator.world.faults.add(Fault(service="databricks/ws", kind="delay", seconds=60, times=None))
    said = soon(impatient)
    assert said.code == 4
    assert "databricks/ws" in said.out


def test_the_emulators_port_is_taken(desk: Desk) -> None:
    port = desk.emulator.url("graph").rpartition(":")[2]
    said = desk.run("emulator", "serve", "--port", port)
    assert said.code == 1
    assert "--port" in said.one_line()
    assert port in said.one_line()


@pytest.mark.parametrize("port", ["-1", "65536", "99999999"])
def test_a_port_that_does_not_exist(desk: Desk, port: str) -> None:
    said = desk.run("emulator", "serve", "--port", port)
    assert said.code == 1
    assert "--port" in said.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("directory: {users: [{upn: a@b.c, nmae: x}]}", "nmae"),
        ("lakse: {}", "unknown section 'lakse'"),
        ("directory: [", "seed.yaml"),
        ("[]", "seed.yaml"),
        ("", "seed.yaml"),
        ("just text", "seed.yaml"),
        ("directory: 7", "seed.yaml"),
        ("directory: {groups: [{name: g, members: [user:nobody]}]}", "nobody"),
        (
            "databricks: {workspaces: {ws: {assigned: [{principal: 'user:x', permissions: [USER]}]}}}",
            "user:x",
        ),
        ("lakes: {lake: {filesystems: {data: {root: {acl: nonsense}}}}}", "nonsense"),
        ("limits: {graph/read: 5}", "seed.yaml"),
        ("a: \x00", "seed.yaml"),
    ],
)
def test_a_broken_seed(desk: Desk, text: str, words: str) -> None:
    (desk.root / "seed.yaml").write_text(text, "utf-8")
    said = desk.run("emulator", "serve", "--seed", "seed.yaml", "--port", "0")
    assert said.code == 1
    assert words in said.one_line()


def test_a_seed_that_is_not_there(desk: Desk, tmp_path: Path) -> None:
    for path in ("nowhere.yaml", str(tmp_path)):
        said = desk.run("emulator", "serve", "--seed", path)
        assert said.code == 1
        assert path in said.one_line()
