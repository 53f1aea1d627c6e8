"""Query options: what they select, and which of them need an advanced query."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.emulator.graph import shapes
from reconciler.emulator.graph.filters import compile_filter
from tests.emulator.graph.tenant import EVENTUAL, SEED, Tenant


@pytest.fixture(scope="module")
def tenant() -> Tenant:
    return Tenant()


def names(tenant: Tenant, query: str, kind: str = "groups", advanced: bool = True) -> set[str]:
    headers = EVENTUAL if advanced else {}
    count = "&$count=true" if advanced else ""
    answer = tenant.get(f"/v1.0/{kind}?{query}{count}", **headers)
    assert answer.status == 200, answer.body
    return {one["displayName"] for one in answer.body["value"]}


ALL = {group["name"] for group in SEED["groups"]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("displayName eq 'empty'", {"empty"}),
        ("displayName eq 'EMPTY'", {"empty"}),
        ("displayName ne 'empty'", ALL - {"empty"}),
        ("startsWith(displayName,'pricing')", {"pricing-ds", "pricing-leads"}),
        ("startswith(displayName, 'PRICING')", {"pricing-ds", "pricing-leads"}),
        ("endsWith(displayName,'G-DS')", {"pricing-ds"}),
        ("displayName in ('empty','admins')", {"empty", "admins"}),
        ("not(displayName eq 'empty')", ALL - {"empty"}),
        ("not displayName eq 'empty' and mailEnabled eq false", ALL - {"empty", "mailing"}),
        ("mailEnabled eq true or isAssignableToRole eq true", {"mailing", "admins"}),
        ("(mailEnabled eq true or displayName eq 'empty') and securityEnabled eq true", {"mailing", "empty"}),
        ("groupTypes/any(c:c eq 'DynamicMembership')", {"dynamic"}),
        ("NOT groupTypes/any(c:c eq 'DynamicMembership')", ALL - {"dynamic"}),
        ("onPremisesSyncEnabled eq true", {"synced"}),
        ("description eq null", ALL - {"pricing-ds"}),
        ("displayName eq 'it''s'", set()),
    ],
)
def test_filters_select(tenant: Tenant, text: str, expected: set[str]) -> None:
    assert names(tenant, f"$filter={text}") == expected


def test_a_filter_by_id_does_not_depend_on_its_spelling(tenant: Tenant) -> None:
    oid = tenant.id("group:empty")
    assert names(tenant, f"$filter=id eq '{oid}'", advanced=False) == {"empty"}
    both = f"$filter=id eq '{oid}' or id eq '{tenant.id('group:admins')}'"
    assert names(tenant, both, advanced=False) == {"empty", "admins"}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("$filter=displayName ne 'x'", "Filter operator 'NotEqualsMatch' is not supported."),
        ("$filter=endsWith(displayName,'x')", "Operator 'endsWith' is not supported because"),
        ("$filter=not(displayName eq 'x')", "Operator 'not' is not supported because"),
        (
            "$filter=startsWith(displayName,'x')&$orderby=displayName",
            "Sorting not supported for current query.",
        ),
        ("$orderby=createdDateTime", "Sorting not supported for current query."),
        ('$search="displayName:x"', "Request with $search query parameter only works through MSGraph"),
    ],
)
def test_advanced_queries_say_so_or_are_refused(tenant: Tenant, query: str, message: str) -> None:
    plain = tenant.get(f"/v1.0/groups?{query}")
    assert (plain.status, plain.code) == (400, "Request_UnsupportedQuery")
    assert plain.message.startswith(message)
    assert tenant.get(f"/v1.0/groups?{query}&$count=true", **EVENTUAL).status == 200


def test_the_header_alone_does_not_make_a_query_advanced_except_for_search(tenant: Tenant) -> None:
    assert tenant.get("/v1.0/groups?$filter=displayName ne 'x'", **EVENTUAL).status == 400
    assert tenant.get('/v1.0/groups?$search="displayName:pricing"', **EVENTUAL).status == 200


def test_words_inside_a_literal_are_no_operators(tenant: Tenant) -> None:
    assert names(tenant, "$filter=displayName eq 'not ne endsWith('", advanced=False) == set()


def test_filters_on_relations_are_always_advanced(tenant: Tenant) -> None:
    url = tenant.group("pricing-ds", "/members?$filter=startsWith(displayName,'Ana')")
    assert tenant.get(url).code == "Request_UnsupportedQuery"
    answer = tenant.get(f"{url}&$count=true", **EVENTUAL)
    assert answer.ids == [tenant.id("user:ana@corp.example")]


def test_counting_needs_the_header_as_a_segment_and_is_ignored_as_an_option(tenant: Tenant) -> None:
    refused = tenant.get("/v1.0/groups/$count")
    assert (refused.status, refused.message) == (400, "$count is not currently supported.")
    counted = tenant.get("/v1.0/groups/$count", **EVENTUAL)
    assert (counted.body, counted.headers["content-type"]) == (str(len(ALL)), "text/plain")
    assert tenant.get(tenant.group("pricing-ds", "/members/$count"), **EVENTUAL).body == "2"
    assert "@odata.count" not in tenant.get("/v1.0/groups?$count=true").body
    pages = tenant.get("/v1.0/groups?$count=true&$top=2", **EVENTUAL)
    assert pages.body["@odata.count"] == len(ALL)
    assert "@odata.count" not in tenant.get(pages.body["@odata.nextLink"], **EVENTUAL).body


def test_expansion_and_advanced_queries_exclude_each_other(tenant: Tenant) -> None:
    answer = tenant.get("/v1.0/groups?$expand=members&$count=true", **EVENTUAL)
    assert (answer.status, answer.code) == (400, "Request_UnsupportedQuery")


@pytest.mark.parametrize("top", ["0", "1000"])
def test_page_sizes_have_bounds(tenant: Tenant, top: str) -> None:
    answer = tenant.get(f"/v1.0/groups?$top={top}")
    assert (answer.status, answer.code) == (400, "Request_UnsupportedQuery")
    assert answer.message == f"Invalid page size specified: '{top}'. Must be between 1 and 999 inclusive."


@pytest.mark.parametrize(
    "query",
    [
        "$filter=displayName eq",
        "$filter=displayName eq 'x",
        "$filter=displayName zz 'x'",
        "$filter=(displayName eq 'x'",
        "$filter=colour eq 'red'",
        "$filter=shout(displayName)",
        "$select=colour",
        "$orderby=displayName sideways",
        "$top=many",
        "$bogus=1",
        "$top=1&$top=2",
        "$expand=members(",
    ],
)
def test_malformed_options_are_refused(tenant: Tenant, query: str) -> None:
    assert tenant.get(f"/v1.0/groups?{query}").status == 400


def test_search_matches_the_beginnings_of_words() -> None:
    tenant = Tenant()
    search = '$search="displayName:leads"'
    assert names(tenant, search) == {"pricing-leads"}
    assert names(tenant, '$search="displayName:eads"') == set()
    either = '$search="displayName:leads" OR "displayName:empty"'
    assert names(tenant, either) == {"pricing-leads", "empty"}
    both = '$search="displayName:pricing" AND "displayName:ds"'
    assert names(tenant, both) == {"pricing-ds"}


def test_order_is_kept_in_both_directions(tenant: Tenant) -> None:
    up = [one["displayName"] for one in tenant.get("/v1.0/groups?$orderby=displayName").body["value"]]
    down = [one["displayName"] for one in tenant.get("/v1.0/groups?$orderby=displayName desc").body["value"]]
    assert up == sorted(ALL) == down[::-1]


VALUES = st.sampled_from(["a", "b", "A", "it's", ""])


@given(
    st.lists(st.tuples(st.sampled_from(["eq", "ne"]), VALUES), min_size=1, max_size=4), st.booleans(), VALUES
)
def test_conjunctions_and_disjunctions_mean_all_and_any(
    terms: list[tuple[str, str]], joined_by_and: bool, present: str
) -> None:
    joint = " and " if joined_by_and else " or "
    text = joint.join(f"name {operator} '{value.replace(chr(39), chr(39) * 2)}'" for operator, value in terms)
    truths = [(present.lower() == value.lower()) == (operator == "eq") for operator, value in terms]
    expected = all(truths) if joined_by_and else any(truths)
    assert compile_filter(text).matches({"name": present}) == expected
    assert compile_filter(f"not ({text})").matches({"name": present}) != expected


NAMES = st.sampled_from(["empty", "ADMINS", "pricing-ds", "nothing"])
EQUAL = st.builds("displayName eq '{}'".format, NAMES)
ONE_OF = st.lists(NAMES, min_size=1, max_size=3).map(
    lambda names: "displayName in (" + ",".join(f"'{name}'" for name in names) + ")"
)
PLAIN = st.sampled_from(["mailEnabled eq false", "isAssignableToRole eq true", "not(displayName eq 'empty')"])
TERM = EQUAL | ONE_OF | PLAIN


@given(st.lists(TERM, min_size=1, max_size=3), st.sampled_from([" and ", " or "]))
def test_an_index_finds_what_a_scan_finds(terms: list[str], joint: str) -> None:
    tenant = Tenant()
    text = joint.join(terms)
    matches = compile_filter(text).matches
    groups = [shapes.full(group) for group in tenant.directory.groups.values()]
    scanned = {group["displayName"] for group in groups if matches(group)}
    assert names(tenant, f"$filter={text}") == scanned
