"""What a plan follows from: recent writes against stale readings, and things that documents left behind."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from reconciler.core.diff import diff
from reconciler.core.environment import EntraSettings, Environment
from reconciler.core.errors import Unusable
from reconciler.core.model import Attribute, Gap, Live
from reconciler.core.plan import Action, Status
from reconciler.core.vocabulary import Boundary
from reconciler.policy.policies import Policies
from reconciler.store.journal import History, Record
from reconciler.survey import SETTLING, Desired, Inputs, answered, contested, desire, settled
from tests.core.estates import address, found, frame, live, wanted

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
EXISTS = Attribute("exists")
ANA = Attribute("acl", "user:ana@corp.example")
HERE = Environment(name="test", entra=EntraSettings(name="corp", tenant_id="t"))


def lowering() -> Action:
    state = live(found({EXISTS: "present", ANA: "WRITE"}))
    return diff([wanted({EXISTS: "present", ANA: "READ"})], state, frame()).actions[0]


def inputs(action: Action, ago: timedelta, status: Status = Status.VERIFIED) -> Inputs:
    record = Record(
        at=NOW - ago,
        environment="test",
        file="a.yaml",
        run="r",
        approval="a",
        action=action,
        removes=True,
        status=status,
        ended=NOW - ago,
    )
    return Inputs(
        policies=Policies(revision="abc", environments={"test": HERE}),
        environment=HERE,
        as_of=date(2026, 11, 23),
        now=NOW,
        history=History(records=(record,)),
    )


def after(state: Live, given: Inputs) -> str | None:
    return settled(state, given).found[address()].grants.get(ANA)


def test_a_stale_reading_does_not_undo_a_write_that_was_seen_to_work() -> None:
    stale = live(found({EXISTS: "present", ANA: "WRITE"}))
    given = inputs(lowering(), timedelta(seconds=30))
    assert after(stale, given) == "READ"
    assert [finding.rule for finding in settled(stale, given).findings] == ["settling"]


@pytest.mark.parametrize(
    ("value", "ago", "status"),
    [
        ("WRITE", SETTLING + timedelta(seconds=1), Status.VERIFIED),
        ("MANAGE", timedelta(seconds=30), Status.VERIFIED),
        ("WRITE", timedelta(seconds=30), Status.UNKNOWN),
        ("WRITE", timedelta(seconds=30), Status.FAILED),
    ],
)
def test_anything_else_is_somebodys_new_change(value: str, ago: timedelta, status: Status) -> None:
    state = live(found({EXISTS: "present", ANA: value}))
    assert after(state, inputs(lowering(), ago, status)) == value


def test_a_stale_grant_reads_as_granted_and_a_stale_revoke_as_gone() -> None:
    empty = live(found({EXISTS: "present"}))
    granting = diff([wanted({EXISTS: "present", ANA: "READ"})], empty, frame()).actions[0]
    assert after(empty, inputs(granting, timedelta(seconds=5))) == "READ"
    held = live(found({EXISTS: "present", ANA: "READ"}))
    revoking = diff([wanted({EXISTS: "present"})], held, frame()).actions[0]
    assert after(held, inputs(revoking, timedelta(seconds=5))) is None


def test_what_a_deleted_document_granted_is_still_looked_at() -> None:
    given = inputs(lowering(), timedelta(days=30))
    (former,) = desire(given, ()).former
    assert (former.address, former.tenant, former.grants) == (address(), "pricing", {})
    assert desire(replace(given, history=History()), ()).former == []


def boundary(tenant: str, *patterns: str) -> Boundary:
    return Boundary(tenant=tenant, kind="folder", installation="here", patterns=patterns)


@pytest.mark.parametrize(
    ("locator", "patterns", "frozen"),
    [
        ("raw", ("raw/fraud", "raw/fraud/**"), True),
        ("raw/fraud/x", ("raw/fraud/**",), True),
        ("raw", ("**",), True),
        ("raw", ("raw*/x",), True),
        ("raw/other", ("raw/fraud/**",), False),
        ("rawer", ("raw/fraud/**",), False),
    ],
)
def test_what_a_tenant_in_error_may_claim_is_nobody_elses_to_touch(
    locator: str, patterns: tuple[str, ...], frozen: bool
) -> None:
    want = wanted({EXISTS: "present"}, "folder", address=address("folder", locator))
    given = replace(
        inputs(lowering(), timedelta(days=30)),
        policies=Policies(
            revision="abc",
            environments={"test": HERE},
            boundaries=(boundary("fraud", *patterns), boundary("pricing", "**")),
            blocked={"fraud": ()},
        ),
    )
    gaps = contested(Desired(wanted=[want], problems=[]), given)
    assert bool(gaps) is frozen
    assert not contested(Desired(wanted=[replace(want, tenant="fraud")], problems=[]), given)


SERVICE = f"{address().provider}/{address().installation}"


@pytest.mark.parametrize("status", ["", "401 InvalidAuthenticationToken"])
def test_nothing_is_compared_only_where_nobody_answers_anything(status: str) -> None:
    desired = Desired(wanted=[wanted({EXISTS: "present"})], problems=[])
    silent = Live(gaps={address(): Gap(address=address(), reason="the answer was lost", status=status)})
    with pytest.raises(Unusable, match="the answer was lost"):
        answered(desired, {}, silent)
    with pytest.raises(Unusable, match="the answer was lost"):
        answered(desired, {}, replace(silent, answering=frozenset({"another/service"})))
    answered(desired, {}, replace(silent, answering=frozenset({SERVICE})))


def test_what_cannot_be_read_for_another_reason_than_silence_is_a_gap() -> None:
    desired = Desired(wanted=[wanted({EXISTS: "present"})], problems=[])
    answered(desired, {}, Live(gaps={address(): Gap(address=address(), reason="refused", status="403")}))
