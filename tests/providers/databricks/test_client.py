"""Calls: signed in, paced, retried where that is safe, and told in one line where it is not."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulator.faults import Fault
from reconciler.emulator.server import running
from reconciler.providers.contract import Question, Unusable
from reconciler.providers.databricks import VOCABULARY
from reconciler.providers.databricks.client import SCIM_READ, SECRETS, Failure, Host
from reconciler.providers.databricks.client_auth import signing
from tests.providers.databricks.estate import (
    CLIENT_ID,
    ENVIRON,
    SECRET,
    TODAY,
    Estate,
    databricks,
    estate,
)

SCOPES = "/api/2.0/secrets/scopes/list"
ME = "/api/2.0/preview/scim/v2/Me"
PUT = "/api/2.0/secrets/acls/put"
GRANT = {"scope": "pricing", "principal": "pricing-eng", "permission": "READ"}


def host(here: Estate) -> Host:
    return here.provider._site("ml-prod").host


def order(here: Estate, **fault: Any) -> Fault:
    """Put a fault in force on the workspace's own endpoint, token requests spared."""
    made = Fault(**{"service": "databricks/ml-prod", "target": "/api/", **fault})
    here.emulator.world.faults.add(made)
    return made


def scim_error(status: int, detail: str) -> str:
    schema = "urn:ietf:params:scim:api:messages:2.0:Error"
    return json.dumps({"schemas": [schema], "detail": detail, "status": str(status)})


CONCURRENT = "REQUEST_LIMIT_EXCEEDED: Workspace 1234 exceeded the concurrent limit of 4 requests."
ABORTED = '{"error_code":"ABORTED","message":"conflicting write"}'


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500, "body": scim_error(500, CONCURRENT)},
        {"status": 429, "headers": {"Retry-After": "3"}, "body": '{"error_code":"x","message":"y"}'},
        {"status": 503, "body": ""},
        {"status": 502, "kind": "html"},
        {"status": 504, "kind": "html"},
        {"status": 408, "body": ""},
        {"status": 409, "body": ABORTED},
        {"kind": "reset"},
        {"kind": "truncate"},
    ],
)
def test_a_read_survives_what_passes(here: Estate, fault: dict[str, Any]) -> None:
    ordered = order(here, times=2, **fault)
    assert len(host(here).get(SCOPES, SECRETS)["scopes"]) == 2
    assert ordered.struck == 2
    assert here.slept, "it tried again without leaving the service a moment"


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500, "body": scim_error(500, CONCURRENT)},
        {"status": 429, "headers": {"Retry-After": "3"}, "body": '{"error_code":"x","message":"y"}'},
        {"status": 503, "headers": {"Retry-After": "3"}, "body": ""},
        {"status": 409, "body": ABORTED},
    ],
)
def test_a_write_that_was_turned_away_is_sent_again(here: Estate, fault: dict[str, Any]) -> None:
    order(here, times=2, **fault)
    host(here).send("POST", PUT, SECRETS, GRANT)
    assert here.acl("pricing")["pricing-eng"] == "READ"
    assert len(here.requests("POST", PUT)) == 3


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "reset"},
        {"kind": "html", "status": 502},
        {"kind": "respond", "status": 504, "body": ""},
        {"kind": "respond", "status": 503, "body": ""},
        {"kind": "respond", "status": 500, "body": '{"error_code":"INTERNAL_ERROR","message":"oops"}'},
        {"kind": "respond", "status": 200, "body": "<html>"},
    ],
)
def test_a_write_whose_answer_was_lost_is_not_sent_again(
    here: Estate, fault: dict[str, Any], after: bool
) -> None:
    order(here, after=after, **fault)
    with pytest.raises(Failure) as caught:
        host(here).send("POST", PUT, SECRETS, GRANT)
    assert caught.value.lost
    assert ("pricing-eng" in here.acl("pricing")) is after
    assert len(here.requests("POST", PUT)) == 1


def test_what_scim_will_never_do_is_a_plain_failure(here: Estate) -> None:
    text = "Error in performing the patch operation on group resource."
    order(here, status=500, body=scim_error(500, text), times=None)
    with pytest.raises(Failure, match="performing the patch operation") as caught:
        host(here).send("PATCH", "/api/2.0/preview/scim/v2/Groups/1", SCIM_READ, {})
    assert not caught.value.lost
    assert caught.value.label == "500 SCIM_500"


def test_a_refusal_is_told_in_the_service_s_words_and_without_the_configuration(here: Estate) -> None:
    order(here, status=403, body='{"error_code":"PERMISSION_DENIED","message":"not yours"}')
    with pytest.raises(Failure) as caught:
        host(here).get(SCOPES, SECRETS)
    assert caught.value.text == "workspace ml-prod answered 403 PERMISSION_DENIED: not yours"
    assert caught.value.label == "403 PERMISSION_DENIED"


