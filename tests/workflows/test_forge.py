"""One comment, one issue, one exit code: what the workflows keep up to date on the forge."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.report import markdown
from tests.policy.repository import Repository
from tests.workflows.conftest import FORGE, Forge
from tests.workflows.fake_gh import LIMIT

MARKER = "<!-- reconciler plan prod -->"
DRIFT = "<!-- reconciler drift prod -->"
Script = Callable[[list[str]], int]


def put(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text, "utf-8")
    return str(path)


def test_markers_are_those_of_the_report(script: Script, forge: Forge, tmp_path: Path) -> None:
    for name in ("prod", "a b--c"):
        body = put(tmp_path, "plan.md", f"{markdown.marker(name)}\n\nplan\n")
        assert script(["comment", "5", name, body, "none"]) == 0


def test_a_comment_is_made_once_and_kept_up_to_date(script: Script, forge: Forge, tmp_path: Path) -> None:
    forge.add("comments", on=5, body=f"{MARKER}\n\nplanted", user={"login": "eve"})
    forge.add("comments", on=6, body=f"{MARKER}\n\nanother pull request")
    for text in ("first", "first", "second"):
        assert script(["comment", "5", "prod", put(tmp_path, "plan.md", f"{MARKER}\n\n{text}"), "none"]) == 0
    bodies = [(each["on"], each["body"].splitlines()[-1]) for each in forge.comments()]
    assert bodies == [(5, "planted"), (6, "another pull request"), (5, "second")]
    # The second run had nothing to say.
    assert [call.split()[0] for call in forge.writes()] == ["POST", "PATCH"]


def test_environments_have_comments_of_their_own(script: Script, forge: Forge, tmp_path: Path) -> None:
    for name in ("prod", "dev", "prod"):
        body = put(tmp_path, "plan.md", f"<!-- reconciler plan {name} -->\n\n{name}")
        assert script(["comment", "5", name, body, "none"]) == 0
    assert [each["body"].splitlines()[-1] for each in forge.comments()] == ["prod", "dev"]


def test_two_comments_become_one(script: Script, forge: Forge, tmp_path: Path) -> None:
    for text in ("old", "older"):
        forge.add("comments", on=5, body=f"{MARKER}\n{text}")
    assert script(["comment", "5", "prod", put(tmp_path, "plan.md", f"{MARKER}\nnew"), "none"]) == 0
    assert [each["body"] for each in forge.comments()] == [f"{MARKER}\nnew"]


def test_a_comment_is_found_behind_many_others(script: Script, forge: Forge, tmp_path: Path) -> None:
    for number in range(250):
        forge.add("comments", on=5, body=f"talk {number}", user={"login": "ana"})
    for text in ("one", "two"):
        assert script(["comment", "5", "prod", put(tmp_path, "plan.md", f"{MARKER}\n{text}"), "none"]) == 0
    assert len(forge.comments()) == 251
    assert forge.comments()[-1]["body"] == f"{MARKER}\ntwo"


def test_why_there_is_no_plan_is_told_where_the_plan_would_be(
    script: Script, forge: Forge, tmp_path: Path
) -> None:
    said = put(tmp_path, "said.txt", "reconciler: ```\n@corp/admins <img src=x>\n````\n")
    assert script(["comment", "5", "prod", put(tmp_path, "plan.md", ""), said]) == 0
    (told,) = forge.comments()
    assert told["body"].startswith(f"{MARKER}\n")
    # A fence that the words cannot close, so nothing in them is markup.
    assert "`````text\nreconciler: ```\n@corp/admins <img src=x>\n````\n`````\n" in told["body"]
    assert "https://forge.example/corp/access/actions/runs/7" in told["body"]
    assert script(["comment", "5", "prod", str(tmp_path / "gone"), str(tmp_path / "gone")]) == 0
    assert "before anything was asked" in forge.comments()[0]["body"]


def test_a_long_error_still_fits(script: Script, forge: Forge, tmp_path: Path) -> None:
    said = put(tmp_path, "said.txt", "x" * 3 * LIMIT)
    assert script(["comment", "5", "prod", str(tmp_path / "gone"), said]) == 0


def test_what_is_no_plan_is_not_posted(
    script: Script, forge: Forge, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        script(["comment", "5", "prod", put(tmp_path, "plan.md", "no marker"), "none"])
    assert "::error::" in capsys.readouterr().out
    assert forge.writes() == []


def test_the_forges_refusal_is_the_steps_reason(
    script: Script,
    forge: Forge,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("GH_TOKEN")
    with pytest.raises(SystemExit):
        script(["comment", "5", "prod", put(tmp_path, "plan.md", MARKER), "none"])
    assert "set GH_TOKEN" in capsys.readouterr().out


def test_an_issue_stays_open_while_something_differs(script: Script, forge: Forge, tmp_path: Path) -> None:
    forge.add("issues", state="open", body=f"{DRIFT}\nplanted", user={"login": "eve"})
    forge.add("issues", state="closed", body=f"{DRIFT}\nlast month")
    for code, text in (("2", "one"), ("4", "two"), ("3", "two"), ("2", "three")):
        assert script(["issue", code, "prod", put(tmp_path, "drift.md", f"{DRIFT}\n{text}")]) == 0
    last = forge.issues()[-1]
    assert len(forge.issues()) == 3
    assert (last["title"], last["body"], last["state"]) == ("Drift in prod", f"{DRIFT}\nthree", "open")
    assert [call.split()[0] for call in forge.writes()] == ["POST", "PATCH", "PATCH"]


def test_an_issue_is_closed_when_all_is_in_step(script: Script, forge: Forge, tmp_path: Path) -> None:
    report = put(tmp_path, "drift.md", f"{DRIFT}\nreport")
    assert script(["issue", "2", "prod", report]) == 0
    assert script(["issue", "0", "prod", report]) == 0
    assert [each["state"] for each in forge.issues()] == ["closed"]
    assert forge.comments()[-1]["body"].startswith("In step again: https://forge.example/")
    # The next drift is a new issue, and nothing happens while there is none.
    assert script(["issue", "0", "prod", report]) == 0
    assert script(["issue", "2", "prod", report]) == 0
    assert [each["state"] for each in forge.issues()] == ["closed", "open"]


def test_a_night_without_a_report_changes_no_issue(script: Script, forge: Forge, tmp_path: Path) -> None:
    assert script(["issue", "2", "prod", put(tmp_path, "drift.md", f"{DRIFT}\nreport")]) == 0
    assert script(["issue", "1", "prod", str(tmp_path / "gone")]) == 0
    assert [each["body"] for each in forge.issues()] == [f"{DRIFT}\nreport"]


@pytest.mark.parametrize(
    ("command", "code", "event", "ends"),
    [
        ("plan", "0", "", 0), ("plan", "2", "", 0), ("plan", "3", "", 0), ("plan", "4", "", 0),
        ("plan", "1", "", 1), ("plan", "", "", 1), ("plan", "130", "", 1), ("plan", "-9", "", 1),
        ("drift", "0", "", 0), ("drift", "2", "", 0), ("drift", "3", "", 1), ("drift", "4", "", 1),
        ("drift", "1", "", 1), ("drift", "", "", 1),
        ("apply", "0", "push", 0), ("apply", "3", "push", 1), ("apply", "4", "push", 1),
        ("apply", "1", "schedule", 1), ("apply", "4", "schedule", 1), ("apply", "3", "schedule", 0),
        ("apply", "2", "push", 1),
    ],
)  # fmt: skip
def test_a_job_ends_as_the_exit_code_deserves(
    script: Script, command: str, code: str, event: str, ends: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script(["conclude", command, "--", code, event]) == ends
    told = capsys.readouterr().out
    assert ("::error " in told) == bool(ends)


def test_a_command_is_run_and_what_it_said_is_kept(
    forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    program = "import sys; print('::notice::out'); print('::error::planted', file=sys.stderr); sys.exit(3)"
    done = subprocess.run(
        [sys.executable, "-I", FORGE, "run", "build/out.md", "build/said.txt", "--",
         sys.executable, "-c", program],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (tmp_path / "output").read_text() == "code=3\n"
    assert (tmp_path / "build/out.md").read_text() == "::notice::out\n"
    assert (tmp_path / "build/said.txt").read_text() == "::error::planted\n"
    # The log shows it without handing the runner a command.
    assert "::" not in done.stdout + done.stderr
    assert ("out" in done.stdout, "planted" in done.stderr) == (True, True)


def test_a_summary_is_the_report_or_the_reason(script: Script, forge: Forge, tmp_path: Path) -> None:
    page = Path(forge.environ["GITHUB_STEP_SUMMARY"])
    script(["summary", put(tmp_path, "drift.md", "report\n"), "none"])
    script(["summary", "none", put(tmp_path, "said.txt", "reconciler: no such host\n")])
    assert page.read_text().startswith("report\n```text\nreconciler: no such host\n```\n")


@pytest.fixture
def merging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A clone with `main` checked out, and a branch `topic` that went its own way."""
    made = Repository(tmp_path / "clone")
    made.commit({"policies/a.yaml": "a\n", "policies/b.yaml": "b\n"})
    made.git("checkout", "-q", "-b", "topic")
    made.commit({"policies/a.yaml": "changed\n", "Makefile": "setup-demo:\n\ttouch stolen\n"}, person="eve")
    made.git("checkout", "-q", "main")
    made.commit({"policies/b.yaml": "moved on\n"}, person="noor")
    monkeypatch.chdir(made.root)
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    return made


