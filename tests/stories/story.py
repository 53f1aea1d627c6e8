"""Stories: a folder with policies, a seed and a script, told against the emulator as people would live it.

A story's own text is compared with `told.txt`; what its script says that `holds` is compared with the
emulator's state, which no part of the reconciler has a say in.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from reconciler.emulator.databricks.service import DatabricksService
from reconciler.emulator.faults import Fault
from reconciler.emulator.log import Entry
from reconciler.emulator.server import Emulator
from reconciler.emulator.wire import Request
from tests.cli.desk import ESTATE, Desk, seed
from tests.cli.facts import held

STORIES = Path(__file__).parent
NEVER = "absent"
"""What a story writes of a thing that must not be there."""


@dataclass(slots=True)
class Story:
    """One folder being told: each step of its script is a mapping whose first key says what it is."""

    folder: Path
    desk: Desk
    told: list[str] = field(default_factory=list)

    @classmethod
    def begin(cls, folder: Path, emulator: Emulator, root: Path) -> Story:
        """Seed the emulator, lay out the policies and have somebody commit them who approves nothing."""
        script = read(folder)
        emulator.reset(seed(**script.get("seed", {})))
        desk = Desk(root, emulator)
        desk.lay_out(ESTATE / "platform", folder)
        desk.commit("sam")
        return cls(folder, desk)

    def tell(self) -> str:
        """Go through the script; what a reader sees of it, with what differs from run to run made equal."""
        script = read(self.folder)
        self.told.append(f"# {script['about']}")
        for step in script["steps"]:
            word = next(iter(step))
            STEPS[word](self, step)
        return normal("\n".join(self.told) + "\n", self.desk)

    def run(self, step: Mapping[str, Any]) -> None:
        """Type a command; `exit` is the exit code that it must have."""
        self._typed(shlex.split(step["run"]), step["exit"])

    def approve(self, step: Mapping[str, Any]) -> None:
        """Approve the actions of plan.json whose words hold one of these texts, or all of them."""
        actions = json.loads((self.desk.root / "plan.json").read_text("utf-8"))["actions"]
        arguments = ["approve", "plan.json", "--because", step["approve"]]
        for text in step.get("only", ()):
            found = [each["id"] for each in actions if text in _words(each)]
            assert len(found) == 1, f"{text!r} is in {len(found)} of {[*map(_words, actions)]}"
            arguments += ["--only", found[0][:10]]
        for rule, reason in step.get("override", {}).items():
            arguments += ["--override", f"{rule}={reason}"]
        self._typed(arguments, 0)

    def commit(self, step: Mapping[str, Any]) -> None:
        """Commit what lies in the working tree, in somebody's name."""
        self.desk.commit(step["commit"])
        self.told.append(f"\n({step['commit']} commits)")

    def edit(self, step: Mapping[str, Any]) -> None:
        """Write policy files anew."""
        for path, text in step["edit"].items():
            self.desk.write(path, text)
            self.told.append(f"\n({path} is changed)")

    def portal(self, step: Mapping[str, Any]) -> None:
        """Somebody clicks: the emulator's state changes, and the reconciler is not asked."""
        what = step["portal"]
        self.told.append(f"\n(portal: {', '.join(f'{key} {value}' for key, value in what.items())})")
        directory = self.desk.emulator.world.directory
        if "group" in what:
            group = directory.by_group_name(what["group"])[0]
            change = directory.link if "add" in what else directory.unlink
            change(group.id, "members", directory.resolve(what.get("add") or what["remove"]))
            return
        service = self.desk.emulator.services["databricks"]
        assert isinstance(service, DatabricksService)
        scope = service.account.workspaces["ws"].scopes[what["scope"]]
        ids = {who.name: ident for ident, who in service.account.identities.items()}
        scope.acls[ids[what["who"]]] = what["can"]
        scope.listing = None

    def advance(self, step: Mapping[str, Any]) -> None:
        """Let days pass."""
        self.desk.advance(timedelta(days=step["advance"]))
        self.told.append(f"\n({step['advance']} days pass: {self.desk.now():%Y-%m-%d})")

    def fault(self, step: Mapping[str, Any]) -> None:
        """Let a service misbehave; an empty fault mends everything."""
        faults = self.desk.emulator.world.faults
        if step["fault"]:
            faults.add(Fault(**step["fault"], times=None))
        else:
            faults.clear()
        self.told.append(f"\n({step.get('note', 'all services answer again')})")

    def holds(self, step: Mapping[str, Any]) -> None:
        """Compare things with the emulator's state, each as a whole."""
        facts = held(self.desk.emulator)
        for name, wanted in step["holds"].items():
            found = facts.get(name, NEVER)
            assert found == wanted, f"{name} is {found}, not {wanted}"

    def sent(self, step: Mapping[str, Any]) -> None:
        """Compare the number of writes since the last such step, as the emulator counted them."""
        log = self.desk.emulator.world.log
        wrote = [each for each in log.entries if writes(each)]
        log.clear()
        assert len(wrote) == step["sent"], f"wrote {[f'{each.method} {each.path}' for each in wrote]}"

    def recorded(self, step: Mapping[str, Any]) -> None:
        """Compare the guardrails that actions went past the last time, with the reasons, in the journals."""
        lines = [
            json.loads(line)
            for path in sorted((self.desk.root / ".reconciler/store/test/journal").glob("*.jsonl"))
            for line in path.read_text("utf-8").splitlines()
        ]
        announced = [each for each in lines if each["event"] == "announced"]
        past = [each for each in announced if each["overrides"]] or announced
        last = max(past, key=lambda each: datetime.fromisoformat(each["at"]))
        assert last["overrides"] == step["recorded"]

    def _typed(self, arguments: list[str], code: int) -> None:
        self.told.append(f"\n$ reconciler {shlex.join(arguments)}")
        said = self.desk.run(*arguments, COLUMNS="100")
        self.told.append(
            said.out + "".join(f"! {line}\n" for line in said.err.splitlines()) + f"[{said.code}]"
        )
        assert said.code == code, "\n".join(self.told)


