"""Nothing that git tracks says where packages are fetched from."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.architecture.source import ROOT, tracked

INDEX_ADDRESS = re.compile(
    r"""
    # the address of an index, its bare host, the option that names one, or the same in a settings file
    (?: https?|file ) :// [^\s"'<>)]* (?: /simple(?:/|\b) | py[p]i | python[h]osted )
    | \b (?:[\w-]+\.)* (?: py[p]i | python[h]osted ) \.[a-z]{2,}\b
    | (?: --extra-index-url | --index-url | --find-links | --trusted-host ) [=\s]+ \S
    | ^ \s* (?: index-url | extra-index-url | find-links ) \s* =
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)

PINNED = re.compile(r"^[a-z0-9][a-z0-9._-]*(?:\[[a-z,]+\])?==[\w.!+]+(?: ; [\w .'<>=!()]+)? \\$")
HASH = re.compile(r"^ {4}--hash=sha256:[0-9a-f]{64}(?: \\)?$")
REMARK = re.compile(r"^(?:\s*#.*)?$")


def address_violations(path: str, text: str) -> Iterator[str]:
    """Addresses of package indexes in a file."""
    for found in INDEX_ADDRESS.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield f"{path}:{line}: {found.group().strip()!r} says where packages come from"


def lock_violations(path: str, text: str) -> Iterator[str]:
    """Lines of a lock that are neither an exact version, nor its hash, nor a remark."""
    hashes = 1
    for number, line in enumerate([*text.splitlines(), "end==0 \\"], start=1):
        if PINNED.match(line):
            if not hashes:
                yield f"{path}:{number}: the requirement above has no hash"
            hashes = 0
        elif HASH.match(line):
            hashes += 1
        elif not REMARK.match(line):
            yield f"{path}:{number}: {line.strip()!r} is no pinned requirement"


LOCKS = ("requirements.txt", "requirements-dev.txt")


def test_no_tracked_file_names_an_index() -> None:
    found: list[str] = []
    for path in tracked():
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        # This file is the one place that has to spell what it looks for.
        found += address_violations(path, text) if path != "tests/architecture/test_words.py" else []
    assert found == []


@pytest.mark.parametrize("path", LOCKS)
def test_the_lock_is_versions_and_hashes_only(path: str) -> None:
    assert list(lock_violations(path, (ROOT / path).read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "text",
    [
        "see https://mirror.example/simple/ for it",
        "https://mirror.example/root/pypi/+simple/",
        "url = 'file:///srv/simple'",
        "fetched from files.{}hosted.example".format("python"),
        "pip install --index-url https://mirror.example x",
        "[global]\nextra-index-url = https://mirror.example",
        "# --find-links=/srv/wheels",
    ],
)
def test_an_address_is_caught(text: str) -> None:
    assert list(address_violations("x", text))


@pytest.mark.parametrize(
    "text",
    [
        "https://graph.example/v1.0/groups",
        "uv pip compile --no-emit-index-url --no-emit-find-links",
        "pip install --require-hashes -r requirements.txt",
        "the simple API; https://docs.example/simplest",
    ],
)
def test_what_is_no_address_passes(text: str) -> None:
    assert list(address_violations("x", text)) == []


DIGEST = f"    --hash=sha256:{'0' * 64}"


@pytest.mark.parametrize(
    "text",
    [
        "rich==15.0.0",
        "rich>=15 \\\n" + DIGEST,
        "rich==15.0.0 \\\nhttpx==1.0 \\\n" + DIGEST,
        "-e .",
        "--index-url https://mirror.example/simple",
        "rich @ file:///srv/rich.whl",
        "./wheels/rich.whl",
    ],
)
def test_a_loose_requirement_is_caught(text: str) -> None:
    assert list(lock_violations("x", text))


def test_a_pinned_requirement_passes() -> None:
    text = (
        f"# made by\nuvloop==0.23.0 ; sys_platform != 'win32' \\\n{DIGEST} \\\n{DIGEST}\n    # via uvicorn\n"
    )
    assert list(lock_violations("x", text)) == []
