"""The lock is lost while a write waits: for its limit, or to be repeated.  Nothing more may leave then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reconciler.emulator.faults import Fault, Faults
from reconciler.emulator.server import Emulator, running
from reconciler.emulator.wire import Request
from reconciler.providers import client_credential
from reconciler.providers.adls.correcting import singles
from reconciler.providers.pacing import Pacer
from reconciler.store.client_container import ContainerStore
from reconciler.store.contract import Store
from reconciler.store.folder import FolderStore
from tests.reliability.estate import Scene, reseeded
from tests.reliability.loop import Loop, Told
from tests.reliability.matrix import ONCE
from tests.reliability.requests import Kind, kinds_of
from tests.reliability.scenes import SCENES, first
from tests.reliability.timing import Time
from tests.reliability.trial import Clean, rehearsed, scene_of
from tests.store.test_container import SEED as STORE
from tests.store.test_container import store as container

Act = Callable[[], None]
WRITES = [kind for kind in ONCE.kinds if kind.writes and not kind.keeps]
"""Every kind of request that changes something, in any of the systems."""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running(first(), tmp_path_factory.mktemp("tls") / "ca.pem") as served:
        yield served


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Another cloud, whose lake holds the store."""
    with running(STORE, tmp_path_factory.mktemp("tls") / "ca.pem") as served:
        yield served


@pytest.fixture(scope="module")
def cleans(emulator: Emulator) -> dict[str, Clean]:
    return rehearsed(emulator)


