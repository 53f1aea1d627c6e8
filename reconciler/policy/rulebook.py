"""From documents of kind `guardrail` to rules that can be asked, each fault at its place in the YAML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from reconciler.core.custom import CustomRule, Expression, RuleBook
from reconciler.core.guardrails import BUILT_IN
from reconciler.core.model import Source
from reconciler.core.vocabulary import Problem
from reconciler.policy.cel import EXTRA, Cel, MisspeltError, NoEngineError
from reconciler.policy.characters import decode
from reconciler.policy.documents import GuardrailDocument
from reconciler.policy.parse import Parsed, parse
from reconciler.policy.tree import File

MOST_RULES = 100
"""More of them would not be read by anybody."""


def rulebook(
    documents: Sequence[Parsed], files: Iterable[File], kinds: Iterable[str] = ()
) -> tuple[RuleBook | None, list[Problem]]:
    """The rules of these documents, None where there are none; `files` hold their texts.

    `kinds` are those that plans count.
    """
    if not documents:
        return None, []
    problems = list(_misnamed(documents))
    try:
        engine = Cel(kinds)
    except NoEngineError:
        text = f"custom guardrails need an engine: install {EXTRA}; nothing is planned without it"
        return None, [*problems, Problem(source=documents[0].source, text=text)]
    sources = {each.source.file for each in documents}
    texts = {file.path: decode(file.data)[0] for file in files if file.path in sources}
    rules = []
    for each in documents[:MOST_RULES]:
        model: GuardrailDocument = each.model
        expression = _compiled(engine, each, "expression", model.expression, "bool", texts, problems)
        wording = None
        if model.message_expression is not None:
            key, text = "message-expression", model.message_expression
            wording = _compiled(engine, each, key, text, "string", texts, problems)
        if expression is not None:
            place = each.places("expression")
            text = texts.get(place.file, "")
            rules.append(
                CustomRule(
                    name=model.name,
                    source=place,
                    message=model.message,
                    expression=expression,
                    wording=wording,
                    place=partial(pinpoint, text, place, "expression", model.expression),
                )
            )
    return RuleBook(rules=tuple(rules), bind=engine.bind), problems


def rules_in(files: Sequence[File], kinds: Iterable[str] = ()) -> tuple[RuleBook | None, list[Problem]]:
    """The rules of files that need not be part of any policies; documents of other kinds are passed over."""
    parsed, problems = parse(files, {}, {})
    book, faults = rulebook([each for each in parsed if each.kind == "guardrail"], files, kinds)
    return book, [*problems, *faults]


def _misnamed(documents: Sequence[Parsed]) -> Iterator[Problem]:
    """Approvals override a rule by its name, so each name is one rule."""
    first: dict[str, Source] = {}
    for each in documents:
        name, place = each.model.name, each.places("name")
        if name in BUILT_IN:
            yield Problem(source=place, text=f"name: {name!r} is a rule that is always there; choose another")
        elif name in first:
            text = f"name: guardrail {name} is already given at {first[name]}; rename one"
            yield Problem(source=place, text=text)
        first.setdefault(name, place)
    if len(documents) > MOST_RULES:
        text = f"{len(documents)} guardrails are too many (at most {MOST_RULES}); merge some"
        yield Problem(source=documents[MOST_RULES].source, text=text)


def _compiled(
    engine: Cel,
    document: Parsed,
    key: str,
    text: str,
    wanted: str,
    texts: Mapping[str, str],
    problems: list[Problem],
) -> Expression | None:
    try:
        return engine.compile(text, wanted)
    except MisspeltError as error:
        place = document.places(key)
        for line, column, said in error.objections:
            offset = sum(len(each) + 1 for each in text.split("\n")[: line - 1]) + column - 1
            at = pinpoint(texts.get(place.file, ""), place, key, text, offset)
            problems.append(Problem(source=at, text=f"{key}: {said}"))
    return None


def pinpoint(file: str, place: Source, key: str, value: str, offset: int) -> Source:
    """Where in a file the character of a YAML value stands, however the value is written there.

    Quotes, indentation and folded lines lie between a value and its text, so its signs are looked for one
    after the other; the place of the value where they are not to be found.
    """
    lines = file.split("\n")
    at = sum(len(line) + 1 for line in lines[: place.line - 1]) + place.column - 1
    if file.startswith(key, at):
        # A value below its key has the key's place.
        at += len(key) + 1
        at += len(file[at:]) - len(file[at:].lstrip())
    if file[at : at + 1] in ("|", ">"):
        at = file.find("\n", at)
    for sign in _visible(value[: offset + 1]):
        at = file.find(sign, at) + 1
        if not at:
            return place
    if offset >= len(value.rstrip()):
        # The end of an expression is behind its last sign.
        at += 1
    line = file.count("\n", 0, at - 1)
    return Source(place.file, line + 1, at - 1 - file.rfind("\n", 0, at - 1))


def _visible(text: str) -> Iterable[str]:
    return (sign for sign in text if not sign.isspace())
