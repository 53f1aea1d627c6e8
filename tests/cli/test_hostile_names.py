"""What anybody may be called, and what a service says: it reaches people as harmless text.

Whoever may create a group, a path or a branch chooses what a terminal, a comment and a runner's log are fed
with.  No stream of any command may hold what steers one of them.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.cli_progress import Teller
from reconciler.emulator.app import App
from reconciler.emulator.server import Emulator
from reconciler.emulator.wire import Request, Response
from tests.cli.conftest import LIVE
from tests.cli.desk import Desk, seed
from tests.cli.hostile import EVIL, everything, harmless, steered
from tests.report.test_hostile import steering


def test_names_from_the_directory(desk: Desk, cloud: Emulator) -> None:
    """A group, a person and a service principal of that name, claimed by nobody or holding too much."""
    groups, state = list(LIVE["groups"]), seed(**LIVE)
    people = ["user:ana@corp.example"]
    for number, evil in enumerate(EVIL.values()):
        groups.append({"name": f"red-{evil}", "description": evil, "owners": ["user:lea@corp.example"]})
        groups.append({"name": f"red-{evil}-2", "members": ["user:ana@corp.example"]})
        people += [f"group:red-{evil}-2", f"sp:bot {evil}"]
        state["directory"]["users"].append({"upn": f"mal{number}@corp.example", "display-name": evil})
        app = f"bbbbbbbb-0000-4000-8000-00000000000{number}"
        state["directory"]["service-principals"].append({"name": f"bot {evil}", "app-id": app})
    groups[0] = {**groups[0], "members": people}
    state["directory"]["groups"] = groups
    cloud.reset(state)
    said = everything(desk)
    assert said[0].code in (2, 3)
    assert "bot" in said[0].out or "red-" in said[0].out
    harmless(desk, said)


def test_names_of_paths(desk: Desk, cloud: Emulator) -> None:
    paths = list(LIVE["paths"])
    for name in EVIL.values():
        evil = name.replace("/", "_").replace("\x00", "")
        paths.append({"path": f"red/{evil}", "acl": "user::rwx,group::r-x,other::rwx"})
        paths.append({"path": f"red/{evil}/{evil}", "type": "file", "size": 1})
    cloud.reset(seed(**{**LIVE, "paths": paths}))
    harmless(desk, everything(desk))


@pytest.mark.parametrize("service", ["entra", "graph", "arm", "databricks/ws", "lake/lake/blob"])
def test_words_of_a_service(desk: Desk, monkeypatch: pytest.MonkeyPatch, service: str) -> None:
    """An error's code and message become the reason of a gap, and go into plans, comments and logs."""
    handle = App.handle
    words = " ".join(EVIL.values())

    def answer(self: App, request: Request) -> Response:
        if request.service != service:
            return handle(self, request)
        body = {
            "error": {"code": words, "message": words},
            "error_code": words,
            "message": words,
            "detail": words,
        }
        if "/token" in request.path:
            body = {"error": words, "error_description": words}
        return Response(403, [("Content-Type", "application/json")], json.dumps(body).encode())

    monkeypatch.setattr(App, "handle", answer)
    said = everything(desk)
    assert all(each.code in (0, 1, 3, 4) for each in said)
    harmless(desk, said)


def test_words_of_a_service_in_the_log(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What libraries log goes to the runner's log as well, under RECONCILER_DEBUG."""
    desk.emulator.world.clock.frozen_at = None
    monkeypatch.setattr(
        App, "handle", lambda self, request: Response(400, [], b"\n::error::x\x1b[31m\n##[error]y")
    )
    said = desk.spawn("plan", RECONCILER_DEBUG="1")
    assert "DEBUG]" in said.err
    assert steered(said) == []


@pytest.mark.parametrize("name", EVIL)
def test_arguments_are_shown_harmless(desk: Desk, name: str) -> None:
    """A workflow may pass on what a pull request calls its branch."""
    evil = EVIL[name].replace("\x00", "")
    said = [
        desk.run("plan", "--revision", evil), desk.run("plan", "--changed-since", evil),
        desk.run("plan", "--tenant", evil), desk.run("--env", evil, "plan"), desk.run(evil),
        desk.run("show", evil), desk.run("plan", "--as-of", evil), desk.run("--root", evil, "validate"),
        desk.run("plan", "--judged", evil),
    ]  # fmt: skip
    assert all(each.code == 1 for each in said)
    assert steered(*said) == []


@pytest.mark.parametrize("name", EVIL)
def test_where_a_plan_was_saved_is_shown_harmless(desk: Desk, name: str) -> None:
    place = EVIL[name].replace("\x00", "").replace("/", "_")
    said = desk.run("plan", "--out", f"{place}.json")
    assert said.code == 3 and "saved to" in said.err
    assert steered(said) == []


class Screen:
    """A terminal, or a log."""

    def __init__(self, live: bool) -> None:
        self.live, self.text = live, ""

    def isatty(self) -> bool:
        return self.live

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass

    def fileno(self) -> int:
        raise OSError


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("name", EVIL)
def test_progress_of_hostile_work(live: bool, name: str) -> None:
    screen, at = Screen(live), [0.0]
    stream: Any = screen
    tell = Teller(stream, lambda: at[0])
    for _ in range(3):
        tell(f"paths of {EVIL[name]}", 5, 10)
        at[0] += 40
    tell.say(EVIL[name])
    tell.close()
    # The line that renews itself goes back to its own beginning, and nowhere else.
    shown = screen.text.replace("\r", "\n") if live else screen.text
    assert [found for line in shown.split("\n") for found in steering(line)] == []
