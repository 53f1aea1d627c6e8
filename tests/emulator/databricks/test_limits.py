"""Throttling: whom it strikes, in which words, and for how long."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.emulator.databricks.limits import PUBLISHED_LIMITS, bucket_of
from reconciler.emulator.wire import Response
from tests.emulator.databricks.estate import ACCOUNT_SCIM, PATCH, SCIM, WORKSPACE, Estate


def limited(name: str, capacity: float = 1, **switches: Any) -> Estate:
    estate = Estate(None, **switches)
    estate.world.throttle.limit(name, capacity, 60, estate.world.clock.now())
    return estate


def test_scim_answers_five_hundred_without_a_hint_when_to_come_back() -> None:
    estate = limited("databricks/scim-get")
    estate.call("GET", f"{SCIM}/Groups")

    response = estate.send("GET", f"{SCIM}/Groups")

    assert response.status == 500
    assert json.loads(response.body) == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "detail": f"REQUEST_LIMIT_EXCEEDED: Workspace {WORKSPACE} "
        "exceeded the concurrent limit of 4 requests.",
        "status": "500",
    }
    assert "Retry-After" not in dict(response.headers)
    estate.world.clock.advance(61)
    estate.call("GET", f"{SCIM}/Groups")


@pytest.mark.parametrize(
    ("form", "status", "words"), [("429", 429, "rate limit"), ("token-bucket", 500, "RPC token bucket")]
)
def test_scim_answers_otherwise_by_switch(form: str, status: int, words: str) -> None:
    estate = limited("databricks/scim-get", scim_throttle=form)
    estate.call("GET", f"{SCIM}/Groups")

    response = estate.send("GET", f"{SCIM}/Groups")

    assert (response.status, words in response.body.decode()) == (status, True)


def second(estate: Estate, *request: Any, **options: Any) -> Response:
    estate.send(*request, **options)
    return estate.send(*request, **options)


def test_other_apis_answer_429_with_seconds_to_wait() -> None:
    response = second(limited("databricks/secrets"), "GET", "/api/2.0/secrets/scopes/list")

    assert response.status == 429
    assert json.loads(response.body)["error_code"] == "REQUEST_LIMIT_EXCEEDED"
    assert dict(response.headers)["Retry-After"] == "60"


ADD = {"schemas": [PATCH], "Operations": [{"op": "add", "path": "members", "value": []}]}


@pytest.mark.parametrize(
    ("bucket", "endpoint", "method", "target", "body"),
    [
        ("databricks/scim-group-patch", "databricks/main", "PATCH", f"{SCIM}/Groups/500", ADD),
        ("databricks/scim-group-delete", "databricks/main", "DELETE", f"{SCIM}/Groups/500", None),
        ("databricks/account-scim-list", "databricks-account", "GET", f"{ACCOUNT_SCIM}/Groups", None),
        ("databricks/account-scim-get", "databricks-account", "GET", f"{ACCOUNT_SCIM}/Groups/500", None),
        ("databricks/account-scim-patch", "databricks-account", "PATCH", f"{ACCOUNT_SCIM}/Groups/500", ADD),
        ("databricks/account-scim-write", "databricks-account", "POST", f"{ACCOUNT_SCIM}/Groups", {}),
        (
            "databricks/assignment-put",
            "databricks/main",
            "PUT",
            "/api/2.0/preview/permissionassignments/principals/500",
            {"permissions": ["USER"]},
        ),
        ("databricks/permissions-get", "databricks/main", "GET", "/api/2.0/permissions/jobs/1", None),
        ("databricks/permissions-write", "databricks/main", "PUT", "/api/2.0/permissions/clusters/1", {}),
    ],
)
def test_every_class_counts_its_own(bucket: str, endpoint: str, method: str, target: str, body: Any) -> None:
    estate = limited(bucket)

    response = second(estate, method, target, body, endpoint=endpoint)

    assert "REQUEST_LIMIT_EXCEEDED" in response.body.decode()
    assert estate.world.throttle.rejected == {bucket: 1}


def test_published_limits_are_those_of_the_classes() -> None:
    areas = ["scim", "assignment", "permissions", "secrets"]
    classes = {
        bucket_of(method, area, kind, one, workspace)
        for method in ("GET", "POST", "PATCH", "PUT", "DELETE")
        for area in areas
        for kind in ("Groups", "Users")
        for one in (True, False)
        for workspace in (None, Estate().account.workspaces["main"])
    }

    assert classes - {None} == set(PUBLISHED_LIMITS)
