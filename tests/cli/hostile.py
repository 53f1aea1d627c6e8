"""Names that steered something somewhere, and what is searched for in everything that a command says."""

from __future__ import annotations

from tests.cli.desk import Desk, Said
from tests.report.test_hostile import alive, steering

EVIL = {
    "escape": "\x1b[2J\x1b]0;owned\x07",
    "return": "all is well\rnothing",
    "lines": "x\n::error file=a::owned\n::set-output name=a::b",
    "commands": "::add-mask::a ##[command]rm ##vso[task.setvariable]x",
    "markdown": "[x](https://evil.example) ![i](http://evil.example/a.png) @octocat #1 **b** `c` | d",
    "html": "<script>alert(1)</script><!-- reconciler plan --><details open>",
    "bidi": "\u202eevil\u202c\u2066x\u200b\u2028y",
    "marks": "z" + "\u0301" * 40,
    "null": "a\x00b\x7f\x9b31m",
}
"""Names that steered something somewhere."""
EVERYWHERE = " ".join(EVIL.values())


def steered(*said: Said) -> list[str]:
    """What of the output does not show, begins a line as a command, or moves the cursor."""
    lines = (line for each in said for text in (each.out, each.err) for line in text.split("\n"))
    return [f"{found!r} in {line[:120]!r}" for line in lines for found in steering(line)]


def lively(text: str) -> list[str]:
    """What in a Markdown text is a link, a mention, an image or HTML that is not the report's own."""
    return list(alive(text))


def reports(desk: Desk) -> dict[str, str]:
    """Everything that was written below `out`."""
    return {path.name: path.read_text("utf-8") for path in sorted((desk.root / "out").glob("*"))}


def everything(desk: Desk) -> list[Said]:
    """Every command that shows live state, up to an apply of all of it."""
    said = [
        desk.run("plan", "--out", "out/plan.json"),
        desk.run("plan", "--format", "markdown"),
        desk.run("plan", "--format", "json"),
        desk.run("drift", "--markdown", "out/drift.md", "--json", "out/drift.json"),
        desk.run("show", "out/plan.json"),
        desk.run("approve", "out/plan.json", "--because", "CHG-1"),
    ]
    desk.commit("lea")
    said += [desk.run("apply", "--markdown", "out/apply.md"), desk.run("plan"), desk.run("pin")]
    return said


def harmless(desk: Desk, said: list[Said]) -> None:
    assert not any("internal error" in each.err for each in said), [each.err for each in said]
    assert steered(*said) == []
    assert lively(said[1].out) == []
    for name, text in reports(desk).items():
        if name.endswith(".md"):
            assert lively(text) == []
        else:
            assert text.isascii()
            assert [found for line in text.split("\n") for found in steering(line)] == []
    for journal in (desk.root / ".reconciler/store/test").rglob("*.jsonl"):
        assert journal.read_text("utf-8").isascii()
