"""Plan and drift read, with an identity that can do nothing else; what it may not read is a gap by name."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli import main
from reconciler.cli_demo import ENVIRONMENT, READER, redirect
from reconciler.cli_emulator import read_seed
from reconciler.emulator.log import Entry
from reconciler.emulator.server import Emulator, running
from tests.documents.pages import DOCS
from tests.rights.table import NARROW, POSTED, RIGHTS, Right, Seed, bare

LIVE: Seed = {**read_seed(None), "switches": {"databricks.stale-seconds": 0}}


def allowed(*rights: Right) -> Seed:
    """The sample estate, in which the reading identity has these rights."""
    seed = bare(LIVE)
    for right in rights:
        right.give(seed)
    return seed


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running(LIVE, tmp_path_factory.mktemp("tls") / "ca.pem") as emulator:
        yield emulator


@pytest.fixture(scope="module")
def estate(cloud: Emulator, tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """The sample policies, pointed at the emulator."""
    here = tmp_path_factory.mktemp("estate")
    for folder in ("policies", "tenants.d"):
        shutil.copytree(root / folder, here / folder)
    (here / ".reconciler").mkdir()
    shutil.copy(cloud.ca_file, here / ".reconciler/emulator-ca.pem")
    redirect(here / ENVIRONMENT, cloud)
    return here


def run(here: Path, *arguments: str) -> tuple[int, str]:
    """A command as the reading identity, and what it printed."""
    out = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.chdir(here),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        for system in ("AZURE", "DATABRICKS"):
            patch.setenv(f"{system}_CLIENT_ID", READER[0])
            patch.setenv(f"{system}_CLIENT_SECRET", READER[1])
        code = main([*arguments, "--env", "local"])
    return code, out.getvalue()


def gaps(here: Path) -> dict[str, str]:
    """Address and reason of everything that a plan could not read."""
    _, told = run(here, "plan", "--format", "json")
    return {gap["address"]: gap["reason"] for gap in json.loads(told)["gaps"]}


def only_reads(entry: Entry) -> bool:
    """Whether a request is one of those that the documentation names."""
    if entry.method in ("GET", "HEAD"):
        return True
    known = [each for each in POSTED if re.fullmatch(each.service, entry.service)]
    if entry.method != "POST" or not any(re.fullmatch(each.path, entry.path) for each in known):
        return False
    if entry.path.endswith("$batch"):
        return all(part["method"] == "GET" for part in json.loads(entry.body)["requests"])
    return True


def state(emulator: Emulator) -> dict[str, Any]:
    return emulator.dump()


@pytest.mark.parametrize("command", ["plan", "drift"])
def test_with_its_rights_it_is_refused_nothing_and_writes_nothing(
    command: str, cloud: Emulator, estate: Path
) -> None:
    cloud.reset(allowed(*RIGHTS))
    before = state(cloud)
    code, _ = run(estate, command)
    log = cloud.world.log.entries
    assert code in (2, 3), "there is drift, and nothing unknown"
    assert [f"{e.status} {e.method} {e.service} {e.path}" for e in log if e.status in (401, 403)] == []
    assert [f"{e.method} {e.service} {e.path}" for e in log if not only_reads(e)] == []
    assert len(log) > 30
    assert state(cloud) == before


def test_every_request_that_is_named_is_made(cloud: Emulator, estate: Path) -> None:
    cloud.reset(allowed(*RIGHTS))
    run(estate, "plan")
    made = [(entry.service, entry.path) for entry in cloud.world.log.entries if entry.method == "POST"]
    for each in POSTED:
        assert any(re.fullmatch(each.service, one) and re.fullmatch(each.path, path) for one, path in made)


def test_with_its_rights_nothing_is_unknown(cloud: Emulator, estate: Path) -> None:
    cloud.reset(allowed(*RIGHTS))
    assert gaps(estate) == {}


def test_the_narrow_permissions_read_the_same(cloud: Emulator, estate: Path) -> None:
    seed = allowed(*RIGHTS[1:])
    seed["directory"]["service-principals"][0]["app-roles"] += NARROW
    cloud.reset(seed)
    assert gaps(estate) == {}


@pytest.mark.parametrize("right", RIGHTS, ids=lambda right: right.name)
def test_what_a_missing_right_hides_is_a_gap_by_name(right: Right, cloud: Emulator, estate: Path) -> None:
    cloud.reset(allowed(*(each for each in RIGHTS if each is not right)))
    before = state(cloud)
    found = gaps(estate)
    assert found, "the right is needed"
    for pattern in right.gaps:
        assert any(fnmatchcase(address, pattern) for address in found), pattern
    for address in found:
        assert any(fnmatchcase(address, pattern) for pattern in right.gaps), address
    assert all(found.values()), "each with its reason"
    assert run(estate, "plan")[0] == 4
    assert state(cloud) == before


def test_the_documentation_says_the_same() -> None:
    page = (DOCS / "how-to/credentials.md").read_text("utf-8")
    lines = page.splitlines()
    for row in (*POSTED, *RIGHTS):
        assert row.row() in lines
    section = page.partition("## What a plan asks")[2].partition("\n## ")[0]
    assert section.count("\n| ") == len(POSTED) + len(RIGHTS) + 4, "no line more"
