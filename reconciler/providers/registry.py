"""Every provider there is: a new one is its folder, one line here, and its mirror in the tests."""

from __future__ import annotations

from reconciler.providers import adls, databricks, entra
from reconciler.providers.document import Vocabulary

VOCABULARIES: tuple[Vocabulary, ...] = (entra.VOCABULARY, databricks.VOCABULARY, adls.VOCABULARY)
