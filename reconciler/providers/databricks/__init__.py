"""Databricks: who is in a workspace with which entitlements, and who may use which secret scope."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.core.environment import Environment
from reconciler.core.vocabulary import DocumentKind, Vocabulary
from reconciler.providers.contract import BeforeSend, unguarded
from reconciler.providers.databricks.compiling import (
    compile_documents,
    entitlements_reach,
    known_here,
    principals,
    scope_reach,
)
from reconciler.providers.databricks.documents import EntitlementsDocument, SecretScopeDocument
from reconciler.providers.databricks.kinds import ENTITLEMENTS, KINDS, PROVIDER, SECRET_SCOPE

if TYPE_CHECKING:
    from reconciler.providers.databricks.provider import DatabricksProvider


def open_provider(
    environment: Environment,
    environ: Mapping[str, str],
    root: Path | str,
    before_send: BeforeSend = unguarded,
) -> DatabricksProvider:
    """The provider over an environment's workspaces; raises Unusable when it cannot sign in to any."""
    from reconciler.providers.databricks.provider import DatabricksProvider

    return DatabricksProvider.open(environment, environ, root, before_send)


VOCABULARY = Vocabulary(
    provider=PROVIDER,
    documents=(
        DocumentKind(
            kind=ENTITLEMENTS,
            model=EntitlementsDocument,
            reach=entitlements_reach,
            principals=principals,
            environments=known_here,
        ),
        DocumentKind(
            kind=SECRET_SCOPE,
            model=SecretScopeDocument,
            reach=scope_reach,
            principals=principals,
            environments=known_here,
        ),
    ),
    kinds=KINDS,
    compile=compile_documents,
    open=open_provider,
)
