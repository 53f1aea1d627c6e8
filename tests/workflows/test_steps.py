"""The steps of the workflows, carried out as they are written, on the emulated cloud and a fake forge."""

from __future__ import annotations

import copy
import json
import os
import shutil
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reconciler import cli
from reconciler.cli_demo import READER, WRITER, redirect
from reconciler.cli_emulator import read_seed
from reconciler.emulator.server import Emulator, running
from tests.architecture.source import ROOT
from tests.policy.repository import Repository
from tests.workflows.conftest import Forge
from tests.workflows.flows import Runner, flow

LOCAL = "policies/environments/local.yaml"
GROUPS = "tenants.d/pricing/groups.yaml"
MARKER = "<!-- reconciler plan local -->"
WRITES = {"PUT", "PATCH", "DELETE"}

pytestmark = pytest.mark.emulator


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running(read_seed(None), tmp_path_factory.mktemp("tls") / "ca.pem") as emulator:
        yield emulator


@dataclass
class Repositories:
    """The forge's repository, and the clone that a runner makes of it."""

    origin: Repository
    clone: Path
    cloud: Emulator
    forge: Forge
    events: dict[str, str] = field(default_factory=dict)

    def edit(self, path: str, old: str, new: str) -> dict[str, str]:
        """A file of the origin with one passage changed."""
        text = (self.origin.root / path).read_text("utf-8")
        assert old in text
        return {path: text.replace(old, new)}

    def propose(self, files: Mapping[str, str], person: str = "ana") -> str:
        """A branch with these files, as a pull request from the repository itself; its head."""
        self.origin.git("checkout", "-q", "-B", "topic", "main")
        head = self.origin.commit(dict(files), person)
        self.origin.git("checkout", "-q", "main")
        return head

    def carry_out(self, name: str, identity: tuple[str, str], **given: str) -> Runner:
        """Run the only job of a workflow in a fresh clone of the protected branch."""
        shutil.rmtree(self.clone, ignore_errors=True)
        self.origin.git("clone", "-q", f"file://{self.origin.root}", str(self.clone))
        _install(self.clone)
        (job,) = flow(name).jobs.values()
        runner = Runner(
            self.clone, {**_given(identity), **given}, {**self.forge.environ, **_environ(identity)}
        )
        self.cloud.world.log.clear()
        runner.run(self.changed(job))
        return runner

    def changed(self, job: Mapping[str, Any]) -> Mapping[str, Any]:
        """The job, with passages of its steps replaced where a test plants a fault."""
        job = copy.deepcopy(dict(job))
        for step in job["steps"]:
            for old, new in self.events.items():
                step["run"] = step.get("run", "").replace(old, new)
        return job

    def plan(self, files: Mapping[str, str], number: str = "5") -> Runner:
        """What a pull request with these files makes of plan.yml."""
        head = self.propose(files)
        event = "github.event.pull_request"
        return self.carry_out("plan", READER, **{f"{event}.number": number, f"{event}.head.sha": head})

    def written(self) -> list[str]:
        """The requests that wrote to the cloud; a POST that asks is none."""
        return [
            f"{entry.method} {entry.path}" for entry in self.cloud.world.log.entries if entry.method in WRITES
        ]


def _install(clone: Path) -> None:
    """What `make setup-demo` leaves behind, as far as the steps use it."""
    folder = clone / ".venv/bin"
    folder.mkdir(parents=True)
    for name, module in (("python", ""), ("reconciler", "-m reconciler")):
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        program.chmod(0o755)


def _given(identity: tuple[str, str]) -> dict[str, str]:
    return {
        "github.token": "token",
        "matrix.environment": "local",
        "vars.AZURE_CLIENT_ID": identity[0],
        "vars.DATABRICKS_CLIENT_ID": identity[0],
    }


