"""What anybody may commit: one clear error at file and line, and the other tenants' night goes on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.desk import Desk
from tests.cli.hostile import lively, steered
from tests.report.test_hostile import steering

LINES = b"kind: group\nname: red-x\nmembers:\n"


def bomb(levels: int) -> str:
    rows = ["kind: group", "name: red-x", "a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(rows)


POLICIES: dict[str, tuple[bytes, str]] = {
    "a bomb of aliases": (bomb(9).encode(), "aliases are not allowed"),
    "depth in brackets": (b"kind: group\nname: " + b"[" * 200_000, "nested deeper than 20"),
    "depth in braces": (b"{a: " * 100_000, "nested deeper than 20"),
    "depth in dashes": (b"- " * 100_000, "nested deeper than 20"),
    "width": (
        b"kind: group\nname: red-x\nmembers: [" + b"x," * 400_000 + b"]",
        "is the limit; split it",
    ),
    "many keys": (b"kind: group\n" + b"".join(b"k%d: 1\n" % n for n in range(60_000)), "unknown key"),
    "a hundred thousand lines": (LINES + b"- sp:a\n" * 100_000, "a list of 100,000 entries, and 50,000 is"),
    "as many lines as fit": (LINES + b"- user:ana@corp.example\n" * 40_000, "user:ana@corp.example"),
    "over a mebibyte": (b"#" * ((1 << 20) + 1), "is the limit; split it"),
    "a key twice": (b"kind: group\nname: red-x\nname: red-y\nmembers: []\n", "is already given in line 2"),
    "a tag": (b"kind: group\nname: !!python/object/apply:os.system [id]\nmembers: []\n", "is not allowed"),
    "a merge": (b"kind: group\n<<: {name: red-x}\nmembers: []\n", "merge keys"),
    "no UTF-8": (b"kind: group\nname: red-\xff\n", "is not UTF-8"),
    "half a letter": ("kind: group\nname: red-é".encode()[:-1], "is not UTF-8"),
    "surrogates": (b"kind: group\nname: red-\xed\xa0\x80\n", "is not UTF-8"),
    "UTF-16": ("kind: group\n".encode("utf-16"), "UTF-16"),
    "a NUL": (b"kind: group\nname: red-\x00x\n", "U+0000"),
    "an escape": (b"kind: group\nname: red-\x1b[31mx\n", "U+001B"),
    "an escape in an escape": (b'kind: group\nname: "red-\\x1b[31mx"\nmembers: []\n', "U+001B"),
    "a direction": ("kind: group\nname: red-\u202ex\n".encode(), "U+202E"),
    "a direction in an escape": (b'kind: group\nname: "red-\\u202ex"\nmembers: []\n', "U+202E"),
    "a zero width": ("kind: group\nname: red\u200b-x\n".encode(), "U+200B"),
    "a lone return": (b"kind: group\rname: red-x\n", "U+000D"),
    "a look-alike": ("kind: group\nname: red-dаta\nmembers: []\n".encode(), "mixes Cyrillic and Latin"),
    "a wide letter": ("kind: group\nname: red-ｘ\nmembers: []\n".encode(), "looks like 'x'"),
    "an accent apart": ("kind: group\nname: red-e\u0301\nmembers: []\n".encode(), "composed letters"),
    "a command": (b"kind: '::error::x'\nname: \"##[error]x\"\n", "is unknown"),
    "markdown": (b"kind: '[x](https://evil.example) @octocat <b>'\n", "is unknown"),
    "a hostile key": (b"kind: group\nname: red-x\nmembers: []\n'::error::<b>': 1\n", "unknown key"),
}


@pytest.mark.parametrize("name", POLICIES)
def test_hostile_policies(desk: Desk, name: str) -> None:
    """One error at file and line, in every format; the other tenants' night goes on."""
    data, words = POLICIES[name]
    desk.write("tenants.d/blue/groups.yaml", data)
    desk.write("tenants.d/blue/tenant.yaml", "kind: tenant\nname: Blue\n")
    said = [
        desk.run("validate"),
        desk.run("validate", "--format", "json"),
        desk.run("plan", "--format", "markdown"),
    ]
    assert [each.code for each in said] == [1, 1, 1]
    assert words in said[0].everything
    assert "tenants.d/blue/groups.yaml:" in said[0].everything
    assert steered(*said) == []
    assert lively(said[2].out) == []
    assert len(said[0].everything) < 100_000
    assert "user:bo@corp.example" in said[2].out, "what red asks for is planned all the same"
    for line in desk.run("validate", "--format", "github").out.splitlines():
        assert line.startswith("::error file=tenants.d/blue/groups.yaml,line=")
        assert not list(steering(line.split("::", 2)[2]))


