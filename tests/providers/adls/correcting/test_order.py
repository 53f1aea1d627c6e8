"""Calls of deeper directories that have to go first, and what recursive calls pass by on files."""

from __future__ import annotations

import pytest

from reconciler.providers.adls.acl import parse
from reconciler.providers.adls.correcting.planning import plan
from reconciler.providers.adls.correcting.requests import Need, Recursive
from reconciler.providers.adls.correcting.semantics import effect
from tests.providers.adls.correcting.forest import Tree, carried_out, done
from tests.providers.adls.correcting.test_planning import PLAIN, READS, A, B, default


def test_a_subtree_whose_masks_would_grow_is_walked_first() -> None:
    masked = f"user::rwx,group::r-x,{B}:rwx,mask::r-x,other::---"
    mended = f"user::rwx,group::r-x,{A}:rwx,{B}:r-x,mask::rwx,other::---"
    writes = f"user::rwx,group::r-x,{A}:rwx,mask::rwx,other::---"
    needs = [
        Need(parse(default(PLAIN)), parse(default(writes)), True),
        Need(parse(PLAIN), parse(writes), False),
        Need(parse(default(masked)), parse(default(mended)), True),
        Need(parse(masked), parse(mended), False),
    ]
    paths = [("t", 0), *((f"t/{number:03d}", 1) for number in range(100)), ("t/d", 2)]
    paths += [(f"t/d/{number:03d}", 3) for number in range(50)]
    here = Tree(paths, needs, 2_000)
    calls = plan(paths, needs)
    assert [(type(call), call.path) for call in calls] == [(Recursive, "t/d"), (Recursive, "t")]
    assert done(here, carried_out(here, calls))


def test_default_entries_pass_a_file_by() -> None:
    assert effect("modify", f"{A}:r-x,default:{A}:r-x", PLAIN, False) == parse(READS)


@pytest.mark.parametrize(
    ("mode", "entries", "held"),
    [
        # Computed anew the mask would let B write, kept as it is it would keep A from writing.
        ("modify", f"{A}:rwx", f"user::rwx,group::r-x,{B}:rwx,mask::r-x,other::---"),
        # Computed anew the mask lets the owning group write.
        ("remove", A, f"user::rwx,group::rwx,{A}:r-x,{B}:r-x,mask::r-x,other::---"),
        ("remove", A, f"user::rwx,group::rwx,{A}:r-x,mask::r-x,other::---"),
        # Whether a list without default entries takes those away that are there is told both ways.
        ("set", READS, default(PLAIN)),
        # What the service fills in is known for single paths at most.
        ("set", "user::rwx,group::r-x", PLAIN),
        ("modify", f"default:{A}:r-x", PLAIN),
    ],
)
def test_what_nobody_has_seen_the_service_do_is_no_effect(mode: str, entries: str, held: str) -> None:
    assert effect(mode, entries, held, True) is None


def test_a_mask_that_is_sent_leaves_no_doubt() -> None:
    held = f"user::rwx,group::r-x,{B}:rwx,mask::r-x,other::---"
    made = effect("modify", f"{A}:rwx,{B}:r-x,mask::rwx", held, True)
    assert made == parse(f"user::rwx,group::r-x,{A}:rwx,{B}:r-x,mask::rwx,other::---")
