"""Turn what the models object to into one sentence per fault, at its line and column.

pydantic reports every branch of a union that did not fit; a person made one mistake, so the branches are
folded into the one that was probably meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError

from reconciler.core.model import Source
from reconciler.policy.suggest import nearest
from reconciler.policy.yaml_nodes import MAX_FAULTS, Places, shorten

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Error:
    """One objection of the model, led back to the document."""

    type: str
    path: Path
    """Keys and positions that exist in the document."""
    key: str
    """The key that is missing below it; "" for all other objections."""
    labels: tuple[tuple[Path, str], ...]
    """Branches of unions on the way, each with the place where it was chosen."""
    value: Any
    context: Mapping[str, Any]
    said: str


def explain(
    error: ValidationError, model: type[BaseModel], value: Any, places: Places
) -> Iterator[tuple[Source, str]]:
    """Each fault of a document with its place: `grants[2].can: 'raed' is none of read, write; did you …`."""
    every = _fold([_trace(each, value) for each in error.errors(include_url=False)])
    errors = every[:MAX_FAULTS]
    unknown = (fault.path for fault in errors if fault.type == "extra_forbidden")
    guessed = {(path[:-1], nearest(str(path[-1]), _keys(model, path[:-1]))) for path in unknown}
    for fault in errors:
        if fault.type == "missing" and (fault.path, fault.key) in guessed:
            # The key is there, misspelt, and that is told.
            continue
        if fault.type == "too_short" and any(_is_below(other.path, fault.path) for other in errors):
            # Only faulty entries are missing, and they are told.
            continue
        at = places.key(*fault.path) if fault.type == "extra_forbidden" else places(*fault.path)
        yield at, one_line(_sentence(fault, model))
    if len(every) > len(errors):
        yield places(), f"{len(every) - len(errors)} more faults in this document are not shown"


def one_line(text: str, limit: int = 400) -> str:
    """A message as one line of bearable length, whatever values it quotes."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[:limit]}…"


def _is_below(path: Path, other: Path) -> bool:
    return len(path) > len(other) and path[: len(other)] == other


def spell(path: Path) -> str:
    """A path as a person writes it: `grants[2].who`; positions count from 0, as editors' schemas do."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _trace(error: Any, value: Any) -> _Error:
    """Walk an objection's location through the document, as branches of unions are no keys of it."""
    path: list[str | int] = []
    labels: list[tuple[Path, str]] = []
    key = ""
    steps = error["loc"]
    for number, step in enumerate(steps):
        in_list = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if in_list or (isinstance(value, dict) and step in value):
            value = value[step]
            path.append(step)
        elif number == len(steps) - 1 and error["type"] == "missing":
            key = str(step)
        else:
            labels.append((tuple(path), str(step)))
    return _Error(
        type=error["type"],
        path=tuple(path),
        key=key,
        labels=tuple(labels),
        value=value,
        context=error.get("ctx", {}),
        said=error["msg"],
    )


def _fold(errors: Iterable[_Error], level: int = 0) -> list[_Error]:
    """Keep one branch of every union: the one whose kind of value is what the document holds there."""
    folded: list[_Error] = []
    unions: dict[Path, dict[str, list[_Error]]] = {}
    for error in errors:
        if len(error.labels) > level:
            at, label = error.labels[level]
            unions.setdefault(at, {}).setdefault(label, []).append(error)
        else:
            folded.append(error)
    for at, branches in unions.items():
        fitting = [branch for branch in branches.values() if not all(_unfit(error, at) for error in branch)]
        if fitting or len(branches) == 1:
            likely = min(fitting or branches.values(), key=len)
            folded.extend(_fold(likely, level + 1))
        else:
            first, *others = (branch[0] for branch in branches.values())
            kinds = " or ".join(dict.fromkeys(_expected(error) for error in (first, *others)))
            folded.append(
                _Error(type="union", path=at, key="", labels=(), value=first.value, context={}, said=kinds)
            )
    return folded


def _unfit(error: _Error, at: Path) -> bool:
    """Whether the branch was not even of the kind of value that stands there."""
    if error.path != at or error.key:
        return False
    choice = error.type in {"literal_error", "enum"} and not isinstance(error.value, str)
    return choice or error.type.endswith("_type")


