"""Who may do what: keys, data roles, owners, lists, and the way down to a path."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from reconciler.emulator.wire import Caller, Request
from tests.emulator.lake.harness import ACCOUNT, ALL, ANA, BO, TEAM, Answer, Lake

DENIED = (403, "AuthorizationPermissionMismatch")


@pytest.fixture
def lake() -> Lake:
    """Ana comes to `open` through her team's group; `shut` is closed to her, and so is what is in it."""
    lake = Lake()
    lake.make("open/", "open/f", "shut/", "shut/inner/", "shut/f")
    lake.set_acl("", f"group:{ALL}:--x")
    lake.set_acl("open", f"group:{ALL}:r-x")
    lake.set_acl("open/f", f"group:{ALL}:r--")
    lake.set_acl("shut/inner", f"user:{ANA}:rwx")
    return lake


def verdict(answer: Answer) -> tuple[int, str]:
    """Status and code."""
    return answer.status, answer.code


@pytest.mark.parametrize("role", ["Storage Blob Data Reader", "Storage Blob Data Contributor"])
def test_a_data_role_opens_what_the_list_closes(lake: Lake, role: str) -> None:
    """Roles come first, and lists can never take away."""
    assert verdict(lake.ask("GET", "/curated/shut/f", who=BO)) == DENIED
    lake.roles[BO] = [role]
    assert lake.ask("GET", "/curated/shut/f", who=BO).status == 200
    assert lake.ask("GET", "/curated?resource=filesystem&recursive=true", who=BO).status == 200


def test_only_the_owner_role_and_the_owner_change_lists(lake: Lake) -> None:
    """A Contributor changes those of its own paths."""
    url, acl = "/curated/open?action=setAccessControl", f"user:{BO}:r-x"
    assert verdict(lake.ask("PATCH", url, who=ANA, x_ms_acl=acl)) == DENIED
    lake.roles[ANA] = ["Storage Blob Data Contributor"]
    assert verdict(lake.ask("PATCH", url, who=ANA, x_ms_acl=acl)) == DENIED
    assert lake.ask("PUT", "/curated/own?resource=file", who=ANA).status == 201
    assert lake.node("own").owner == ANA
    assert lake.ask("PATCH", "/curated/own?action=setAccessControl", who=ANA, x_ms_acl=acl).status == 200
    lake.roles[ANA] = ["Storage Blob Data Owner"]
    assert lake.ask("PATCH", url, who=ANA, x_ms_acl=acl).status == 200


def test_ownership_is_given_by_superusers_only(lake: Lake) -> None:
    """An owner may hand its group to another one that it is in."""
    lake.ask("PATCH", "/curated/open?action=setAccessControl", x_ms_owner=ANA)
    url = "/curated/open?action=setAccessControl"
    assert verdict(lake.ask("PATCH", url, who=ANA, x_ms_owner=BO)) == DENIED
    assert verdict(lake.ask("PATCH", url, who=ANA, x_ms_group=BO)) == DENIED
    assert lake.ask("PATCH", url, who=ANA, x_ms_group=TEAM).status == 200
    assert lake.node("open").group == TEAM


def test_the_way_to_a_path_needs_execute_on_every_ancestor(lake: Lake) -> None:
    """Rights at the end do not help somebody who cannot get there."""
    assert verdict(lake.ask("HEAD", "/curated/shut/inner?action=getAccessControl", who=ANA)) == DENIED
    lake.set_acl("shut", f"user:{ANA}:--x")
    assert lake.ask("HEAD", "/curated/shut/inner?action=getAccessControl", who=ANA).status == 200
    assert lake.ask("PUT", "/curated/shut/inner/x?resource=file", who=ANA).status == 201
    assert verdict(lake.ask("PUT", "/curated/shut/x?resource=file", who=ANA)) == DENIED


def test_nested_groups_count(lake: Lake) -> None:
    """Ana is in the team, the team is in the group that the list names."""
    assert lake.ask("GET", "/curated/open/f", who=ANA).status == 200
    lake.world.directory.unlink(ALL, "members", TEAM)
    assert verdict(lake.ask("GET", "/curated/open/f", who=ANA)) == DENIED


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("dfs", "/curated?resource=filesystem&recursive={deep}&directory={path}"),
        ("blob", "/curated?restype=container&comp=list&prefix={path}/&include=permissions{flat}"),
    ],
)
def test_a_part_that_may_not_be_read_refuses_the_page_that_meets_it(lake: Lake, host: str, url: str) -> None:
    """One level of an open directory is given; a walk into a closed one is not."""

    def listed(path: str, deep: bool) -> Answer:
        query = url.format(path=path, deep=str(deep).lower(), flat="" if deep else "&delimiter=/")
        return lake.ask("GET", query, host=host, who=ANA)

    assert listed("open", True).names == ["open/f"]
    assert verdict(listed("shut", False)) == DENIED
    lake.set_acl("shut", f"user:{ANA}:r-x")
    lake.set_acl("shut/inner", "user::rwx,group::---,other::---")
    assert [name.strip("/") for name in listed("shut", False).names] == ["shut/f", "shut/inner"]
    assert verdict(listed("shut", True)) == DENIED


