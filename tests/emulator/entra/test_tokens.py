"""Who gets a token, for what, for how long, and how the others are told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

import jwt
import pytest

from reconciler.emulator.entra.service import EntraService
from reconciler.emulator.graph.service import GraphService
from reconciler.emulator.wire import Request
from reconciler.emulator.world import World

BASE = "https://login.microsoftonline.com"
APP = "aaaaaaaa-0000-4000-8000-000000000001"
FEDERATED = "aaaaaaaa-0000-4000-8000-000000000002"
SUBJECT = "repo:corp/access:environment:prod"
GRAPH = "https://graph.microsoft.com"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SEED = {
    "users": [{"upn": "ana@corp.example", "password": "hunter2"}, {"upn": "bo@corp.example"}],
    "service-principals": [
        {"name": "planner", "app-id": APP, "secret": "s3cret", "app-roles": ["Group.Read.All"]},
        {"name": "runner", "app-id": FEDERATED, "federated-subject": SUBJECT},
        {"name": "vm", "managed-identity": True},
    ],
}


@dataclass(slots=True)
class SignIn:
    """The sign-in endpoint of a small tenant."""

    world: World = field(default_factory=World)
    service: EntraService = field(init=False)

    def __post_init__(self) -> None:
        GraphService(self.world).seed(SEED)
        self.world.clock.freeze()
        self.service = EntraService(self.world)

    def send(
        self, method: str, url: str, form: Mapping[str, str] | None = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        path, _, query = url.partition("?")
        request = Request(
            service="entra",
            method=method,
            path=path,
            query=parse_qsl(query),
            headers=headers,
            body=urlencode(form or {}).encode(),
            base=BASE,
        )
        response = self.service.handle(request)
        return response.status, json.loads(response.body or b"{}")

    def token(self, tenant: str = "", **form: str) -> tuple[int, dict[str, Any]]:
        whole = {
            "grant_type": "client_credentials",
            "client_id": APP,
            "client_secret": "s3cret",
            "scope": f"{GRAPH}/.default",
        } | form
        path = f"/{tenant or self.world.directory.tenant_id}/oauth2/v2.0/token"
        return self.send("POST", path, {name: value for name, value in whole.items() if value})

    def assertion(self, audience: str = "api://AzureADTokenExchange", subject: str = SUBJECT) -> str:
        url = f"/actions/idtoken?api-version=2.0&audience={audience}"
        status, body = self.send("GET", url, authorization=f"bearer {subject}")
        assert status == 200
        return str(body["value"])

    def exchange(self, assertion: str, app: str = FEDERATED) -> tuple[int, dict[str, Any]]:
        return self.token(
            client_id=app,
            client_secret="",
            client_assertion=assertion,
            client_assertion_type=ASSERTION_TYPE,
        )


@pytest.fixture
def entra() -> SignIn:
    return SignIn()


def test_a_secret_buys_a_token_that_the_other_services_know(entra: SignIn) -> None:
    status, body = entra.token()
    assert status == 200
    assert set(body) == {"token_type", "expires_in", "ext_expires_in", "access_token"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3599)
    caller = entra.world.caller(f"Bearer {body['access_token']}")
    assert caller is not None
    assert (caller.object_id, caller.app_id, caller.audience) == (
        entra.world.directory.resolve("sp:planner"),
        APP,
        GRAPH,
    )


def test_the_token_is_signed_with_the_published_key(entra: SignIn) -> None:
    _, body = entra.token()
    _, jwks = entra.send("GET", "/common/discovery/v2.0/keys")
    key = jwt.PyJWK(jwks["keys"][0])
    claims = jwt.decode(
        body["access_token"], key.key, algorithms=["RS256"], audience=GRAPH, options={"verify_exp": False}
    )
    assert claims["roles"] == ["Group.Read.All"]
    assert claims["tid"] == entra.world.directory.tenant_id
    assert jwt.get_unverified_header(body["access_token"])["kid"] == jwks["keys"][0]["kid"]


def test_a_token_dies_in_time(entra: SignIn) -> None:
    _, body = entra.token()
    entra.world.clock.advance(3598)
    assert entra.world.caller(f"Bearer {body['access_token']}")
    entra.world.clock.advance(1)
    assert entra.world.caller(f"Bearer {body['access_token']}") is None
    entra.world.switches["entra.token-seconds"] = 60
    assert entra.token()[1]["expires_in"] == 60


def test_version_one_takes_a_resource_and_answers_in_strings(entra: SignIn) -> None:
    form = {"grant_type": "client_credentials", "client_id": APP, "client_secret": "s3cret"}
    path = f"/{entra.world.directory.tenant_id}/oauth2/token"
    status, body = entra.send("POST", path, form | {"resource": "https://management.core.windows.net/"})
    assert (status, body["expires_in"], body["resource"]) == (
        200,
        "3599",
        "https://management.core.windows.net/",
    )
    caller = entra.world.caller(f"Bearer {body['access_token']}")
    assert caller is not None and caller.audience == "https://management.core.windows.net/"


def test_capabilities_asked_for_in_claims_are_in_the_token(entra: SignIn) -> None:
    claims = json.dumps({"access_token": {"xms_cc": {"values": ["CP1"]}}})
    _, body = entra.token(claims=claims)
    assert jwt.decode(body["access_token"], options={"verify_signature": False})["xms_cc"] == ["CP1"]


REFUSALS: list[tuple[dict[str, str], int, str, int]] = [
    ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
    ({"client_id": "bbbbbbbb-0000-4000-8000-000000000009"}, 400, "unauthorized_client", 700016),
    ({"tenant": "99999999-0000-4000-8000-000000000000"}, 400, "invalid_tenant", 90002),
    ({"client_secret": ""}, 401, "invalid_client", 7000216),
    ({"scope": GRAPH}, 400, "invalid_scope", 1002012),
    ({"scope": "https://127.0.0.1/.default"}, 400, "invalid_resource", 500011),
    ({"scope": ""}, 400, "invalid_request", 900144),
    ({"client_id": ""}, 400, "invalid_request", 900144),
    ({"grant_type": ""}, 400, "invalid_request", 900144),
    ({"grant_type": "magic"}, 400, "unsupported_grant_type", 70003),
    ({"client_id": FEDERATED}, 401, "invalid_client", 7000215),
    (
        {"grant_type": "password", "username": "ana@corp.example", "password": "x"},
        400,
        "invalid_grant",
        50126,
    ),
    ({"grant_type": "password", "username": "bo@corp.example", "password": "x"}, 400, "invalid_grant", 50126),
]


@pytest.mark.parametrize(("change", "status", "error", "number"), REFUSALS)
def test_refusals_carry_their_number(
    entra: SignIn, change: dict[str, str], status: int, error: str, number: int
) -> None:
    answered, body = entra.token(**change)
    assert (answered, body["error"], body["error_codes"]) == (status, error, [number])
    assert body["error_description"].startswith(f"AADSTS{number}: ")
    assert f"Trace ID: {body['trace_id']}" in body["error_description"]
    assert "s3cret" not in json.dumps(body) and "hunter2" not in json.dumps(body)
    assert not entra.world.tokens


def test_a_person_signs_in_with_a_password(entra: SignIn) -> None:
    status, body = entra.token(grant_type="password", username="ana@corp.example", password="hunter2")
    caller = entra.world.caller(f"Bearer {body['access_token']}")
    assert status == 200 and caller is not None
    assert (caller.kind, caller.name) == ("user", "ana@corp.example")


def test_a_workload_exchanges_its_job_token(entra: SignIn) -> None:
    status, body = entra.exchange(entra.assertion())
    caller = entra.world.caller(f"Bearer {body['access_token']}")
    assert status == 200 and caller is not None and caller.app_id == FEDERATED


def test_assertions_that_do_not_fit_are_refused_by_what_does_not_fit(entra: SignIn) -> None:
    good = entra.assertion()
    foreign = jwt.encode({"iss": "https://evil.example", "sub": SUBJECT}, "k" * 32)
    tampered = good[:-8] + ("AAAAAAAA" if not good.endswith("AAAAAAAA") else "BBBBBBBB")
    cases = {
        700211: foreign,
        700212: entra.assertion(audience="api://somebody-else"),
        700213: entra.assertion(subject="repo:corp/other:environment:prod"),
        700027: tampered,
        50027: "nonsense",
    }
    for number, assertion in cases.items():
        status, body = entra.exchange(assertion)
        assert (status, body["error"], body["error_codes"]) == (401, "invalid_client", [number])
    assert entra.exchange(good, app=APP)[1]["error_codes"] == [700211], "no federated credential there"
    entra.world.clock.advance(301)
    assert entra.exchange(good)[1]["error_codes"] == [700024]


def test_a_job_token_needs_its_requests_token(entra: SignIn) -> None:
    assert entra.send("GET", "/actions/idtoken?api-version=2.0")[0] == 401


def test_an_issuer_can_be_trusted_by_switch(entra: SignIn) -> None:
    now = int(entra.world.clock.now())
    claims = {
        "iss": "https://oidc.example",
        "sub": SUBJECT,
        "aud": "api://AzureADTokenExchange",
        "exp": now + 60,
    }
    assertion = jwt.encode(claims, "k" * 32)
    assert entra.exchange(assertion)[0] == 401
    entra.world.switches["entra.federated-issuers"] = ["https://oidc.example"]
    assert entra.exchange(assertion)[0] == 200


def test_a_managed_identity_asks_the_instance(entra: SignIn) -> None:
    url = f"/metadata/identity/oauth2/token?api-version=2018-02-01&resource={GRAPH}"
    assert entra.send("GET", url)[0] == 400
    status, body = entra.send("GET", url, metadata="true")
    vm = entra.world.directory.service_principals[entra.world.directory.resolve("sp:vm")]
    assert (status, body["client_id"], body["resource"]) == (200, vm.app_id, GRAPH)
    assert isinstance(body["expires_on"], str)
    caller = entra.world.caller(f"Bearer {body['access_token']}")
    assert caller is not None and caller.object_id == vm.id
    assert entra.send("GET", f"{url}&client_id={APP}", metadata="true")[0] == 400


def test_a_managed_identity_has_no_secret_to_sign_in_with(entra: SignIn) -> None:
    vm = entra.world.directory.service_principals[entra.world.directory.resolve("sp:vm")]
    assert entra.token(client_id=vm.app_id, client_secret="")[1]["error_codes"] == [700016]


@pytest.mark.parametrize("prefix", ["", "/v2.0"])
def test_discovery_names_the_endpoints_of_the_tenant_asked(entra: SignIn, prefix: str) -> None:
    tenant = entra.world.directory.tenant_id
    status, body = entra.send("GET", f"/{tenant}{prefix}/.well-known/openid-configuration")
    assert status == 200
    version = "/v2.0" if prefix else ""
    assert body["token_endpoint"] == f"{BASE}/{tenant}/oauth2{version}/token"
    assert entra.send("GET", "/corp.example/v2.0/.well-known/openid-configuration")[0] == 200
    status, body = entra.send("GET", "/other.example/v2.0/.well-known/openid-configuration")
    assert (status, body["error"], body["error_codes"]) == (400, "invalid_tenant", [90002])


def test_instance_discovery_knows_the_cloud_and_itself(entra: SignIn) -> None:
    url = "/common/discovery/instance?api-version=1.1&authorization_endpoint="
    status, body = entra.send("GET", f"{url}https://login.microsoftonline.com/corp/oauth2/v2.0/authorize")
    assert status == 200
    assert body["tenant_discovery_endpoint"].endswith("/corp/v2.0/.well-known/openid-configuration")
    assert "login.windows.net" in body["metadata"][0]["aliases"]
    status, body = entra.send("GET", f"{url}https://evil.example/corp/oauth2/v2.0/authorize")
    assert (status, body["error"]) == (400, "invalid_instance")


def test_other_paths_are_nothing(entra: SignIn) -> None:
    assert entra.send("GET", "/nothing/here")[0] == 404
