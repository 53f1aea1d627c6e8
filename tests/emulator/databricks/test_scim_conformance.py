"""A third party's SCIM compliance checks, against the workspace's users and groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest

pytest.importorskip("scim2_tester", reason="scim2-tester is not installed (extra: dev)")

from scim2_client.engines.wsgi import WSGISCIMClient
from scim2_models import (
    Bulk,
    ChangePassword,
    ETag,
    Filter,
    Group,
    Patch,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    User,
)
from scim2_tester import Status, check_server

from reconciler.emulator.databricks.scim import writes
from tests.emulator.databricks.estate import ACCOUNT_SCIM, SCIM, Estate

INAPPLICABLE = Counter(
    service_provider_config_endpoint=1,
    service_provider_config_endpoint_methods=4,
    query_all_resource_types=1,
    resource_types_endpoint_methods=4,
    query_all_schemas=1,
    schemas_endpoint_methods=4,
    search_with_attributes=2,
)
"""As far as is known Databricks has no ServiceProviderConfig, ResourceTypes, Schemas and `POST /.search`."""


def application(estate: Estate) -> Callable[..., Iterable[bytes]]:
    """The service as a WSGI application, called by the account's and the workspace's admin."""

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        query = environ.get("QUERY_STRING", "")
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        target = environ["PATH_INFO"] + (f"?{query}" if query else "")
        headers = {"accept": environ.get("HTTP_ACCEPT", "*/*")}
        response = estate.send(environ["REQUEST_METHOD"], target, body, headers=headers)
        start(f"{response.status} -", [(str(key), str(value)) for key, value in response.headers])
        return [response.body]

    return app


def run(estate: Estate, root: str = SCIM) -> list[Any]:
    """All checks, by a client that has been told what the server can do."""
    provider = ScimProvider(
        [User, Group],
        config=ServiceProviderConfig(
            patch=Patch(supported=True),
            bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
            filter=Filter(supported=True, max_results=10_000),
            change_password=ChangePassword(supported=False),
            sort=Sort(supported=True),
            etag=ETag(supported=False),
        ),
    )
    client = WSGISCIMClient(application(estate), base_url=f"https://host.example{root}", provider=provider)
    return check_server(client)


def failed(results: list[Any]) -> Counter[str]:
    return Counter(result.title for result in results if result.status is not Status.SUCCESS)


def test_every_check_that_applies_succeeds_with_the_switches_as_they_come() -> None:
    estate = Estate()
    del estate.world.switches["databricks.stale-seconds"]

    results = run(estate)

    reasons = [f"{result.title}: {result.reason}" for result in results if result.title not in INAPPLICABLE]
    assert failed(results) == INAPPLICABLE, reasons
    assert len(results) == 105


def test_the_account_fails_in_entitlements_beside() -> None:
    """The account takes entitlements and forgets them, so adding and replacing them cannot be seen."""
    failures = failed(run(Estate(), ACCOUNT_SCIM)) - INAPPLICABLE

    assert failures == Counter(check_add_attribute=1, check_replace_attribute=1)


def test_the_checks_notice_a_server_that_forgets_what_it_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writes, "_take", lambda view, identity, attrs: None)

    assert failed(run(Estate())) - INAPPLICABLE
