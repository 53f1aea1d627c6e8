"""Hosts that are not there, secrets that are wrong, tokens that have expired: gaps, within seconds."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.core.errors import Unusable
from reconciler.core.model import Live, Presence
from reconciler.core.plan import Status
from reconciler.emulator.faults import Fault
from reconciler.emulator.server import running
from reconciler.providers import client_credential
from reconciler.providers.entra import VOCABULARY
from reconciler.providers.entra.provider import EntraProvider
from tests.providers.entra.conftest import Open
from tests.providers.entra.tenant import (
    ANA,
    APP,
    BO,
    PLANNER,
    address,
    apply,
    boundary,
    grant,
    read,
    user,
    want,
)

pytestmark = pytest.mark.emulator

DS = {"name": "pricing-ds", "members": [ANA]}
PEOPLE = [user("ana"), user("bo")]
EVERYWHERE = {address("pricing-ds"), address("pricing-eng"), address("*")}


@contextmanager
def within(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


def told(provider: EntraProvider) -> Live:
    """Everything that is asked is answered, with gaps."""
    assert {one.presence for one in provider.directory.resolve([ANA, BO]).values()} == {Presence.UNREADABLE}
    assert provider.directory.members(["0"]) == {"0": None}
    (known,) = provider.directory.name(["0"]).values()
    assert known.presence is Presence.UNREADABLE
    live = read(provider, [want("pricing-ds", [ANA]), want("pricing-eng")], [boundary("pricing-*")])
    assert live.found == {} and set(live.gaps) == EVERYWHERE
    assert len({gap.reason for gap in live.gaps.values()}) == 1
    return live


def test_a_host_that_is_not_there(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    known = estate.environment
    environment = replace(known, entra=replace(known.entra, graph=f"https://127.0.0.1:{port}"))
    with within(5):
        live = told(estate.provider(PLANNER, environment=environment))
    assert str(port) in live.gaps[address("*")].reason and "graph" in live.gaps[address("*")].reason


def test_a_host_that_never_answers(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        graph = f"https://127.0.0.1:{silent.getsockname()[1]}"
        known = estate.environment
        environment = replace(known, entra=replace(known.entra, graph=graph), patience=1.0)
        with within(20):
            told(estate.provider(PLANNER, environment=environment))


def test_an_authority_of_certificates_that_is_not_the_hosts(tenant: Open, tmp_path: Path) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    with running({}, tmp_path / "other.pem"):
        pass
    environment = replace(estate.environment, ca_file=str(tmp_path / "other.pem"))
    with within(5):
        live = told(estate.provider(PLANNER, environment=environment))
    assert "CERTIFICATE_VERIFY_FAILED" in live.gaps[address("*")].reason


def test_a_wrong_secret(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    with within(5):
        live = told(estate.provider(PLANNER, AZURE_CLIENT_SECRET="Tr0ub4dor&3"))
    reason = live.gaps[address("*")].reason
    assert "AADSTS7000215" in reason and "Tr0ub4dor" not in reason


def test_a_token_that_has_expired(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    provider = estate.provider(PLANNER)
    assert read(provider, [want("pricing-ds", [ANA])]).gaps == {}
    estate.world.clock.advance(7200)
    assert read(provider, [want("pricing-ds", [ANA])]).gaps == {}
    body = '{"error":{"code":"InvalidAuthenticationToken","message":"the token is expired."}}'
    estate.world.faults.add(Fault(service="graph", status=401, body=body, times=None))
    live = read(provider, [want("pricing-ds", [ANA])])
    reason = live.gaps[address("pricing-ds")].reason
    assert "expired" in reason and "a new token is refused as well" in reason


@pytest.mark.parametrize("kind", ["expire", "revoke"])
def test_a_token_that_was_refused_does_not_come_back(
    tenant: Open, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The SDK is asked for each request: what it keeps for itself is to be the new token, too.
    monkeypatch.setattr(client_credential, "FRESH", 0.0)
    estate = tenant(users=PEOPLE, groups=[DS])
    provider = estate.provider(PLANNER)
    assert read(provider, [want("pricing-ds", [ANA])]).gaps == {}
    estate.world.log.clear()
    estate.world.faults.add(Fault(service="graph", kind=kind))
    for _ in range(3):
        assert read(provider, [want("pricing-ds", [ANA])]).gaps == {}
    assert [entry.status for entry in estate.world.log.entries].count(401) == 1
    tokens = [entry for entry in estate.world.log.entries if entry.path.endswith("/token")]
    assert len(tokens) == 1


def test_nothing_is_written_without_an_answer_to_the_reading(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    planned = [grant(estate, "pricing-ds", BO)]
    with within(5):
        ends = apply(estate.provider(AZURE_CLIENT_SECRET="wrong"), planned)
    assert [end.status for end in ends.values()] == [Status.FAILED]
    assert all("nothing was sent" in end.reason for end in ends.values())


def test_the_vocabulary_opens_a_provider_that_signs_in(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    environ = {"AZURE_CLIENT_ID": APP[PLANNER], "AZURE_CLIENT_SECRET": f"secret of {PLANNER}"}
    provider = VOCABULARY.open(estate.environment, environ, "/")
    try:
        assert read(provider, [want("pricing-ds", [ANA])]).gaps == {}
    finally:
        provider.close()
        provider.close()
    with pytest.raises(Unusable, match="AZURE_CLIENT_SECRET"):
        VOCABULARY.open(estate.environment, {"AZURE_CLIENT_ID": "x"}, "/")


def test_no_secret_is_in_any_text(tenant: Open) -> None:
    """Law 11: neither the secret nor a token shows up in what a provider says of itself or of trouble."""
    estate = tenant(users=PEOPLE, groups=[DS])
    provider = estate.provider(PLANNER)
    live = read(provider, [want("pricing-ds", [ANA]), want("nope")], [boundary("*")])
    tokens = list(estate.world.tokens)
    assert tokens
    shown = repr((provider.__dict__, vars(provider.directory), live))
    assert not any(secret in shown for secret in (f"secret of {PLANNER}", *tokens))


def test_a_host_that_is_down_is_not_knocked_at_again_and_again(tenant: Open) -> None:
    estate = tenant(users=PEOPLE, groups=[DS])
    knocks = []
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        graph = f"https://127.0.0.1:{door.getsockname()[1]}"

        def slam() -> None:
            with suppress(OSError):
                while True:
                    door.accept()[0].close()
                    knocks.append(1)

        slamming = threading.Thread(target=slam, daemon=True)
        slamming.start()
        known = estate.environment
        environment = replace(known, entra=replace(known.entra, graph=graph))
        told(estate.provider(PLANNER, environment=environment))
        door.shutdown(socket.SHUT_RDWR)
        slamming.join(5)
    # The first two requests were under way together, and each knocked twice.
    assert 1 <= len(knocks) <= 4