@pytest.mark.parametrize("data", ["\ufeff{}", "{}"], ids=["with a mark", "without"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_what_editors_do_to_files_is_no_fault(desk: Desk, data: str, ends: str) -> None:
    text = (desk.root / "tenants.d/red/access.yaml").read_text("utf-8")
    desk.write("tenants.d/red/access.yaml", data.replace("{}", text).replace("\n", ends).encode())
    assert desk.run("validate").code == 0
    assert desk.run("plan").out == desk.run("plan").out


def test_look_alike_tenants_are_told_apart_or_refused(desk: Desk) -> None:
    for folder in ("r\u0435d", "RED", "re\u0301d", "red\u200b", "re\x1bd", "::error::x"):
        desk.write(f"tenants.d/{folder}/tenant.yaml", "kind: tenant\nname: Red\n")
    said = [desk.run("validate"), desk.run("validate", "--format", "json"), desk.run("plan")]
    assert [each.code for each in said] == [1, 1, 1]
    for words in ("mixes Cyrillic and Latin", "letter case only", "composed letters", "U+200B", "U+001B"):
        assert words in said[0].everything
    assert steered(*said) == []


def planted(desk: Desk) -> Iterator[tuple[str, str, str]]:
    """What is there, as a tree that no working tree could hold would have it."""
    for path in sorted(desk.root.rglob("*.yaml")):
        yield ("100644", str(path.relative_to(desk.root)), path.read_text("utf-8"))


@pytest.mark.parametrize(
    ("mode", "path", "content", "words"),
    [
        ("120000", "tenants.d/blue/link.yaml", "../red/access.yaml", "is a symbolic link"),
        ("120000", "tenants.d/blue/secrets.yaml", "/etc/passwd", "is a symbolic link"),
        ("120000", "tenants.d/blue", "red", "is a symbolic link"),
        ("120000", "tenants.d/blue/folder", "../../../..", "is a symbolic link"),
        ("160000", "tenants.d/blue/module", "", "is a submodule"),
        ("100644", "tenants.d/blue/\x1b[31m.yaml", "a: b", "U+001B"),
        ("100644", "tenants.d/blue/\u202egpj.yaml", "a: b", "U+202E"),
        ("100644", "tenants.d/::error::x/a.yaml", "a: b", "lower-case letters"),
        ("100644", "tenants.d/blue/\udcff\udcfe.yaml", "a: b", "cannot be shown"),
    ],
)
def test_hostile_entries_of_a_commit(desk: Desk, mode: str, path: str, content: str, words: str) -> None:
    entries = [*planted(desk), (mode, path, content or desk.repository.head())]
    commit = desk.repository.plant(entries)
    said = [desk.run("validate", "--revision", commit), desk.run("plan", "--revision", commit)]
    assert [each.code for each in said] == [1, 1]
    assert words in said[0].everything
    assert "root:" not in said[0].everything
    assert steered(*said) == []


@pytest.mark.parametrize("target", ["../red", "../../..", "/etc", "nowhere", "blue"])
def test_links_in_the_working_tree(desk: Desk, target: str) -> None:
    (desk.root / "tenants.d/blue").symlink_to(target)
    said = desk.run("validate")
    assert said.code == 1
    assert "tenants.d/blue:1" in said.everything and "is a symbolic link" in said.everything


def test_a_link_in_the_place_of_all_tenants(desk: Desk, tmp_path: Path) -> None:
    shutil.move(desk.root / "tenants.d", tmp_path / "elsewhere")
    (desk.root / "tenants.d").symlink_to(tmp_path / "elsewhere")
    said = desk.run("validate")
    assert said.code == 1
    assert "is a symbolic link; policies are read from plain folders only" in said.everything


@pytest.mark.parametrize(
    ("link", "command"),
    [
        ("tenants.d/red/approvals", ("approve", "plan.json", "--because", "CHG-1")),
        ("policies/principals.lock.yaml", ("pin",)),
        ("schemas", ("schema",)),
        ("schemas/plan.v1.json", ("schema",)),
    ],
)
def test_nothing_is_written_through_a_link(
    desk: Desk, tmp_path: Path, link: str, command: tuple[str, ...]
) -> None:
    """Whoever looks at a pull request in a clone of it runs commands that write below its root."""
    desk.run("plan", "--out", "plan.json")
    desk.run("schema")
    place, outside = desk.root / link, tmp_path / "outside"
    if place.is_dir():
        shutil.rmtree(place)
        outside.mkdir()
    elif place.suffix:
        outside.write_text("mine")
        place.unlink(missing_ok=True)
    else:
        outside.mkdir()
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(outside)
    said = desk.run(*command)
    assert said.code == 1
    assert "is a symbolic link" in said.err
    assert outside.read_text() == "mine" if outside.is_file() else list(outside.iterdir()) == []
