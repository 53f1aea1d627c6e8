"""Who wrote what is in a commit, and who brought it there: what approvals are judged by.

Names and addresses are what the commits say, letter for letter; a mailmap in the repository, which a pull
request could edit, does not rewrite them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from reconciler.core.errors import PolicyError
from reconciler.policy.revision import Revision, git

_FIELDS = ("%H", "%P", "%an", "%ae", "%ce", "%aI")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit; mail addresses are in lower case."""

    sha: str
    parents: tuple[str, ...]
    author: str
    email: str
    committer_email: str
    """A forge that merges by squashing puts its own address here."""
    date: datetime

    @property
    def is_merge(self) -> bool:
        """Whether it joins two lines of history, as a merged pull request does."""
        return len(self.parents) > 1


class History:
    """The history of some files up to one commit.

    Each question answers for a file as it is at that commit, and raises PolicyError for a file that is not
    there.  All of them are answered by a few calls of git, however many files there are.
    """

    def __init__(self, revision: Revision, paths: Iterable[str]) -> None:
        """Raises PolicyError for a shallow clone, whose oldest commit would pass for everybody's work."""
        self._revision = revision
        self._paths = tuple(sorted(set(paths)))
        if git(revision.repo, "rev-parse", "--is-shallow-repository").strip() == b"true":
            raise PolicyError(
                "this clone is shallow, and who wrote a file cannot be told from it; fetch the whole "
                "history (`git fetch --unshallow`, or `fetch-depth: 0` for actions/checkout)"
            )

    def introduced(self, path: str) -> tuple[Commit, ...]:
        """The commits that gave the file its present content, newest first.

        They differ from all their parents; there are several when the same content was committed twice.
        """
        blob = self._present(path)
        return tuple(commit for commit, blobs in self._log if self._gave(commit, blobs.get(path, ()), blob))

    def last_change(self, path: str) -> Commit:
        """The newest commit that gave the file its present content."""
        return self.introduced(path)[0]

    def landed(self, path: str) -> tuple[Commit, ...]:
        """The commits of the branch itself that brought the present content in, newest first.

        Only first parents are followed, so this is the merge of a pull request, whose author is who merged
        it; or a squash or a direct push, which is no merge.
        """
        blob = self._present(path)
        return tuple(commit for commit, blobs in self._mainline if blob in blobs.get(path, ()))

    def writers(self, path: str) -> tuple[str, ...]:
        """Per line of the file, the mail address of who last wrote it: `writers(path)[0]` wrote line 1."""
        self._present(path)
        # blame itself would believe a mailmap, so it is asked for commits only.
        shas = list(_blamed(git(
            self._revision.repo, "blame", "--porcelain", self._revision.commit, "--",
            self._revision.prefix + path,
        )))  # fmt: skip
        feed = "".join(f"{sha}\n" for sha in sorted(set(shas))).encode("ascii")
        answer = (
            git(
                self._revision.repo, "log", "--stdin", "--no-walk", "-z", "--format=%H%x00%ae", feed=feed
            ).decode("utf-8", "replace")
            if shas
            else ""
        )
        fields = answer.split("\0")
        emails = dict(zip(fields[::2], map(str.lower, fields[1::2]), strict=False))
        return tuple(emails[sha] for sha in shas)

    def document(self, path: str, line: int) -> range:
        """The lines, counted from 1, of the YAML document that a line of the file is in."""
        text = git(self._revision.repo, "cat-file", "blob", self._present(path)).splitlines()
        marks = [number for number, each in enumerate(text, 1) if each.startswith(b"---")]
        start = max((mark for mark in marks if mark <= line), default=1)
        end = min((mark for mark in marks if mark > line), default=len(text) + 1)
        return range(start, end)

    def mentioned(self, path: str, name: str) -> frozenset[str]:
        """Who ever wrote a name into the file or took it out, by the mail addresses of their commits."""
        self._present(path)
        literal = re.sub(r"[][\\.*^$+?(){}|]", lambda special: "\\" + special[0], name)
        answer = git(
            self._revision.repo, "log", "--format=%ae", "-i", "--pickaxe-regex", f"-S{literal}",
            self._revision.commit, "--", self._revision.prefix + path,
        )  # fmt: skip
        return frozenset(answer.decode("utf-8", "replace").lower().split())

    def _present(self, path: str) -> str:
        blob = self._blobs.get(path)
        if blob is None:
            raise PolicyError(f"{path} is not in commit {self._revision.commit[:12]}")
        return blob

    @staticmethod
    def _gave(commit: Commit, blobs: tuple[str, ...], blob: str) -> bool:
        # One entry per parent that differs: equal to one parent means that it came from there.
        return blob in blobs and len(blobs) >= max(1, len(commit.parents))

    @cached_property
    def _blobs(self) -> Mapping[str, str]:
        feed = "".join(f"{self._revision.commit}:{self._revision.prefix}{path}\n" for path in self._paths)
        answer = git(self._revision.repo, "cat-file", "--batch-check", feed=feed.encode())
        lines = answer.decode("utf-8", "replace").splitlines()
        return {
            path: line.split(" ")[0]
            for path, line in zip(self._paths, lines, strict=True)
            if not line.endswith(" missing")
        }

    @cached_property
    def _log(self) -> tuple[tuple[Commit, Mapping[str, tuple[str, ...]]], ...]:
        return tuple(self._walk("--full-history"))

    @cached_property
    def _mainline(self) -> tuple[tuple[Commit, Mapping[str, tuple[str, ...]]], ...]:
        return tuple(self._walk("--first-parent"))

    def _walk(self, how: str) -> Iterator[tuple[Commit, Mapping[str, tuple[str, ...]]]]:
        """Commits, newest first, each with the new blobs of these files, one per parent that differs."""
        prefix = self._revision.prefix
        feed = "".join([f"{self._revision.commit}\n--\n", *(f"{prefix}{path}\n" for path in self._paths)])
        answer = git(
            self._revision.repo, "log", "--stdin", how, "--topo-order", "-m", "--raw", "--no-abbrev",
            "--no-renames", "--no-notes", "--encoding=UTF-8", "-z",
            f"--format={'%x00'.join(_FIELDS)}", feed=feed.encode(),
        )  # fmt: skip
        commits: dict[str, tuple[Commit, dict[str, tuple[str, ...]]]] = {}
        tokens = iter(answer.split(b"\0"))
        blobs: dict[str, tuple[str, ...]] = {}
        for token in tokens:
            head = token.lstrip(b"\n")
            if head.startswith(b":"):
                path = next(tokens).decode("utf-8", "surrogateescape").removeprefix(prefix)
                new = head.split(b" ")[3].decode("ascii")
                blobs[path] = (*blobs.get(path, ()), new)
            elif head:
                rest = [next(tokens).decode("utf-8", "replace") for _ in _FIELDS[1:]]
                commit = _commit(head.decode("ascii"), rest)
                # A merge comes once per parent.
                _, blobs = commits.setdefault(commit.sha, (commit, {}))
        yield from commits.values()


def _commit(sha: str, fields: list[str]) -> Commit:
    parents, author, email, committer_email, date = fields
    return Commit(
        sha=sha,
        parents=tuple(parents.split()),
        author=author,
        email=email.lower(),
        committer_email=committer_email.lower(),
        date=datetime.fromisoformat(date),
    )


def _blamed(porcelain: bytes) -> Iterator[str]:
    """The commit of each line of `git blame --porcelain`: a head, facts, and the line behind a tab."""
    sha = ""
    for line in porcelain.split(b"\n"):
        if line.startswith(b"\t"):
            yield sha
            sha = ""
        elif not sha:
            sha = line.split(b" ", 1)[0].decode("ascii", "replace")