_KINDS = {
    "string_type": "text",
    "model_type": "a mapping (`key: value`)",
    "model_attributes_type": "a mapping (`key: value`)",
    "dict_type": "a mapping (`key: value`)",
    "tuple_type": "a list",
    "list_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "date_type": "a date such as 2027-01-31",
}


def _expected(error: _Error) -> str:
    if error.type in {"literal_error", "enum"}:
        return " or ".join(_choices(error))
    return _KINDS.get(error.type, error.said.removeprefix("Input should be "))


def _choices(error: _Error) -> list[str]:
    return re.findall(r"'([^']*)'", str(error.context.get("expected", "")))


def _found(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return shorten(value) if isinstance(value, str) else "nothing"


def _sentence(fault: _Error, model: type[BaseModel]) -> str:
    if fault.type == "extra_forbidden":
        path, key = fault.path[:-1], str(fault.path[-1])
        known = _keys(model, path)
        near = nearest(key, known)
        hint = f"did you mean `{near}`?" if near else f"known are {', '.join(sorted(known)) or 'none'}"
        return f"{_prefix(path)}unknown key {shorten(key)}; {hint}"
    if fault.type == "missing":
        example = _example(model, (*fault.path, fault.key))
        hint = f", such as `{fault.key}: {example}`" if example else ""
        return f"{_prefix(fault.path)}the key `{fault.key}` is missing{hint}"
    return f"{_prefix(fault.path)}{_objection(fault, model)}"


def _prefix(path: Path) -> str:
    return f"{spell(path)}: " if path else ""


def _objection(fault: _Error, model: type[BaseModel]) -> str:
    found = _found(fault.value)
    match fault.type:
        case "value_error":
            return str(fault.context.get("error", fault.said))
        case "literal_error" | "enum":
            choices = _choices(fault)
            near = nearest(fault.value, choices) if isinstance(fault.value, str) else ""
            hint = f"; did you mean {near!r}?" if near else ""
            return f"{found} is none of {', '.join(choices)}{hint}"
        case "union":
            return f"has to be {fault.said}, not {found}"
        case "string_too_long":
            return f"is longer than {fault.context['max_length']} characters"
        case "string_too_short" | "too_short":
            return "may not be empty" if fault.context.get("min_length") == 1 else fault.said
        case "string_pattern_mismatch":
            example = _example(model, fault.path)
            return f"{found} is not spelt as it has to be" + (f", such as {example}" if example else "")
        case _ if fault.type in _KINDS:
            return f"has to be {_KINDS[fault.type]}, not {found}"
        case _:
            return f"{fault.said.replace('Input should', 'has to', 1)}, not {found}"


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _at(model: type[BaseModel], path: Path) -> list[dict[str, Any]]:
    """Every schema that may govern a place of the document."""
    root = _schema(model)
    found = list(_branches(root, root))
    for step in path:
        inner: list[dict[str, Any]] = []
        for schema in found:
            named = schema.get("properties", {}).get(step)
            below = [schema.get("items")] if isinstance(step, int) else [named]
            if not isinstance(step, int) and named is None:
                # Tables of anybody's names, with or without a spelling of their own.
                below = [schema.get("additionalProperties"), *schema.get("patternProperties", {}).values()]
            for each in below:
                if isinstance(each, dict):
                    inner.extend(_branches(each, root))
        found = inner
    return found


def _branches(schema: dict[str, Any], root: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    if "$ref" in schema:
        yield from _branches(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    for word in ("anyOf", "oneOf", "allOf"):
        for branch in schema.get(word, ()):
            yield from _branches(branch, root)


def _keys(model: type[BaseModel], path: Path) -> frozenset[str]:
    return frozenset(key for schema in _at(model, path) for key in schema.get("properties", ()))


def _example(model: type[BaseModel], path: Path) -> str:
    examples = (example for schema in _at(model, path) for example in schema.get("examples", ()))
    first = next(examples, None)
    return first if isinstance(first, str) else ""
