"""`ground`: write what the paths of a container should hold, for machines without policies or directory."""

from __future__ import annotations

import secrets
from argparse import Namespace

from reconciler.cli_plan import write
from reconciler.cli_session import begin, open_cloud, say, vocabularies
from reconciler.core.errors import ReconcilerError
from reconciler.report.clean import plain


def run(arguments: Namespace) -> int:
    """Ask who the names of the documents stand for, and write the ground for `reconciler-judge`."""
    from reconciler.providers.adls.documents import FOLDER
    from reconciler.providers.adls.expectation import expect
    from reconciler.providers.adls.ground import tract
    from reconciler.providers.adls.inventories import named
    from reconciler.providers.adls.inventory import need_columns
    from reconciler.survey import desire

    need_columns()
    from reconciler.providers.adls.inventory.estate import ground

    lake, _, container = arguments.place.partition("/")
    session = begin(arguments, arguments.revision, arguments.as_of)
    desired = desire(session.inputs, vocabularies())
    wanted = [
        want
        for want in desired.wanted
        if want.address.installation == lake
        and want.address.kind == FOLDER
        and want.address.locator.startswith(f"{container}/")
    ]
    if not wanted:
        raise ReconcilerError(
            f"no document of {session.environment.name} declares a folder of {plain(arguments.place)}; give "
            "LAKE/CONTAINER as documents name it"
        )
    with open_cloud(session.environment, session.pins, session.root, frozenset()) as cloud:
        identities = cloud.directory.resolve(named(wanted))
    made = ground((expect(tract(want), identities) for want in wanted), secrets.randbits(64))
    write(arguments.out, made.document())
    say(f"wrote {arguments.out}: {len(made.paths):,} folders of {len(made.examples):,} shapes")
    return 0
