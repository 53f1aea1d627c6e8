"""What documents show is what happens: the plan of the front page, the whole tutorial."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from reconciler.cli_demo import READER, redirect
from reconciler.cli_emulator import read_seed
from reconciler.emulator.server import Emulator, running
from tests.architecture.source import ROOT
from tests.documents.pages import DOCS, Block, blocks
from tests.policy.repository import Repository

pytestmark = pytest.mark.emulator
LOCAL = "policies/environments/local.yaml"
LAST_DAY = date(2026, 12, 31)
"""After this the first dated line of the sample estate has ended, and its plan is another one."""
VARYING = re.compile(
    r"\d{4}-\d\d-\d\d|digest \w+|(?<=^valid: )\d+|\b\d+(?= planned actions?| removals? among)"
)
SET_UP = ("make ", "source ", "git clone", "reconciler emulator")


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Emulator]:
    if datetime.now(UTC).date() > LAST_DAY:
        pytest.skip(f"the sample estate's dates have passed on {LAST_DAY}; move them, and the documents'")
    with running(read_seed(None), tmp_path / "ca.pem") as emulator:
        yield emulator


@pytest.fixture
def access(cloud: Emulator, tmp_path: Path) -> Path:
    """The reader's clone of the sample estate, with the emulator where it expects it."""
    repository = Repository(tmp_path / "access")
    for folder in ("policies", "tenants.d"):
        shutil.copytree(ROOT / folder, repository.root / folder)
    redirect(repository.root / LOCAL, cloud)
    (repository.root / ".reconciler").mkdir()
    shutil.copy(cloud.ca_file, repository.root / ".reconciler/emulator-ca.pem")
    repository.commit({".gitignore": ".reconciler/\n"}, person="noor")
    return repository.root


def shell(clone: Path, script: str) -> str:
    """What a script says in the reader's shell, commands failing or not; its last line is the environment."""
    folder = clone.parent / "bin"
    if not folder.exists():
        folder.mkdir()
        program = folder / "reconciler"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n')
        program.chmod(0o755)
    # Settings, not GIT_AUTHOR_…: `git -c user.name=` has to win over them, as it does over a person's own.
    settings = {
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "user.name",
        "GIT_CONFIG_VALUE_0": "Ana",
        "GIT_CONFIG_KEY_1": "user.email",
        "GIT_CONFIG_VALUE_1": "ana@corp.example",
    }
    environ = {**os.environ, **settings, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", script],
        cwd=clone, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    return done.stdout


def same(line: str) -> str:
    """A line without what differs from day to day."""
    return VARYING.sub("…", line.rstrip())


def missing(shown: str, said: str) -> list[str]:
    """Lines that a document shows and that nobody said."""
    heard = {same(line) for line in said.splitlines()}
    lines = [line for line in shown.splitlines() if line.strip() and line.strip() != "…"]
    return [line for line in lines if same(line) not in heard]


def test_the_front_page_shows_a_real_plan(access: Path) -> None:
    (block,) = [each for each in blocks(ROOT / "README.md") if "Plan for local" in each.text]
    command, _, shown = block.text.partition("\n")
    said = shell(access, f"{_sign_in()}\n{command.removeprefix('$ ')}")
    assert missing(shown, said) == [], said
    assert missing(shown.replace("user:gil", "user:ana"), said)


def _sign_in() -> str:
    names = {"AZURE_CLIENT_ID": READER[0], "AZURE_CLIENT_SECRET": READER[1]}
    names |= {"DATABRICKS_CLIENT_ID": READER[0], "DATABRICKS_CLIENT_SECRET": READER[1]}
    return "\n".join(f"export {name}={value}" for name, value in names.items())


def test_the_tutorial_can_be_followed(access: Path) -> None:
    exports = ""
    said = ""
    for block in blocks(DOCS / "tutorial.md"):
        if block.language == "yaml":
            _edit(access, block)
        elif block.language == "console" and "becuase" not in block.text:
            shown = [line for line in block.text.splitlines() if not line.startswith("$ ")]
            commands = [line[2:] for line in block.text.splitlines() if line.startswith("$ ")]
            commands = [line for line in commands if not line.startswith(SET_UP)]
            # Each block begins in the shell that the blocks before it left behind.
            said = shell(access, "\n".join([exports, *commands]))
            exports += "".join(f"{line}\n" for line in commands if line.startswith("export "))
            assert missing("\n".join(shown), said) == [], f"{block}:\n{said}"
        elif not block.language:
            assert missing(block.text, said) == [], f"{block}:\n{said}"


def _edit(access: Path, block: Block) -> None:
    """What the reader types into the file that the block stands for."""
    path, _, name = block.mark.removeprefix("policies:").strip().partition("#")
    documents = (access / path).read_text("utf-8").split("---\n")
    (number,) = [place for place, text in enumerate(documents) if f"\nname: {name}\n" in text]
    documents[number] = block.text
    (access / path).write_text("---\n".join(documents), "utf-8")
