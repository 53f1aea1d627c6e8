"""Every provider there is: a new one is its folder, one line here, and its mirror in the tests."""

from __future__ import annotations

from reconciler.core.vocabulary import Vocabulary
from reconciler.providers import adls, databricks, entra

VOCABULARIES: tuple[Vocabulary, ...] = (entra.VOCABULARY, databricks.VOCABULARY, adls.VOCABULARY)
