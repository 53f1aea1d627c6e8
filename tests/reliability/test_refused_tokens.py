"""A token that a service takes no more, though its time is not over: it is renewed once, and all goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.emulator.faults import Fault
from reconciler.emulator.log import Entry
from reconciler.emulator.server import Emulator, running
from reconciler.providers.client_credential import YOUNG
from tests.reliability.facts import difference, facts
from tests.reliability.loop import Loop
from tests.reliability.requests import KINDS, Kind
from tests.reliability.scenes import first
from tests.reliability.trial import Clean, begin, rehearsed, scene_of

_SIGNED = [
    kind for kind in KINDS if not kind.item and kind.system != "Store" and "signs-in" not in kind.traits
]
KINDS_SIGNED = list({(kind.system, kind.writes): kind for kind in _SIGNED}.values())
"""One kind of request that reads and one that writes of each system whose token a provider carries.

That every kind goes on with a new token is in the matrix, in the columns of tokens that expire or are gone;
the store has tests of its own.
"""
ITEMS = [kind for kind in KINDS if kind.item]
JSON = {"Content-Type": "application/json"}
UNAUTHORIZED = '{"error": {"code": "x", "message": "x"}}'
ONCE_MORE = "a new token is refused as well"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running(first(), tmp_path_factory.mktemp("tls") / "ca.pem") as served:
        yield served


@pytest.fixture(scope="module")
def cleans(emulator: Emulator) -> dict[str, Clean]:
    return rehearsed(emulator)


def title(kind: Kind) -> str:
    return f"{kind.system}: {kind.title}"


def prepared(clean: Clean, emulator: Emulator, *faults: Fault) -> Loop:
    loop = begin(clean.scene, emulator)
    loop.approve(clean.actions, clean.rules)
    for fault in faults:
        emulator.world.faults.add(fault)
    return loop


def sign_ins(emulator: Emulator) -> int:
    """Tokens that were minted."""
    return sum(entry.path.endswith("/token") for entry in emulator.world.log.entries)


def once(kind: Kind, what: str, skip: int = 0) -> Fault:
    return Fault(
        name=what,
        service=kind.service,
        method=kind.method,
        target=kind.target,
        item=kind.item,
        kind=what,
        skip=skip,
    )


@pytest.mark.parametrize("kind", KINDS_SIGNED, ids=title)
@pytest.mark.parametrize("what", ["expire", "revoke"])
def test_every_request_goes_on_with_a_new_token(
    what: str, kind: Kind, emulator: Emulator, cleans: dict[str, Clean]
) -> None:
    clean = scene_of(kind, cleans)
    prepared(clean, emulator).apply()
    usual = sign_ins(emulator)
    # The last one of its kind: by then the run has written, where it writes.
    fault = once(kind, what, skip=clean.sent[kind] - 1)
    loop = prepared(clean, emulator, fault)
    told = loop.apply()
    assert fault.struck == 1
    assert told.code == 0, told
    assert not difference(facts(emulator), clean.after)
    assert sign_ins(emulator) == usual + 1
    (struck,) = (entry for entry in emulator.world.log.entries if entry.fault == what)
    assert struck.status in (401, 403)
    again = [entry for entry in emulator.world.log.entries if asked(entry) == asked(struck)]
    assert again[again.index(struck) + 1].status < 300


def asked(entry: Entry) -> tuple[str, str, str, str, bytes]:
    return entry.service, entry.method, entry.path, entry.query, entry.body


@pytest.mark.parametrize("form", ["400", "401", "403"])
@pytest.mark.parametrize("name", ["put an ACL", "list of ACLs"])
def test_databricks_has_three_words_for_it(
    name: str, form: str, emulator: Emulator, cleans: dict[str, Clean]
) -> None:
    kind = next(
        each for each in KINDS if each.system == "Databricks" and each.writes == (name == "put an ACL")
        and "acls" in each.target
    )  # fmt: skip
    clean = scene_of(kind, cleans)
    loop = prepared(clean, emulator, once(kind, "expire"))
    emulator.world.switches["databricks.refused-token"] = form
    assert loop.apply().code == 0
    assert not difference(facts(emulator), clean.after)


@pytest.mark.parametrize("kind", ITEMS, ids=title)
def test_a_request_inside_a_batch_is_sent_again_by_itself(
    kind: Kind, emulator: Emulator, cleans: dict[str, Clean]
) -> None:
    clean = scene_of(kind, cleans)
    fault = once(kind, "respond")
    fault.status, fault.headers, fault.body = 401, JSON, UNAUTHORIZED
    told = prepared(clean, emulator, fault).apply()
    assert fault.struck == 1
    assert told.code == 0, told
    assert not difference(facts(emulator), clean.after)


@pytest.mark.parametrize("kind", KINDS_SIGNED, ids=title)
def test_a_service_that_takes_no_token_at_all_is_asked_twice(
    kind: Kind, emulator: Emulator, cleans: dict[str, Clean]
) -> None:
    clean = scene_of(kind, cleans)
    prepared(clean, emulator).apply()
    usual = sign_ins(emulator)
    fault = once(kind, "respond")
    fault.status, fault.headers, fault.body, fault.times = 401, JSON, UNAUTHORIZED, None
    loop = prepared(clean, emulator, fault)
    told = loop.apply()
    struck = Counter(asked(entry) for entry in emulator.world.log.entries if entry.fault)
    assert max(struck.values()) > 1, "it is sent once more"
    # Two identities at most are about it, each renewed once, and again where half a minute has passed since.
    assert sign_ins(emulator) <= usual + 2 * (1 + loop.time.waited / YOUNG)
    if kind.writes:
        assert told.code == 1
        reasons = [each.reason for each in told.outcomes if ONCE_MORE in each.reason]
        assert reasons and all("401" in reason for reason in reasons), told.outcomes
        # A refused token had no effect: what it came with is as it was, and so is what is told of it.
        held = facts(emulator)
        assert all(held.get(key) in (clean.before.get(key), clean.after.get(key)) for key in held)
    else:
        assert told.code in (0, 1, 3, 4)


def test_requests_that_are_refused_together_sign_in_once(
    emulator: Emulator, cleans: dict[str, Clean]
) -> None:
    (kind,) = (each for each in KINDS if each.name == "set a list")
    clean = scene_of(kind, cleans)
    prepared(clean, emulator).apply()
    usual = sign_ins(emulator)
    prepared(clean, emulator, once(kind, "expire")).apply()
    assert sign_ins(emulator) == usual + 1


def test_claims_are_told_nobody(
    emulator: Emulator, cleans: dict[str, Clean], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (kind,) = (each for each in KINDS if each.name == "add a member")
    clean = scene_of(kind, cleans)
    secret = "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiI0MTcifX19"
    fault = once(kind, "respond")
    fault.status, fault.body, fault.times = 401, UNAUTHORIZED, None
    fault.headers = JSON | {"WWW-Authenticate": f'Bearer error="insufficient_claims", claims="{secret}"'}
    with caplog.at_level("DEBUG"):
        told = prepared(clean, emulator, fault).apply()
    assert fault.struck == 2
    # What the HTTP library itself says of headers at this level nobody is shown: it has no handler.
    records = [record.getMessage() for record in caplog.records if not record.name.startswith("httpcore")]
    words = f"{told}{records}"
    assert ONCE_MORE in words
    assert not any(each in words for each in (secret, '"nbf"', "'nbf'", "essential"))
