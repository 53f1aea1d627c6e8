"""Make hostile names harmless before they are shown: anybody may name a group anything.

Its law: nothing that came from a directory, a lake, a policy or a plan file reaches a terminal, a comment
or a log without going through here.
"""

from __future__ import annotations

import html as markup
import json
import re
import unicodedata

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Me", "Zl", "Zp", "Zs"})
"""Unicode categories that steer a terminal or hide in a line: controls, bidirectional marks, zero widths,
spaces that are none, marks that enclose what stands before them."""

BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U0001d159\U000e0100-\U000e01ef]"
)
"""Drawn as nothing though they count as letters, marks or signs (Unicode: Default_Ignorable_Code_Point)."""

MARKS = 2
"""Combining marks on one letter that a language may need; a pile of them runs into the lines around it."""

STEERING = re.compile(r"::|##(?=(?:vso)?\[)", re.IGNORECASE)
"""What makes a log line a command to the runner that keeps the log: `::name::` at its start, or `##[name]`
anywhere (GitHub runner's source, ActionCommand; Azure Pipelines docs: logging commands)."""


def plain(text: str) -> str:
    """The text on one line, with whatever does not show, or steers a log, written as an escape."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(_shown(text, at) for at in range(len(text)))
    return STEERING.sub(_unsteered, text)


def _shown(text: str, at: int) -> str:
    sign = text[at]
    category = unicodedata.category(sign)
    if sign == " " or not (category in HIDDEN or BLANK.match(sign) or _piled(text, at)):
        return sign
    code = ord(sign)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _piled(text: str, at: int) -> bool:
    """Whether this is a combining mark without a letter of its own, or one too many on it."""
    before = text[max(0, at - MARKS) : at]
    own = unicodedata.category(text[at]) == "Mn"
    return own and (at == 0 or all(unicodedata.category(sign) in ("Mn", "Zs", "Cc") for sign in before))


def _unsteered(found: re.Match[str]) -> str:
    return f"{found[0][0]}\\x{ord(found[0][1]):02x}"


def code(text: str) -> str:
    """The text as a Markdown code span, in which nothing is markup, a link, a mention or a reference.

    Escapes would not do: GitHub looks for mentions and mail addresses in what Markdown has already unescaped
    (cmark-gfm's source, autolink extension).
    """
    shown = plain(text).replace("`", "\\x60").replace("|", "\\x7c")
    # An empty span, or one of spaces, would be shown as it is written.
    return f"`{shown}`" if shown.strip() else f"`\\x20` ×{len(shown)}" if shown else "(empty)"


HARMLESS = re.compile(
    r"(?!\d+[.)]\Z|[0-9a-f]{7,}\W*\Z)"  # no item of a list, no commit
    r"(?:[(\"']*(?:[^\W\d_]+(?:['-][^\W\d_]+)*|\d{4}-\d\d-\d\d|\d+(?:,\d{3})*)[)\"'.,;:!?%]*|[%.,;:!?…]+|e\.g\.|i\.e\.)"
)
"""A word that no Markdown dialect reads as anything but a word."""

EDGES = re.compile(r"([(\"']*)(.*?)([)\"'.,;:!?]*)", re.DOTALL)


def prose(text: str) -> str:
    """A sentence as Markdown: plain words as they are, everything else (names, paths, ids) as code."""
    pieces: list[tuple[str, str, str]] = []
    for token in plain(text).split():
        if HARMLESS.fullmatch(token) or token == "->":
            pieces.append(("→" if token == "->" else token, "", ""))
            continue
        found = EDGES.fullmatch(token)
        before, inside, after = found.groups() if found and found[2] else ("", token, "")
        if pieces and pieces[-1][1] and not pieces[-1][2] and not before:
            # Names of several parts stay together.
            pieces[-1] = (pieces[-1][0], f"{pieces[-1][1]} {inside}", after)
        else:
            pieces.append((before, inside, after))
    return " ".join(f"{before}{code(inside) if inside else ''}{after}" for before, inside, after in pieces)


def html(text: str) -> str:
    """The text as HTML code, for where Markdown is not read, such as in a `summary`."""
    return f"<code>{markup.escape(plain(text))}</code>"


def workflow(text: str) -> str:
    """The text as the message of a GitHub workflow command (GitHub docs: workflow commands, escaping)."""
    return plain(text).replace("%", "%25")


def workflow_property(text: str) -> str:
    """The text as a property of a GitHub workflow command, such as its `file`."""
    return workflow(text).replace(":", "%3A").replace(",", "%2C")


def as_json(payload: object) -> str:
    """The payload as indented JSON in ASCII, which says nothing to a terminal nor to a runner's log."""
    text = json.dumps(payload, indent=2, ensure_ascii=True) + "\n"
    # A number sign stands in strings only, where JSON may spell any character by its code.
    return STEERING.sub(lambda found: f"{found[0][0]}\\u{ord(found[0][1]):04x}", text)
