"""The yardstick for groups: list them, then ask for the members of each with a request of its own.

`python -m tests.benchmarks.one_by_one ROOT` goes through the same SDK pipeline as the provider, as many at
once, parses the same JSON and compares nothing.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from reconciler.core.environment import Environment
from reconciler.policy.load import load
from reconciler.policy.tree import WorkingTree
from reconciler.providers.entra.batch import remainder
from reconciler.providers.entra.client import GraphClient
from reconciler.providers.entra.relations import MEMBERS, relation_call
from reconciler.providers.entra.wire import BETA, PAGE, Call, Trouble, objects, query
from reconciler.providers.pacing import Pacer
from reconciler.providers.registry import VOCABULARIES


async def read(environment: Environment, environ: Mapping[str, str], root: Path) -> int:
    """The number of members of all groups; raises RuntimeError when a request fails."""
    client = GraphClient(environment, environ, root, Pacer({}))
    call = Call(path="/groups" + query(select="id,displayName", top=str(PAGE), count="true"), advanced=True)
    groups = await remainder(client, call, await client.send(call))
    if isinstance(groups, Trouble):
        raise RuntimeError(groups.reason)

    async def members(group: str) -> int:
        found = objects(await client.send(relation_call(group, MEMBERS), BETA))
        if found is None:
            raise RuntimeError(f"the members of {group} cannot be read")
        return len(found)

    counts = await asyncio.gather(*(members(each["id"]) for each in groups))
    await client.close()
    return sum(counts)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (chosen,) = load(WorkingTree(folder), VOCABULARIES).environments.values()
    print(asyncio.run(read(chosen, os.environ, folder)))
