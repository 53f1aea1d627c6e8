"""Policies that cannot be used, or cannot be found: one line that says what, where and what next."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.desk import ESTATE, Desk

READING = (["validate"], ["plan"], ["drift"], ["apply"], ["pin"])
ACCESS = "tenants.d/red/access.yaml"


@pytest.mark.parametrize("arguments", READING, ids=lambda each: each[0])
def test_a_root_that_does_not_exist(desk: Desk, arguments: list[str]) -> None:
    said = desk.run("--root", "/nowhere/at/all", *arguments)
    assert said.code == 1
    assert "/nowhere/at/all" in said.one_line()
    assert "--root" in said.one_line()


@pytest.mark.parametrize("arguments", READING, ids=lambda each: each[0])
def test_a_root_that_is_a_file(desk: Desk, arguments: list[str]) -> None:
    said = desk.run("--root", str(desk.root / ACCESS), *arguments)
    assert said.code == 1
    assert "access.yaml" in said.one_line()


@pytest.mark.parametrize("arguments", READING, ids=lambda each: each[0])
def test_a_folder_without_policies(desk: Desk, tmp_path: Path, arguments: list[str]) -> None:
    said = desk.run("--root", str(tmp_path / "empty"), *arguments)
    (tmp_path / "empty").mkdir()
    again = desk.run("--root", str(tmp_path / "empty"), *arguments)
    assert (said.code, again.code) == (1, 1)
    assert "--root" in again.one_line()


@pytest.mark.parametrize("arguments", [["apply"], ["plan", "--revision", "HEAD"]], ids=" ".join)
def test_policies_outside_of_git(desk: Desk, tmp_path: Path, arguments: list[str]) -> None:
    lonely = Desk(tmp_path / "lonely", desk.emulator)
    lonely.lay_out(ESTATE / "platform", ESTATE / "tenant")
    for path in (lonely.root / ".git").rglob("*"):
        if path.is_file():
            path.unlink()
    said = lonely.run(*arguments)
    assert said.code == 1
    assert "in no git repository" in said.one_line()


def test_a_working_tree_needs_no_git_to_be_planned(desk: Desk, tmp_path: Path) -> None:
    import shutil

    shutil.rmtree(desk.root / ".git")
    assert desk.run("plan").code == 3


@pytest.mark.parametrize("revision", ["nonsense", "HEAD~9", "-x", "", "HEAD:policies", "0" * 40])
def test_an_unknown_revision(desk: Desk, revision: str) -> None:
    for command in ("plan", "apply", "validate", "drift"):
        said = desk.run(command, f"--revision={revision}")
        assert said.code == 1
        assert "--revision" in said.one_line()


def test_a_repository_without_commits(desk: Desk, tmp_path: Path) -> None:
    fresh = Desk(tmp_path / "fresh", desk.emulator)
    fresh.lay_out(ESTATE / "platform", ESTATE / "tenant")
    assert "HEAD" in fresh.run("apply").one_line()
    assert fresh.run("plan").code == 3


def test_a_shallow_clone_cannot_tell_who_approved(desk: Desk, tmp_path: Path) -> None:
    desk.run("plan", "--out", "plan.json")
    desk.run("approve", "plan.json", "--because", "CHG-1")
    desk.commit("lea")
    shallow = tmp_path / "shallow"
    desk.repository.git("clone", "-q", "--depth", "1", f"file://{desk.root}", str(shallow))
    (shallow / ".reconciler").mkdir()
    (shallow / ".reconciler/ca.pem").write_bytes(desk.emulator.ca_file.read_bytes())
    said = desk.run("--root", str(shallow), "apply")
    assert said.code == 1
    assert "git fetch --unshallow" in said.one_line()
    assert desk.run("--root", str(shallow), "plan").code == 3


def test_an_unknown_environment(desk: Desk) -> None:
    said = desk.run("plan", "--env", "tset")
    assert said.code == 1
    assert said.one_line() == "reconciler: no environment 'tset' in policies/; there is test"
    assert desk.run("plan", RECONCILER_ENV="tset").code == 1


def test_several_environments_and_none_named(desk: Desk) -> None:
    text = (desk.root / "policies/environment.yaml").read_text("utf-8")
    desk.write("policies/other.yaml", text.replace("name: test", "name: other"))
    said = desk.run("plan")
    assert said.code == 1
    assert said.one_line() == "reconciler: which environment? give --env or RECONCILER_ENV: other, test"
    assert desk.run("plan", "--env", "test").code == 3
    assert desk.run("plan", RECONCILER_ENV="test").code == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: [", "expected node content"),
        ("kind: environment\nname: test\n", "entra"),
        ("kind: environment\nkind: environment\n", "kind"),
        ("\x00\x01", "environment.yaml:1"),
        ("!!python/object/apply:os.system [id]", "environment.yaml:1"),
        ("", "no valid document of kind environment"),
    ],
)
def test_a_broken_environment_leaves_nothing_to_plan(desk: Desk, text: str, words: str) -> None:
    desk.write("policies/environment.yaml", text)
    desk.commit("noor")
    for command in ("plan", "drift", "apply", "pin"):
        said = desk.run(command)
        assert said.code == 1
        assert words in said.err
        assert "Traceback" not in said.everything
        assert said.out == ""


def test_an_error_of_a_tenant_is_told_with_the_plan_of_the_others(desk: Desk) -> None:
    desk.write("tenants.d/blue/groups.yaml", "kind: group\nname: blue-ds\n")
    said = desk.run("plan")
    assert said.code == 1
    assert "tenants.d/blue/groups.yaml:1:1" in said.out
    assert "user:bo@corp.example" in said.out


def test_an_unknown_tenant(desk: Desk) -> None:
    said = desk.run("plan", "--tenant", "rde")
    assert said.code == 1
    assert "no tenant 'rde'" in said.one_line()


@pytest.mark.parametrize(
    "name", ["", ".", "..", "red/../red", "../../etc", "/etc", "red/", "re\nd", "r\x1bed"]
)
def test_a_tenant_is_a_name_and_no_path(desk: Desk, name: str) -> None:
    said = desk.run("plan", "--tenant", name)
    assert said.code == 1
    assert "no tenant" in said.one_line()


def test_a_day_far_away_is_a_day(desk: Desk) -> None:
    assert desk.run("plan", "--as-of", "9999-12-31").code == 3
    assert desk.run("plan", "--as-of", "0001-01-01").code == 3
