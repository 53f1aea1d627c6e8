"""Whatever Graph and Databricks answer: a canonical thing, or an error of the reader's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.providers.databricks import canonical as scim
from reconciler.providers.entra import canonical as graph
from reconciler.providers.entra.batch import _sorted_out, relative
from reconciler.providers.entra.client import decoded
from reconciler.providers.entra.wire import Reply, objects
from reconciler.providers.transport import Answer, retry_after
from tests.fuzz.shapes import damaged, deep, edited, spelt, texts, values

USERS: dict[str, Any] = {
    "@odata.nextLink": "https://graph.microsoft.com/v1.0/users?$skiptoken=x",
    "value": [
        {"id": "0-1", "@odata.type": "#microsoft.graph.user", "userPrincipalName": "Ana@corp.example",
         "displayName": "Ana", "accountEnabled": True},
        {"id": "0-2", "@odata.type": "#microsoft.graph.group", "displayName": "red",
         "groupTypes": ["Unified"], "mailEnabled": True, "visibility": "HiddenMembership",
         "description": "d"},
        {"id": "0-3", "@odata.type": "#microsoft.graph.servicePrincipal", "appId": "a", "displayName": "s"},
    ],
}  # fmt: skip


def check_objects(payload: Any) -> None:
    found = objects(Reply(status=200, headers={}, payload=payload))
    for each in found or ():
        entry, group = graph.entry(each), graph.group(each)
        assert (
            isinstance(entry.principal, str) and isinstance(entry.name, str) and isinstance(group.name, str)
        )
        assert group.description is None or isinstance(group.description, str)
        assert entry.answers_to(entry.principal)


@given(edited(USERS) | values)
def test_directory_objects(payload: Any) -> None:
    check_objects(payload)


@given(damaged(spelt(USERS).encode()))
@example(deep("[", 100_000).encode())
@example(deep('{"value":', 100_000).encode())
def test_graph_answers(body: bytes) -> None:
    reply = decoded(Answer(200, {}, body))
    check_objects(reply.payload)
    assert isinstance(reply.said, str) and isinstance(reply.spelt, str)


THROTTLED = {"error": {"code": "x", "message": "y"}}
BATCH = {
    "responses": [
        {"id": "1", "status": 200, "headers": {"Retry-After": "1"}, "body": USERS},
        {"id": "0", "status": 429, "body": THROTTLED},
    ]
}


@given(edited(BATCH) | values)
@example({"responses": [{"id": "1", "status": float("inf")}, {"id": 10**400, "status": 200}]})
@example({"responses": [{"id": "1", "status": 200, "headers": ["Retry-After"]}]})
def test_batches(payload: Any) -> None:
    replies = _sorted_out(Reply(status=200, headers={}, payload=payload), 2)
    assert len(replies) == 2
    for reply in replies:
        if isinstance(reply, Reply):
            assert isinstance(reply.said, str)
            assert all(isinstance(name, str) for name in reply.headers)
            retry_after({name.lower(): value for name, value in reply.headers.items()})
            check_objects(reply.payload)


@given(
    texts
    | st.builds(
        "{}{}".format, st.sampled_from(["https://graph.microsoft.com/v1.0/", "//", "http://["]), texts
    )
)
def test_links_lead_nowhere_else(link: str) -> None:
    path = relative("https://graph.microsoft.com/v1.0", link)
    assert path is None or path.startswith("/")


DATES = (
    "Mon, 23 Nov 2026 08:00:00 GMT", "Mon, 23 Nov 2026 08:00:00 -0000", "Fri, 31 Dec 9999 23:59:59 -2359",
    "1 Jan 0001 00:00 +2359", "Mon, 23 Nov 99999999 08:00:00 GMT", "nan", "-inf", "1e400",
)  # fmt: skip
dates = texts | st.sampled_from(DATES)


@given(dates, dates)
@example(DATES[0], DATES[1])
def test_pauses(said: str, date: str) -> None:
    pause = retry_after({"retry-after": said, "date": date})
    assert pause is None or pause >= 0


RESIDENT: dict[str, Any] = {
    "id": "1", "displayName": "red", "userName": "ana@corp.example", "applicationId": "a", "externalId": "X",
    "meta": {"resourceType": "WorkspaceGroup"}, "entitlements": [{"value": "workspace-access"}],
}  # fmt: skip
LISTED = {"Resources": [RESIDENT], "totalResults": 1}
ASSIGNED = {"principal": {"principal_id": 1, "group_name": "red"}, "permissions": ["USER"]}


READERS: dict[str, tuple[Callable[[Any], Any], dict[str, Any]]] = {
    "groups": (lambda payload: scim.page(scim.GROUP, payload), LISTED),
    "users": (lambda payload: scim.page(scim.PERSON, payload), LISTED),
    "services": (lambda payload: scim.page(scim.SERVICE, payload), LISTED),
    "assignments": (
        scim.assignments,
        {"permission_assignments": [ASSIGNED]},
    ),
    "scopes": (
        scim.scopes,
        {"scopes": [{"name": "Red", "backend_type": "AZURE_KEYVAULT",
                     "keyvault_metadata": {"resource_id": "r", "dns_name": "d"}}]},
    ),
    "acl": (scim.acl, {"items": [{"principal": "red", "permission": "READ"}]}),
    "secrets": (scim.secrets, {"secrets": [{"key": "k", "last_updated_timestamp": "1"}]}),
    "me": (scim.own_names, {"userName": "ana@corp.example"}),
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_the_good_ones_are_good(name: str) -> None:
    read, payload = READERS[name]
    assert read(payload)


@given(st.sampled_from(sorted(READERS)), st.data())
def test_databricks_payloads(name: str, data: st.DataObject) -> None:
    read, payload = READERS[name]
    document = data.draw(
        edited(payload) | st.dictionaries(texts | st.sampled_from(sorted(payload)), values, max_size=3)
    )
    if not isinstance(document, dict):
        return  # The client has refused what is no object.
    try:
        read(document)
    except scim.Malformed as error:
        assert str(error)
