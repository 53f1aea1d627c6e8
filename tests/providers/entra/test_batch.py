"""Batches and links as values: order, omissions, and links that would carry a token elsewhere."""

from __future__ import annotations

import pytest

from reconciler.providers.entra.batch import _sorted_out, relative
from reconciler.providers.entra.client import Failed, decoded, scope
from reconciler.providers.entra.wire import Call, Reply, literal
from reconciler.providers.transport import Answer

ROOT = "https://graph.example/v1.0"


@pytest.mark.parametrize(
    ("link", "path"),
    [
        (f"{ROOT}/groups?$skiptoken=X%274453", "/groups?$skiptoken=X%274453"),
        ("https://GRAPH.example/v1.0//groups", "/groups"),
        ("https://graph.example/beta/groups", None),
        ("https://graph.example.evil/v1.0/groups", None),
        ("https://graph.example@evil/v1.0/groups", None),
        ("http://graph.example/v1.0/groups", None),
        ("/groups", None),
        ("https://graph.example/v1.0", None),
    ],
)
def test_a_link_is_followed_only_within_its_own_service(link: str, path: str | None) -> None:
    assert relative(ROOT, link) == path


def test_answers_of_a_batch_come_in_any_order_and_may_be_left_out() -> None:
    responses = [
        {"id": "2", "status": 200, "body": {"value": []}},
        {"id": "0", "status": 404, "headers": {"Retry-After": "1"}},
        {"id": "9", "status": 200},
        {"status": 200},
        "odd",
    ]
    first, missing, third = _sorted_out(Reply(status=200, headers={}, payload={"responses": responses}), 3)
    assert isinstance(first, Reply) and first.status == 404 and first.headers == {"Retry-After": "1"}
    assert isinstance(third, Reply) and third.payload == {"value": []}
    assert isinstance(missing, Failed) and missing.lost
    oddities: list[object] = [None, "text", {"responses": None}, []]
    for odd in oddities:
        (only,) = _sorted_out(Reply(status=200, headers={}, payload=odd), 1)
        assert isinstance(only, Failed)


def test_names_are_quoted_for_filters_and_for_addresses() -> None:
    assert literal("O'Brien & Söhne") == "'O''Brien%20%26%20S%C3%B6hne'"


def test_costs_are_the_published_ones() -> None:
    costs = {
        Call(path="/groups?$select=id&$top=999"): 1,
        Call(path="/groups/g/members?$select=id"): 2,
        Call(path="/groups/g/members"): 3,
        Call(path="/users?$select=id"): 1,
        Call(path="/users"): 2,
        Call(path="/groups/g/owners?$select=id"): 1,
        Call(path="/directoryObjects/getByIds", method="POST", reads=True): 3,
        Call(path="/groups/g", method="PATCH"): 1,
    }
    assert {call: call.units() for call in costs} == costs


def test_a_body_that_is_no_json_is_kept_as_words() -> None:
    assert decoded(Answer(200, {}, b'\xef\xbb\xbf{"a":1}')).payload == {"a": 1}
    reply = decoded(Answer(502, {}, b"<html>Bad Gateway</html>"))
    assert reply.payload == "<html>Bad Gateway</html>" and reply.said == "502"
    assert decoded(Answer(204, {}, b"")).payload is None


def test_errors_speak_in_the_services_own_words() -> None:
    body = b'{"error":{"code":"Request_BadRequest","message":"One\\r\\n  two."}}'
    assert decoded(Answer(400, {}, body)).said == "400 Request_BadRequest: One two."


def test_a_national_cloud_has_tokens_of_its_own() -> None:
    assert scope("https://graph.microsoft.us") == "https://graph.microsoft.us/.default"
    assert scope("https://127.0.0.1:1") == "https://graph.microsoft.com/.default"