def test_patience_ends(here: Estate) -> None:
    order(here, status=429, headers={"Retry-After": "20"}, body="{}", times=None)
    with pytest.raises(Failure, match="429"):
        host(here).get(SCOPES, SECRETS)
    assert 15 < sum(here.slept) < 45


def test_one_token_serves_many_calls(here: Estate, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(5):
        host(here).get(ME, SCIM_READ)
    tokens = [each for each in here.emulator.world.log.entries if each.path.endswith("/v1/token")]
    assert len(tokens) == 1
    assert len(here.emulator.world.log.entries) == 6, "nothing else is asked"
    assert caplog.records == [], "the SDK complains when it cannot reach the host's metadata"


def test_a_published_rate_is_kept_in_the_emulator_s_own_count(here: Estate) -> None:
    here.emulator.world.throttle.limit("databricks/secrets", 1100, 60, here.emulator.world.clock.now())
    began = here.emulator.world.clock.now()
    here.emulator.world.log.keep = False
    for _ in range(1200):
        host(here).get(SCOPES, SECRETS)
    elapsed = here.emulator.world.clock.now() - began
    assert here.emulator.world.throttle.rejected == {}
    assert elapsed >= 100 / (1100 / 60) * 0.95


def fails_within(seconds: float, call: Any) -> str:
    began = time.monotonic()
    with pytest.raises(Failure) as caught:
        call()
    assert time.monotonic() - began < seconds
    return caught.value.text


def test_a_closed_port_is_told_at_once(tmp_path: Path) -> None:
    with estate(tmp_path) as here:
        reach = host(here)
        reach.get(SCOPES, SECRETS)
    # The emulator is gone; the token is still good.
    text = fails_within(8, lambda: reach.get(SCOPES, SECRETS))
    assert "check its `host` and the network" in text


def test_an_untrusted_certificate_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with running({}, tmp_path / "other" / "ca.pem"), estate(tmp_path) as here:
        here.settings["ca_file"] = str(tmp_path / "other" / "ca.pem")
        here.open(ENVIRON)
        assert "`ca-file`" in fails_within(5, lambda: host(here).get(SCOPES, SECRETS))


def test_the_wire_itself_tells_an_untrusted_certificate(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with running({}, tmp_path / "other" / "ca.pem"), estate(tmp_path) as here:
        host(here).get(SCOPES, SECRETS)
        line = host(here)._line
        line.wire.close()
        line.wire.ca_file = str(tmp_path / "other" / "ca.pem")
        text = fails_within(5, lambda: host(here).get(SCOPES, SECRETS))
        assert "its certificate is not trusted" in text
        assert here.slept == [], "a certificate does not get better by waiting"


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({**ENVIRON, "DATABRICKS_CLIENT_SECRET": "wrong"}, "invalid_client"),
        ({**ENVIRON, "DATABRICKS_CLIENT_ID": "nobody"}, "invalid_client"),
    ],
)
def test_a_wrong_secret_is_told_at_once_and_not_repeated(
    tmp_path: Path, environ: dict[str, str], words: str
) -> None:
    with estate(tmp_path, environ=environ) as here:
        text = fails_within(5, lambda: host(here).get(SCOPES, SECRETS))
        assert words in text
        assert "DATABRICKS_CLIENT_ID" in text
        assert "wrong" not in text
        assert len(here.emulator.world.log.entries) == 1


def test_a_token_that_is_over_sooner_than_it_said_is_renewed(here: Estate) -> None:
    host(here).get(SCOPES, SECRETS)
    here.emulator.world.clock.advance(4000)
    assert host(here).get(SCOPES, SECRETS)["scopes"]
    assert len([each for each in here.emulator.world.log.entries if each.path == "/oidc/v1/token"]) == 2


@pytest.mark.parametrize("status", [401, 403, 400])
def test_a_token_that_is_refused_twice_is_told_at_once(here: Estate, status: int) -> None:
    ordered = order(here, status=status, body='{"error_code":"x","message":"Token is expired"}', times=None)
    text = fails_within(5, lambda: host(here).get(SCOPES, SECRETS))
    assert "Token is expired; a new token is refused as well: see that the identity is enabled" in text
    assert ordered.struck == 2
    # The token is new: signing in for every request would help nobody.
    fails_within(5, lambda: host(here).get(SCOPES, SECRETS))
    assert ordered.struck == 3
    assert len([each for each in here.emulator.world.log.entries if each.path == "/oidc/v1/token"]) == 2


