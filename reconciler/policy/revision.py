"""Policies as one git commit holds them, whatever lies in the working tree.

GitPython opens and checks the repository; the files come out of one `git cat-file --batch`, as reading
thousands of objects one by one costs ten times as much.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.core.errors import PolicyError
from reconciler.core.vocabulary import Problem
from reconciler.policy.tree import (
    FOLDERS,
    PLATFORM_FOLDER,
    TENANTS_FOLDER,
    File,
    Listing,
    collisions,
    is_policy,
    odd_name,
    oversize,
    problem,
    skipped,
)

if TYPE_CHECKING:
    from git import Repo

# A replacement object or a local setting must not change what a commit is said to hold.
PLAIN_GIT = (
    "--no-replace-objects", "--literal-pathspecs", "-c", "core.quotePath=false",
    "-c", "log.showSignature=false", "-c", "blame.ignoreRevsFile=",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Revision:
    """The policies at one commit.  Make it with `open_revision`, which checks that the commit exists."""

    repo: Repo
    commit: str
    prefix: str = ""
    """The folder of the policies inside the repository, ending in a slash; "" for its root."""

    @property
    def revision(self) -> str:
        return self.commit

    def read(self) -> Listing:
        """Every policy file of the commit; raises PolicyError when it holds none of the two folders."""
        problems: list[Problem] = []
        wanted: list[tuple[str, str]] = []
        top = self.prefix + "{}"
        listing = git(self.repo, "ls-tree", "-r", "-l", "-z", "--full-tree", self.commit, "--",
                      *(top.format(folder) for folder in FOLDERS))  # fmt: skip
        for line in listing.split(b"\0"):
            if line:
                self._admit(line, wanted, problems)
        if not listing:
            raise PolicyError(
                f"commit {self.commit[:12]} holds no {self.prefix}{PLATFORM_FOLDER}/ and no "
                f"{self.prefix}{TENANTS_FOLDER}/; name the folder that holds them with --root"
            )
        wanted.sort()
        blobs = self._blobs([sha for _, sha in wanted])
        files = tuple(File(path, data) for (path, _), data in zip(wanted, blobs, strict=True))
        problems.extend(collisions(file.path for file in files))
        return Listing(files=files, problems=tuple(problems))

    def _admit(self, line: bytes, wanted: list[tuple[str, str]], problems: list[Problem]) -> None:
        """Take one entry of the listing, `mode type sha size<tab>path`, or say why not."""
        head, _, raw = line.partition(b"\t")
        mode, _, sha, size = head.decode("ascii").split()
        path = raw.decode("utf-8", "surrogateescape").removeprefix(self.prefix)
        fault = odd_name(path)
        if not fault and any(skipped(part) for part in path.split("/")):
            return
        if not fault and mode == "120000":
            fault = "is a symbolic link; put the file itself here"
        if not fault and mode == "160000":
            fault = "is a submodule; policies have to be in this repository, where they are reviewed"
        if not fault and is_policy(path):
            fault = oversize(path, int(size) if size.isdigit() else 0)
            if not fault:
                wanted.append((path, sha))
        if fault:
            problems.append(problem(path, fault))

    def _blobs(self, shas: list[str]) -> list[bytes]:
        """The contents of these objects, in their order."""
        if not shas:
            return []
        answer = git(self.repo, "cat-file", "--batch", feed="\n".join([*shas, ""]).encode("ascii"))
        blobs = []
        at = 0
        for sha in shas:
            end = answer.index(b"\n", at)
            head = answer[at:end].split()
            if len(head) != 3 or head[0].decode("ascii") != sha:
                raise PolicyError(
                    f"object {sha[:12]} of commit {self.commit[:12]} is not in this clone; fetch all of it"
                )
            size = int(head[2])
            blobs.append(answer[end + 1 : end + 1 + size])
            at = end + 1 + size + 1
        return blobs


def open_revision(root: Path, name: str = "HEAD") -> Revision:
    """The policies below this folder at a commit, branch or tag; raises PolicyError when there is none."""
    # Costs a quarter of a second, which `validate` on a working tree need not pay.
    from git import Repo
    from git.exc import InvalidGitRepositoryError, NoSuchPathError

    try:
        repo = Repo(root, search_parent_directories=True)
    except (InvalidGitRepositoryError, NoSuchPathError):
        raise PolicyError(
            f"{root} is in no git repository; clone the policies, or name their folder with --root"
        ) from None
    answer = git(repo, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}", missing=True)
    commit = answer.decode("ascii", "replace").strip()
    if not commit:
        raise PolicyError(f"{name!r} is no commit of {root}; fetch it, or name another with --revision")
    prefix = ""
    if repo.working_tree_dir is not None:
        inside = Path(root).resolve().relative_to(Path(repo.working_tree_dir).resolve()).as_posix()
        prefix = "" if inside == "." else f"{inside}/"
    return Revision(repo, commit, prefix)


def changed_files(root: Path, since: str, revision: str | None = None) -> frozenset[str]:
    """The policy files that are not as they were where this line of work left the revision `since`.

    Compared is the working tree, or `revision` where one is given.  Raises PolicyError for an unknown
    revision.  In a pull request this is what the request changes.
    """
    here = open_revision(root, revision or "HEAD")
    then = open_revision(root, since)
    fork = git(here.repo, "merge-base", then.commit, here.commit, missing=True).decode().split()
    folders = [here.prefix + folder for folder in FOLDERS]
    plain = ("--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv")
    compared = [fork[0] if fork else then.commit, *([here.commit] if revision else [])]
    differing = git(here.repo, "diff", *plain, *compared, "--", *folders)
    untracked = ("ls-files", "--others", "-z", "--exclude-standard", "--", *folders)
    unknown = b"" if revision else git(here.repo, *untracked)
    return frozenset(
        path.decode("utf-8", "surrogateescape").removeprefix(here.prefix)
        for path in (*differing.split(b"\0"), *unknown.split(b"\0"))
        if path
    )


def git(repo: Repo, *arguments: str, feed: bytes | None = None, missing: bool = False) -> bytes:
    """What git answers; raises PolicyError with its own words, or gives b"" where `missing` allows it."""
    from git.exc import GitCommandError, GitCommandNotFound

    try:
        process: Any = repo.git.execute(
            ["git", *PLAIN_GIT, *arguments],
            as_process=True,
            istream=subprocess.PIPE if feed is not None else subprocess.DEVNULL,
        )
        answer, complaint = process.communicate(feed)
    except (GitCommandNotFound, GitCommandError) as error:
        raise PolicyError(f"git cannot be run: {error}") from None
    if process.returncode == 0:
        return bytes(answer)
    if missing:
        return b""
    said = complaint.decode("utf-8", "replace").strip().splitlines() or [f"exit code {process.returncode}"]
    raise PolicyError(f"git {arguments[0]} in {repo.git_dir}: {said[-1]}")
