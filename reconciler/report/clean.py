"""Make hostile names harmless before they are shown: anybody may name a group anything.

Its law: nothing that came from a directory, a lake or a policy reaches a terminal, a comment or a log
without going through here.
"""

from __future__ import annotations

import re
import unicodedata

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that steer a terminal or hide in a line: controls, bidirectional marks, zero widths."""

MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+!|~@&-])")


def plain(text: str) -> str:
    """The text on one line, with everything that does not show written as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character == " " or unicodedata.category(character) not in HIDDEN:
        return character if character == " " or not character.isspace() else "\\u00a0"
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def markdown(text: str) -> str:
    """The text as it is in Markdown and HTML: no markup, link, mention, table cell or entity in it works."""
    entities = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;", "|": "&#124;", "\\": "&#92;"}

    def escape(match: re.Match[str]) -> str:
        return entities.get(match[1], f"\\{match[1]}")

    escaped = MARKDOWN.sub(escape, plain(text))
    # A bare `www.` or `https:` would become a link all the same.
    return re.sub(r"(?i)(https?|ftp)(:)", r"\1&#58;", re.sub(r"(?i)\bwww\.", "www&#46;", escaped))


def workflow(text: str) -> str:
    """The text as a GitHub workflow command's message (GitHub docs: workflow commands, escaping)."""
    return plain(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A").replace("::", ": :")