def test_deleting_needs_the_parent_and_for_a_tree_every_directory(lake: Lake) -> None:
    """Nothing is needed on a file itself."""
    lake.set_acl("open", f"user:{ANA}:-wx")
    lake.set_acl("open/f", "user::---,group::---,other::---")
    assert lake.ask("DELETE", "/curated/open/f", who=ANA).status == 200
    lake.make("open/d/", "open/d/e/")
    assert verdict(lake.ask("DELETE", "/curated/open/d?recursive=true", who=ANA)) == DENIED
    lake.set_acl("open/d", f"user:{ANA}:rwx")
    assert verdict(lake.ask("DELETE", "/curated/open/d?recursive=true", who=ANA)) == DENIED
    lake.set_acl("open/d/e", f"user:{ANA}:rwx")
    assert lake.ask("DELETE", "/curated/open/d?recursive=true", who=ANA).status == 200


def test_the_sticky_bit_keeps_others_from_deleting_and_moving(lake: Lake) -> None:
    """The owner of the path and the owner of the directory may."""
    lake.set_acl("open", f"user:{ANA}:rwx")
    lake.ask("PATCH", "/curated/open?action=setAccessControl", x_ms_permissions="1777")
    assert verdict(lake.ask("DELETE", "/curated/open/f", who=ANA)) == DENIED
    moved = lake.ask("PUT", "/curated/open/g?mode=legacy", who=ANA, x_ms_rename_source="/curated/open/f")
    assert verdict(moved) == DENIED
    lake.ask("PATCH", "/curated/open/f?action=setAccessControl", x_ms_owner=ANA)
    assert lake.ask("DELETE", "/curated/open/f", who=ANA).status == 200


def test_containers_are_for_roles_alone(lake: Lake) -> None:
    """No list says who may create, list or delete them."""
    assert verdict(lake.ask("PUT", "/more?restype=container", host="blob", who=ANA)) == DENIED
    assert verdict(lake.ask("GET", "/?comp=list", host="blob", who=ANA)) == DENIED
    lake.roles[ANA] = ["Storage Blob Data Contributor"]
    assert lake.ask("PUT", "/more?restype=container", host="blob", who=ANA).status == 201
    root = lake.node("", "more")
    assert (root.owner, root.group) == (ANA, ANA)


def _raw(lake: Lake, authorization: str | None, caller: Caller | None = None, query: str = "") -> Answer:
    headers = {"x-ms-version": "2023-11-03"}
    if authorization:
        headers["authorization"] = authorization
    pairs = [("action", "getStatus"), *(parse_qsl(f"sig={query}") if query else [])]
    return Answer(
        lake.service.handle(
            Request(
                service=f"lake/{ACCOUNT}/dfs",
                method="HEAD",
                path="/curated/open",
                query=pairs,
                headers=headers,
                caller=caller,
            )
        )
    )


def test_who_comes_without_a_good_credential_is_told_so(lake: Lake) -> None:
    """No credential, an unknown token, a token for somebody else, another account's key."""
    assert verdict(_raw(lake, None)) == (401, "NoAuthenticationInformation")
    assert "storage.azure.com" in _raw(lake, None).headers["www-authenticate"]
    assert verdict(_raw(lake, "Bearer stale")) == (401, "InvalidAuthenticationInfo")
    graph = Caller(object_id=ANA, audience="https://graph.microsoft.com")
    assert verdict(_raw(lake, "Bearer graph", graph)) == (401, "InvalidAuthenticationInfo")
    assert verdict(_raw(lake, "SharedKey other:x")) == (403, "AuthenticationFailed")
    assert verdict(_raw(lake, "Basic abc")) == (400, "InvalidAuthenticationInfo")
    assert _raw(lake, f"SharedKey {ACCOUNT}:x").status == 200
    assert _raw(lake, None, query="abc").status == 200
    assert verdict(_raw(lake, None, query="abc&se=2020-01-01T00:00:00Z")) == (403, "AuthenticationFailed")


def test_access_can_be_asked_about_without_using_it(lake: Lake) -> None:
    """`checkAccess` answers for the caller."""
    url = "/curated/open?action=checkAccess&fsAction="
    assert lake.ask("HEAD", url + "r-x", who=ANA).status == 200
    assert verdict(lake.ask("HEAD", url + "-w-", who=ANA)) == DENIED


def test_the_readings_of_the_published_texts_are_switches(lake: Lake) -> None:
    """What the pseudo-code of today says of groups, and what the prose says of other."""
    lake.set_acl("open", f"group:{ALL}:---,other::r-x,mask::rwx")
    url = "/curated?resource=filesystem&recursive=false&directory=open"
    assert verdict(lake.ask("GET", url, who=ANA)) == DENIED
    lake.world.switches["lake.group-rights"] = "any"
    assert lake.ask("GET", url, who=ANA).status == 200
    lake.set_acl("open", f"group:{ALL}:---,other::r-x,mask::---")
    assert verdict(lake.ask("GET", url, who=ANA)) == DENIED
    lake.world.switches["lake.mask-covers-other"] = False
    assert lake.ask("GET", url, who=ANA).status == 200
