"""What an apply may not do fails by name, everything else is done, and the right was all that it lacked."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest

from reconciler.emulator.server import running
from tests.cli.desk import Desk, seed
from tests.cli.facts import held
from tests.crash.scene import LIVE, PARTS, begin_anew, set_scene
from tests.documents.pages import DOCS
from tests.rights.table import NEEDED, Needed


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk whose plan needs every kind of write, and is approved."""
    with running(seed(**LIVE), tmp_path_factory.mktemp("tls") / "ca.pem") as emulator:
        desk = Desk(tmp_path_factory.mktemp("desk") / "policies", emulator)
        set_scene(desk, *PARTS)
        yield desk


@pytest.mark.parametrize("right", NEEDED, ids=lambda right: right.name)
def test_without_a_right_what_needs_it_fails_by_name(right: Needed, desk: Desk) -> None:
    begin_anew(desk)
    assert desk.run("apply").code == 0
    end = held(desk.emulator)
    lacking = seed(**LIVE)
    right.take(lacking)
    begin_anew(desk, lacking)
    ran = desk.run("apply", COLUMNS="400")
    assert ran.code in (1, 4)
    assert right.said in ran.out
    present = held(desk.emulator)
    open_things = {name for name in {*end, *present} if end.get(name) != present.get(name)}
    assert open_things, "the right is needed"
    assert all(any(fnmatchcase(name, each) for each in right.things) for name in open_things), open_things
    begin_anew(desk)
    assert desk.run("apply").code == 0, "with it all of it is done"


def test_the_documentation_says_the_same() -> None:
    page = (DOCS / "how-to/credentials.md").read_text("utf-8")
    section = page.partition("## What an apply cannot do")[2].partition("\n## ")[0]
    assert [row.row() for row in NEEDED] == [
        line for line in section.splitlines() if line.startswith("| ") and "---" not in line
    ][1:]
