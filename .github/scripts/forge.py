"""What the workflows do beside running the reconciler: commits, comments, issues, exit codes.

Its law: nothing of a pull request is executed or put into a working tree; git reads its commits as data, and
whatever they make the reconciler say is text between fences.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

BOT = "github-actions[bot]"
"""Who the token of a workflow speaks as: what others wrote is never overwritten."""
LONGEST_SAID = 10_000
"""Characters of an error that are shown in a comment."""
COMMITTER = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in {"NAME": "plan", "EMAIL": "plan@localhost", "DATE": "2000-01-01T00:00:00Z"}.items()
}

ENDS: Mapping[str, Mapping[int, tuple[str, str]]] = {
    "plan": {
        0: ("ok", "in step"),
        2: ("ok", "the comment shows what would change"),
        3: ("warning", "guardrails refuse a part, or the change says where to sign in: see the comment"),
        4: ("warning", "a part could not be read, and the comment names it: nothing there is touched"),
        1: ("error", "no whole plan: mend what the comment names"),
    },
    "drift": {
        0: ("ok", "in step"),
        2: ("ok", "something differs: the issue holds the report"),
        3: ("error", "something differs, and guardrails refuse a part of it: the issue holds the report"),
        4: ("error", "unknown: a part could not be read, so nobody can say that all is in step"),
        1: ("error", "no whole report: mend what it names"),
    },
    "apply": {
        0: ("ok", "everything approved is done and verified"),
        3: ("error", "refused or not approved: the summary names what was not sent, and why"),
        4: ("error", "unknown: sent and not seen to work, or a part could not be read; plan again"),
        1: ("error", "failed: the summary names the cause; mend it and run this again"),
    },
}
"""Per command, what an exit code means for whoever looks at the run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one of the steps."""
    parser = argparse.ArgumentParser(prog="forge.py", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    for name, places in {
        "merge": ("number", "head"),
        "comment": ("number", "environment", "body", "said"),
        "issue": ("code", "environment", "body"),
        "summary": ("body", "said"),
        "conclude": ("command", "code"),
        "run": ("out", "said"),
    }.items():
        step = steps.add_parser(name)
        for place in places:
            step.add_argument(place, type=Path if place in {"body", "said", "out"} else str)
    steps.choices["conclude"].add_argument("event", nargs="?", default="")
    steps.choices["run"].add_argument("command", nargs=argparse.REMAINDER)
    given = vars(parser.parse_args(arguments))
    return STEPS[given.pop("step")](**given) or 0


def merge(number: str, head: str) -> None:
    """Merge a pull request into the commit that is checked out, without checking anything out."""
    if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", head) is None or not number.isdigit():
        stop(f"{head!r} of pull request {number!r} is no commit")
    if _git("cat-file", "-e", f"{head}^{{commit}}").returncode != 0:
        # A fork's commits come with no branch of this repository.  gh answers git's question for a password.
        _known("-c", "credential.helper=", "-c", "credential.helper=!gh auth git-credential",
               "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "origin",
               f"refs/pull/{number}/head")  # fmt: skip
    merged = _git("merge-tree", "--write-tree", "--no-messages", "HEAD", head)
    if merged.returncode == 1:
        stop("the pull request conflicts with the protected branch; merge or rebase it, then this runs again")
    if merged.returncode != 0:
        stop(merged.stderr.strip() or "git merge-tree failed")
    tree = merged.stdout.split()[0]
    _output("commit", _known("commit-tree", tree, "-p", "HEAD", "-p", head, "-m", f"Pull request {number}"))


def run(out: Path, said: Path, command: list[str]) -> None:
    """Run a command; keep its output, its words and its exit code for the steps that follow."""
    out.parent.mkdir(parents=True, exist_ok=True)
    if command[:1] == ["--"]:
        del command[0]
    with out.open("wb") as output, said.open("w", encoding="utf-8") as words:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace"
        )
        for line in process.stderr or ():
            words.write(line)
            sys.stderr.write(_unmarked(line))
        code = process.wait()
    for line in out.read_text("utf-8", "replace").splitlines():
        _tell(_unmarked(line))
    _tell(f"exit code {code}")
    _output("code", str(code))


def comment(number: str, environment: str, body: Path, said: Path) -> None:
    """Keep one comment of a pull request up to date, found again by its first line."""
    text = body.read_text("utf-8") if body.is_file() else ""
    if not text.strip():
        text = f"{marker('plan', environment)}\n\n## No plan for `{environment}`\n\n{_why(said)}\n"
    first = text.partition("\n")[0]
    if first != marker("plan", environment):
        stop(f"{body} does not begin with {marker('plan', environment)!r}")
    path = f"repos/{_repository()}/issues/{number}/comments"
    own = [each for each in _pages(path) if _is_own(each, first)]
    if not own:
        _api("POST", path, {"body": text})
    for superfluous in own[1:]:
        _api("DELETE", f"repos/{_repository()}/issues/comments/{superfluous['id']}")
    if own and own[0]["body"] != text:
        _api("PATCH", f"repos/{_repository()}/issues/comments/{own[0]['id']}", {"body": text})


def issue(code: str, environment: str, body: Path) -> None:
    """Keep one issue open while something differs, with the newest report; close it when all is in step."""
    path = f"repos/{_repository()}/issues"
    first = marker("drift", environment)
    own = [each for each in _pages(f"{path}?state=open") if _is_own(each, first)]
    if code == "0":
        for each in own:
            _api("POST", f"{path}/{each['number']}/comments", {"body": f"In step again: {_run_link()}."})
            _api("PATCH", f"{path}/{each['number']}", {"state": "closed", "state_reason": "completed"})
        return
    if not body.is_file():
        return  # There is no report: what was known yesterday stays, and the run fails with the reason.
    text = body.read_text("utf-8")
    if text.partition("\n")[0] != first:
        stop(f"{body} does not begin with {first!r}")
    if not own:
        _api("POST", path, {"title": f"Drift in {environment}", "body": text})
    elif own[0]["body"] != text:
        _api("PATCH", f"{path}/{own[0]['number']}", {"body": text})


def summary(body: Path, said: Path) -> None:
    """Show a report on the run's own page, or why there is none."""
    text = body.read_text("utf-8") if body.is_file() else ""
    with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as page:
        page.write(text or f"{_why(said)}\n")