def test_a_pull_request_is_merged_without_being_checked_out(
    script: Script, merging: Repository, tmp_path: Path
) -> None:
    head, main = merging.git("rev-parse", "topic"), merging.head()
    assert script(["merge", "5", head]) == 0
    merged = (tmp_path / "output").read_text().strip().removeprefix("commit=")
    assert merging.git("rev-list", "--parents", "-n1", merged).split() == [merged, main, head]
    assert merging.git("show", f"{merged}:policies/a.yaml") == "changed"
    assert merging.git("show", f"{merged}:policies/b.yaml") == "moved on"
    assert merging.head() == main
    assert merging.git("status", "--porcelain") == ""
    assert not (merging.root / "Makefile").exists()


def test_a_forks_commits_are_fetched(
    script: Script, merging: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = merging.git("rev-parse", "topic")
    merging.git("update-ref", "refs/pull/5/head", head)
    clone = tmp_path / "runner"
    merging.git("clone", "-q", "--single-branch", "--branch", "main", f"file://{merging.root}", str(clone))
    monkeypatch.chdir(clone)
    assert script(["merge", "5", head]) == 0
    assert "commit=" in (tmp_path / "output").read_text()


@pytest.mark.parametrize("head", ["HEAD; touch x", "--help", "topic", "0" * 39])
def test_what_is_no_commit_is_not_merged(script: Script, merging: Repository, head: str) -> None:
    with pytest.raises(SystemExit):
        script(["merge", "5", "--", head] if head.startswith("-") else ["merge", "5", head])


def test_a_conflict_is_told(
    script: Script, merging: Repository, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    merging.commit({"policies/a.yaml": "differently\n"})
    with pytest.raises(SystemExit):
        script(["merge", "5", merging.git("rev-parse", "topic")])
    assert "conflicts with the protected branch" in capsys.readouterr().out
    assert not (tmp_path / "output").exists()
