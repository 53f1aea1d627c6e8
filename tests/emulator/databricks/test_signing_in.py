"""Discovery and tokens: which credentials are taken, and where a token is good."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from reconciler.emulator.wire import Request, Response
from tests.emulator.databricks.estate import ACCOUNT, APP, SCIM, SEED, WORKSPACE, Estate, jwt

EXCHANGE = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange"


@pytest.fixture
def estate() -> Estate:
    return Estate({**SEED, "account": {**SEED["account"], "secrets": {APP: "dose-secret"}}})


def basic(client: str, secret: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()}


def token(estate: Estate, form: str, endpoint: str = "databricks/main", **headers: str) -> Response:
    path = f"/oidc/accounts/{ACCOUNT}/v1/token" if endpoint == "databricks-account" else "/oidc/v1/token"
    return estate.send("POST", path, form.encode(), caller=None, endpoint=endpoint, headers=headers)


def minted(response: Response) -> str:
    body = json.loads(response.body)
    assert (response.status, body["token_type"], body["expires_in"]) == (200, "Bearer", 3600), body
    return str(body["access_token"])


def with_token(estate: Estate, value: str, endpoint: str, target: str = f"{SCIM}/Me") -> int:
    header = f"Bearer {value}"
    request = Request(
        service=endpoint,
        method="GET",
        path=target,
        headers={"authorization": header},
        caller=estate.world.caller(header),
    )
    return estate.service.handle(request).status


def test_hosts_describe_themselves(estate: Estate) -> None:
    workspace = estate.call("GET", "/.well-known/databricks-config", caller=None)
    account = estate.at_account("GET", "/.well-known/databricks-config", caller=None)

    assert workspace["workspace_id"] == WORKSPACE
    assert workspace["oidc_endpoint"] == "https://host.example/oidc"
    assert "workspace_id" not in account
    assert account["oidc_endpoint"] == "https://host.example/oidc/accounts/{account_id}"


def test_discovery_names_the_token_endpoint(estate: Estate) -> None:
    path = f"/oidc/accounts/{ACCOUNT}/.well-known/oauth-authorization-server"

    assert estate.at_account("GET", path, caller=None)["token_endpoint"] == (
        f"https://host.example/oidc/accounts/{ACCOUNT}/v1/token"
    )


@pytest.mark.parametrize("secret", ["reconciler-secret", "dose-secret"])
def test_a_client_secret_is_taken_in_the_header_and_in_the_form(estate: Estate, secret: str) -> None:
    minted(token(estate, "grant_type=client_credentials&scope=all-apis", **basic(APP, secret)))
    minted(token(estate, f"grant_type=client_credentials&client_id={APP}&client_secret={secret}"))


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        (f"grant_type=client_credentials&client_id={APP}&client_secret=wrong", 401, "invalid_client"),
        (f"grant_type=client_credentials&client_id={APP}", 401, "invalid_client"),
        ("grant_type=client_credentials&client_id=nobody&client_secret=x", 401, "invalid_client"),
        ("grant_type=password", 400, "unsupported_grant_type"),
        (f"{EXCHANGE}&client_id={APP}&subject_token=garbage", 400, "invalid_request"),
    ],
)
def test_credentials_that_are_refused(estate: Estate, form: str, status: int, error: str) -> None:
    response = token(estate, form)

    assert (response.status, json.loads(response.body)["error"]) == (status, error)


def test_a_workspaces_token_is_good_there_alone_and_the_accounts_everywhere(estate: Estate) -> None:
    form = f"grant_type=client_credentials&client_id={APP}&client_secret=dose-secret"
    local, wide = minted(token(estate, form)), minted(token(estate, form, "databricks-account"))

    assert with_token(estate, local, "databricks/main") == 200
    assert with_token(estate, local, "databricks/other") == 403
    assert with_token(estate, wide, "databricks/main") == 200
    assert with_token(estate, wide, "databricks/other") == 200


def test_a_token_expires(estate: Estate) -> None:
    form = f"grant_type=client_credentials&client_id={APP}&client_secret=dose-secret"
    value = minted(token(estate, form))

    estate.world.clock.advance(3599)
    assert with_token(estate, value, "databricks/main") == 200
    estate.world.clock.advance(1)
    assert with_token(estate, value, "databricks/main") == 403


@pytest.mark.parametrize(("form", "status"), [("403", 403), ("401", 401), ("400", 400)])
def test_a_token_that_counts_no_more_is_refused_in_one_of_three_ways(
    estate: Estate, form: str, status: int
) -> None:
    estate.world.switches["databricks.refused-token"] = form
    assert with_token(estate, "x", "databricks/main") == status


def test_nobody_and_strangers_are_told_apart(estate: Estate) -> None:
    assert estate.refused("GET", f"{SCIM}/Me", caller=None) == (
        401,
        {
            "error_code": "401",
            "message": "Credential was not sent or was of an unsupported type for this API.",
        },
    )
    assert estate.refused("GET", f"{SCIM}/Me", caller=None, headers={"authorization": "Bearer x"})[0] == 403


POLICY = {"issuer": "https://token.actions.githubusercontent.com", "subject": "repo:a/b:environment:prod"}


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"aud": ACCOUNT}, 200),
        ({"aud": ["other", ACCOUNT]}, 200),
        ({"aud": "other"}, 400),
        ({"aud": ACCOUNT, "sub": "repo:a/b:pull_request"}, 400),
        ({"aud": ACCOUNT, "iss": "https://issuer.example"}, 400),
        ({"aud": ACCOUNT, "exp": 1}, 400),
    ],
)
def test_a_federation_policy_judges_issuer_audience_subject_and_time(
    claims: dict[str, Any], status: int
) -> None:
    estate = Estate({**SEED, "account": {**SEED["account"], "federation": {APP: [POLICY]}}})
    subject = jwt(**{"iss": POLICY["issuer"], "sub": POLICY["subject"], **claims})

    assert token(estate, f"{EXCHANGE}&client_id={APP}&subject_token={subject}").status == status


def test_logins_are_sent_on_to_entra(estate: Estate) -> None:
    tenant = estate.world.directory.tenant_id

    for path in ("/aad/auth", "/oidc/oauth2/v2.0/authorize"):
        response = estate.send("GET", path, caller=None)
        assert response.status == 302
        assert dict(response.headers)["Location"].split("/")[3] == tenant
