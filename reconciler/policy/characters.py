"""Refuse what a reviewer cannot see or would misread: broken encodings, invisible and look-alike characters.

Unicode calls the last two bidirectional controls (UAX 9) and confusables (UTS 39).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from reconciler.policy.yaml_nodes import Document, Fault, shorten

_HARMLESS = bytes({0x09, 0x0A, 0x0D, *range(0x20, 0x7F), *range(0x80, 0x100)})

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # controls
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u3164\uffa0"  # drawn as nothing
    "\u200b-\u200f\u2028-\u202f\u2060-\u206f"  # zero width, line breaks, bidirectional controls
    "\ufe00-\ufe0f\ufeff\ufff0-\uffff"
    "\U000e0000-\U000e0fff]"  # tags
)
_LONE_RETURN = re.compile(r"\r(?!\n)")

PROSE = frozenset({"because", "description", "message"})
"""Keys whose text is for people: several lines and mixed scripts are natural there."""

EXPRESSIONS = frozenset({"expression", "message-expression"})
"""Keys whose text may have several lines; in each of them a look-alike would be as bad as in a name."""

_ALIKE = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU"})
"""Scripts that have letters which look like another's."""


def decode(data: bytes) -> tuple[str, Fault | None]:
    """The text of a file, and what makes it unreadable, if anything does."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "", Fault(1, 1, "the file is UTF-16; save it as UTF-8")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line, column = _position(before, len(before))
        byte = data[error.start]
        return "", Fault(line, column, f"the byte 0x{byte:02x} is not UTF-8; save the file as UTF-8")
    text = text.removeprefix("\ufeff")
    found = None
    if not text.isascii() or data.translate(None, _HARMLESS):
        found = _INVISIBLE.search(text)
    if found is None and "\r" in text:
        found = _LONE_RETURN.search(text)
    if found is None:
        return text, None
    line, column = _position(text, found.start())
    return "", Fault(line, column, f"{name(found.group())} is not allowed anywhere in a policy; delete it")


def needs_look(text: str) -> bool:
    """Whether values of this text may hold more than plain letters: it spells some, or escapes some."""
    return not text.isascii() or "\\" in text or "|" in text


def faults(document: Document) -> Iterator[Fault]:
    """Values and keys of a document that would be misread."""
    yield from _walk(document.value, document.mark, prose=False)


def _walk(value: object, mark: object, prose: bool) -> Iterator[Fault]:
    if isinstance(value, dict) and isinstance(mark, tuple):
        for key, inner in value.items():
            place = mark[1][key]
            at = place if isinstance(place, int) else place[0]
            if problem := misread(key):
                yield Fault(at >> 40, at & 0xFFFFF or at >> 20 & 0xFFFFF, problem)
            if key in EXPRESSIONS and isinstance(inner, str):
                inner = inner.replace("\n", " ")
            yield from _walk(inner, place, key in PROSE)
    elif isinstance(value, list) and isinstance(mark, tuple):
        for inner, place in zip(value, mark[1], strict=True):
            yield from _walk(inner, place, prose)
    elif isinstance(value, str) and isinstance(mark, int):
        problem = _prose(value) if prose else misread(value)
        if problem:
            yield Fault(mark >> 40, mark >> 20 & 0xFFFFF, problem)


def _prose(text: str) -> str:
    found = _INVISIBLE.search(text)
    return f"{name(found.group())} is not allowed anywhere in a policy; delete it" if found else ""


def misread(text: str) -> str:
    """Why a person would take this name for another one; "" when nobody would."""
    if text.isascii() and text.isprintable():
        return ""
    found = _INVISIBLE.search(text) or re.search(r"[\t\n\r]", text)
    if found:
        return f"{name(found.group())} is not allowed in a name: {shorten(text)}"
    composed = unicodedata.normalize("NFC", text)
    if composed != text:
        return f"{shorten(text)} is spelt with separate accents; write it with composed letters: {composed}"
    for sign in text:
        plain = _plain(sign)
        if plain:
            return f"{shorten(text)} holds {name(sign)}, which looks like {plain!r}; write {plain!r}"
    for word in re.findall(r"[^\W\d_]+", text):
        scripts = {script for script in map(_script, word) if script in _ALIKE}
        if len(scripts) > 1:
            mixed = " and ".join(script.capitalize() for script in sorted(scripts))
            odd = next(sign for sign in word if _script(sign) != _script(word[0]))
            return f"{shorten(text)} mixes {mixed} letters that look alike ({name(odd)}); use one script"
    return ""


def _plain(sign: str) -> str:
    """The ASCII character that a wide, bold, narrow or unbreakable form of it is taken for."""
    form, _, code = unicodedata.decomposition(sign).partition(" ")
    if form not in {"<wide>", "<narrow>", "<font>", "<noBreak>", "<compat>"} or " " in code:
        return ""
    plain = chr(int(code, 16))
    return plain if plain.isascii() else ""


def _script(letter: str) -> str:
    return unicodedata.name(letter, "?").split(" ", 1)[0]


def name(sign: str) -> str:
    """A character as a message can show it: U+202E RIGHT-TO-LEFT OVERRIDE."""
    return f"U+{ord(sign):04X} {unicodedata.name(sign, 'control character')}"


def _position(text: str, offset: int) -> tuple[int, int]:
    begin = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset) + 1, offset - begin + 1
