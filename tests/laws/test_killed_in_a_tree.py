"""A tree that holds several rights, killed before every write: one consent is enough to finish it."""

from __future__ import annotations

from functools import partial

import pytest

from reconciler.core.model import Attribute
from reconciler.core.plan import Status
from reconciler.emulator.lake import acl as acls
from reconciler.providers.adls import provider
from reconciler.providers.adls.client_write import LakeWriter
from tests.laws.conftest import Begin
from tests.laws.estate import EXISTS, USERS, Facts, folder
from tests.laws.facts import difference, expected, lake_nodes, read_facts
from tests.laws.loop import Loop
from tests.providers.adls.correcting.tap import Dead, Tap, eager, tapped

ANA = USERS[0]
WANTED: Facts = {
    folder("data/x"): {EXISTS: "present", Attribute("access", ANA): "rwx", Attribute("default", ANA): "rwx"}
}
LIVE: Facts = {folder("data/x"): {EXISTS: "present"}}
RIGHTS = {"data/x/f 1.csv": "r--", "data/x/sub": "r-x", "data/x/sub/g+h.csv": "-w-", "data/x/deep er": "--x"}


def scatter(loop: Loop) -> None:
    """Give ana other rights on some paths: one action raises from any of them."""
    oid = loop.emulator.world.directory.resolve(ANA)
    for path, node in lake_nodes(loop.emulator):
        if path in RIGHTS:
            text = f"user::rwx,user:{oid}:{RIGHTS[path]},group::r-x,mask::rwx,other::---"
            node.acl = acls.assign(node.acl, acls.parse(text), directory=node.is_folder, drops_default=False)


@pytest.mark.parametrize("recursive", [True, False])
def test_the_next_run_finishes_what_it_left_on_the_same_consent(
    recursive: bool, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    if recursive:
        eager(monkeypatch)
        monkeypatch.setattr(provider, "LakeWriter", partial(LakeWriter, page=2))
    number, several = 0, False
    while True:
        number += 1
        loop = begin("folder", LIVE, WANTED)
        scatter(loop)
        planned = loop.plan()
        several = several or any(len(action.before) > 1 for action in planned.plan.actions)
        loop.approve(planned)
        tap = Tap(dies_before_write=number)
        try:
            with tapped(tap):
                loop.apply()
        except Dead:
            loop.settle_down()
            outcomes = loop.apply()
            assert {outcome.status for outcome in outcomes} <= {Status.VERIFIED}, (number, outcomes)
        assert difference(read_facts(loop.emulator), expected(WANTED)) == "", number
        assert loop.plan().plan.actions == ()
        if not tap.dead:
            break
    assert several and number > 3
