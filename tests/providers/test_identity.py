"""Signing in: the credential that is named, whose certificates are believed, and trouble told in seconds."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import stat
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.environment import EntraSettings, Environment
from reconciler.core.errors import Unusable
from reconciler.emulator.server import Emulator, running
from reconciler.providers import identity

APP = "00000000-0000-4000-8000-000000000001"
MACHINE = "00000000-0000-4000-8000-000000000002"
JOB = "repo:corp/policies:environment:prod"
GRAPH = "https://graph.microsoft.com/.default"
SECRET = {"AZURE_CLIENT_ID": APP, "AZURE_CLIENT_SECRET": "the secret"}
SEED = {
    "directory": {
        "service-principals": [
            {
                "name": "reconciler",
                "app-id": APP,
                "secret": "the secret",
                "federated-subject": JOB,
            },
            {"name": "machine", "app-id": MACHINE, "managed-identity": True},
        ]
    }
}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running(SEED, tmp_path_factory.mktemp("identity") / "ca.pem") as served:
        yield served


def environment(emulator: Emulator, kind: str = "default", **more: Any) -> Environment:
    entra = EntraSettings(
        name="corp", tenant_id=emulator.world.directory.tenant_id, authority=emulator.url("entra")
    )
    given: dict[str, Any] = {"entra": entra, "ca_file": emulator.ca_file.name, "patience": 6.0, **more}
    return Environment(name="local", azure_credential=kind, **given)


def token(emulator: Emulator, environ: dict[str, str], kind: str = "default", **more: Any) -> str:
    credential = identity.azure_credential(
        environment(emulator, kind, **more), environ, emulator.ca_file.parent
    )
    return str(credential.get_token(GRAPH).token)


def speaks_for(emulator: Emulator, value: str) -> str | None:
    caller = emulator.world.caller(f"Bearer {value}")
    return caller.app_id if caller else None


@pytest.mark.emulator
class TestAgainstTheEmulator:
    def test_a_client_secret(self, emulator: Emulator) -> None:
        assert speaks_for(emulator, token(emulator, SECRET)) == APP
        assert speaks_for(emulator, token(emulator, SECRET, "client-secret")) == APP

    def test_github_tells_who_the_job_is(self, emulator: Emulator) -> None:
        environ = {
            "AZURE_CLIENT_ID": APP,
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{emulator.url('entra')}/actions/idtoken?api-version=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": JOB,
        }
        assert speaks_for(emulator, token(emulator, environ)) == APP
        with pytest.raises(Exception, match="AADSTS") as caught:
            token(emulator, {**environ, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "repo:corp/fork:pull_request"})
        assert "signing in failed" in identity.refusal(caught.value)
        with pytest.raises(Unusable, match="id-token: write"):
            token(
                emulator, {**environ, "ACTIONS_ID_TOKEN_REQUEST_URL": f"{emulator.url('entra')}/nothing?x=1"}
            )
        with pytest.raises(Unusable, match="no https"):
            token(emulator, {**environ, "ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1/x?y=1"})

    def test_a_token_file_of_a_workload(self, emulator: Emulator, tmp_path: Path) -> None:
        context = identity.github_context(environment(emulator), emulator.ca_file.parent)
        environ = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{emulator.url('entra')}/actions/idtoken?api-version=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": JOB,
        }
        file = tmp_path / "token"
        file.write_text(identity.github_assertion(environ, identity.AZURE_AUDIENCE, context))
        workload = {"AZURE_CLIENT_ID": APP, "AZURE_FEDERATED_TOKEN_FILE": str(file)}
        assert speaks_for(emulator, token(emulator, workload)) == APP
        assert speaks_for(emulator, token(emulator, workload, "workload-identity")) == APP

    def test_a_managed_identity(self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        # Where the metadata service is, the SDK itself reads from the process environment.
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", emulator.url("entra"))
        assert speaks_for(emulator, token(emulator, {}, "managed-identity")) == MACHINE

    def test_the_azure_cli(self, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        fake = tmp_path / "az"
        answer = (
            '{"accessToken":"from the cli","expires_on":4102444800,"expiresOn":"2100-01-01 00:00:00.000000"}'
        )
        fake.write_text(f"#!/bin/sh\necho '{answer}'\n")
        fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
        path = f"{tmp_path}:{os.environ['PATH']}"
        monkeypatch.setenv("PATH", path)
        assert token(emulator, {"PATH": path}) == "from the cli"

    def test_the_azure_cli_is_asked_anew_and_shown_no_claims(
        self, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fake = tmp_path / "az"
        tokens = tmp_path / "tokens"
        body = '{\\"accessToken\\":\\"number $n\\",\\"expires_on\\":4102444800}'
        fake.write_text(f'#!/bin/sh\necho x >> {tokens}\nn=$(grep -c x {tokens})\necho "{body}"\n')
        fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
        path = f"{tmp_path}:{os.environ['PATH']}"
        monkeypatch.setenv("PATH", path)
        credential = identity.azure_credential(environment(emulator, "cli"), {"PATH": path}, tmp_path)
        assert credential.get_token(GRAPH).token == "number 1"
        assert credential.renew(GRAPH, claims='{"access_token": {}}').token == "number 2"

    @pytest.mark.parametrize("kind", ["client-secret", "managed-identity"])
    @pytest.mark.parametrize("claims", ["", '{"access_token": {"nbf": {"essential": true, "value": "1"}}}'])
    def test_a_token_that_is_given_up_is_not_handed_out_again(
        self, emulator: Emulator, kind: str, claims: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", emulator.url("entra"))
        environ = SECRET if kind == "client-secret" else {}
        credential = identity.azure_credential(environment(emulator, kind), environ, emulator.ca_file.parent)
        first = credential.get_token(GRAPH).token
        assert credential.get_token(GRAPH).token == first
        second = credential.renew(GRAPH, claims=claims).token
        assert second != first
        assert credential.get_token(GRAPH).token == second
        asked = [each.not_before for each in emulator.world.tokens.values()][-1]
        assert asked == (1 if claims and kind == "client-secret" else 0)

    def test_those_that_are_refused_together_sign_in_once_more(self, emulator: Emulator) -> None:
        credential = identity.azure_credential_aio(environment(emulator), SECRET, emulator.ca_file.parent)

        async def together() -> list[bool]:
            await credential.get_token(GRAPH)
            turn = credential.turn(GRAPH)
            emulator.world.log.clear()
            renewed = await asyncio.gather(*(credential.renew(turn, GRAPH) for _ in range(20)))
            # Whoever was refused with the new token: it is too young to be renewed.
            return [*renewed, await credential.renew(credential.turn(GRAPH), GRAPH)]

        assert asyncio.run(together()) == [True] * 20 + [False]
        assert [entry.method for entry in emulator.world.log.entries].count("POST") == 1

    def test_many_that_start_together_sign_in_once(self, emulator: Emulator) -> None:
        credential = identity.azure_credential_aio(environment(emulator), SECRET, emulator.ca_file.parent)
        emulator.world.log.clear()

        async def both() -> list[Any]:
            async with credential:
                first = await asyncio.gather(*(credential.get_token(GRAPH) for _ in range(8)))
                return [*first, await credential.get_token(GRAPH, claims=None, enable_cae=False)]

        assert len({one.token for one in asyncio.run(both())}) == 1
        assert [entry.method for entry in emulator.world.log.entries].count("POST") == 1

    def test_many_that_are_refused_together_ask_once(self, emulator: Emulator) -> None:
        wrong = {**SECRET, "AZURE_CLIENT_SECRET": "no"}
        credential = identity.azure_credential_aio(environment(emulator), wrong, emulator.ca_file.parent)
        emulator.world.log.clear()

        async def all_of_them() -> list[Any]:
            tokens = (credential.get_token(GRAPH) for _ in range(8))
            return await asyncio.gather(*tokens, return_exceptions=True)

        assert all("AADSTS7000215" in str(one) for one in asyncio.run(all_of_them()))
        assert [entry.method for entry in emulator.world.log.entries].count("POST") == 1

    def test_a_wrong_secret_is_told_in_one_line_without_the_secret(self, emulator: Emulator) -> None:
        started = time.monotonic()
        with pytest.raises(Exception, match="AADSTS7000215") as caught:
            token(emulator, {**SECRET, "AZURE_CLIENT_SECRET": "Tr0ub4dor&3"})
        said = identity.refusal(caught.value)
        assert "AADSTS7000215" in said and "\n" not in said
        assert "Tr0ub4dor" not in said and "Trace ID" not in said
        assert time.monotonic() - started < 3

    def test_a_wrong_authority_of_certificates_is_told_within_seconds(
        self, emulator: Emulator, tmp_path: Path
    ) -> None:
        with running({}, tmp_path / "other.pem"):
            pass
        started = time.monotonic()
        with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED") as caught:
            token(emulator, SECRET, ca_file=str(tmp_path / "other.pem"))
        assert "ca-file" in identity.refusal(caught.value)
        assert time.monotonic() - started < 3

    def test_a_host_that_is_not_there_is_told_within_seconds(self, emulator: Emulator) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        entra = replace(environment(emulator).entra, authority=f"https://127.0.0.1:{port}")
        started = time.monotonic()
        with pytest.raises(Exception, match="refused") as caught:
            token(emulator, SECRET, entra=entra)
        assert "cannot be reached" in identity.refusal(caught.value)
        assert time.monotonic() - started < 5

    def test_the_context_believes_the_environments_authority_alone(self, emulator: Emulator) -> None:
        host, _, port = emulator.url("entra").removeprefix("https://").partition(":")
        ours = identity.ssl_context(environment(emulator), emulator.ca_file.parent)
        systems = identity.ssl_context(environment(emulator, ca_file=""), "/")
        with (
            socket.create_connection((host, int(port))) as plain,
            ours.wrap_socket(plain, server_hostname=host),
        ):
            pass
        with socket.create_connection((host, int(port))) as plain, pytest.raises(ssl.SSLError):
            systems.wrap_socket(plain, server_hostname=host)


def plain(**more: Any) -> Environment:
    return Environment(name="prod", entra=EntraSettings(name="corp", tenant_id="tenant-1"), **more)


@pytest.mark.parametrize(
    ("kind", "environ", "words"),
    [
        ("client-secret", {"AZURE_CLIENT_ID": APP}, "not set: AZURE_CLIENT_SECRET"),
        ("client-secret", {}, "not set: AZURE_CLIENT_ID, AZURE_CLIENT_SECRET"),
        ("workload-identity", {"AZURE_CLIENT_ID": APP}, "id-token: write"),
        (
            "workload-identity",
            {"AZURE_CLIENT_ID": APP, "AZURE_FEDERATED_TOKEN_FILE": "/no"},
            "does not exist",
        ),
        ("default", {"PATH": "/nowhere"}, "az login"),
        ("kerberos", {}, "is none of default, client-secret, workload-identity, cli, managed-identity"),
        ("default", {**SECRET, "AZURE_TENANT_ID": "tenant-2"}, "tenant-2.*tenant-1"),
    ],
)
def test_what_is_missing_is_named_before_anything_is_sent(
    kind: str, environ: dict[str, str], words: str
) -> None:
    with pytest.raises(Unusable, match=words):
        identity.azure_credential(plain(azure_credential=kind), environ, "/")


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        (SECRET, "client-secret"),
        ({**SECRET, "AZURE_FEDERATED_TOKEN_FILE": "/t"}, "client-secret"),
        ({"AZURE_CLIENT_ID": APP, "AZURE_FEDERATED_TOKEN_FILE": "/t", "PATH": "/x"}, "workload-identity"),
        ({"PATH": "/x", "IDENTITY_ENDPOINT": "http://169.254.169.254"}, "managed-identity"),
    ],
)
def test_the_first_that_is_set_up_is_taken(environ: dict[str, str], kind: str) -> None:
    assert identity._first_set_up(plain(), environ) == kind


def test_an_authority_of_certificates_must_be_a_file_with_one(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="does not exist"):
        identity.ssl_context(plain(ca_file="ca.pem"), tmp_path)
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(Unusable, match="no PEM certificate"):
        identity.ssl_context(plain(ca_file="ca.pem"), tmp_path)


def test_an_authority_without_tls_is_refused() -> None:
    entra = EntraSettings(name="corp", tenant_id="t", authority="http://127.0.0.1")
    with pytest.raises(Unusable, match="no https"):
        identity.azure_credential(Environment(name="x", entra=entra), SECRET, "/")


def test_other_errors_are_not_explained_away() -> None:
    assert identity.refusal(ValueError("x")) == ""
