"""The evaluation of access lists, judged by the POSIX lists of the machine's own file system.

Two bridges lead from Linux to Microsoft's published algorithm: it unites the rights of all matching groups,
where Linux wants one that grants everything, so bits are asked one at a time; and it masks other, so other
is written masked.
"""

from __future__ import annotations

import os
import random
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.emulator.lake import acl as acls
from reconciler.emulator.lake.acl import Acl, Entry, Reading

ATTRIBUTE = "system.posix_acl_access"
TAGS = {("user", False): 1, ("user", True): 2, ("group", False): 4, ("group", True): 8, ("mask", False): 16}
UNDEFINED = 0xFFFFFFFF
USERS = (41001, 41002, 41003)
GROUPS = (42001, 42002, 42003)


def packed(acl: Acl) -> bytes:
    """The list in the kernel's form, other masked."""
    mask = acls.bits_of(acl.access, "mask")
    found = struct.pack("<I", 2)
    for entry in sorted(acl.access, key=lambda e: (TAGS.get((e.kind, bool(e.who)), 32), e.who)):
        bits = entry.bits & (7 if mask is None or entry.kind != "other" else mask)
        tag = TAGS.get((entry.kind, bool(entry.who)), 32)
        found += struct.pack("<HHI", tag, bits, int(entry.who) if entry.who else UNDEFINED)
    return found


@pytest.fixture
def judged() -> Iterator[Path]:
    """A file whose list can be set; skips where the machine cannot judge."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not hasattr(os, "setxattr"):
        pytest.skip("only root can ask the kernel on behalf of others, and only Linux has these lists")
    kept = os.getgroups()
    # Not pytest's own folder, which others may not enter.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        path = Path(folder) / "judged"
        path.touch()
        os.chown(path, USERS[0], GROUPS[0])
        try:
            os.setxattr(path, ATTRIBUTE, packed(acls.minimal(0o750)))
        except OSError as error:
            pytest.skip(f"the file system under {folder} has no POSIX access lists: {error}")
        yield path
        os.setgroups(kept)


def drawn(source: random.Random) -> Acl:
    """A random list over the known users and groups."""
    access = [Entry(kind, "", source.randrange(8)) for kind in ("user", "group", "other")]
    access += [
        Entry("user", str(who), source.randrange(8)) for who in source.sample(USERS[1:], source.randrange(3))
    ]
    access += [
        Entry("group", str(who), source.randrange(8))
        for who in source.sample(GROUPS[1:], source.randrange(3))
    ]
    if len(access) > 3 or source.random() < 0.3:
        access.append(Entry("mask", "", source.randrange(8)))
    return Acl(tuple(access))


def as_somebody(path: Path, user: int, groups: tuple[int, ...]) -> list[bool]:
    """What the kernel lets this identity do: read, write, execute."""
    os.setgroups(list(groups))
    os.setegid(groups[0] if groups else 65534)
    os.seteuid(user)
    try:
        return [os.access(path, bit, effective_ids=True) for bit in (os.R_OK, os.W_OK, os.X_OK)]
    finally:
        os.seteuid(0)
        os.setegid(0)


def disagreements(path: Path, reading: Reading, lists: int) -> int:
    """How often kernel and emulator part, over random lists and every identity."""
    source = random.Random(20_261_123)
    parted = 0
    for _ in range(lists):
        acl = drawn(source)
        os.setxattr(path, ATTRIBUTE, packed(acl))
        for user in (*USERS, 41999):
            groups = tuple(sorted(source.sample(GROUPS, source.randrange(4))))
            theirs = as_somebody(path, user, groups)
            ours = [
                acls.allows(
                    acl,
                    bit,
                    who=str(user),
                    groups=[str(group) for group in groups],
                    owner=str(USERS[0]),
                    owning_group=str(GROUPS[0]),
                    reading=reading,
                )
                for bit in (4, 2, 1)
            ]
            parted += sum(left != right for left, right in zip(theirs, ours, strict=True))
    return parted


def test_linux_and_the_emulator_never_part(judged: Path) -> None:
    """Owner, named users, groups, other and mask, over 2,000 lists and four identities each."""
    assert disagreements(judged, Reading(groups="union", masked_other=True), 2_000) == 0


def test_linux_notices_the_other_readings(judged: Path) -> None:
    """The judge is no yes-man: a class that does not decide, and an unmasked other, part from it."""
    assert disagreements(judged, Reading(groups="any"), 300) > 0
    assert disagreements(judged, Reading(masked_other=False), 300) > 0