STEPS: Mapping[str, Callable[[Story, Mapping[str, Any]], None]] = {
    "run": Story.run,
    "approve": Story.approve,
    "commit": Story.commit,
    "edit": Story.edit,
    "portal": Story.portal,
    "advance": Story.advance,
    "fault": Story.fault,
    "holds": Story.holds,
    "sent": Story.sent,
    "recorded": Story.recorded,
}


def read(folder: Path) -> Any:
    """A story's script."""
    return yaml.safe_load((folder / "story.yaml").read_text("utf-8"))


def writes(entry: Entry | Request) -> bool:
    """Whether a request could change something: reads are sent by POST as well."""
    if entry.service == "entra" or entry.method in ("GET", "HEAD"):
        return False
    if re.search(r"/getByIds$|/oidc/|/resolveByExternalId$|resolve", entry.path):
        return False
    if entry.path.endswith("/$batch"):
        return any(each["method"] != "GET" for each in json.loads(entry.body)["requests"])
    return True


def _words(action: Mapping[str, Any]) -> str:
    return f"{action['verb']} {action['principal']} {action['role']} on {action['address']}"


def normal(text: str, desk: Desk) -> str:
    """The text with ports, folders, object ids and fingerprints made equal; widths stay as they are."""
    text = text.replace(str(desk.root), "<root>")
    text = re.sub(r"127\.0\.0\.1:\d{5}", "127.0.0.1:<port>", text)
    text = re.sub(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", _numbered("<object ", 36), text)
    # Full ids and their shorter forms share their first eight digits, and so their number.
    return re.sub(r"\b[0-9a-f]{8}(?:[0-9a-f]{2}){0,2}\b", _numbered("id", 8), text)


def _numbered(prefix: str, shared: int) -> Callable[[re.Match[str]], str]:
    known: dict[str, int] = {}

    def label(found: re.Match[str]) -> str:
        number = known.setdefault(found[0][:shared], len(known) + 1)
        end = ">" if prefix.startswith("<") else ""
        return prefix + str(number).rjust(len(found[0]) - len(prefix) - len(end), "-") + end

    return label
