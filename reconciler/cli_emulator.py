"""`emulator serve`: Azure and Databricks on loopback, for trials and tests."""

from __future__ import annotations

import json
from argparse import Namespace
from importlib import resources
from pathlib import Path
from typing import Any

from reconciler.cli_session import say
from reconciler.core.errors import ReconcilerError

CA_FILE = Path(".reconciler/emulator-ca.pem")


def run(arguments: Namespace) -> int:
    """Serve until interrupted."""
    from reconciler.emulator.server import prepare

    ca_file = arguments.ca or arguments.root / CA_FILE
    try:
        emulator, server, sockets = prepare(read_seed(arguments.seed), ca_file, arguments.port)
    except OSError as error:
        raise ReconcilerError(
            f"cannot serve from port {arguments.port} on: {error.strerror}; choose another with --port"
        ) from None
    say(f"trust {ca_file}; one port for each service:")
    for port, name in emulator.ports.items():
        print(f"https://127.0.0.1:{port}  {name}")
    say("state, log and faults: /__emulator__/ on every port. Ctrl-C ends it, and forgets everything.")
    server.run(sockets=sockets)
    return 0


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
        raise ReconcilerError(f"cannot read the seed {path}: {error}") from None
