"""A git repository in a folder, told what to do in few words."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Repository:
    """Commits are made by named people, a minute apart."""

    root: Path
    minutes: int = 0
    people: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str, person: str = "ana", feed: bytes | None = None) -> str:
        """What git answers."""
        self.minutes += 1
        clock = f"{self.minutes // 60:02}:{self.minutes % 60:02}:00"
        facts = {
            "NAME": person.capitalize(),
            "EMAIL": f"{person.capitalize()}@corp.example",
            "DATE": f"2026-11-01T{clock}+00:00",
        }
        roles = ("AUTHOR", "COMMITTER")
        environ = {f"GIT_{role}_{key}": value for role in roles for key, value in facts.items()}
        answer = subprocess.run(
            ["git", *arguments], cwd=self.root, input=feed, capture_output=True, check=True,
            env={"PATH": "/usr/bin:/bin:/usr/local/bin", "GIT_CONFIG_GLOBAL": "/dev/null", **environ},
        )  # fmt: skip
        return answer.stdout.decode().strip()

    def write(self, path: str, text: str | bytes) -> None:
        """Put a file into the working tree."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text if isinstance(text, bytes) else text.encode())

    def commit(self, files: dict[str, str], person: str = "ana") -> str:
        """Commit these files, and give the commit's id."""
        for path, text in files.items():
            self.write(path, text)
        self.git("add", "--all")
        self.git("commit", "-q", "--allow-empty", "-m", "work", person=person)
        return self.head()

    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def merge(self, branch: str, person: str) -> str:
        """Merge a branch as a forge does, with a commit of its own."""
        self.git("merge", "-q", "--no-ff", "-m", f"merge {branch}", branch, person=person)
        return self.head()

    def plant(self, entries: list[tuple[str, str, str]]) -> str:
        """Commit a tree that no working tree could hold: (mode, path, content or commit)."""
        listing = b""
        for mode, path, content in entries:
            sha = (
                content
                if mode == "160000"
                else self.git("hash-object", "-w", "--stdin", feed=content.encode())
            )
            listing += f"{mode} {sha}\t{path}\n".encode("utf-8", "surrogateescape")
        self.git("read-tree", "--empty")
        self.git("update-index", "--add", "--index-info", feed=listing)
        return self.git("commit-tree", "-m", "planted", self.git("write-tree"))
