"""Entra: groups with their members and owners, and the directory that every other system trusts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.core.environment import Environment
from reconciler.core.vocabulary import Vocabulary
from reconciler.providers.contract import BeforeSend, unguarded
from reconciler.providers.entra.documents import DOCUMENT, GROUP, PROVIDER, compile_groups

if TYPE_CHECKING:
    from reconciler.providers.entra.provider import EntraProvider


def open_provider(
    environment: Environment,
    environ: Mapping[str, str],
    root: Path | str,
    before_send: BeforeSend = unguarded,
) -> EntraProvider:
    """The provider for one environment; raises Unusable where its settings or credentials are wanting."""
    from reconciler.providers.entra.provider import EntraProvider

    return EntraProvider(environment, environ, root, before_send=before_send)


VOCABULARY = Vocabulary(
    provider=PROVIDER,
    documents=(DOCUMENT,),
    kinds=(GROUP,),
    compile=compile_groups,
    open=open_provider,
)
