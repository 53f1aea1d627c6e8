"""`demo`: the whole loop against the emulator, in a scratch clone, told step by step."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import ssl
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconciler.cli_emulator import read_seed
from reconciler.cli_process import INTERRUPTED
from reconciler.cli_session import show
from reconciler.core.errors import ReconcilerError
from reconciler.emulator.server import Emulator, running
from reconciler.report.lines import line

ENVIRONMENT = Path("policies/environments/local.yaml")
ACCESS = Path("tenants.d/marketing/access.yaml")
PLAN = ".reconciler/plan.json"
GAP = """\
accepted-gaps:
  - address: entra/corp-local/group/fraud-investigations
    until: 2099-12-31
    because: "hidden membership, LEGAL-88"
"""
READER = ("aaaaaaaa-0000-4000-8000-000000000001", "emulator-plan-secret")
WRITER = ("aaaaaaaa-0000-4000-8000-000000000002", "emulator-apply-secret")
"""The two identities of the sample estate; the secrets open nothing but the emulator."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The scratch clone and the emulated cloud that the story plays on."""

    root: Path
    emulator: Emulator

    def reconciler(self, identity: tuple[str, str], *arguments: str) -> int:
        """Run a command as a user would, and show it; raises KeyboardInterrupt if that was stopped."""
        from reconciler.cli import main

        os.environ.update(
            {
                "AZURE_CLIENT_ID": identity[0],
                "AZURE_CLIENT_SECRET": identity[1],
                "DATABRICKS_CLIENT_ID": identity[0],
                "DATABRICKS_CLIENT_SECRET": identity[1],
            }
        )
        who = "reconciler-plan" if identity is READER else "reconciler-apply"
        show([line(), line(("name", f"$ reconciler {shlex.join(arguments)}"), ("dim", f"   # as {who}"))])
        sys.stdout.flush()
        with contextlib.chdir(self.root):
            code = main(arguments)
        show([line(("dim", f"exit code {code}"))])
        if code == INTERRUPTED:
            # The command has told so and ended; the steps behind it need what it did not do.
            raise KeyboardInterrupt("interrupted; the demo ends here")
        return code

    def edit(self, path: Path, old: str, new: str) -> None:
        """Change a policy file; raises ReconcilerError where it does not say what it should."""
        text = (self.root / path).read_text("utf-8")
        if old not in text:
            raise ReconcilerError(f"{path} does not hold {old.strip()!r} any more; mend the demo's story")
        (self.root / path).write_text(text.replace(old, new), "utf-8")

    def commit(self, author: str, message: str) -> None:
        """Commit everything in the clone in somebody's name, as a merged pull request would."""
        git(self.root, "add", "--all", "--", "policies", "tenants.d")
        mail = f"{author.split()[0].lower()}@corp.example"
        git(self.root, "-c", f"user.name={author}", "-c", f"user.email={mail}", "commit", "-q", "-m", message)
        show([line(("name", f"$ git commit -m '{message}'"), ("dim", f"   # by {author} <{mail}>"))])


def run(arguments: Namespace) -> int:
    """Tell the story; 0 when it ended with everything in step."""
    with stage(arguments.root, arguments.keep) as here:
        for step in STORY:
            step(here)
        return _final(here)


@contextmanager
def stage(source: Path, keep: Path | None) -> Iterator[Stage]:
    """A scratch clone of the policies and a running emulator; the working tree is never touched."""
    if not (source / ENVIRONMENT).is_file():
        raise ReconcilerError(f"{source / ENVIRONMENT} is not there; run the demo from a clone of reconciler")
    with tempfile.TemporaryDirectory(prefix="reconciler-demo-") as folder:
        root = (keep or Path(folder) / "policies").absolute()
        clone(source, root)
        with running(read_seed(None), root / ".reconciler/emulator-ca.pem") as emulator:
            redirect(root / ENVIRONMENT, emulator)
            yield Stage(root, emulator)


def clone(source: Path, root: Path) -> None:
    """Clone the policies at HEAD; raises ReconcilerError where there is no repository."""
    if root.exists() and any(root.iterdir()):
        raise ReconcilerError(f"{root} is not empty; name a new folder with --keep")
    git(source, "clone", "-q", "--no-hardlinks", str(source.absolute()), str(root))


def git(folder: Path, *arguments: str) -> None:
    """Run git; raises ReconcilerError with its own words."""
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise ReconcilerError(f"git {arguments[0]} in {folder}: {said[-1] if said else done.returncode}")


def redirect(path: Path, emulator: Emulator) -> None:
    """Point the environment's file at the ports that were free: endpoints come in the file's own order."""
    ports = iter(emulator.ports)
    text = re.sub(
        r"https://127\.0\.0\.1:\d+", lambda _: f"https://127.0.0.1:{next(ports)}", path.read_text("utf-8")
    )
    path.write_text(text, "utf-8")


