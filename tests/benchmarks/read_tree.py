"""Read one lake folder, and say what that took: `python -m tests.benchmarks.read_tree ROOT [sdk N]`.

With `sdk` behind it the storage SDK's asynchronous client reads N of the paths as well as its public surface
lets it: one listing, one session and one connection pool for all, many requests at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

from reconciler.policy.load import load
from reconciler.policy.tree import WorkingTree
from reconciler.providers import identity
from reconciler.providers.registry import VOCABULARIES
from tests.benchmarks.only_folder import only_folder

AT_ONCE = 32


def product(root: Path) -> dict[str, Any]:
    """Read the only lake folder there is."""
    with only_folder(root) as opened:
        wall, cpu = time.perf_counter(), time.process_time()
        live = opened.lake.read(opened.question)
        took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    paths = sum(reading.paths for reading in live.readings)
    assert not live.gaps, live.gaps
    return {**took, "paths": paths, "mebibytes": _mebibytes()}


def sdk(root: Path, paths: int) -> dict[str, Any]:
    """Read as many paths as the SDK offers to."""
    (environment,) = load(WorkingTree(root), VOCABULARIES).environments.values()
    return asyncio.run(_sdk(environment, root, paths))


async def _sdk(environment: Any, root: Path, paths: int) -> dict[str, Any]:
    from aiohttp import ClientSession, TCPConnector
    from azure.core.pipeline.transport import AioHttpTransport
    from azure.storage.filedatalake.aio import DataLakeServiceClient

    lake = environment.lakes["datalake"]
    context = identity.ssl_context(environment, root)
    credential = identity.azure_credential_aio(environment, os.environ, root)
    connector = TCPConnector(ssl=context, limit=AT_ONCE)
    async with ClientSession(connector=connector, auto_decompress=False) as session:
        transport = AioHttpTransport(session=session, session_owner=False)
        service = DataLakeServiceClient(lake.dfs, credential=credential, transport=transport)
        container = service.get_file_system_client("curated")
        wall, cpu = time.perf_counter(), time.process_time()
        names = []
        async for path in container.get_paths():
            names.append(path.name)
            if len(names) == paths:
                break
        waiting = iter(names)

        async def work() -> None:
            for name in waiting:
                await container.get_file_client(name).get_access_control()

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return {**took, "paths": len(names), "mebibytes": _mebibytes()}


def _mebibytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    chosen = Path(sys.argv[1])
    print(json.dumps(sdk(chosen, int(sys.argv[3])) if "sdk" in sys.argv else product(chosen)))
