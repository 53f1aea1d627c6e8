"""The engine behind expressions of custom guardrails: CEL, the language of Kubernetes' admission policies.

The one place that knows it.  Its limits are the engine's own: 10,000 steps of all loops of one answer
together, nesting of 32 levels, and regular expressions of RE2, which take time in proportion to the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from reconciler.core.custom import VARIABLES, Expression, Facts, Unanswered
from reconciler.core.model import Verb
from reconciler.policy.checked import read
from reconciler.policy.failing import failing, tree
from reconciler.policy.suggest import did_you_mean
from reconciler.policy.typed import objection

EXTRA = "reconciler[rules]"
FAILURES = (RuntimeError, SystemError, TypeError, ValueError)
"""What the engine raises."""
NO_ANSWER = ("ERROR", "UNKNOWN")
_OBJECTION = re.compile(r"<input>:(-?\d+):(-?\d+): (.*)")
_HAS = re.compile(r"\bhas\s*\(\s*(?:action|plan|tenant|principal)\s*\.\s*\w+\s*\)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")


class NoEngineError(Exception):
    """The engine is not installed."""


class Objection(NamedTuple):
    """Something wrong in an expression; line and column count from 1, within the expression."""

    line: int
    column: int
    text: str


class MisspeltError(Exception):
    """An expression cannot be compiled, with every objection to it."""

    def __init__(self, objections: list[Objection]) -> None:
        super().__init__(objections)
        self.objections = objections


class Cel:
    """Compiles and answers expressions over the variables of `VARIABLES`, each of its own type."""

    def __init__(self, kinds: Iterable[str] = ()) -> None:
        """Raises NoEngineError where the engine is not installed; loading it takes milliseconds.

        `kinds` are those that plans count; without them no kind is a misspelt one.
        """
        try:
            from cel_expr_python import cel
        except ImportError:
            raise NoEngineError from None
        types: Mapping[str, Any] = {
            "string": cel.Type.STRING,
            "int": cel.Type.INT,
            "bool": cel.Type.BOOL,
            "string or null": cel.Type.DYN,
            "int or null": cel.Type.DYN,
            "list of string or null": cel.Type.List(cel.Type.DYN),
            "map of int": cel.Type.Map(cel.Type.STRING, cel.Type.INT),
        }
        text, number = cel.Type("google.protobuf.StringValue"), cel.Type("google.protobuf.Int64Value")
        strict = {
            **types,
            "string or null": text,
            "int or null": number,
            "list of string or null": cel.Type.List(text),
        }
        # One variable for each name, dots and all: so a misspelt one is found before any plan is made.
        self._env: Any = cel.NewEnv(variables={name: types[kind] for name, kind in VARIABLES.items()})
        # The engine has types for what may be null, and takes no values of them from here: they only check.
        self._strict: Any = cel.NewEnv(variables={name: strict[kind] for name, kind in VARIABLES.items()})
        self._maps: Mapping[str, frozenset[str]] = {
            "plan.verbs": frozenset(Verb),
            "plan.kinds": frozenset(kinds),
            "plan.removals_by_kind": frozenset(kinds),
        }

    def compile(self, text: str, wanted: str) -> Expression:
        """The expression, which gives a `wanted` ("bool" or "string"); raises MisspeltError."""
        if found := _HAS.search(text):
            said = "every variable is always there, so has() tells nothing; compare it with null"
            raise MisspeltError([_at(text, found.start(), said)])
        try:
            strict = self._strict.compile(text)
            expression = self._env.compile(text)
        except RuntimeError as error:
            raise MisspeltError(list(_objections(str(error)))) from None
        if fault := objection(read(strict.serialize()), text, self._maps):
            raise MisspeltError([_at(text, *fault)])
        given = strict.return_type().name().lower()
        if given != wanted:
            raise MisspeltError([Objection(1, 1, f"gives {given}, and has to give {wanted}")])
        return _Compiled(expression, text, self._env.deserialize)

    def bind(self, facts: Facts) -> object:
        """The facts in the engine's own form, for any of its expressions."""
        bound: object = self._env.Activation(dict(facts))
        return bound


@dataclass(frozen=True, slots=True)
class _Compiled:
    """One expression; the engine gives errors as values, so a caller could take them for an answer."""

    expression: Any
    text: str
    load: Callable[[bytes], Any]
    """Makes an expression of a part of this one."""

    def __call__(self, bound: object) -> object:
        try:
            return _answer(self.expression, bound)
        except Unanswered as error:
            raise Unanswered(str(error), partial(self._find, bound)) from None

    def _find(self, bound: object) -> int | None:
        """The character where the part that failed begins; None where it cannot be told."""

        def ask(part: bytes) -> tuple[object] | None:
            try:
                answer = self.load(part).eval(bound)
            except FAILURES:
                return None
            return None if answer.type().name() in NO_ANSWER else (answer.value(),)

        try:
            return failing(tree(self.expression.serialize(), self.text), ask)
        except (*FAILURES, LookupError):
            return None


def _answer(expression: Any, bound: object) -> object:
    try:
        answer = expression.eval(bound)
    except FAILURES as error:
        # A name that is no valid Unicode, say: it comes from a directory, and stops no other action.
        raise Unanswered(_reason(str(error))) from None
    kind = answer.type().name()
    if kind in NO_ANSWER:
        raise Unanswered(_reason(str(answer.value())))
    if kind not in ("BOOL", "STRING"):
        raise Unanswered(f"the answer is {kind.lower()}, not true or false")
    value: object = answer.value()
    return value


def _at(text: str, at: int, said: str) -> Objection:
    before = text[:at]
    return Objection(before.count("\n") + 1, at - before.rfind("\n"), said)


def _objections(said: str) -> Iterator[Objection]:
    found = _OBJECTION.findall(said)
    for line, column, text in found:
        yield Objection(max(1, int(line)), max(1, int(column)), _plainer(text))
    if not found:
        yield Objection(1, 1, _plainer(said))


def _plainer(text: str) -> str:
    """The engine's objection without what tells a person nothing."""
    text = _reason(text).replace(" (in container '')", "").replace("'<EOF>'", "the end")
    text = re.sub(r" expecting \{.*", "", text)
    text = re.sub(r"wrapper\((\w+)\)", r"\1 or null", text)
    unknown = _UNDECLARED.search(text)
    return f"{text}{did_you_mean(unknown[1], VARIABLES)}" if unknown else text


def _reason(text: str) -> str:
    """The engine's reason without its status codes."""
    text = re.sub(r"^[A-Z_]+: (?:ERROR: )?", "", text.split("\n")[0])
    return re.sub(r"\s*\[[A-Z_]+\]$", "", text)
