"""Reading groups, users, service principals and their relations."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest

from tests.emulator.graph.tenant import EVENTUAL, SEED, Tenant, all_pages


@pytest.fixture
def tenant() -> Tenant:
    return Tenant()


def many(count: int) -> Tenant:
    groups = [{"name": f"g{number:04}"} for number in range(count)]
    return Tenant({**SEED, "groups": groups})


def test_a_collection_has_a_hundred_objects_per_page_unless_asked_otherwise() -> None:
    tenant = many(250)
    sizes = [len(page.body["value"]) for page in all_pages(tenant, "/v1.0/groups")]
    assert sizes == [100, 100, 50]
    sizes = [len(page.body["value"]) for page in all_pages(tenant, "/v1.0/groups?$top=249")]
    assert sizes == [249, 1]


@pytest.mark.parametrize("count", [100, 999])
def test_a_full_page_without_more_behind_it_has_no_link(count: int) -> None:
    tenant = many(count)
    assert "@odata.nextLink" not in tenant.get(f"/v1.0/groups?$top={count}").body


def test_a_link_repeats_every_option_and_hides_where_it_goes_on() -> None:
    tenant = many(30)
    first = tenant.get("/v1.0/groups?$select=id&$top=7&$filter=startswith(displayName,'g00')")
    link = first.body["@odata.nextLink"]
    link = unquote(link)
    assert "$top=7" in link and "$select=id" in link and "$filter=startswith(displayName,'g00')" in link
    assert "$skiptoken=" in link and first.ids[-1] not in link
    second = tenant.get(link)
    assert set(second.body["value"][0]) == {"id"}
    assert not set(first.ids) & set(second.ids)


def test_following_links_meets_every_object_once_though_some_vanish_on_the_way() -> None:
    tenant = many(40)
    first = tenant.get("/v1.0/groups?$top=10")
    tenant.delete(f"/v1.0/groups/{first.ids[3]}")
    rest = all_pages(tenant, first.body["@odata.nextLink"])
    met = first.ids + [oid for page in rest for oid in page.ids]
    assert len(met) == len(set(met)) == 40


def test_a_made_up_continuation_is_refused(tenant: Tenant) -> None:
    answer = tenant.get("/v1.0/groups?$skiptoken=abc")
    assert (answer.status, answer.code) == (400, "Directory_ExpiredPageToken")


def test_empty_pages_with_links_and_smaller_pages_can_be_switched_on() -> None:
    tenant = many(25)
    tenant.world.switches |= {"graph.empty-pages": True, "graph.page-limit": 10}
    sizes = [len(page.body["value"]) for page in all_pages(tenant, "/v1.0/groups?$top=999")]
    assert sizes == [10, 0, 10, 0, 5]


def test_doubled_slashes_are_one(tenant: Tenant) -> None:
    assert tenant.get("/v1.0//groups").ids == tenant.get("/v1.0/groups").ids


def test_v1_members_lack_service_principals_that_beta_and_expand_show(tenant: Tenant) -> None:
    airflow = tenant.id("sp:airflow")
    assert airflow not in tenant.get(tenant.group("pricing-ds", "/members")).ids
    assert airflow in tenant.get(tenant.group("pricing-ds", "/members", "beta")).ids
    expanded = tenant.get(tenant.group("pricing-ds", "?$expand=members($select=id)")).body["members"]
    assert {"@odata.type": "#microsoft.graph.servicePrincipal", "id": airflow} in expanded
    tenant.world.switches["graph.v1-members-include-service-principals"] = True
    assert airflow in tenant.get(tenant.group("pricing-ds", "/members")).ids


def test_expand_shows_twenty_and_links_to_no_more() -> None:
    users = [{"upn": f"u{number}@corp.example"} for number in range(30)]
    group = {"name": "big", "members": [f"user:{user['upn']}" for user in users]}
    tenant = Tenant({**SEED, "users": users, "groups": [group]})
    body = tenant.get(tenant.group("big", "?$expand=members")).body
    assert len(body["members"]) == 20
    assert "members@odata.nextLink" not in body


def test_a_selection_of_ids_keeps_the_type_of_members(tenant: Tenant) -> None:
    value = tenant.get(tenant.group("pricing-ds", "/members?$select=id")).body["value"]
    assert value == [
        {"@odata.type": "#microsoft.graph.user", "id": tenant.id("user:ana@corp.example")},
        {"@odata.type": "#microsoft.graph.group", "id": tenant.id("group:pricing-leads")},
    ]


def test_a_cast_keeps_one_type_and_drops_its_mention(tenant: Tenant) -> None:
    answer = tenant.get(tenant.group("pricing-ds", "/members/microsoft.graph.user?$select=id"))
    assert answer.body["@odata.context"].endswith("/v1.0/$metadata#users(id)")
    assert answer.body["value"] == [{"id": tenant.id("user:ana@corp.example")}]


def test_a_cast_of_transitive_members_is_an_advanced_query(tenant: Tenant) -> None:
    url = tenant.group("pricing-ds", "/transitiveMembers/microsoft.graph.user?$count=true")
    assert tenant.get(url).code == "Request_UnsupportedQuery"
    answer = tenant.get(url, **EVENTUAL)
    assert answer.body["@odata.count"] == 2
    assert set(answer.ids) == {tenant.id("user:ana@corp.example"), tenant.id("user:bo@corp.example")}


def test_nesting_may_be_circular(tenant: Tenant) -> None:
    tenant.add("pricing-leads", "group:pricing-ds")
    ids = tenant.get(tenant.group("pricing-ds", "/transitiveMembers", "beta")).ids
    assert len(ids) == len(set(ids)) == 5
    assert tenant.id("group:pricing-ds") in ids


def test_parents_and_ownership_are_seen_from_the_other_end(tenant: Tenant) -> None:
    bo = tenant.id("user:bo@corp.example")
    direct = tenant.get(f"/v1.0/users/{bo}/memberOf").ids
    assert set(direct) == {tenant.id("group:pricing-leads"), tenant.id("group:secret-society")}
    assert tenant.id("group:pricing-ds") in tenant.get(f"/v1.0/users/{bo}/transitiveMemberOf").ids
    owned = tenant.get("/v1.0/users/lea@corp.example/ownedObjects").ids
    assert owned == [tenant.id("group:pricing-ds")]


@pytest.mark.parametrize(
    "path",
    [
        "/users/ana@corp.example",
        "/users/ANA@corp.example",
        "/users('ana@corp.example')",
        "/users/ana%40corp.example",
    ],
)
def test_a_user_is_found_by_name_in_every_spelling(tenant: Tenant, path: str) -> None:
    body = tenant.get(f"/v1.0{path}").body
    assert body["id"] == tenant.id("user:ana@corp.example")
    assert list(body)[-1] == "id", "the service writes the id of a single user last"


def test_names_with_special_characters_survive_urls_and_filters() -> None:
    user, group = "$azure-cli-user#1+x@corp.example", "it's a+b/c & d"
    tenant = Tenant({**SEED, "users": [{"upn": user}], "groups": [{"name": group}]})
    oid = tenant.id(f"user:{user}")
    assert tenant.get(f"/v1.0/users('{quote(user, safe='')}')").body["id"] == oid
    assert tenant.get(f"/v1.0/users/{quote(user, safe='')}").body["id"] == oid
    literal = group.replace("'", "''")
    for text in (f"displayName eq '{literal}'", f"startswith(displayName,'{literal}')"):
        assert len(tenant.get(f"/v1.0/groups?$filter={quote(text, safe='')}").ids) == 1


def test_a_service_principal_is_found_by_application_id(tenant: Tenant) -> None:
    app_id = "aaaaaaaa-0000-4000-8000-000000000001"
    path = f"/v1.0/servicePrincipals(appId='{app_id}')"
    assert tenant.get(path).body["id"] == tenant.id("sp:airflow")
    filtered = f"/v1.0/servicePrincipals?$filter=servicePrincipalNames/any(c:c eq '{app_id}')"
    assert tenant.get(filtered).ids == [tenant.id("sp:airflow")]
    missing = tenant.get("/v1.0/servicePrincipals(appId='bbbbbbbb-0000-4000-8000-000000000001')")
    assert (missing.status, missing.code) == (404, "Request_ResourceNotFound")


def test_absence_and_nonsense_are_told_apart(tenant: Tenant) -> None:
    absent = tenant.get("/v1.0/groups/00000000-0000-4000-8000-000000000000")
    assert (absent.status, absent.code) == (404, "Request_ResourceNotFound")
    nonsense = tenant.get("/v1.0/groups/pricing-ds")
    assert (nonsense.status, nonsense.message) == (400, "Invalid object identifier 'pricing-ds'.")
    user = tenant.get("/v1.0/users/nobody@corp.example")
    assert (user.status, user.code) == (404, "Request_ResourceNotFound")
    path = tenant.get("/v1.0/flowers")
    assert (path.status, path.message) == (400, "Resource not found for the segment 'flowers'.")
    assert tenant.get("/v2.0/groups").message == "Invalid version: v2.0"


def test_get_by_ids_answers_what_exists_of_the_asked_types(tenant: Tenant) -> None:
    ids = [tenant.id("group:empty"), "00000000-0000-4000-8000-000000000000", tenant.id("sp:airflow")]
    answer = tenant.post("/v1.0/directoryObjects/getByIds", {"ids": ids})
    assert answer.ids == [ids[0], ids[2]]
    assert answer.headers["x-ms-resource-unit"] == "3"
    only = tenant.post("/v1.0/directoryObjects/getByIds", {"ids": ids, "types": ["group"]})
    assert only.ids == [ids[0]]
    assert tenant.post("/v1.0/directoryObjects/getByIds", {"ids": ["x"] * 1001}).status == 400


def test_member_groups_are_transitive_and_nearest_first(tenant: Tenant) -> None:
    bo = tenant.id("user:bo@corp.example")
    answer = tenant.post(f"/v1.0/users/{bo}/getMemberGroups", {"securityEnabledOnly": False})
    near = {tenant.id("group:pricing-leads"), tenant.id("group:secret-society")}
    assert set(answer.body["value"][:2]) == near
    assert answer.body["value"][2:] == [tenant.id("group:pricing-ds")]
    check = {"groupIds": [tenant.id("group:empty"), tenant.id("group:pricing-ds")]}
    found = tenant.post(f"/v1.0/directoryObjects/{bo}/checkMemberGroups", check).body["value"]
    assert found == [tenant.id("group:pricing-ds")]
    too_many = tenant.post(f"/v1.0/users/{bo}/checkMemberGroups", {"groupIds": ["x"] * 21})
    assert too_many.status == 400


def test_too_many_member_groups_are_refused_rather_than_cut() -> None:
    groups = [{"name": f"g{number}", "members": ["user:ana@corp.example"]} for number in range(11_001)]
    tenant = Tenant({**SEED, "groups": groups})
    answer = tenant.post("/v1.0/users/ana@corp.example/getMemberGroups", {"securityEnabledOnly": False})
    assert (answer.status, answer.code) == (400, "Directory_ResultSizeLimitExceeded")


def test_the_signed_in_user_is_me_and_an_application_is_nobody(tenant: Tenant) -> None:
    assert tenant.get("/v1.0/me").message == "/me request is only valid with delegated authentication flow."
    tenant.name = "user:bo@corp.example"
    assert tenant.get("/v1.0/me").body["userPrincipalName"] == "bo@corp.example"
    assert tenant.get("/v1.0/organization").body["value"][0]["id"] == tenant.directory.tenant_id