def _environ(identity: tuple[str, str]) -> dict[str, str]:
    """The emulator knows these identities by secrets, where a forge would vouch for the job."""
    secrets = dict.fromkeys(("AZURE_CLIENT_SECRET", "DATABRICKS_CLIENT_SECRET"), identity[1])
    return {**secrets, "PYTHONPATH": str(ROOT), "HOME": os.devnull}


@pytest.fixture
def repositories(cloud: Emulator, forge: Forge, tmp_path: Path) -> Repositories:
    """The sample estate in a repository of its own, with `local` at the emulator's ports."""
    cloud.reset(read_seed(None))
    origin = Repository(tmp_path / "origin")
    for folder in ("policies", "tenants.d", ".github"):
        shutil.copytree(ROOT / folder, origin.root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    local = origin.root / LOCAL
    redirect(local, cloud)
    text = local.read_text("utf-8").replace("patience: 10", "patience: 2")
    local.write_text(text.replace(".reconciler/emulator-ca.pem", str(cloud.ca_file)), "utf-8")
    origin.commit({".gitignore": ".venv/\nbuild/\n.reconciler/\n"}, person="noor")
    return Repositories(origin, tmp_path / "clone", cloud, forge)


def test_a_pull_request_gets_one_comment_that_follows_it(repositories: Repositories, forge: Forge) -> None:
    more = repositories.edit(GROUPS, "  - user:joao@corp.example\n", "")
    ran = repositories.plan(more)
    assert ran.failed == [], ran.log
    (told,) = forge.comments()
    assert told["body"].startswith(MARKER)
    assert "user:joao@corp.example" in told["body"]
    assert "come from files that this" in told["body"]
    saved = json.loads((repositories.clone / "build/plan.json").read_text("utf-8"))
    assert "user:joao@corp.example" in {each["principal"] for each in saved["actions"]}
    assert repositories.written() == []
    again = repositories.plan(repositories.edit(GROUPS, "  - user:ana@corp.example\n", ""))
    assert again.failed == [], again.log
    (now,) = forge.comments()
    assert now["id"] == told["id"]
    assert "user:joao@corp.example" not in now["body"]


def test_nothing_of_a_pull_request_is_run_or_lies_about(repositories: Repositories, tmp_path: Path) -> None:
    stolen = tmp_path / "stolen"
    theft = f"from pathlib import Path\nPath({str(stolen)!r}).touch()\n"
    hostile = {
        ".github/scripts/forge.py": theft,
        "reconciler/cli.py": theft,
        "sitecustomize.py": theft,
        "argparse.py": theft,
        "Makefile": f"setup-demo:\n\ttouch {stolen}\n",
        ".gitattributes": "*.yaml filter=steal merge=steal diff=steal\n",
        ".mailmap": "Noor <noor@corp.example> Ana <ana@corp.example>\n",
        **repositories.edit(GROUPS, "  - user:joao@corp.example\n", ""),
    }
    ran = repositories.plan(hostile)
    assert ran.failed == [], ran.log
    assert not stolen.exists()
    assert not (repositories.clone / "sitecustomize.py").exists()
    assert "joao" in (repositories.clone / GROUPS).read_text("utf-8")


@pytest.fixture
def stranger() -> Iterator[tuple[int, list[str]]]:
    """Somebody's own endpoint: its port, and whoever called there."""
    callers: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            try:
                while True:
                    connection, place = server.accept()
                    callers.append(str(place))
                    connection.close()
            except OSError:
                return

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield server.getsockname()[1], callers
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_no_token_goes_where_a_pull_request_says(
    repositories: Repositories, stranger: tuple[int, list[str]], forge: Forge
) -> None:
    port, callers = stranger
    graph = repositories.cloud.url("graph")
    ran = repositories.plan(repositories.edit(LOCAL, graph, f"https://127.0.0.1:{port}"))
    assert callers == []
    assert repositories.cloud.world.log.entries == []
    assert ran.failed == [], ran.log
    assert "nobody has reviewed them" in forge.comments()[0]["body"]


def test_without_that_option_it_would(repositories: Repositories, stranger: tuple[int, list[str]]) -> None:
    port, callers = stranger
    repositories.events[" --endpoints-of HEAD"] = ""
    repositories.plan(repositories.edit(LOCAL, repositories.cloud.url("graph"), f"https://127.0.0.1:{port}"))
    assert callers


def test_what_does_not_move_endpoints_is_planned(repositories: Repositories, forge: Forge) -> None:
    gap = (
        "accepted-gaps:\n  - address: entra/corp-local/group/fraud-investigations\n"
        "    until: 2099-12-31\n    because: hidden\npatience: 3\n"
    )
    ran = repositories.plan(repositories.edit(LOCAL, "patience: 2\n", gap))
    assert ran.failed == [], ran.log
    assert "Accepted gaps" in forge.comments()[0]["body"]


def test_an_invalid_pull_request_asks_nobody(repositories: Repositories, forge: Forge) -> None:
    ran = repositories.plan(repositories.edit(GROUPS, "kind: group", "kind: gruop"))
    assert ran.failed == ["Validate"]
    assert f"::error file={GROUPS},line=" in ran.log
    assert repositories.cloud.world.log.entries == []
    assert forge.comments()[0]["body"].startswith(MARKER)
    assert "No plan for `local`" in forge.comments()[0]["body"]


def test_validate_needs_no_identity(repositories: Repositories) -> None:
    event = "github.event.pull_request"
    for files, failed in (
        (repositories.edit(GROUPS, "  - user:joao@corp.example\n", ""), []),
        (repositories.edit(GROUPS, "kind: group", "kind: gruop"), ["Validate"]),
    ):
        given = {f"{event}.number": "5", f"{event}.head.sha": repositories.propose(files)}
        assert repositories.carry_out("validate", ("", ""), **given).failed == failed
        assert repositories.cloud.world.log.entries == []


def test_drift_opens_an_issue_and_fails_for_what_is_unknown(repositories: Repositories, forge: Forge) -> None:
    ran = repositories.carry_out("drift", READER)
    # The sample estate has a group whose members nobody may read.
    assert ran.failed == ["Conclude"], ran.log
    assert "::error title=drift 4::unknown" in ran.log
    (issue,) = forge.issues()
    assert issue["body"].startswith("<!-- reconciler drift local -->")
    assert Path(forge.environ["GITHUB_STEP_SUMMARY"]).read_text("utf-8") == issue["body"]
    assert json.loads((repositories.clone / "build/drift.json").read_text("utf-8"))["actions"]
    assert repositories.written() == []


def test_apply_sends_nothing_that_nobody_approved(repositories: Repositories, forge: Forge) -> None:
    ran = repositories.carry_out("apply", WRITER, **{"github.event_name": "push"})
    assert ran.failed == ["Conclude"], ran.log
    assert repositories.written() == []
    assert "nothing sent" in Path(forge.environ["GITHUB_STEP_SUMMARY"]).read_text("utf-8")


def test_what_is_approved_from_a_saved_plan_is_applied(
    repositories: Repositories, forge: Forge, tmp_path: Path
) -> None:
    ran = repositories.plan(repositories.edit(GROUPS, "description: Data scientists of pricing\n", ""))
    assert ran.failed == [], ran.log
    saved = tmp_path / "plan.json"
    shutil.copy(repositories.clone / "build/plan.json", saved)
    approved = ["--root", str(repositories.origin.root), "approve", str(saved), "--because", "CHG-1"]
    assert cli.main([*approved, "--tenant", "pricing"]) == 0
    repositories.origin.commit({}, person="lea")
    ran = repositories.carry_out("apply", WRITER, **{"github.event_name": "push"})
    page = Path(forge.environ["GITHUB_STEP_SUMMARY"]).read_text("utf-8")
    assert "verified" in page, ran.log
    assert repositories.written()
    # The group that nobody may read keeps the run from saying that all is well.
    assert "::error title=apply 4::" in ran.log
