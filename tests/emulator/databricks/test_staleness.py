"""Reads that lag behind writes, and go back and forth."""

from __future__ import annotations

from typing import Any

from tests.emulator.databricks.estate import ACCOUNT_SCIM, SCIM, Estate, filtered


def lagging(**switches: Any) -> Estate:
    return Estate(None, stale_seconds=60, **switches)


def rename(estate: Estate, path: str, name: str, **options: Any) -> None:
    estate.patch(path, {"op": "replace", "path": "displayName", "value": name}, **options)


def seen(estate: Estate, path: str, times: int = 20) -> list[str]:
    return [estate.call("GET", path)["displayName"] for _ in range(times)]


def test_one_true_read_is_no_proof_that_the_next_is() -> None:
    estate = lagging()
    path = f"{SCIM}/Groups/{estate.id_of('group:local-team')}"
    rename(estate, path, "new")

    names = seen(estate, path)

    assert names[0] == "new"
    assert "local-team" in names
    assert "new" in names[names.index("local-team") :]


def test_after_a_minute_everybody_knows() -> None:
    estate = lagging()
    path = f"{SCIM}/Groups/{estate.id_of('group:local-team')}"
    rename(estate, path, "new")

    estate.world.clock.advance(60)

    assert set(seen(estate, path)) == {"new"}


def test_lists_lag_on_their_own() -> None:
    estate = lagging()
    rename(estate, f"{SCIM}/Groups/{estate.id_of('group:local-team')}", "new")
    target = f"{SCIM}/Groups?" + filtered('displayName eq "local-team"')

    counts = [estate.call("GET", target)["totalResults"] for _ in range(20)]

    assert counts[0] == 0
    assert set(counts) == {0, 1}


def test_deleted_groups_come_back_and_go() -> None:
    estate = lagging()
    path = f"{SCIM}/Groups/{estate.id_of('group:local-team')}"
    estate.send("DELETE", path)

    statuses = [estate.send("GET", path).status for _ in range(20)]

    assert statuses[0] == 404
    assert set(statuses) == {200, 404}


def test_new_groups_are_missing_for_a_while_only_by_switch() -> None:
    for switches, expected in (({}, {200}), ({"stale_creations": True}, {200, 404})):
        estate = lagging(**switches)
        created = estate.call("POST", f"{SCIM}/Groups", {"displayName": "fresh"})
        statuses = {estate.send("GET", f"{SCIM}/Groups/{created['id']}").status for _ in range(20)}
        assert statuses == expected


def test_even_the_first_read_may_be_stale_by_switch() -> None:
    firsts = set()
    for seed in range(20):
        estate = lagging(stale_first_read=True)
        estate.world.random.seed(seed)
        path = f"{SCIM}/Groups/{estate.id_of('group:local-team')}"
        rename(estate, path, "new")
        firsts.add(seen(estate, path, 1)[0])

    assert firsts == {"new", "local-team"}


def test_workspaces_lag_behind_the_account() -> None:
    estate = lagging(external_groups="writable")
    group = estate.id_of("group:pricing-ds")
    rename(estate, f"{ACCOUNT_SCIM}/Groups/{group}", "renamed", endpoint="databricks-account")

    assert set(seen(estate, f"{SCIM}/Groups/{group}")) == {"pricing-ds", "renamed"}


def test_the_same_seed_lags_the_same_way() -> None:
    runs = []
    for _ in range(2):
        estate = lagging()
        path = f"{SCIM}/Groups/{estate.id_of('group:local-team')}"
        rename(estate, path, "new")
        runs.append(seen(estate, path))

    assert runs[0] == runs[1]
