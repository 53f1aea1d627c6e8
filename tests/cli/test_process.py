"""The process around a command: only its own lines come out, whatever libraries do and whoever reads them."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.cli.desk import APPS, HOME, Desk, signed_in
from tests.cli.facts import held

PLANTED = {
    "an error while names are resolved": """
import reconciler.providers.entra.directory as directory
def broken(*arguments): raise RuntimeError("planted canary-secret-value")
directory.Who._identity = broken
""",
    "an error in one of several tasks": """
import asyncio
import reconciler.providers.entra.directory as directory
whole = directory.Who._candidates
async def broken(self, names):
    async def fail():
        await asyncio.sleep(0.01)
        raise RuntimeError("planted canary-secret-value")
    await asyncio.gather(fail(), self.learn(["11111111-0000-4000-8000-000000000001"] * 3), whole(self, names))
directory.Who._candidates = broken
""",
    "an error while a lake is read": """
import reconciler.providers.adls.reading as reading
def broken(*arguments): raise RuntimeError("planted canary-secret-value")
reading.plots = broken
""",
    "an error while a workspace is read": """
import reconciler.providers.databricks.provider as provider
def broken(*arguments): raise RuntimeError("planted canary-secret-value")
provider.read_scopes = broken
""",
}
NOISE = """
import asyncio, logging, threading, warnings
import reconciler.survey as survey
read = survey.read
class Falling:
    def __del__(self): raise RuntimeError("noise of a destructor")
async def forgotten(): raise RuntimeError("noise of a coroutine")
async def leave():
    asyncio.get_running_loop().create_task(forgotten())
    asyncio.get_running_loop().create_task(asyncio.sleep(60))
def fail(): raise RuntimeError("noise of a thread")
def noisy(*arguments):
    logging.getLogger("azure.identity").error("noise of a logger")
    logging.getLogger("databricks.sdk").warning("noise of a logger")
    logging.warning("noise of the root logger")
    warnings.warn("noise of a warning", UserWarning)
    thread = threading.Thread(target=fail); thread.start(); thread.join()
    Falling()
    forgotten()
    loop = asyncio.new_event_loop(); loop.run_until_complete(leave()); loop.close()
    return read(*arguments)
