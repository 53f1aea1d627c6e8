"""The page on the command line names every command, option and exit code, and nothing that is not there."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping

import pytest

from reconciler import cli
from reconciler.report import verdict
from tests.documents.pages import DOCS, sections

PAGE = DOCS / "reference/cli.md"
OTHER = {"Everywhere", "Exit codes", "Long work", "Environment variables"}
ROW = re.compile(r"^\| (.+?) (?<!\\)\|", re.MULTILINE)


def commands(
    parser: argparse.ArgumentParser, name: str = ""
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that does something, with the name by which it is called."""
    inner = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    if name and not inner:
        yield name, parser
    for each in inner:
        for word, sub in each.choices.items():
            yield from commands(sub, f"{name} {word}".strip())


def offered(parser: argparse.ArgumentParser) -> set[str]:
    """Options and arguments as a person types them."""
    names: set[str] = set()
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            names.update(action.option_strings or [str(action.metavar)])
    return names


def documented(text: str) -> set[str]:
    """What the first column of a section's tables names."""
    cells = [cell for row in ROW.findall(text) for cell in re.findall(r"`([^`]+)`", row)]
    return {cell.split()[0] for cell in cells if cell.startswith("-") or cell.isupper()}


def faults(pages: Mapping[str, str]) -> list[str]:
    """Where page and program differ."""
    everywhere = documented(pages["Everywhere"])
    known = dict(commands(cli._parser()))
    found = [f"no command {name}" for name in pages.keys() - known.keys() - OTHER]
    found += sorted(offered(cli._parser()) - everywhere)
    for name, parser in known.items():
        own = documented(pages.get(name, ""))
        inherited = {"-h", "--help", "--root", "--env"}
        found += [f"{name}: undocumented {each}" for each in offered(parser) - own - inherited]
        found += [f"{name}: no such {each}" for each in own - offered(parser)]
        found += [] if name in pages else [f"undocumented command {name}"]
    return sorted(found)


def test_every_command_and_option_is_documented() -> None:
    assert faults(sections(PAGE)) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "| `--markdown FILE` | also write the outcomes",
            "| markdown | also write the outcomes",
            "--markdown",
        ),
        ("## pin\n", "### pin\n", "undocumented command pin"),
        ("| `--port N`", "| `--ports N`", "no such --ports"),
        ("## demo\n", "## demon\n", "no command demon"),
        ("| `PLAN` | the file |\n| `--because", "| plan | the file |\n| `--because", "undocumented PLAN"),
    ],
)
def test_a_planted_fault_is_caught(
    old: str, new: str, told: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = PAGE.read_text("utf-8")
    assert text.count(old) == 1
    planted = tmp_path_factory.mktemp("page") / "cli.md"
    planted.write_text(text.replace(old, new), "utf-8")
    assert any(told in fault for fault in faults(sections(planted)))


def test_exit_codes_are_those_of_the_program() -> None:
    rows = set(re.findall(r"^\| (\d+) \|", sections(PAGE)["Exit codes"], re.MULTILINE))
    codes = {verdict.IN_STEP, verdict.ERROR, verdict.DRIFT, verdict.REFUSED, verdict.UNKNOWN, 130}
    assert rows == set(map(str, codes))
