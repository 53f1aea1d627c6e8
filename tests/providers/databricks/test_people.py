"""Lists of residents: few pages, every page, and no list taken for whole that is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.providers.databricks.canonical import Malformed
from reconciler.providers.databricks.client import Failure, Host
from reconciler.providers.databricks.people import LOOKUPS, People


@dataclass
class Shelf:
    """A SCIM collection that pages as it likes."""

    size: int
    page: int = 10_000
    total: Callable[[Shelf], int] = lambda shelf: shelf.size
    ignores_start: bool = False
    fails: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list)

    def get(self, path: str, rate: str, query: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(query)
        if self.fails:
            self.fails -= 1
            raise Failure("403 from the shelf", status=403)
        rows = [{"id": str(n), "displayName": f"g{n}", "externalId": f"oid-{n}"} for n in range(self.size)]
        if "filter" in query:
            found = [row for row in rows if query["filter"] == f'displayName eq "{row["displayName"]}"']
            return {"totalResults": len(found), "Resources": found}
        start = 0 if self.ignores_start else query["startIndex"] - 1
        page = rows[start : start + min(self.page, query["count"])]
        return {"totalResults": self.total(self), "Resources": page, "itemsPerPage": len(page)}

    def people(self) -> People:
        return People(cast(Host, self))


@given(st.integers(0, 45), st.integers(1, 12))
def test_every_page_is_read_and_none_too_many(size: int, page: int) -> None:
    shelf = Shelf(size, page)
    people = shelf.people()
    people.whole("group")
    assert len(people.roster.by_id) == size
    assert len(shelf.asked) == max(1, -(-size // page))
    assert people.is_whole("group")


def test_members_are_never_asked_for() -> None:
    shelf = Shelf(3)
    shelf.people().whole("group")
    assert shelf.asked[0]["attributes"] == "id,displayName,externalId,entitlements,meta"


def test_a_list_that_ends_early_is_not_whole() -> None:
    people = Shelf(5, total=lambda shelf: 7).people()
    with pytest.raises(Malformed, match="ended after 5 of 7"):
        people.whole("group")
    with pytest.raises(Malformed, match="ended after 5 of 7"):
        people.some("group", ["g1"])
    assert not people.is_whole("group")


def test_a_list_that_changes_while_it_is_read_is_read_again() -> None:
    shelf = Shelf(5, total=lambda shelf: 6 if len(shelf.asked) < 3 else 5)
    people = shelf.people()
    people.whole("group")
    assert len(people.roster.by_id) == 5


def test_a_list_that_ignores_where_to_start_is_noticed() -> None:
    shelf = Shelf(5, page=3, ignores_start=True)
    with pytest.raises(Malformed, match="repeats itself from entry 4"):
        shelf.people().whole("group")
    assert len(shelf.asked) == 2


def test_a_failed_list_is_not_asked_for_again_and_fails_the_same() -> None:
    shelf = Shelf(5, fails=1)
    people = shelf.people()
    for _ in range(2):
        with pytest.raises(Failure, match="403"):
            people.whole("group")
    assert len(shelf.asked) == 1


def test_few_names_are_looked_up_one_by_one_and_only_once() -> None:
    shelf = Shelf(50)
    people = shelf.people()
    people.some("group", ["g1", "g2", "nobody"])
    people.some("group", ["G1", "g3", ""])
    assert sorted(each["filter"] for each in shelf.asked) == [
        f'displayName eq "{name}"' for name in ("g1", "g2", "g3", "nobody")
    ]
    assert [each.name for each in people.roster.named("group", "g3")] == ["g3"]
    assert people.roster.named("group", "nobody") == []


def test_many_names_are_worth_a_list() -> None:
    shelf = Shelf(50)
    people = shelf.people()
    people.some("group", [f"g{n}" for n in range(LOOKUPS + 1)])
    people.some("group", ["g40"])
    assert ["filter" in each for each in shelf.asked] == [False]


def test_a_name_with_quotes_is_written_as_a_filter_takes_it() -> None:
    shelf = Shelf(1)
    shelf.people().some("group", ['say "x" \\ é'])
    assert shelf.asked[0]["filter"] == 'displayName eq "say \\"x\\" \\\\ é"'
