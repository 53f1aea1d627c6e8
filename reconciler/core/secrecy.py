"""Leave out of a text whatever signs anybody in: what it looks like anywhere, and what is known to be secret.

Its law: a text that went through here may be shown, kept and committed, whoever wrote it.  A service may echo
a request with its headers, a proxy its own address, git the address of a remote.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus, unquote

Scrub = Callable[[str], str]
"""From a text to the same without secrets."""

LEFT_OUT = "<token>"
SHORTEST = 4
"""Characters of a value that is looked for: a shorter one would be found in every other word."""

SECRET_NAMES = re.compile(
    r"SECRET|TOKEN|PASSW|PASSPHRASE|_KEY\b|CREDENTIAL|CONNECTION_?STRING|_SAS\b|_PAT\b|ASSERTION",
    re.IGNORECASE,
)
"""Names of environment variables whose values are never shown."""
SWITCHES = frozenset({"true", "false", "none", "null", "auto", "default"})
"""Values that say how something is done, whatever the variable is called."""

_NAMED = (
    r"[\w-]*token|[\w-]*secret|[\w-]*assertion|[\w-]*passw(?:or)?d|passphrase|pwd|sig|signature"
    r"|[\w-]*(?:account|access|api|private|shared|storage)[_-]?key|shared_?access_?signature|connection_?string"
)
TOKENS = re.compile(
    r"eyJ[\w-]{8,}(?:\.[\w-]*)*"  # signed tokens
    r"|\bdapi[0-9a-f]{16,}(?:-\d+)?|\bdose[0-9a-f]{16,}|\bgh[pousr]_\w{16,}|\bgithub_pat_\w{16,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?:(?!-----END).)*(?:-----END [A-Z ]*PRIVATE KEY-----)?"
    # A header's value, and not the next word of a sentence.
    r"|(?<=bearer )(?=(?-i:[a-z]*[A-Z0-9_=+/~.-]+\w))[^\s'\"\\,;<>]{8,}|(?<=sharedkey )[^\s'\"\\,;<>]{8,}"
    r"|(?<=basic )(?=(?-i:[a-z]*[A-Z0-9+/=]))[\w+/=-]{8,}"
    # Who signs in, in an address; bounded, as a hostile text may hold nothing but colons.
    r"|(?<=://)[^\s/?#@'\"<>:]{0,200}:[^\s/?#@'\"<>]{1,500}(?=@)",
    re.IGNORECASE | re.DOTALL,
)
"""What a credential looks like by itself."""
ASSIGNED = re.compile(
    rf"(?P<name>(?<![\w-])(?:{_NAMED})(?:\\*['\"])?)"
    r"(?:(?P<is>\s*[=:]\s*\\*)(?P<quote>['\"])(?P<quoted>.*?)(?P<end>\\*(?P=quote)|\Z)"
    r"|=(?P<bare>[^\s&;,'\"\\<>]+))",
    re.IGNORECASE | re.DOTALL,
)
"""What is named as a credential: a field of a form, a query, a connection string, JSON, a Python literal."""
HEADERS = re.compile(
    r"(?P<name>(?<![\w-])(?:(?:proxy-)?authorization|[\w-]*-token|set-cookie|cookie)(?:\\*['\"])?"
    r"\s?[:=]\s?(?:\\*['\"])?)(?P<value>(?:(?:bearer|basic|negotiate|sharedkey) )?[^\s'\"\\,<>]+)",
    re.IGNORECASE,
)
"""Headers that sign a request in, however they are written down."""


TOKEN_SIGNS = (
    "eyj", "dapi", "dose", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "-----begin", "bearer ",
    "sharedkey ", "basic ", "://",
)  # fmt: skip
HEADER_SIGNS = ("authorization", "-token", "cookie")
ASSIGNED_SIGNS = (
    "token", "secret", "assertion", "passw", "passphrase", "pwd", "sig", "key", "signature", "connection",
)  # fmt: skip


def without(text: str, known: Mapping[str, str]) -> str:
    """The text without anything that looks like a credential, and without the known ones.

    `known` is from a secret to what is shown in its place.
    """
    for secret, shown in known.items():
        if secret in text:
            text = text.replace(secret, shown)
    # Most texts hold none of these words, and looking for them costs a hundredth of the rest.
    lowered = text.lower()
    if any(sign in lowered for sign in TOKEN_SIGNS):
        text = TOKENS.sub(LEFT_OUT, text)
    if any(sign in lowered for sign in HEADER_SIGNS):
        text = HEADERS.sub(lambda found: found["name"] + LEFT_OUT, text)
    if any(sign in lowered for sign in ASSIGNED_SIGNS):
        text = ASSIGNED.sub(_left_out, text)
    return text


def _left_out(found: re.Match[str]) -> str:
    if not found["quote"]:
        return f"{found['name']}={LEFT_OUT}"
    if re.fullmatch(r"<\w*>|", found["quoted"]):
        return found[0]
    return f"{found['name']}{found['is']}{found['quote']}{LEFT_OUT}{found['end']}"


def known_secrets(environ: Mapping[str, str], more: Iterable[str] = ()) -> dict[str, str]:
    """What the process environment holds that is secret, the longest first, in every usual spelling.

    `more` are secrets from elsewhere, such as what is in a file of tokens.
    """
    known: dict[str, str] = {}
    for name, value in environ.items():
        if SECRET_NAMES.search(name):
            _learn(known, value, f"<{name}>")
        for part in _inside(value):
            _learn(known, part, f"<{name}>")
    for value in more:
        _learn(known, value, LEFT_OUT)
    for name, secret in environ.items():
        client = environ.get(name.replace("CLIENT_SECRET", "CLIENT_ID"), "")
        if name.endswith("CLIENT_SECRET") and client and len(secret) >= SHORTEST:
            known[base64.b64encode(f"{client}:{secret}".encode()).decode()] = f"<{name}>"
    return dict(sorted(known.items(), key=lambda pair: (-len(pair[0]), pair[0])))


def _learn(known: dict[str, str], value: str, shown: str) -> None:
    value = value.strip()
    if len(value) < SHORTEST or value.lower() in SWITCHES or value.isdigit():
        return
    for spelt in (value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1]):
        known.setdefault(spelt, shown)


def _inside(value: str) -> Iterator[str]:
    """Secrets that are a part of a value: of an address, a connection string, a signed URL."""
    if "://" not in value and "=" not in value:
        return
    for found in re.finditer(r"://[^\s/?#@:]{0,200}:([^\s/?#@]{1,500})@", value):
        yield from (found[1], unquote(found[1]))
    for found in ASSIGNED.finditer(value):
        secret = found["quoted"] if found["quote"] else found["bare"]
        yield from (secret, unquote(secret))
