"""Calls of deeper directories that have to go first, and what recursive calls pass by on files."""

from __future__ import annotations

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