@pytest.fixture(autouse=True)
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that whatever left before a moment has arrived by then."""
    monkeypatch.setattr(singles, "AT_ONCE", 1)


@dataclass(slots=True)
class Moment(Time):
    """Time in which something happens at the end of every wait."""

    act: Act = lambda: None

    def sleep(self, seconds: float) -> None:
        Time.sleep(self, seconds)
        self.act()


@dataclass(slots=True)
class Loss:
    """Takes the lock away, once, and remembers how many writes had arrived by then."""

    emulator: Emulator
    take: Act
    arrived: int = -1

    def __call__(self) -> None:
        if self.arrived < 0:
            self.arrived = writes(self.emulator)
            self.take()


def writes(emulator: Emulator) -> int:
    """The requests so far that would change something, whatever they were answered."""
    entries = emulator.world.log.entries
    return sum(any(kind.writes for kind in kinds_of(entry)) for entry in entries)


def replaced(folder: Path) -> Act:
    """Somebody removes the file that is locked, and another run makes a new one."""

    def take() -> None:
        (folder / "lock").unlink()
        (folder / "lock").touch()

    return take


def begin(clean: Clean, emulator: Emulator, store: Store) -> Loop:
    emulator.reset(reseeded(clean.scene))
    loop = Loop(clean.scene, emulator, store)
    loop.approve(clean.actions, clean.rules)
    return loop


def assert_nothing_left(told: Told, loss: Loss) -> None:
    """It was lost, nothing was sent afterwards, and the run says why."""
    assert loss.arrived >= 0, "the lock was never taken away"
    assert writes(loss.emulator) == loss.arrived, loss.emulator.world.log.entries[-1]
    assert told.code == 1 and "nothing more is sent. Run the same command again" in told.error, told


def turned_away(loop: Loop, kind: Kind, loss: Loss) -> Fault:
    """The first request of a kind is throttled, and the lock is lost before it is repeated."""
    fault = Fault(
        name="429",
        service=kind.service,
        method=kind.method,
        target=kind.target,
        item=kind.item,
        status=429,
        headers={"Retry-After": "10", "Content-Type": "application/json"},
        body='{"error": {"code": "x", "message": "x"}}',
    )
    loop.emulator.world.faults.add(fault)
    loop.time = Moment(loop.emulator.world.clock, act=lambda: loss() if fault.struck else None)
    return fault


@pytest.mark.parametrize("kind", WRITES, ids=lambda kind: f"{kind.system}: {kind.title}")
def test_before_a_write_that_was_throttled_is_repeated(
    kind: Kind, emulator: Emulator, cleans: dict[str, Clean], tmp_path: Path
) -> None:
    store = FolderStore(tmp_path)
    loop = begin(scene_of(kind, cleans), emulator, store)
    loss = Loss(emulator, replaced(tmp_path))
    fault = turned_away(loop, kind, loss)
    with store.lock("the first"):
        told = loop.apply()
    assert fault.struck == 1
    assert_nothing_left(told, loss)


@pytest.mark.parametrize("name", ["add a member", "put an ACL", "set a list"])
def test_before_a_repetition_where_the_lock_is_a_lease(
    name: str, emulator: Emulator, shared: Emulator, cleans: dict[str, Clean]
) -> None:
    (kind,) = (each for each in WRITES if each.name == name)
    now = 0.0

    def end() -> None:
        nonlocal now
        now = 56.0

    held: ContainerStore = container(shared, name.replace(" ", "-"), clock=lambda: now)
    loop = begin(scene_of(kind, cleans), emulator, held)
    loss = Loss(emulator, end)
    turned_away(loop, kind, loss)
    with held.lock("the first"):
        told = loop.apply()
    assert_nothing_left(told, loss)


@dataclass(slots=True)
class SigningIn(Faults):
    """Something happens when a token is asked for, of all those that are the one with this number."""

    at: int = field(kw_only=True)
    act: Act = field(kw_only=True)
    asked: int = field(default=0, kw_only=True)

    def strike(self, request: Request, item: bool = False) -> Fault | None:
        if request.path.endswith("/token"):
            if self.asked == self.at:
                self.act()
            self.asked += 1
        return Faults.strike(self, request, item)


@pytest.mark.parametrize("name", ["add a member", "put an ACL", "set a list", "change a tree"])
def test_while_a_write_waits_for_its_token(
    name: str,
    emulator: Emulator,
    cleans: dict[str, Clean],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (kind,) = (each for each in WRITES if each.name == name)
    # Nobody keeps Entra's tokens: each request is signed in by itself.
    monkeypatch.setattr(client_credential, "FRESH", 0.0)

    def run(at: int) -> None:
        store = FolderStore(tmp_path / str(at))
        loop = begin(scene_of(kind, cleans), emulator, store)
        emulator.world.switches["entra.token-seconds"] = 60
        loss = Loss(emulator, replaced(store.folder))
        # Databricks' own are kept, and renewed here.
        refusal = Fault(service=kind.service, method=kind.method, target=kind.target, kind="expire")
        emulator.world.faults = SigningIn([refusal], at=at, act=loss)
        with store.lock("the first"):
            told = loop.apply()
        if at >= 0:
            assert_nothing_left(told, loss)

    run(-1)
    entries = [*emulator.world.log.entries, *emulator.world.log.entries[-1:]]
    signed = [entry for entry in entries if entry.path.endswith("/token")]
    before_writes = [
        signed.index(entry)
        for entry, then in zip(entries, entries[1:], strict=False)
        if entry in signed and kind in kinds_of(then)
    ]
    assert before_writes
    for at in before_writes[:3]:
        run(at)


@dataclass(slots=True)
class Limits:
    """Watches what waits for its limit; at one of these waits something happens."""

    emulator: Emulator
    arrived: list[int]
    """How many writes had arrived when each wait began."""
    at: int = -1
    act: Act = lambda: None

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        true_reserve = Pacer.reserve

        def reserve(pacer: Pacer, name: str, units: float = 1.0) -> float:
            self.arrived.append(writes(self.emulator))
            if len(self.arrived) - 1 == self.at:
                self.act()
            return true_reserve(pacer, name, units)

        monkeypatch.setattr(Pacer, "reserve", reserve)


@pytest.mark.parametrize(
    "scene", [each for each in SCENES if not each.stored and not each.inventory], ids=lambda scene: scene.name
)
def test_while_a_write_waits_for_its_limit(
    scene: Scene,
    emulator: Emulator,
    cleans: dict[str, Clean],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(at: int = -1) -> list[int]:
        folder = tmp_path / str(at)
        store = FolderStore(folder)
        loop = begin(cleans[scene.name], emulator, store)
        loss = Loss(emulator, replaced(folder))
        waits = Limits(emulator, [], at, loss)
        with monkeypatch.context() as patch, store.lock("the first"):
            waits.patch(patch)
            told = loop.apply()
        if at >= 0:
            assert_nothing_left(told, loss)
        return [*waits.arrived, writes(emulator)]

    arrived = run()
    # What waited last before a write arrived is what was sent then.
    waits = [at for at, (now, then) in enumerate(zip(arrived, arrived[1:], strict=False)) if then > now]
    assert waits
    for at in waits:
        run(at)
