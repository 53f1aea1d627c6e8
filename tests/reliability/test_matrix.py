"""Every cell of the matrix: safe, truthful, bounded, converging, and as docs/reliability.md says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconciler.emulator.server import running
from tests.reliability.matrix import DOCUMENT, LASTS, LATE, ONCE, RENEW, TABLES, Court, Table, header, shown
from tests.reliability.requests import Kind
from tests.reliability.scenes import first
from tests.reliability.timing import plain_surroundings


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    ca_file = tmp_path_factory.mktemp("tls") / "ca.pem"
    with plain_surroundings(), running(first(), ca_file) as emulator:
        yield Court(emulator)


def _check(court: Court, table: Table, kind: Kind) -> None:
    line, wrong = court.row(table, kind)
    assert not wrong, "\n".join(wrong)
    row = f"{kind.system}: {kind.title}"
    stale = f"docs/reliability.md does not say so; renew it with `{RENEW} ARGS='{row}'`:\n{line}"
    assert line in shown(DOCUMENT.read_text("utf-8"), table), stale


def _name(kind: Kind) -> str:
    return f"{kind.system}: {kind.title}"


@pytest.mark.parametrize("kind", LASTS.kinds, ids=_name)
def test_a_fault_that_lasts(court: Court, kind: Kind) -> None:
    _check(court, LASTS, kind)


@pytest.mark.parametrize("kind", ONCE.kinds, ids=_name)
def test_a_fault_that_passes(court: Court, kind: Kind) -> None:
    _check(court, ONCE, kind)


@pytest.mark.parametrize("kind", LATE.kinds, ids=_name)
def test_a_fault_that_begins_when_the_plan_is_made(court: Court, kind: Kind) -> None:
    _check(court, LATE, kind)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_document_has_these_rows_and_no_others(table: Table) -> None:
    lines = shown(DOCUMENT.read_text("utf-8"), table)
    assert lines[:2] == [*header(table)], f"renew docs/reliability.md with `{RENEW}`"
    assert [line.split(" | ")[0] for line in lines[2:]] == [f"| {_name(kind)}" for kind in table.kinds]
