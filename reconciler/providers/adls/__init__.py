"""The data lake on ADLS Gen2: folders with access control lists, and the way to them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.core.environment import Environment
from reconciler.providers.adls.documents import KINDS, LAKE_FOLDER, PROVIDER
from reconciler.providers.adls.layout import compile_folders
from reconciler.providers.contract import BeforeSend, unguarded
from reconciler.providers.document import Vocabulary

if TYPE_CHECKING:
    from reconciler.providers.adls.provider import Lakes


def _open(
    environment: Environment,
    environ: Mapping[str, str],
    root: Path | str,
    before_send: BeforeSend = unguarded,
) -> Lakes:
    # Loading documents must not load what speaks to services.
    from reconciler.providers.adls.provider import Lakes

    return Lakes(environment, environ, root, before_send)


VOCABULARY = Vocabulary(
    provider=PROVIDER, documents=(LAKE_FOLDER,), kinds=KINDS, compile=compile_folders, open=_open
)