import reconciler.reconcile
reconciler.reconcile.read = noisy
"""
RUN = "\nimport sys\nfrom reconciler.cli import main\nsys.exit(main())\n"


@pytest.fixture
def real(desk: Desk) -> Desk:
    """A desk for processes, which go by the real clock."""
    desk.emulator.world.clock.frozen_at = None
    return desk


@pytest.mark.parametrize("name", PLANTED)
def test_a_fault_of_ours_is_one_line(real: Desk, name: str) -> None:
    said = real.spawn("plan", program=["-c", PLANTED[name] + RUN])
    assert said.code == 1
    assert len(said.err.splitlines()) == 1, said.err
    assert said.err.startswith("reconciler: internal error: RuntimeError in ")
    assert "RECONCILER_DEBUG=1" in said.err
    assert "canary" not in said.everything
    assert said.out == ""


def test_a_fault_of_ours_can_be_looked_into(real: Desk) -> None:
    code = PLANTED["an error while names are resolved"] + RUN
    said = real.spawn("plan", program=["-c", code], RECONCILER_DEBUG="1")
    assert said.code == 1
    assert "Traceback" in said.err
    assert "planted" in said.err
    assert said.err.splitlines()[-1].startswith("reconciler: internal error")


def test_no_library_speaks_to_the_person(real: Desk) -> None:
    said = real.spawn("plan", program=["-c", NOISE + RUN])
    assert (said.code, said.err) == (3, "")
    assert "noise" not in said.out


def test_debugging_shows_what_libraries_say_and_no_secret(real: Desk) -> None:
    said = real.spawn("plan", program=["-c", NOISE + RUN], RECONCILER_DEBUG="1")
    assert said.code == 3
    for words in ("a logger", "the root logger", "a warning", "a thread", "a destructor"):
        assert f"noise of {words}" in said.err
    assert "[urllib3.connectionpool DEBUG]" in said.err
    tokens = real.emulator.world.tokens
    assert len(tokens) >= 3
    for secret in (*tokens, "canary"):
        assert secret not in said.everything
    assert said.out == real.spawn("plan").out


def test_debugging_leaves_headers_and_forms_out() -> None:
    from reconciler.cli_process import without_secrets

    environ = {"AZURE_CLIENT_SECRET": "p4ss w0rd", "AZURE_CLIENT_ID": "0000", "SHORT_TOKEN": "a"}
    jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
    for text in (
        f"Authorization: Bearer {jwt}",
        f"{{'access_token': '{jwt}', 'expires_in': 3599}}",
        "grant_type=client_credentials&client_secret=p4ss w0rd&scope=x",
        "client_secret=unknown-secret&x=1",
        '{"refresh_token": "0.AXoA-refresh", "x": 1}',
        '{"access_token":"opaque-token"}',
        "Authorization: Basic c2VjcmV0OnNlY3JldA==",
        "https://lake.dfs.core.windows.net/x?sv=2023&sig=c2lnbmF0dXJl%3D&se=2026",
        "token dapi0123456789abcdef0123456789abcdef",
        f"client_assertion={jwt}&client_assertion_type=x",
    ):
        shown = without_secrets(text, environ)
        for secret in (jwt, "p4ss", "unknown-secret", "0.AXoA", "opaque", "c2VjcmV0", "c2lnbmF0", "dapi0"):
            assert secret not in shown, shown
    kept = "GET /v1.0/groups?$top=999 200, client 0000, secret scope pricing"
    assert without_secrets(kept, environ) == kept


def shell(desk: Desk, line: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """What a shell makes of a command line; $RECONCILER is the command."""
    command = f"{sys.executable} -m reconciler"
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; RECONCILER='{command}'; {line}"], cwd=desk.root,
        env={**os.environ, **signed_in(False), "PYTHONPATH": str(HOME), **environ},
        capture_output=True, text=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "command", ["plan", "plan --format json", "drift", "validate --format json", "--help"]
)
def test_a_reader_who_leaves_early(real: Desk, command: str) -> None:
    done = shell(real, f"$RECONCILER {command} | head -c 1")
    assert done.stderr.replace("valid: 3 documents of 1 tenant\n", "") == ""
    assert len(done.stdout) == 1


@pytest.mark.parametrize("command", ["plan", "show plan.json", "validate --format json", "--help"])
def test_a_full_disk_behind_the_output(real: Desk, command: str) -> None:
    real.spawn("plan", "--out", "plan.json")
    done = shell(real, f"$RECONCILER {command} > /dev/full")
    assert done.returncode == 1
    assert "reconciler: cannot write the output: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr


@pytest.mark.parametrize("reader", ["| head -c 1", "> /dev/full", "2> /dev/full", ">&-"])
def test_an_apply_that_nobody_can_read_goes_on(real: Desk, reader: str) -> None:
    """Half an apply because of a full disk behind a log would be worse than an apply without a log."""
    real.run("plan", "--out", "plan.json")
    real.approve_what_may_go("x")
    real.commit("lea")
    real.emulator.world.clock.frozen_at = None
    client, secret = APPS["apply"]
    names = ("AZURE", "DATABRICKS")
    environ = {
        f"{name}_CLIENT_{what}": value
        for name in names
        for what, value in (("ID", client), ("SECRET", secret))
    }
    done = shell(real, f"$RECONCILER apply {reader}", **environ)
    assert done.returncode == (0 if reader in ("2> /dev/full", ">&-") else 1)
    assert "Traceback" not in done.stderr
    facts = held(real.emulator)
    assert facts["group red-ds"]["members"] == ["user:ana", "user:bo"]
    assert "group:red-ds:r-x" in facts["path data/red"]
    lines = [
        json.loads(line)
        for file in (real.root / ".reconciler/store/test/journal").iterdir()
        for line in file.read_text("utf-8").splitlines()
    ]
    assert sum(line["event"] == "settled" for line in lines) == 3


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_closed_streams(real: Desk, closed: str) -> None:
    done = shell(real, f"$RECONCILER plan --out plan.json {closed}; echo $?")
    assert done.stdout.splitlines()[-1] == "3"
    assert "Traceback" not in done.stderr
    assert (real.root / "plan.json").is_file()


UNICODE = """
kind: group
name: red-ds
description: Daten für João und 東京
owners: [user:lea@corp.example]
members: [user:joão@corp.example]
"""


@pytest.mark.parametrize(
    "environ",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1:strict"},
    ],
    ids=str,
)
def test_an_encoding_that_lacks_letters(real: Desk, environ: dict[str, str]) -> None:
    """Names are written as escapes where the terminal cannot show them; nothing is lost or fails."""
    real.write("tenants.d/red/access.yaml", UNICODE)
    said = real.spawn("plan", **environ)
    assert said.code == 2, said.err
    assert "Traceback" not in said.err
    assert "jo" in said.out
    assert real.spawn("validate", **environ).code == 0


def on_a_terminal(
    desk: Desk,
    *arguments: str,
    columns: int = 80,
    environ: Mapping[str, str] | None = None,
    program: Sequence[str] = ("-m", "reconciler"),
) -> tuple[int, str]:
    """What a person on a terminal of this width sees, standard error included."""
    master, slave = pty.openpty()
    subprocess.run(["stty", "cols", str(columns), "rows", "40"], stdin=slave, check=True)
    process = subprocess.Popen(
        [sys.executable, *program, *arguments], cwd=desk.root,
        env={**os.environ, **signed_in(False), "PYTHONPATH": str(HOME), "TERM": "xterm-256color"}
        | dict(environ or {}),
        stdin=slave, stdout=slave, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    seen = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        if not chunk:
            break
        seen += chunk
    os.close(master)
    return process.wait(60), seen.decode("utf-8").replace("\r\n", "\n")


def test_colour_and_progress_on_a_terminal_only(real: Desk) -> None:
    code, seen = on_a_terminal(real, "plan")
    assert code == 3
    assert "\x1b[" in seen
    last = seen.rsplit("\r", 1)[-1]
    assert "Plan for test" in last, "progress leaves a clean line behind"
    piped = real.spawn("plan")
    assert "\x1b" not in piped.everything
    assert "\r" not in piped.everything


LONG_WORK = """
import threading, time
import reconciler.reconcile
import reconciler.survey as survey
def slowly(desired, cloud, inputs, tell, *more):
    def lake():
        for step in range(31):
            tell("lake paths", step * 41_000, 3_000_000)
            time.sleep(0.1)
    def groups():
        for step in range(31):
            tell("Entra groups", step, 50)
            time.sleep(0.1)
    threads = [threading.Thread(target=each) for each in (lake, groups)]
    for each in threads: each.start()
    for each in threads: each.join()
    return survey.read(desired, cloud, inputs, tell, *more)