def conclude(command: str, code: str, event: str) -> int:
    """End the job as the exit code deserves, with the reason in words."""
    known = ENDS[command]
    ended = int(code) if code.isdigit() else -1
    level, text = known.get(ended, ("error", f"{command} ended with {code or 'no exit code'}"))
    if (command, ended, event) == ("apply", 3, "schedule"):
        # At night somebody else's drift waits for approval as often as not; the drift report says so.
        level = "warning"
    _tell(f"{command}: {text}" if level == "ok" else f"::{level} title={command} {code}::{text}")
    return 1 if level == "error" else 0


def marker(what: str, environment: str) -> str:
    """The first line of a comment or an issue, by which it is found again: the reconciler writes the same."""
    return f"<!-- reconciler {what} {re.sub(r'[^A-Za-z0-9._]+', '-', environment[:200])} -->"


def stop(text: str) -> NoReturn:
    """End the step with a reason that the run's page shows."""
    _tell(f"::error::{text.replace('%', '%25').replace(chr(13), '%0D').replace(chr(10), '%0A')}")
    raise SystemExit(1)


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _why(said: Path) -> str:
    """What the reconciler said instead of an answer, as text that no forge takes for markup."""
    words = said.read_text("utf-8").strip()[:LONGEST_SAID] if said.is_file() else ""
    if not words:
        return f"It came to nothing before anything was asked: {_run_link()}."
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", words)), default=0))
    return f"{fence}text\n{words}\n{fence}\n\n{_run_link()}"


def _unmarked(line: str) -> str:
    """A line for the log that the runner does not take for a command of the workflow."""
    return re.sub(r"(?:::|##\[)", lambda found: f"{found[0][0]}\u200b{found[0][1:]}", line)


def _run_link() -> str:
    environ = os.environ
    return f"{environ['GITHUB_SERVER_URL']}/{_repository()}/actions/runs/{environ['GITHUB_RUN_ID']}"


def _repository() -> str:
    return os.environ["GITHUB_REPOSITORY"]


def _is_own(thing: Mapping[str, Any], first: str) -> bool:
    """Whether a comment or an issue was written here before, and by nobody else."""
    author = (thing.get("user") or {}).get("login")
    return author == BOT and "pull_request" not in thing and (thing.get("body") or "").startswith(first)


def _pages(path: str) -> Iterable[Mapping[str, Any]]:
    """Everything that a listing holds, oldest first, page by page."""
    joint = "&" if "?" in path else "?"
    pages = _gh("--paginate", "--slurp", f"{path}{joint}per_page=100&sort=created&direction=asc")
    return [each for page in pages for each in page]


def _api(method: str, path: str, fields: Mapping[str, str] | None = None) -> None:
    feed = ("--input", "-") if fields else ()
    _gh("--method", method, path, *feed, feed=json.dumps(fields) if fields else None)


def _gh(*arguments: str, feed: str | None = None) -> Any:
    done = subprocess.run(["gh", "api", *arguments], input=feed, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        stop(f"gh api {arguments[-1]}: {done.stderr.strip() or done.stdout.strip()}")
    return json.loads(done.stdout) if done.stdout.strip() else None


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *arguments], capture_output=True, text=True, check=False, env={**os.environ, **COMMITTER}
    )


def _known(*arguments: str) -> str:
    """What git answers; ends the step with its words where it fails."""
    done = _git(*arguments)
    if done.returncode != 0:
        stop(done.stderr.strip() or f"git {arguments[0]} failed")
    return done.stdout.strip()


def _output(name: str, value: str) -> None:
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as outputs:
        outputs.write(f"{name}={value}\n")


STEPS: Mapping[str, Callable[..., int | None]] = {
    "merge": merge, "run": run, "comment": comment, "issue": issue, "summary": summary, "conclude": conclude,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
