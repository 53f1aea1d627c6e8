"""The names of guardrails, wherever somebody writes one to let it pass: a misspelt one would pass nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from reconciler.core.guardrails import BUILT_IN
from reconciler.core.vocabulary import Problem
from reconciler.policy.documents import ApprovalDocument, ApprovalRulesDocument
from reconciler.policy.faults import Path, spell
from reconciler.policy.parse import Parsed
from reconciler.policy.suggest import did_you_mean


@dataclass(frozen=True, slots=True)
class RuleNames:
    """The names that approvals can override: those of all installations, and the platform's own."""

    names: frozenset[str]
    complete: bool
    """False when the platform's half is in error: a rule of its own may be missing, so that is held against
    nobody."""

    @classmethod
    def of(cls, parsed: Iterable[Parsed], complete: bool) -> RuleNames:
        """The names of rules that are always there, and of these documents of kind `guardrail`."""
        return cls(BUILT_IN | {each.model.name for each in parsed if each.kind == "guardrail"}, complete)

    def unknown(self, document: Parsed) -> Iterator[Problem]:
        """Whatever an approval, or a document of approval rules, names that is no rule."""
        for path, pattern, fits in self._given(document.model):
            if not fits:
                text = f"{spell(path)}: no rule {pattern!r}{did_you_mean(pattern, self.names)}"
                yield Problem(source=document.places(*path), text=text, tenant=document.tenant)

    def _given(self, model: object) -> Iterator[tuple[Path, str, bool]]:
        if isinstance(model, ApprovalDocument):
            for number, each in enumerate(model.override):
                yield ("override", number, "rule"), each.rule, each.rule in self.names
        if isinstance(model, ApprovalRulesDocument):
            for position, rule in enumerate(model.rules):
                for number, pattern in enumerate(rule.overrides):
                    fits = any(fnmatchcase(name, pattern) for name in self.names)
                    yield ("rules", position, "overrides", number), pattern, fits
