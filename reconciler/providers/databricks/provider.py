"""The Databricks provider: reads every workspace at once, writes one thing at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

from reconciler.core.environment import DatabricksSettings, Environment
from reconciler.core.model import Address, Gap, Identity, Live, Wanted
from reconciler.core.plan import Action, Outcome, Status
from reconciler.providers import identity
from reconciler.providers.contract import (
    FORGETFUL,
    BeforeSend,
    Diary,
    Directory,
    Progress,
    Question,
    Unusable,
    silent,
    unguarded,
)
from reconciler.providers.databricks.boundaries import lying_in
from reconciler.providers.databricks.client import LIMITS, Host
from reconciler.providers.databricks.client_auth import Sign, signing
from reconciler.providers.databricks.client_sdk import Headers, connect
from reconciler.providers.databricks.entitlements_reading import read_entitlements
from reconciler.providers.databricks.entitlements_writing import write_entitlements
from reconciler.providers.databricks.kinds import ENTITLEMENTS, KINDS, PROVIDER, SECRET_SCOPE
from reconciler.providers.databricks.nesting import tell_nested
from reconciler.providers.databricks.people import People
from reconciler.providers.databricks.scopes_reading import read_scopes
from reconciler.providers.databricks.scopes_writing import write_scope
from reconciler.providers.databricks.site import Reading, Site
from reconciler.providers.databricks.writing import Job
from reconciler.providers.pacing import Pacer

CONNECTIONS = 8
"""Requests of one workspace under way at once; SCIM, which takes four, never has more than three of them."""
WORKSPACES = 4
"""Workspaces that are read at once."""


class DatabricksProvider:
    """The workspaces of one environment."""

    name = PROVIDER
    kinds = KINDS

    def __init__(
        self,
        settings: DatabricksSettings,
        sign: Sign,
        *,
        ca_file: str = "",
        patience: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        before_send: BeforeSend = unguarded,
    ) -> None:
        self._settings = settings
        self._sign = sign
        self._ca_file = ca_file
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._before_send = before_send
        self._hosts: dict[str, Host] = {}
        self._sites: dict[str, Site] = {}
        self._guard = threading.Lock()
        self._locks: dict[Address, threading.Lock] = {}
        self._directory: Directory | None = None
        self._wanted: dict[Address, Wanted] = {}

    @classmethod
    def open(
        cls,
        environment: Environment,
        environ: identity.Environ,
        root: Path | str,
        before_send: BeforeSend = unguarded,
    ) -> DatabricksProvider:
        """The provider of an environment; nothing is asked yet.  Raises Unusable."""
        settings = environment.databricks or DatabricksSettings(account_id="")
        return cls(
            settings,
            # An environment without a workspace asks nobody to sign in to one.
            signing(environment, environ, root) if settings.workspaces else _nowhere,
            ca_file=identity.ca_path(environment, root),
            patience=environment.patience,
            before_send=before_send,
        )

    def read(self, question: Question) -> Live:
        """Read what is asked for, workspace by workspace; what fails is a gap."""
        self._directory = question.directory
        self._wanted.update((want.address, want) for want in question.wanted)
        identities = question.directory.resolve(sorted(_principals(question.wanted)))
        names = {want.address.installation for want in question.wanted}
        names |= {each.installation for each in question.boundaries} & self._settings.workspaces.keys()
        gaps: dict[Address, Gap] = {}
        for want in question.wanted:
            if want.address.installation not in self._settings.workspaces:
                reason = f"the environment maps no workspace {want.address.installation}"
                gaps[want.address] = Gap(address=want.address, reason=reason)
        progress = _one_at_a_time(question.progress)
        with ThreadPoolExecutor(CONNECTIONS) as pool, ThreadPoolExecutor(WORKSPACES) as outer:

            def visit(name: str) -> Reading:
                return self._visit(name, question, identities, pool, progress)

            readings = list(outer.map(visit, sorted(names & self._settings.workspaces.keys())))
        return Live(
            found={address: thing for reading in readings for address, thing in reading.found.items()},
            gaps={**gaps, **{address: gap for each in readings for address, gap in each.gaps.items()}},
            findings=[finding for reading in readings for finding in reading.findings],
            answering=frozenset(
                f"{PROVIDER}/{reading.site.settings.name}"
                for reading in readings
                if reading.site.host.answers
            ),
        )

    def _visit(
        self,
        name: str,
        question: Question,
        identities: Mapping[str, Identity],
        pool: Executor,
        progress: Progress,
    ) -> Reading:
        """Read one workspace."""
        site = self._site(name)
        mine = [want for want in question.wanted if want.address.installation == name]
        people = [want for want in mine if want.address.kind == ENTITLEMENTS]
        scopes = [want for want in mine if want.address.kind == SECRET_SCOPE]
        reading = Reading(
            site=site,
            people=People(site.host),
            boundaries=lying_in(question.boundaries, name),
            arriving=frozenset(want.address.locator for want in people if want.grants),
        )
        read_entitlements(reading, people, identities)
        progress(f"entitlements of {name}", len(people), len(people))

        def tell(done: int, total: int) -> None:
            progress(f"secret scopes of {name}", done, total)

        read_scopes(reading, scopes, identities, question.directory, question.as_of, pool, tell)
        tell_nested(reading, mine, identities, question.directory)
        return reading

    def write(
        self,
        address: Address,
        actions: Sequence[Action],
        diary: Diary = FORGETFUL,
        progress: Progress = silent,
    ) -> Sequence[Outcome]:
        """Carry out actions on one thing; one outcome each, and no exception for what the service does."""
        refusal = self._obstacle(address)
        if refusal or self._directory is None:
            return [Outcome(action=each.id, status=Status.REFUSED, reason=refusal) for each in actions]
        job = Job(
            site=self._site(address.installation),
            address=address,
            actions=actions,
            directory=self._directory,
            want=self._wanted.get(address),
            sleep=self._sleep,
            progress=progress,
        )
        with self._lock(address):
            return write_entitlements(job) if address.kind == ENTITLEMENTS else write_scope(job)

    def _obstacle(self, address: Address) -> str:
        if address.installation not in self._settings.workspaces:
            return f"the environment maps no workspace {address.installation}"
        if address.kind not in (ENTITLEMENTS, SECRET_SCOPE):
            return f"there is nothing called {address.kind} in Databricks"
        return "" if self._directory is not None else "nothing was read in this run; plan again"

    def close(self) -> None:
        """Let go of all connections."""
        for host in self._hosts.values():
            host.close()
        self._hosts.clear()
        self._sites.clear()

    def _lock(self, address: Address) -> threading.Lock:
        """Writes to one thing go one after the other (databricks/cli pull request 4258)."""
        with self._guard:
            return self._locks.setdefault(address, threading.Lock())

    def _site(self, name: str) -> Site:
        if name in self._sites:
            return self._sites[name]
        workspace = self._settings.workspaces[name]
        self._sites[name] = Site(
            settings=workspace,
            host=self._host(name, workspace.host, workspace_id=workspace.workspace_id),
            account=lambda: self._host("", self._settings.account_host, account_id=self._settings.account_id),
            account_id=self._settings.account_id,
            sync=self._settings.identity_sync,
        )
        return self._sites[name]

    def _host(self, key: str, host: str, workspace_id: str = "", account_id: str = "") -> Host:
        with self._guard:
            if key not in self._hosts:
                line = connect(
                    host,
                    self._sign(host, account_id),
                    ca_file=self._ca_file,
                    workspace_id=workspace_id,
                    seconds=self._patience,
                    connections=CONNECTIONS,
                )
                self._hosts[key] = Host(
                    line,
                    Pacer(LIMITS, clock=self._clock, sleep=self._sleep),
                    name=f"workspace {key}" if key else "the Databricks account",
                    patience=self._patience,
                    clock=self._clock,
                    sleep=self._sleep,
                    before_send=self._before_send,
                )
            return self._hosts[key]


def _nowhere(host: str, account_id: str) -> Headers:
    raise Unusable(f"the environment maps no workspace, so there is no way to sign in to {host}")


def _principals(wanted: Iterable[Wanted]) -> set[str]:
    named = {fact.principal for want in wanted for fact in want.grants if fact.principal}
    return named | {want.address.locator for want in wanted if want.address.kind == ENTITLEMENTS}


def _one_at_a_time(progress: Progress) -> Progress:
    lock = threading.Lock()

    def tell(what: str, done: int, total: int) -> None:
        with lock:
            progress(what, done, total)

    return tell
