"""Every recording of Graph and ARM is answered as the real services answered."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulator.arm.assignments import Assignment
from reconciler.emulator.directory import Group
from reconciler.emulator.graph import costs, shapes
from tests.emulator.graph.tenant import SEED, Answer, Tenant
from tests.recordings.graph.divergences import KNOWN
from tests.recordings.graph.exchanges import Recording, load
from tests.recordings.graph.replay import Replay

pytestmark = pytest.mark.recordings


@pytest.fixture(scope="session")
def folder(recordings: Path) -> Path:
    found = recordings / "graph"
    if not found.is_dir():
        pytest.skip(f"no folder 'graph' in {recordings}")
    return found


@pytest.fixture(scope="session")
def loaded(folder: Path) -> list[Recording]:
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".json", ".yaml", ".yml"))
    return [recording for recording in map(load, files) if recording]


def test_every_recording_is_answered_as_recorded(loaded: list[Recording]) -> None:
    assert loaded, "the folder holds no recording"
    seen: dict[tuple[str, str], list[str]] = {}
    for recording in loaded:
        replay = Replay(recording)
        for label, difference in replay.run():
            seen.setdefault((recording.name, label), []).append(difference)
        assert replay.replayed, f"{recording.name}: nothing in it was replayed"
    unknown = {place: found for place, found in seen.items() if place not in KNOWN}
    assert not unknown, "\n".join(f"{place}: {text}" for place, found in unknown.items() for text in found)
    present = {recording.name for recording in loaded}
    stale = [place for place in KNOWN if place[0] in present and place not in seen]
    assert not stale, f"these divergences are no longer seen: {stale}"


def differences(loaded: list[Recording]) -> list[str]:
    return [difference for recording in loaded for _, difference in Replay(recording).run()]


KEPT = ("graph_group_scenario.json", "arm_role_assignments.json")


def _without(make: Callable[..., dict[str, Any]], name: str) -> Callable[..., dict[str, Any]]:
    return lambda *given: {key: value for key, value in make(*given).items() if key != name}


def test_the_replay_notices_what_is_wrong(loaded: list[Recording], monkeypatch: pytest.MonkeyPatch) -> None:
    def check(target: Any, name: str, value: Any, expected: str) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(target, name, value)
            assert any(expected in difference for difference in differences(loaded)), expected

    loaded = [recording for recording in loaded if recording.name in KEPT]
    if len(loaded) < len(KEPT):
        pytest.skip(f"this folder lacks {' or '.join(KEPT)}")
    assert differences(loaded) == []
    payload = Assignment.payload
    check(shapes, "_FULL", {**shapes._FULL, Group: _without(shapes.group, "theme")}, "/theme is missing")
    check(costs, "RELATIONS", {}, "header x-ms-resource-unit is '1', recorded '3'")
    check(shapes, "TYPES", dict.fromkeys(shapes.TYPES, "#microsoft.graph.user"), "@odata.type is")
    check(Assignment, "payload", lambda one, _: payload(one, ""), "roleDefinitionId is")


ATTEMPTS: dict[str, Callable[[Tenant], Answer]] = {
    "duplicate_member_400": lambda tenant: tenant.add("pricing-ds", "user:ana@corp.example"),
    "not_found_404": lambda tenant: tenant.get("/v1.0/groups/00000000-0000-4000-8000-000000000000"),
    "mail_enabled_400": lambda tenant: tenant.add("mailing", "user:ana@corp.example"),
    "dynamic_group_403": lambda tenant: tenant.add("dynamic", "user:ana@corp.example"),
    "onprem_400": lambda tenant: tenant.add("synced", "user:ana@corp.example"),
}


@pytest.fixture
def quoted(folder: Path) -> dict[str, Any]:
    path = folder / "contrib_and_errors.json"
    if not path.exists():
        pytest.skip(f"no {path}")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def expired_delta(tenant: Tenant) -> Answer:
    link = tenant.get("/v1.0/groups/delta").body["@odata.deltaLink"]
    tenant.world.clock.advance(8 * 86_400)
    return tenant.get(link)


def test_errors_have_the_words_that_people_quote(quoted: dict[str, Any]) -> None:
    attempts = ATTEMPTS | {"delta_expired": expired_delta}
    assert set(quoted["errors"]) <= set(attempts), "an error is quoted that nothing here provokes"
    for name, entry in quoted["errors"].items():
        answer = attempts[name](Tenant())
        error = entry["error"]
        given = answer.message.replace("00000000-0000-4000-8000-000000000000", "<GUID>")
        assert (answer.code, given) == (error["code"], error["message"]), name
        assert set(error.get("innerError", {})) <= set(answer.body["error"]["innerError"])
        status = name.rpartition("_")[2]
        assert answer.status == (int(status) if status.isdigit() else 400)


def test_a_refused_batch_item_looks_as_documented(quoted: dict[str, Any]) -> None:
    principals = [{"name": "reconciler"}, {"name": "airflow"}]
    tenant = Tenant({**SEED, "service-principals": principals})
    items = [{"id": "3", "method": "GET", "url": "/groups"}]
    (given,) = tenant.post("/v1.0/$batch", {"requests": items}).body["responses"]
    (wanted,) = quoted["batch_response_2025"]["body"]["responses"]
    assert (given["id"], given["status"], given["headers"]) == (
        wanted["id"],
        wanted["status"],
        wanted["headers"],
    )
    assert set(given["body"]["error"]["innerError"]) == set(wanted["body"]["error"]["innerError"])
    for name in ("code", "message"):
        assert given["body"]["error"][name] == wanted["body"]["error"][name]


def test_privileged_access_looks_as_documented(quoted: dict[str, Any]) -> None:
    tenant = Tenant()
    root = "/v1.0/identityGovernance/privilegedAccess/group"
    group, bo = tenant.id("group:empty"), tenant.id("user:bo@corp.example")
    documented = quoted["pim_group_assignment_request_2024"]
    asked = documented["request"] | {"principalId": bo, "groupId": group}
    assert tenant.post(f"{root}/assignmentScheduleRequests", asked).status == documented["status"]
    info = {"expiration": {"type": "afterDateTime", "endDateTime": "2199-01-01T00:00:00Z"}}
    eligible = asked | {"scheduleInfo": info}
    assert tenant.post(f"{root}/eligibilityScheduleRequests", eligible).status == 201
    (given,) = tenant.get(f"{root}/eligibilitySchedules?$filter=groupId eq '{group}'").body["value"]
    (wanted,) = quoted["pim_group_eligibility_list"]["body"]["value"]
    assert set(given) == set(wanted)
    assert set(given["scheduleInfo"]["expiration"]) == set(wanted["scheduleInfo"]["expiration"])
    for name in ("status", "memberType", "accessId", "modifiedDateTime"):
        assert given[name] == wanted[name]