reconciler.reconcile.read = slowly
"""
"""Two providers that take three seconds, told of from a thread each."""


def test_long_work_shows_its_pace_in_one_line_of_80_columns(real: Desk) -> None:
    code, seen = on_a_terminal(real, "plan", environ={"NO_COLOR": "1"}, program=["-c", LONG_WORK + RUN])
    assert code == 3
    *looks, rest = seen.split("\r")
    assert rest.startswith("Plan for test"), "progress leaves a clean line behind"
    assert max(map(len, looks)) < 80
    assert not any("\n" in look for look in looks)
    told = [look for look in looks if "lake paths" in look and "Entra groups" in look]
    assert any("/s, " in look and " left" in look for look in told), told[-3:]


def test_three_seconds_are_no_long_work_for_a_log(real: Desk) -> None:
    said = real.spawn("plan", program=["-c", LONG_WORK + RUN])
    assert (said.code, said.err) == (3, "")


def test_long_work_is_told_to_a_log_in_lines(real: Desk) -> None:
    hurried = "import reconciler.cli_progress as told\ntold.FIRST = 1.0\n"
    said = real.spawn("plan", program=["-c", hurried + LONG_WORK + RUN])
    assert said.code == 3
    lines = said.err.splitlines()
    assert 2 <= len(lines) <= 4, "one round, and what became of it"
    assert all(re.fullmatch(r"progress what=[\w-]+ done=\d+( \w+=[\d.]+)*", text) for text in lines), said.err


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_no_colour_where_none_is_wanted(real: Desk, environ: dict[str, str]) -> None:
    code, seen = on_a_terminal(real, "plan", environ=environ)
    assert code == 3
    assert "\x1b" not in seen


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_plan_fits_its_terminal(real: Desk, columns: int) -> None:
    code, seen = on_a_terminal(real, "plan", columns=columns, environ={"NO_COLOR": "1"})
    assert code == 3
    lines = seen.rsplit("\r", 1)[-1].splitlines()
    assert max(map(len, lines)) <= max(columns, 80)
    if columns == 200:
        assert max(map(len, lines)) > 100


def test_the_same_words_on_a_terminal_and_in_a_pipe(real: Desk) -> None:
    _, seen = on_a_terminal(real, "plan", columns=100, environ={"NO_COLOR": "1"})
    assert seen.rsplit("\r", 1)[-1] == real.spawn("plan").out


def test_validate_loads_no_sdk(real: Desk) -> None:
    """`validate` answers in an editor's time: what it loads is the policy language and nothing else."""
    code = (
        "import sys\nfrom reconciler.cli import main\nassert main(['validate']) == 0\n"
        "print(' '.join(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    said = real.spawn(program=["-c", code])
    loaded = set(said.out.split())
    heavy = {"azure", "databricks", "msgraph", "msgraph_core", "kiota_http", "msal", "aiohttp", "httpx",
             "requests", "cryptography", "git", "uvicorn", "rich", "opentelemetry", "asyncio"}  # fmt: skip
    assert loaded & heavy == set()
    assert "pydantic" in loaded


def test_version_and_package_agree(desk: Desk) -> None:
    import reconciler

    assert desk.run("--version").out == f"reconciler {reconciler.__version__}\n"
    assert f'version = "{reconciler.__version__}"' in (Path(HOME) / "pyproject.toml").read_text("utf-8")
