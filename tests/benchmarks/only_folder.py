"""The only lake folder of a benchmark's policies, and the systems that it takes, opened."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from reconciler.core.model import Kind, Wanted
from reconciler.core.vocabulary import Context
from reconciler.policy.load import load
from reconciler.policy.tree import WorkingTree
from reconciler.providers.contract import Directory, Provider, Question
from reconciler.providers.registry import VOCABULARIES

TODAY = date(2026, 11, 23)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What reads and corrects the folder."""

    environment: str
    lake: Provider
    directory: Directory
    kinds: Sequence[Kind]
    wanted: Sequence[Wanted]

    @property
    def question(self) -> Question:
        """Asks for all of the folder."""
        return Question(wanted=self.wanted, directory=self.directory, as_of=TODAY)


@contextmanager
def only_folder(root: Path) -> Iterator[Opened]:
    """Open it for the length of a `with` block."""
    policies = load(WorkingTree(root), VOCABULARIES)
    (environment,) = policies.environments.values()
    opened = {
        each.provider: each.open(environment, os.environ, root)
        for each in VOCABULARIES
        if each.provider in ("entra", "adls")
    }
    with ExitStack() as stack:
        for provider in opened.values():
            stack.callback(provider.close)
        documents = [document for each in policies.declared.values() for document in each]
        (vocabulary,) = (each for each in VOCABULARIES if each.provider == "adls")
        folders = [each for each in documents if each.document.kind == "lake-folder"]
        yield Opened(
            environment=environment.name,
            lake=opened["adls"],
            directory=opened["entra"].directory,
            kinds=vocabulary.kinds,
            wanted=vocabulary.compile(folders, Context(environment=environment, as_of=TODAY)).wanted,
        )