@pytest.mark.parametrize(
    ("settings", "environ", "words"),
    [
        ({}, {}, "DATABRICKS_CLIENT_ID"),
        ({}, {"DATABRICKS_CLIENT_ID": "x"}, "not set: DATABRICKS_CLIENT_SECRET"),
        ({"databricks_credential": "github-oidc"}, {"DATABRICKS_CLIENT_ID": "x"}, "id-token: write"),
        ({"databricks_credential": "pat"}, {}, "none of azure, oauth-m2m, github-oidc"),
        ({"databricks_credential": "azure", "azure_credential": "client-secret"}, {}, "AZURE_CLIENT_ID"),
        ({"ca_file": "nowhere.pem"}, ENVIRON, "nowhere.pem does not exist"),
    ],
)
def test_missing_credentials_are_told_before_anything_is_asked(
    here: Estate, settings: dict[str, Any], environ: dict[str, str], words: str
) -> None:
    here.settings.update(settings)
    with pytest.raises(Unusable, match=words):
        signing(here.environment, environ, "/")


def test_an_environment_without_workspaces_needs_no_credential(here: Estate, tmp_path: Path) -> None:
    nowhere = replace(here.environment, databricks=None)
    provider = VOCABULARY.open(nowhere, {}, tmp_path)
    (want,) = here.compile({"kind": "secret-scope", "workspace": "ml-prod", "name": "s", "grants": []}).wanted
    question = Question(wanted=[want], directory=here.directory, as_of=TODAY)
    assert set(provider.read(question).gaps) == {want.address}
    provider.close()


def test_an_entra_token_opens_every_workspace_with_one_sign_in(tmp_path: Path) -> None:
    environ = {"AZURE_CLIENT_ID": CLIENT_ID, "AZURE_CLIENT_SECRET": SECRET}
    with estate(tmp_path, environ=ENVIRON) as here:
        here.settings.update(databricks_credential="azure", azure_credential="client-secret")
        base = here.environment
        entra = type(base.entra)(
            name="corp", tenant_id=base.entra.tenant_id, authority=here.emulator.url("entra")
        )
        sign = signing(replace(base, entra=entra), environ, "/")
        here.provider._sign = sign
        for _ in range(3):
            assert host(here).get(SCOPES, SECRETS)["scopes"]
        tokens = [each for each in here.requests("POST") if each.path.endswith("/token")]
        assert len(tokens) == 1


def test_a_github_workflow_signs_in_once_for_many_calls(tmp_path: Path) -> None:
    with estate(tmp_path) as here:
        service = databricks(here.emulator)
        service.account.federation[CLIENT_ID] = [{"subject": "repo:corp/policies:environment:prod"}]
        asked: list[str] = []
        here.settings["databricks_credential"] = "github-oidc"
        environ = {
            "DATABRICKS_CLIENT_ID": CLIENT_ID,
            "ACTIONS_ID_TOKEN_REQUEST_URL": "https://github.invalid/token?x=1",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t",
        }

        def assertion(environ: Any, audience: str, context: Any) -> str:
            asked.append(audience)
            return jwt({"sub": "repo:corp/policies:environment:prod", "aud": audience})

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("reconciler.providers.identity.github_assertion", assertion)
            here.open(environ)
            for _ in range(3):
                assert host(here).get(SCOPES, SECRETS)["scopes"]
        assert asked == [service.account.id]


def jwt(claims: dict[str, Any]) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part(claims)}.x"


def test_nothing_of_the_process_or_the_machine_is_looked_up(
    here: Estate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    profile = tmp_path / "databrickscfg"
    profile.write_text("[DEFAULT]\nhost = https://elsewhere.invalid\ntoken = dapi\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(profile))
    monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "not-there")
    monkeypatch.setenv("DATABRICKS_HOST", "https://elsewhere.invalid")
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi")
    monkeypatch.setenv("ARM_CLIENT_ID", "x")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(profile))
    assert host(here).get(SCOPES, SECRETS)["scopes"]


LEAN = """
import sys
from reconciler.providers.databricks.client_sdk import sdk
core = sdk()
assert not any(name.startswith("databricks.sdk.service.") and name.rpartition(".")[2] not in
               ("_internal", "provisioning") for name in sys.modules), sorted(sys.modules)
"""
WHOLE = """
import databricks.sdk, databricks.sdk.core
from databricks.sdk import WorkspaceClient, oauth
from databricks.sdk.service.iam import Group
assert databricks.sdk.core is core and databricks.sdk.core.Config is core.Config
assert issubclass(WorkspaceClient, object) and oauth.Token is sys.modules["databricks.sdk.oauth"].Token
assert databricks.sdk.WorkspaceClient.__module__ == "databricks.sdk"
"""


@pytest.mark.parametrize("program", [LEAN, LEAN + WHOLE], ids=["lean", "and-whole-when-asked"])
def test_the_sdk_is_loaded_leanly_and_is_the_real_one(program: str, root: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 0, answer.stderr[-2000:]


def test_importing_the_vocabulary_loads_no_sdk(root: Path) -> None:
    program = (
        "import sys, reconciler.providers.databricks\n"
        "assert not {'databricks', 'requests', 'azure'} & set(sys.modules), 'an SDK was loaded'"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