def tell(title: str, text: str) -> None:
    """A heading and what to look at."""
    show([line(), line(("heading", f"=== {title}"))])
    if text:
        show([line(("dim", part)) for part in text.splitlines()])


def _begin(here: Stage) -> None:
    tell(
        "1. A sample estate, four tenants, and a cloud that has drifted from it",
        f"The policies were cloned to {here.root}; an emulator of Entra, Graph, ARM,\n"
        "Databricks and ADLS Gen2 answers on loopback, over TLS, and the real SDKs talk to it.",
    )
    here.commit("Sam Osei", "Point environment local at this emulator")
    here.reconciler(READER, "validate")


def _plan(here: Stage) -> None:
    tell(
        "2. What differs?",
        "A read-only identity reads everything and plans.  Nothing is written to the cloud.",
    )
    here.reconciler(READER, "plan", "--env", "local", "--out", PLAN)


def _refuse(here: Stage) -> None:
    tell("3. Nobody has approved anything, so nothing is sent", "")
    here.reconciler(WRITER, "apply", "--env", "local")


def _part(here: Stage) -> None:
    tell(
        "4. Lea approves what concerns her team",
        "She may approve for pricing (policies/approval-rules.yaml), and did not write those lines.",
    )
    because = "Clean up after the migration, CHG-1301"
    here.reconciler(READER, "approve", PLAN, "--tenant", "pricing", "--because", because)
    _excerpt(here)
    here.commit("Lea Roth", "Approve the corrections of pricing")


def _portal(here: Stage) -> None:
    tell(
        "5. Before the night comes, somebody clicks in the portal",
        "pricing-ds now holds MANAGE on the scope.  Lea consented to WRITE -> READ and to nothing else:\n"
        "that one is refused by name, and the rest of what she approved goes on.",
    )
    click(here.emulator, {"scope": "pricing", "principal": "pricing-ds", "permission": "MANAGE"})
    here.reconciler(WRITER, "apply", "--env", "local")


def _mend(here: Stage) -> None:
    tell(
        "6. What no approval can mend, a change of the policies does",
        "o.brien does not exist, and nobody may read who is in fraud-investigations.",
    )
    here.edit(ACCESS, "  - user:o.brien@corp.example\n", "")
    here.edit(ENVIRONMENT, "patience:", GAP + "patience:")
    here.commit("Tom Reed", "Drop a member who does not exist; accept what may not be read")


def _rest(here: Stage) -> None:
    tell(
        "7. Noor, of the platform team, approves everything that is left",
        "A guardrail stands in the way of the removals of fraud; she overrides it with a reason.",
    )
    here.reconciler(READER, "plan", "--env", "local", "--out", PLAN)
    override = "removals=the team moved, and the interns left in September"
    because = "First clean-up of the estate, CHG-1400"
    here.reconciler(READER, "approve", PLAN, "--because", because, "--override", override)
    here.commit("Noor Khan", "Approve the first clean-up")
    here.reconciler(WRITER, "apply", "--env", "local")


def _stage_two(here: Stage) -> None:
    tell(
        "8. What waited for new groups has object ids now",
        "The next stage is planned, approved and applied like the first.",
    )
    here.reconciler(READER, "plan", "--env", "local", "--out", PLAN)
    here.reconciler(READER, "approve", PLAN, "--because", "Second stage of CHG-1400")
    here.commit("Noor Khan", "Approve the second stage")
    here.reconciler(WRITER, "apply", "--env", "local")


def _final(here: Stage) -> int:
    tell("9. A last plan finds everything in step", "")
    return here.reconciler(READER, "plan", "--env", "local")


def _excerpt(here: Stage) -> None:
    """Show the beginning of an approval: it is read by people before it counts."""
    path = next((here.root / "tenants.d/pricing/approvals").glob("*.yaml"))
    lines = path.read_text("utf-8").splitlines()
    begin = lines.index("kind: approval")
    show([line(("dim", f"  | {text}")) for text in [*lines[begin : begin + 14], "..."]])


def click(emulator: Emulator, acl: Mapping[str, str]) -> None:
    """What a click on a secret scope's permissions comes to: an API call in an administrator's name."""
    import httpx

    context = ssl.create_default_context(cafile=str(emulator.ca_file))
    with httpx.Client(base_url=emulator.url("databricks/ml-prod"), verify=context) as portal:
        grant = {"grant_type": "client_credentials", "scope": "all-apis"}
        token = portal.post("/oidc/v1/token", data=grant, auth=WRITER).raise_for_status().json()
        bearer = {"Authorization": f"Bearer {token['access_token']}"}
        portal.post("/api/2.0/secrets/acls/put", json=dict(acl), headers=bearer).raise_for_status()
    show([line(("name", f"(portal) secret scope pricing: {acl['principal']} -> {acl['permission']}"))])


STORY: Sequence[Callable[[Stage], None]] = (_begin, _plan, _refuse, _part, _portal, _mend, _rest, _stage_two)
