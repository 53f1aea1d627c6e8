"""Workflow files as data, and their steps carried out as a runner would."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from tests.architecture.source import ROOT

FOLDER = ROOT / ".github/workflows"
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


@dataclass(frozen=True)
class Flow:
    """One workflow file.  Every scalar is a text, so that `on` stays a word and `false` is "false"."""

    name: str
    text: str

    @cached_property
    def content(self) -> Mapping[str, Any]:
        loaded = yaml.load(self.text, Loader=yaml.BaseLoader)  # noqa: S506 - it makes nothing but texts
        assert isinstance(loaded, dict)
        return loaded

    @property
    def triggers(self) -> Mapping[str, Any]:
        on = self.content["on"]
        return on if isinstance(on, dict) else dict.fromkeys([on] if isinstance(on, str) else on, "")

    @property
    def jobs(self) -> Mapping[str, Mapping[str, Any]]:
        jobs: Mapping[str, Mapping[str, Any]] = self.content["jobs"]
        return jobs

    def steps(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Every step with the name of its job."""
        for name, job in self.jobs.items():
            for step in job.get("steps", ()):
                yield name, step


def flow(name: str) -> Flow:
    return Flow(name, (FOLDER / f"{name}.yml").read_text("utf-8"))


def flows() -> list[Flow]:
    return [flow(path.stem) for path in sorted(FOLDER.glob("*.yml"))]


@dataclass
class Runner:
    """Carries out the `run` steps of a job in a clone, with the shell and the rules that GitHub uses.

    `uses` steps are passed over: their work is set up by the test.  `given` answers the expressions that the
    job uses; one that it does not answer is a failure of the test.
    """

    clone: Path
    given: Mapping[str, str]
    environ: Mapping[str, str]
    skipped: tuple[str, ...] = ("Install the tool",)
    log: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def run(self, job: Mapping[str, Any]) -> bool:
        """Whether the job succeeded."""
        shared = self._values(job.get("env", {}))
        for number, step in enumerate(job["steps"]):
            name = step.get("name") or step.get("id") or f"step {number}"
            if "run" not in step or name in self.skipped:
                continue
            if self.failed and "cancelled()" not in step.get("if", "success()"):
                continue
            if not self._step(step, {**shared, **self._values(step.get("env", {}))}):
                self.failed.append(name)
        return not self.failed

    def _step(self, step: Mapping[str, Any], env: Mapping[str, str]) -> bool:
        output = self.clone.parent / "output"
        output.write_text("")
        # The workflow runs "bash -e {0}" (GitHub docs: workflow syntax, steps[*].shell).
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-c", step["run"]],
            cwd=self.clone,
            env={**os.environ, **self.environ, **env, "GITHUB_OUTPUT": str(output)},
            capture_output=True,
            text=True,
            check=False,
        )
        self.log += done.stdout + done.stderr
        for line in output.read_text().splitlines():
            key, _, value = line.partition("=")
            self.outputs[f"steps.{step['id']}.outputs.{key}"] = value
        return done.returncode == 0

    def _values(self, env: Mapping[str, str]) -> dict[str, str]:
        known = {**self.given, **self.outputs}

        def answer(found: re.Match[str]) -> str:
            expression = found[1]
            if expression.startswith("steps."):
                return known.get(expression, "")
            return known[expression]

        return {key: EXPRESSION.sub(answer, value) for key, value in env.items()}
