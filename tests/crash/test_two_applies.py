"""Two applies at once on one environment: the second is told of the first, and takes over from a dead one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.cli_session import environment_of, load, open_store
from reconciler.emulator.lake.leases import INFINITE, Lease
from reconciler.emulator.lake.service import LakeService
from reconciler.emulator.lake.tree import walk
from reconciler.emulator.server import Emulator, running
from reconciler.emulator.wire import Request
from reconciler.store import client_container
from reconciler.store.client_container import ContainerStore
from tests.cli.desk import Desk, seed, signed_in
from tests.cli.facts import held
from tests.crash.conftest import Sit
from tests.crash.killing import Meanwhile, Point, Runner, watching
from tests.crash.scene import LIVE, begin_anew, set_scene
from tests.crash.test_every_point import KILLED
from tests.stories.story import writes

SHARES = 3
LEASED, NAMED = 3, 6
"""The writes with which the lock is taken, and with which it says by whom."""
HOLDER = r"\S+ on \S+, process (\d+), since 2026-11-23 \d\d:\d\d UTC"


def test_the_second_is_told_who_the_first_is_and_sends_nothing(sit: Sit, runs: Runner) -> None:
    desk = sit("groups")
    said = []
    point = Point(write=2)
    first = Meanwhile(desk.emulator, point, act=lambda: said.append((desk.run("apply"), first.requests)))
    ran = runs.run(desk, "apply", watch=first)
    ((second, asked),) = said
    assert second.code == 1
    found = re.search(f"{HOLDER} is applying; wait for it to end, or stop it", second.one_line())
    assert found is not None
    assert int(found[1]) == first.victim
    assert ran.code == 0, ran.told
    assert asked <= first.requests


@pytest.mark.parametrize("number", range(1, 9))
def test_whoever_loses_the_lock_file_sends_no_more(number: int, sit: Sit, runs: Runner) -> None:
    """Somebody cleans up the folder, and a second run would be let in."""
    desk = sit("groups")
    lock = desk.root / ".reconciler/store/test/lock"
    watch = Meanwhile(desk.emulator, Point(write=number), act=lock.unlink)
    ran = runs.run(desk, "apply", watch=watch)
    assert ran.code == 1
    assert "the lock file was removed or replaced, and another run may be applying" in ran.told
    assert ran.writes == number
    again = runs.run(desk, "apply")
    assert again.code == 0, again.told
    assert runs.run(desk, "plan").code == 0


def with_store() -> dict[str, Any]:
    """The scene with a container for the store, in an account of its own."""
    document = seed(**LIVE)
    document["lakes"]["memory"] = {"filesystems": {"reconciler": {}}}
    document["arm"]["storage-accounts"]["memory"] = {}
    document["arm"]["role-assignments"] += [
        {"principal": "sp:reconciler-plan", "role": "Storage Blob Data Reader", "scope": "memory"},
        {"principal": "sp:reconciler-apply", "role": "Storage Blob Data Contributor", "scope": "memory"},
    ]
    return document


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk whose environment keeps its journal in a lake."""
    with running(with_store(), tmp_path_factory.mktemp("tls") / "ca.pem") as emulator:
        desk = Desk(tmp_path_factory.mktemp("far") / "policies", emulator)
        place = f"{emulator.url('lake/memory/dfs')}/reconciler/test"
        set_scene(desk, "groups", store=place, cloud=with_store())
        yield desk


@pytest.fixture
def shared(far: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The same at its beginning; commands in this process go by the emulator's clock, and renew nothing."""
    begin_anew(far, with_store())

    class Emulated(ContainerStore):
        def __init__(self, url: str, credential: Any, ca_file: str) -> None:
            super().__init__(url, credential, ca_file, clock=far.emulator.world.clock.now)

    monkeypatch.setattr(client_container, "RENEW_SECONDS", 3600)
    monkeypatch.setattr(client_container, "ContainerStore", Emulated)
    return far


def lock(emulator: Emulator) -> Any:
    """What the emulated account knows of the file that is leased."""
    lake = emulator.services["lake"]
    assert isinstance(lake, LakeService)
    root = lake.account("memory").filesystems["reconciler"].root
    return next(node for path, node in walk(root, "") if path == "test/lock").detail()


def to_the_services(request: Request) -> bool:
    """Whether a request could change something beside the store."""
    return writes(request) and not request.service.startswith("lake/memory")


def another(desk: Desk) -> ContainerStore:
    """The same store, as another runner opens it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in signed_in(writing=True).items():
            patch.setenv(name, value)
        policies = load(desk.root, None)
        store = open_store(environment_of(policies, "test"), desk.root)
    assert isinstance(store, ContainerStore)
    return store


def test_across_runners_the_second_is_told_who_the_first_is(shared: Desk) -> None:
    before = held(shared.emulator)
    with another(shared).lock("noor on build-7, process 4711, since 2026-11-23 07:59 UTC"):
        second = shared.run("apply")
        assert shared.run("plan").code == 2, "reading needs no lock"
    assert second.code == 1
    assert "noor on build-7, process 4711, since 2026-11-23 07:59 UTC is applying" in second.one_line()
    assert held(shared.emulator) == before
    assert shared.run("apply").code == 0


@pytest.mark.parametrize("number", range(1, 10))
def test_whoever_lost_the_lease_sends_no_more(number: int, shared: Desk) -> None:
    """It slept for too long, and another run has taken over."""

    def oversleep() -> None:
        shared.emulator.world.clock.advance(61)
        lock(shared.emulator).lease = Lease("another", INFINITE, 0)

    watch = Meanwhile(shared.emulator, Point(write=number), counts=to_the_services, act=oversleep)
    with watching(watch):
        ran = shared.run("apply")
    assert ran.code == 1
    assert "the lock was lost, and another run may be applying" in ran.err.splitlines()[-1]
    assert watch.writes == number
    lock(shared.emulator).lease = None
    again = shared.run("apply")
    assert again.code == 0, again.everything
    assert shared.run("plan").code == 0


@pytest.mark.parametrize("share", range(SHARES))
def test_killed_at_any_request_the_next_run_waits_for_the_lease_and_finishes(
    share: int, far: Desk, runs: Runner
) -> None:
    """Every write is a point, those of the lock and of the journal too."""
    begin_anew(far, with_store())
    whole = runs.run(far, "apply")
    assert whole.code == 0, whole.told
    end = held(far.emulator)
    for number in range(1 + share, whole.writes, SHARES):
        begin_anew(far, with_store())
        killed = runs.run(far, "apply", point=Point(write=number))
        assert killed.code == KILLED, number
        refused = runs.run(far, "apply")
        if number >= LEASED:
            who = HOLDER if number >= NAMED else "another run"
            assert re.search(f"{who} is applying; wait for it to end", refused.told), (number, refused.told)
            assert (refused.code, refused.effects) == (1, Counter())
            far.emulator.world.clock.advance(61)
        again = runs.run(far, "apply")
        assert again.code == 0, (number, again.told)
        assert held(far.emulator) == end, number
        assert killed.effects + refused.effects + again.effects == whole.effects, number
