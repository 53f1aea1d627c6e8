"""Output, exit, environment and clock belong to the command line, which passes them down."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.architecture.source import Source, dotted_names, sources

FORBIDDEN = re.compile(
    r"""
    print | input | exit | quit | breakpoint | SystemExit
    | sys\.(?: exit | stdout | stderr | stdin | argv )(?:\..*)?
    | os\.(?: environb? | getenvb? | putenv | unsetenv | _exit | abort )(?:\..*)?
    | time\.(?: time | time_ns | localtime | gmtime | ctime )
    | datetime\.datetime\.(?: now | utcnow | today )
    | datetime\.date\.today
    | uuid\.uuid[14]
    """,
    re.VERBOSE,
)

CORE_FORBIDDEN = re.compile(r"open | io\.open | hash", re.VERBOSE)
"""Files; and the built-in hash of strings, which differs from one process to the next."""


def effect_violations(source: Source) -> Iterator[str]:
    """Uses of the process and of the clock in a file that should be handed them."""
    if source.is_command_line or source.is_emulator:
        return
    in_core = source.path.startswith("reconciler/core/")
    for line, name in dotted_names(source):
        if FORBIDDEN.fullmatch(name) or (in_core and CORE_FORBIDDEN.fullmatch(name)):
            yield source.at(line, f"{name} belongs to reconciler/cli*; take it as a parameter")


def test_effects_stay_in_the_command_line() -> None:
    assert [text for source in sources("reconciler") for text in effect_violations(source)] == []


@pytest.mark.parametrize(
    "text",
    [
        "print('hello')",
        "import sys\nsys.exit(1)",
        "from sys import exit as leave\nleave(1)",
        "raise SystemExit(1)",
        "import sys\nsys.stderr.write('x')",
        "import os\nhome = os.environ['HOME']",
        "from os import environ\nenviron.get('HOME')",
        "import os\nos.getenv('HOME')",
        "import time\nstarted = time.time()",
        "from time import time\ntime()",
        "import time\ndef wait(clock=time.time): ...",
        "from datetime import datetime, UTC\ndatetime.now(UTC)",
        "import datetime as dt\ndt.datetime.utcnow()",
        "from datetime import date\ndate.today()",
        "from uuid import uuid4\nuuid4()",
    ],
)
def test_an_effect_is_caught(text: str) -> None:
    for path in ("reconciler/apply.py", "reconciler/providers/entra/client.py", "reconciler/core/plan.py"):
        assert list(effect_violations(Source(path, text))), path
    for path in (
        "reconciler/cli.py",
        "reconciler/cli_demo.py",
        "reconciler/cli/plan.py",
        "reconciler/__main__.py",
    ):
        assert not list(effect_violations(Source(path, text))), path
    assert not list(effect_violations(Source("reconciler/emulator/clock.py", text)))


@pytest.mark.parametrize(
    "text",
    [
        "console.print('hello')",
        "def until(now): return now()",
        "from datetime import datetime\ndatetime.fromisoformat('2027-01-31')",
        "import time\nstarted = time.monotonic()",
        "self.exit = 3",
        "class Door:\n    exit: int = 3",
    ],
)
def test_what_is_no_effect_passes(text: str) -> None:
    assert list(effect_violations(Source("reconciler/apply.py", text))) == []


def test_core_opens_no_file_and_trusts_no_salted_hash() -> None:
    for text in ("open('x')", "hash('x')"):
        assert list(effect_violations(Source("reconciler/core/diff.py", text)))
        assert not list(effect_violations(Source("reconciler/policy/loader.py", text)))
