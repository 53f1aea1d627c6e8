"""Where policy files come from: a folder as it lies there, or one git revision; and which files are taken.

Its law: nothing outside the two folders of policies is read, and no link is followed out of them.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from reconciler.core.errors import PolicyError
from reconciler.core.model import Source
from reconciler.core.vocabulary import Problem
from reconciler.policy.characters import misread

PLATFORM_FOLDER = "policies"
TENANTS_FOLDER = "tenants.d"
APPROVALS_FOLDER = "approvals"
FOLDERS = (PLATFORM_FOLDER, TENANTS_FOLDER)
SUFFIXES = (".yaml", ".yml")

MAX_BYTES = 1 << 20
MAX_LOCK_BYTES = 16 << 20
"""The lock file is written by the tool, one line for each principal of the estate."""
LOCK_FILE = f"{PLATFORM_FOLDER}/principals.lock.yaml"

WORKING_TREE = "working tree"


@dataclass(frozen=True, slots=True)
class File:
    """One policy file: its path from the root of the policies, with slashes, and its bytes."""

    path: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Everything that a tree holds, in order of path, and what in it may not be there."""

    files: tuple[File, ...]
    problems: tuple[Problem, ...]


class Tree(Protocol):
    """A source of policy files."""

    @property
    def revision(self) -> str:
        """The full id of a commit, or `working tree`."""
        ...

    def read(self) -> Listing:
        """Every policy file; raises PolicyError when there is nothing to read from."""
        ...


@dataclass(frozen=True, slots=True)
class WorkingTree:
    """The files of a folder as they lie there now: for looking, never for writing to a service."""

    root: Path

    @property
    def revision(self) -> str:
        return WORKING_TREE

    def read(self) -> Listing:
        """Every policy file below the root; raises PolicyError when there is no such folder."""
        if not any((self.root / folder).is_dir() for folder in FOLDERS):
            raise PolicyError(
                f"{self.root}: no {PLATFORM_FOLDER}/ and no {TENANTS_FOLDER}/ here; "
                "name the folder that holds them with --root"
            )
        files: list[File] = []
        problems: list[Problem] = []
        for folder in FOLDERS:
            for entry in self._walk(folder, problems):
                _read_entry(entry, files, problems)
        files.sort(key=lambda file: file.path)
        problems.extend(collisions(file.path for file in files))
        return Listing(files=tuple(files), problems=tuple(problems))

    def _walk(self, folder: str, problems: list[Problem]) -> Iterator[tuple[str, os.DirEntry[str]]]:
        top = os.fspath(self.root / folder)
        if Path(top).is_symlink():
            problems.append(problem(folder, "is a symbolic link; policies are read from plain folders only"))
            return
        pending = [(folder, top)] if Path(top).is_dir() else []
        while pending:
            path, place = pending.pop()
            try:
                entries = list(os.scandir(place))
            except OSError as error:
                problems.append(problem(path, f"cannot be listed: {error.strerror}"))
                continue
            for entry in entries:
                inner = f"{path}/{entry.name}"
                if skipped(entry.name):
                    continue
                fault = odd_name(inner) or _odd_entry(entry)
                if fault:
                    problems.append(problem(inner, fault))
                elif entry.is_dir(follow_symlinks=False):
                    pending.append((inner, entry.path))
                elif is_policy(entry.name):
                    yield inner, entry


def _odd_entry(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "is a symbolic link; put the file itself here"
    if not (entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)):
        return "is neither a file nor a folder; delete it"
    return ""


def _read_entry(found: tuple[str, os.DirEntry[str]], files: list[File], problems: list[Problem]) -> None:
    path, entry = found
    try:
        too_large = oversize(path, entry.stat(follow_symlinks=False).st_size)
        if too_large:
            problems.append(problem(path, too_large))
            return
        with open(entry.path, "rb") as stream:  # noqa: PTH123 - thousands of files, and Path costs twice the time
            files.append(File(path, stream.read(MAX_LOCK_BYTES + 1)))
    except OSError as error:
        problems.append(problem(path, f"cannot be read: {error.strerror}"))


def problem(path: str, text: str) -> Problem:
    """A problem of a whole file; it belongs to the tenant whose folder it is in."""
    return Problem(source=Source(printable(path), 1), text=text, tenant=tenant_of(path))


def tenant_of(path: str) -> str:
    """The tenant whose folder a path is in; "" outside of any."""
    parts = path.split("/", 2)
    return parts[1] if len(parts) == 3 and parts[0] == TENANTS_FOLDER else ""


def is_approval(path: str) -> bool:
    """Whether a file is in a folder of approvals, the platform's or a tenant's."""
    parts = path.split("/")
    depth = 1 if parts[0] == PLATFORM_FOLDER else 2
    return len(parts) > depth + 1 and parts[depth] == APPROVALS_FOLDER


def is_policy(name: str) -> bool:
    """Whether a file of this name is read: YAML is, notes and pictures beside it are not."""
    return name.lower().endswith(SUFFIXES)


def skipped(name: str) -> bool:
    """Whether editors and systems keep their own things under such names."""
    return name.startswith(".") and name not in {".", ".."}


def odd_name(path: str) -> str:
    """Why a path may not be used; "" when it may."""
    for part in path.split("/"):
        if part in {"", ".", ".."}:
            return "the path leads out of its folder"
        if "\\" in part:
            return "a name may not hold a backslash"
        fault = misread(part)
        if fault:
            return fault
        if not part.isprintable():
            return "the name holds a byte or character that cannot be shown; rename it"
    return ""


def oversize(path: str, size: int) -> str:
    """Why a file is too large; "" when it is not."""
    limit = MAX_LOCK_BYTES if path == LOCK_FILE else MAX_BYTES
    if size <= limit:
        return ""
    return f"holds {size:,} bytes, and {limit:,} is the limit; split it into several files"


def collisions(paths: Iterable[str]) -> Iterator[Problem]:
    """Files and folders whose paths differ in letter case only: elsewhere they are one."""
    seen: dict[str, str] = {}
    told: set[str] = set()
    for path in paths:
        end = 0
        while end < len(path):
            end = path.find("/", end + 1)
            end = len(path) if end < 0 else end
            prefix = path[:end]
            first = seen.setdefault(fold(prefix), prefix)
            if first != prefix and prefix not in told:
                told.add(prefix)
                text = f"{prefix} and {first} differ in letter case only; rename one of them"
                yield problem(path, text)
                other = tenant_of(f"{first}/-")
                if other != tenant_of(path):
                    yield Problem(source=Source(printable(first), 1), text=text, tenant=other)


def fold(name: str) -> str:
    """The form in which names are equal on systems that ignore letter case."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def printable(path: str) -> str:
    """A path as a terminal can show it, whatever bytes it was made of."""
    if path.isprintable():
        return path
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in path)
