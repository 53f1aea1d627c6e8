"""`emulator serve`: Azure and Databricks on loopback, for trials and tests."""

from __future__ import annotations

import contextlib
import json
import sys
from argparse import Namespace
from importlib import resources
from pathlib import Path
from typing import Any

from reconciler.cli_session import say
from reconciler.core.errors import ReconcilerError

SAMPLE_IDENTITIES = """\
in another terminal, as the identity that plans (the one that applies ends in 2, emulator-apply-secret):
  export RECONCILER_ENV=local
  export AZURE_CLIENT_ID=aaaaaaaa-0000-4000-8000-000000000001 AZURE_CLIENT_SECRET=emulator-plan-secret
  export DATABRICKS_CLIENT_ID=$AZURE_CLIENT_ID DATABRICKS_CLIENT_SECRET=$AZURE_CLIENT_SECRET"""
CA_FILE = Path(".reconciler/emulator-ca.pem")


def run(arguments: Namespace) -> int:
    """Serve until interrupted."""
    from reconciler.emulator.server import prepare

    ca_file = arguments.ca or arguments.root / CA_FILE
    seed = read_seed(arguments.seed)
    try:
        emulator, server, sockets = prepare(seed, ca_file, arguments.port)
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else "there are ports from 1 to 65535"
        raise ReconcilerError(
            f"cannot serve on port {arguments.port} and those after it: {why}; choose another with --port"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReconcilerError(f"the seed {arguments.seed} describes no estate: {error}") from None
    # The server ends well first, and then raises the signal once more for whoever waits for it.
    with contextlib.suppress(KeyboardInterrupt):
        say(f"trust {ca_file}; one port for each service:")
        for port, name in emulator.ports.items():
            print(f"https://127.0.0.1:{port}  {name}", flush=True)
        if arguments.seed is None:
            _say_as_it_is(SAMPLE_IDENTITIES)
        say("state, log and faults: /__emulator__/ on every port. Ctrl-C ends it, and forgets everything.")
        server.run(sockets=sockets)
    return 0


def _say_as_it_is(text: str) -> None:
    """A constant of this module, to be pasted: `say` would leave out what looks like a secret in it."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def read_seed(path: Path | None) -> Any:
    """A seed file's content, YAML or JSON; the sample estate when there is none."""
    import yaml

    try:
        if path is None:
            text = resources.files("reconciler.emulator").joinpath("sample.yaml").read_text("utf-8")
        else:
            text = path.read_text("utf-8")
        return json.loads(text) if path and path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ReconcilerError(f"cannot read the seed {path}: {' '.join(str(error).split())}") from None
