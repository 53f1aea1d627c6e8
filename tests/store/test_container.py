"""The store in a lake's container, through the real SDK against the emulated account."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.environment import EntraSettings, Environment
from reconciler.core.errors import Locked, StoreError
from reconciler.emulator.faults import Fault
from reconciler.emulator.lake.leases import INFINITE, Lease
from reconciler.emulator.lake.service import LakeService
from reconciler.emulator.lake.tree import walk
from reconciler.emulator.server import Emulator, running
from reconciler.providers import identity
from reconciler.store import client_container
from reconciler.store.client_container import ContainerStore

TENANT = "0a1b2c3d-0000-4000-8000-00000000e117"
SEED: dict[str, Any] = {
    "directory": {
        "tenant-id": TENANT,
        "service-principals": [
            {"name": "writer", "app-id": "11111111-0000-4000-8000-000000000001", "secret": "w"},
            {"name": "stranger", "app-id": "11111111-0000-4000-8000-000000000002", "secret": "s"},
        ],
    },
    "lakes": {"datalake": {"filesystems": {"reconciler": {}}}},
    "arm": {
        "storage-accounts": {"datalake": {}},
        "role-assignments": [
            {
                "principal": "sp:writer",
                "role": "Storage Blob Data Contributor",
                "scope": "datalake/reconciler",
            }
        ],
    },
}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running(SEED, tmp_path_factory.mktemp("tls") / "ca.pem") as served:
        yield served


def store(
    emulator: Emulator,
    prefix: str,
    number: int = 1,
    secret: str = "w",
    clock: Callable[[], float] = client_container.awake,
) -> ContainerStore:
    environment = Environment(
        name="test",
        entra=EntraSettings(name="corp", tenant_id=TENANT, authority=emulator.url("entra")),
        azure_credential="client-secret",
        ca_file=str(emulator.ca_file),
    )
    environ = {
        "AZURE_CLIENT_ID": f"11111111-0000-4000-8000-00000000000{number}",
        "AZURE_CLIENT_SECRET": secret,
    }
    credential = identity.azure_credential(environment, environ, Path())
    url = f"{emulator.url('lake/datalake/dfs')}/reconciler/{prefix}"
    return ContainerStore(url, credential, str(emulator.ca_file), clock)


def patient(here: ContainerStore) -> ContainerStore:
    """The same store; neither it nor the SDK waits for real."""
    here._sleep = lambda seconds: None
    policy: Any = here._container._config.retry_policy
    policy.get_backoff_time = lambda settings: 0
    return here


def test_lines_come_back_in_order_and_files_by_name(emulator: Emulator) -> None:
    first = store(emulator, "prod")
    assert (first.names(), first.lines("journal/a.jsonl")) == ([], [])
    first.append("journal/b.jsonl", ["one", "zwei ü"])
    first.append("journal/b.jsonl", ["three"])
    first.append("journal/a.jsonl", ["x"])
    again = store(emulator, "prod")
    assert again.lines("journal/b.jsonl") == ["one", "zwei ü", "three"]
    assert again.names() == ["journal/a.jsonl", "journal/b.jsonl"]
    assert store(emulator, "dev").names() == []


def test_the_second_holder_is_refused_and_told_who_the_first_is(emulator: Emulator) -> None:
    first, second = store(emulator, "locked"), store(emulator, "locked")
    with (
        first.lock("apply run 7 on build-3"),
        pytest.raises(Locked, match="apply run 7 on build-3"),
        second.lock("somebody else"),
    ):
        pass
    with second.lock("somebody else"):
        pass


def test_the_lock_of_a_holder_that_died_frees_itself(emulator: Emulator) -> None:
    dead, living = store(emulator, "dying"), store(emulator, "dying")
    dead._acquire(str(uuid.uuid4()), "the dead")
    with pytest.raises(Locked), living.lock("the living"):
        pass
    emulator.world.clock.advance(61)
    with living.lock("the living"):
        pass


def test_a_store_that_cannot_be_written_says_what_and_what_to_do(emulator: Emulator) -> None:
    with pytest.raises(StoreError, match="Storage Blob Data Contributor"):
        store(emulator, "prod", number=2, secret="s").append("journal/c.jsonl", ["x"])


@pytest.mark.parametrize("url", ["nonsense", "https://account.dfs.core.windows.net/"])
def test_a_url_that_names_no_container_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="is not https://"):
        ContainerStore(url, credential=None)  # type: ignore[arg-type]


def steal(emulator: Emulator, prefix: str) -> None:
    """Somebody breaks the lease, and takes it."""
    lake = emulator.services["lake"]
    assert isinstance(lake, LakeService)
    root = lake.account("datalake").filesystems["reconciler"].root
    node = next(node for path, node in walk(root, "") if path == f"{prefix}/lock")
    node.detail().lease = Lease("another", INFINITE, 0)


def lost(held: ContainerStore) -> bool:
    try:
        held.check()
    except StoreError:
        return True
    return False


def test_a_lease_that_somebody_took_is_noticed_by_the_next_renewal(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_container, "RENEW_SECONDS", 0.01)
    held = store(emulator, "stolen")
    with held.lock("the first"):
        held.append("journal/a.jsonl", ["x"])
        steal(emulator, "stolen")
        until = time.monotonic() + 60
        while not lost(held):
            assert time.monotonic() < until
            time.sleep(0.005)
        with pytest.raises(StoreError, match="the lock was lost, and another run may be applying"):
            held.append("journal/a.jsonl", ["y"])
    assert held.lines("journal/a.jsonl") == ["x"]


def test_a_renewal_without_an_answer_is_tried_again_until_the_lease_may_have_ended(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_container, "RENEW_SECONDS", 0.01)
    monkeypatch.setattr(client_container, "ASK_AGAIN_SECONDS", 0.01)
    now = 0.0
    held = store(emulator, "unheard", clock=lambda: now)
    with held.lock("the first"):
        fault = Fault(target="unheard/lock", method="PUT", status=400, times=None)
        emulator.world.faults.add(fault)
        until = time.monotonic() + 60
        while fault.struck < 3:
            assert time.monotonic() < until
            time.sleep(0.005)
        assert not lost(held)
        now = 56.0
        assert lost(held), "five seconds before anybody else can have it"
        emulator.world.faults.clear()
        while lost(held):
            assert time.monotonic() < until
            time.sleep(0.005)


def test_a_listing_that_goes_round_in_circles_ends(emulator: Emulator) -> None:
    here = store(emulator, "circles")
    here.append("journal/a.jsonl", ["x"])
    emulator.world.faults.add(Fault(kind="loop", method="GET", target="resource=filesystem", times=None))
    try:
        with pytest.raises(StoreError, match="goes round in circles"):
            here.names()
    finally:
        emulator.world.faults.clear()
    assert here.names() == ["journal/a.jsonl"]


def test_a_damaged_journal_is_named(emulator: Emulator) -> None:
    here = store(emulator, "damaged")
    here._file("journal/a.jsonl").upload_data(b"\xff\xfe", overwrite=True)
    with pytest.raises(StoreError, match="journal/a.jsonl: .*restore the file"):
        here.lines("journal/a.jsonl")


def test_a_token_that_is_refused_before_its_time_is_renewed(emulator: Emulator) -> None:
    here = store(emulator, "refused")
    here.append("journal/a.jsonl", ["one"])
    emulator.world.log.clear()
    emulator.world.faults.add(Fault(kind="expire", service="lake/.*"))
    try:
        here.append("journal/a.jsonl", ["two"])
    finally:
        emulator.world.faults.clear()
    assert here.lines("journal/a.jsonl") == ["one", "two"]
    entries = emulator.world.log.entries
    assert [entry.status for entry in entries].count(401) == 1
    assert [entry.path.endswith("/token") for entry in entries].count(True) == 1


def test_a_container_that_takes_no_token_at_all_is_asked_twice(emulator: Emulator) -> None:
    here = store(emulator, "closed")
    headers = {
        "WWW-Authenticate": f"Bearer authorization_uri=https://x/{TENANT}/oauth2/authorize resource_id=https://storage.azure.com"
    }
    fault = Fault(service="lake/.*", status=401, headers=headers, times=None)
    emulator.world.faults.add(fault)
    try:
        with pytest.raises(StoreError, match="closed"):
            here.append("journal/a.jsonl", ["x"])
    finally:
        emulator.world.faults.clear()
    assert fault.struck == 2


LINES = [f'{{"number":{number}}}' for number in range(40)]


@pytest.mark.parametrize("kind", ["html", "cut", "truncate"])
def test_a_journal_of_which_not_all_came_is_never_taken_for_a_shorter_one(
    emulator: Emulator, kind: str
) -> None:
    here = store(emulator, f"short-{kind}")
    here.append("journal/a.jsonl", LINES)
    fault = Fault(kind=kind, method="GET", target=r"a\.jsonl", status=200, times=None)
    emulator.world.faults.add(fault)
    try:
        with pytest.raises(StoreError, match=r"cannot read journal/a\.jsonl"):
            patient(here).lines("journal/a.jsonl")
    finally:
        emulator.world.faults.clear()
    assert fault.struck > 1, "it was asked again"
    assert here.lines("journal/a.jsonl") == LINES


@pytest.mark.parametrize("call", ["names", "lines"])
def test_a_404_of_somebody_else_says_nothing(emulator: Emulator, call: str) -> None:
    here = store(emulator, f"elsewhere-{call}")
    here.append("journal/a.jsonl", ["x"])
    emulator.world.faults.add(Fault(method="GET", target="elsewhere", kind="html", status=404, times=None))
    try:
        with pytest.raises(StoreError):
            here.names() if call == "names" else here.lines("journal/a.jsonl")
    finally:
        emulator.world.faults.clear()


@pytest.mark.parametrize(("kind", "after"), [("html", False), ("html", True), ("reset", True)])
def test_lines_count_as_written_by_the_services_own_word_and_come_once(
    emulator: Emulator, kind: str, after: bool
) -> None:
    here = patient(store(emulator, f"once-{kind}-{after}"))
    here.append("journal/a.jsonl", ["one"])
    fault = Fault(kind=kind, after=after, method="PATCH", target="action=flush", status=200)
    emulator.world.faults.add(fault)
    here.append("journal/a.jsonl", ["two"])
    emulator.world.faults.clear()
    assert fault.struck == 1
    here.append("journal/a.jsonl", ["three"])
    assert here.lines("journal/a.jsonl") == ["one", "two", "three"]


@pytest.mark.parametrize("after", [False, True])
def test_what_was_not_written_is_said_and_what_follows_is_whole(emulator: Emulator, after: bool) -> None:
    here = patient(store(emulator, f"doubt-{after}"))
    here.append("journal/a.jsonl", ["one"])
    emulator.world.faults.add(
        Fault(
            kind="html",
            after=after,
            method="PATCH|HEAD",
            target=r"action=flush|a\.jsonl$",
            status=200,
            times=None,
        )
    )
    with pytest.raises(StoreError, match=r"cannot append to journal/a\.jsonl"):
        here.append("journal/a.jsonl", ["two"])
    emulator.world.faults.clear()
    here.append("journal/a.jsonl", ["three"])
    assert here.lines("journal/a.jsonl") == ["one", *(["two"] if after else []), "three"]


def test_what_was_uploaded_and_never_made_last_is_dropped_before_anything_follows(emulator: Emulator) -> None:
    here = patient(store(emulator, "dropped"))
    here.append("journal/a.jsonl", ["one"])
    emulator.world.faults.add(Fault(method="PATCH", target="action=flush", status=403, times=1))
    with pytest.raises(StoreError):
        here.append("journal/a.jsonl", ["a line that is longer"])
    emulator.world.log.clear()
    here.append("journal/a.jsonl", ["two"])
    sent = [(each.query.partition("&")[0], "position=4" in each.query) for each in emulator.world.log.entries]
    assert sent == [("", False), ("action=flush", True), ("action=append", True), ("action=flush", False)]
    assert here.lines("journal/a.jsonl") == ["one", "two"]


def test_a_journal_of_somebody_else_is_not_written_over(emulator: Emulator) -> None:
    store(emulator, "shared").append("journal/a.jsonl", ["theirs"])
    with pytest.raises(StoreError, match="is there already"):
        store(emulator, "shared").append("journal/a.jsonl", ["ours"])
    assert store(emulator, "shared").lines("journal/a.jsonl") == ["theirs"]


@pytest.mark.parametrize("target", ["comp=lease$", "lock.resource=file", "lock.action="])
def test_a_lock_that_was_not_taken_to_the_end_keeps_nobody_out(emulator: Emulator, target: str) -> None:
    here = patient(store(emulator, "ghost"))
    with here.lock("an earlier run"):
        pass
    emulator.world.faults.add(
        Fault(kind="respond", status=504, after=True, method="P.*", target=target, times=None)
    )
    with pytest.raises(StoreError, match="cannot take the lock"), here.lock("the first"):
        pass
    emulator.world.faults.clear()
    # It was the service's all the same: without the release the same command would be told of "another run".
    with store(emulator, "ghost").lock("the first, again"):
        pass


def test_a_lost_answer_to_taking_the_lock_takes_the_same_lease_again(emulator: Emulator) -> None:
    here = patient(store(emulator, "again"))
    with here.lock("an earlier run"):
        pass
    fault = Fault(kind="html", status=200, after=True, method="PUT", target="comp=lease$")
    emulator.world.faults.add(fault)
    with here.lock("the first"):
        assert fault.struck == 1


def test_a_renewal_that_somebody_else_answers_is_none(emulator: Emulator) -> None:
    now = 0.0
    held = store(emulator, "unrenewed", clock=lambda: now)
    ident = str(uuid.uuid4())
    held._acquire(ident, "the first")
    held._held_until = 55.0
    emulator.world.faults.add(Fault(kind="html", status=200, method="PUT", target="comp=lease", times=None))
    now = 50.0
    assert held._renew(ident) == client_container.ASK_AGAIN_SECONDS
    now = 56.0
    assert lost(held)
    emulator.world.faults.clear()
    assert held._renew(ident) == client_container.RENEW_SECONDS
    assert not lost(held)
