"""Wrong usage is an error like any other: a line that says what and how to go on, and exit code 1."""

from __future__ import annotations

import re

import pytest

from tests.cli.desk import Desk

WRONG = [
    [],
    ["nonsense"],
    ["plan", "--nonsense"],
    ["plan", "--as-of", "tomorrow"],
    ["plan", "--as-of", "2026-02-30"],
    ["plan", "--format", "pdf"],
    ["plan", "--out"],
    ["drift", "--tenant", "red"],
    ["approve"],
    ["approve", "plan.json"],
    ["approve", "plan.json", "--because"],
    ["approve", "plan.json", "--because", "x", "--expires", "soon"],
    ["apply", "--dry"],
    ["show"],
    ["emulator"],
    ["emulator", "serve", "--port", "many"],
    ["validate", "--format", "xml"],
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_wrong_usage(desk: Desk, arguments: list[str]) -> None:
    said = desk.run(*arguments)
    assert said.code == 1
    assert said.out == ""
    assert said.err.startswith("reconciler"), said.err
    assert "--help" in said.err.splitlines()[-1]
    assert "Traceback" not in said.err


@pytest.mark.parametrize("arguments", [["--help"], ["plan", "--help"], ["emulator", "serve", "--help"]])
def test_help_is_data(desk: Desk, arguments: list[str]) -> None:
    said = desk.run(*arguments)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("usage: reconciler")


def test_every_command_has_help_and_exit_codes_are_told(desk: Desk) -> None:
    from reconciler.cli import COMMANDS

    told = desk.run("--help").out
    assert "exit codes: 0 in step" in told
    for command in COMMANDS:
        assert re.search(rf"\n    {command}\s", told)
        assert desk.run(command, "--help").code == 0


def test_root_and_environment_may_stand_before_or_after_the_command(desk: Desk) -> None:
    root = str(desk.root)
    for arguments in (
        ["--root", root, "--env", "test", "plan"],
        ["plan", "--root", root, "--env", "test"],
        ["--root", "nowhere", "plan", "--root", root],
    ):
        assert desk.run(*arguments, cwd=desk.root.parent).code == 3, arguments


def test_options_are_not_guessed_from_their_beginnings(desk: Desk) -> None:
    """What a script abbreviates today would be ambiguous tomorrow."""
    said = desk.run("plan", "--ten", "red")
    assert said.code == 1
    assert "--ten" in said.err
