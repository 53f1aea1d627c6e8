"""One run of a command: which policies, which environment, which systems; and how to speak to the person."""

from __future__ import annotations

import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.cli_process import harmless, in_environment
from reconciler.core.environment import Environment
from reconciler.core.errors import PolicyError, ReconcilerError, Unreviewed, Unusable
from reconciler.core.model import Kind
from reconciler.core.secrecy import without
from reconciler.core.vocabulary import Problem, Vocabulary
from reconciler.providers.registry import VOCABULARIES
from reconciler.report import clean
from reconciler.report.lines import Line, plain

if TYPE_CHECKING:
    from reconciler.cli_progress import Kept
    from reconciler.policy.policies import Policies
    from reconciler.policy.tree import Tree
    from reconciler.providers.contract import BeforeSend, Checkpoint
    from reconciler.store.contract import Store
    from reconciler.survey import Cloud, Inputs

SCANS = ".reconciler/scans"
"""Where interrupted readings of lakes are kept, below the root and by environment; git ignores it."""
STYLES = {
    "heading": "bold",
    "add": "green",
    "change": "cyan",
    "remove": "bold red",
    "bad": "bold red",
    "warn": "yellow",
    "good": "bold green",
    "dim": "dim",
    "name": "bold cyan",
}
KINDS: Mapping[str, Kind] = {kind.name: kind for vocabulary in VOCABULARIES for kind in vocabulary.kinds}


def columns() -> int:
    """How wide the person's screen is; 100 where there is none."""
    return shutil.get_terminal_size((100, 40)).columns


def out(text: str) -> None:
    """Data on standard output; raises ReconcilerError when that is full, BrokenPipeError when unread."""
    try:
        sys.stdout.write(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ReconcilerError(f"cannot write the output: {error.strerror}") from None


def show(lines: Iterable[Line]) -> None:
    """Print lines on standard output: with colours on a terminal, unless NO_COLOR is set; raises as `out`."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        out(plain(lines))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(Text.assemble(*((text, STYLES.get(style, "")) for style, text in line)))


class Listener:
    """Whom a run is told to while it goes on: it goes on as well when nobody can be told any more."""

    def __init__(self) -> None:
        self._gone: Exception | None = None

    def __call__(self, lines: Iterable[Line]) -> None:
        """Print lines, unless that has failed before."""
        if self._gone is None:
            try:
                show(lines)
                sys.stdout.flush()
            except (ReconcilerError, OSError) as error:
                self._gone = error

    def close(self) -> None:
        """Raise what kept lines from being told; to be called once everything is done."""
        if self._gone is not None:
            raise self._gone


def say(text: str) -> None:
    """A word to the person beside the data: on standard error.  Nothing stops because it cannot be said."""
    with suppress(OSError):
        print(harmless(text), file=sys.stderr)


def now() -> datetime:
    """The present moment, UTC."""
    return datetime.now(UTC)


def tree(root: Path, revision: str | None) -> Tree:
    """The policies as they lie in the folder, or at a git revision; raises PolicyError."""
    if revision is None:
        from reconciler.policy.tree import WorkingTree

        return WorkingTree(root)
    from reconciler.policy.revision import open_revision

    return open_revision(root, revision)


def load(
    root: Path, revision: str | None, passing: Callable[[Problem], bool] = lambda problem: False
) -> Policies:
    """The policies; raises PolicyError where there are none, or where the platform's half is wrong.

    `passing` says which of its faults do not matter here.
    """
    from reconciler.policy.load import load as load_tree

    policies = load_tree(tree(root, revision), VOCABULARIES)
    faults = [each for each in policies.unusable if not passing(each)]
    if faults:
        raise PolicyError(told(faults))
    return policies


def told(problems: Sequence[Problem]) -> str:
    """The platform's own errors as one message."""
    rest = "".join(f"\n  {problem}" for problem in problems)
    return f"the platform's policies are in error, so there is nothing to plan from:{rest}"


def environment_of(policies: Policies, name: str | None) -> Environment:
    """The environment that was asked for, by option or RECONCILER_ENV, or the only one there is."""
    known = policies.environments
    name = name or os.environ.get("RECONCILER_ENV") or (next(iter(known)) if len(known) == 1 else None)
    if name is None:
        raise PolicyError(f"which environment? give --env or RECONCILER_ENV: {', '.join(sorted(known))}")
    if name not in known:
        raise PolicyError(f"no environment {name!r} in policies/; there is {', '.join(sorted(known))}")
    return known[name]


def open_store(environment: Environment, root: Path) -> Store:
    """The environment's memory: a folder, or a container of a lake."""
    if environment.store.container:
        from reconciler.providers.identity import azure_credential, ca_path
        from reconciler.store.client_container import ContainerStore

        credential = azure_credential(environment, os.environ, root)
        return ContainerStore(environment.store.container, credential, ca_path(environment, root))
    from reconciler.store.folder import FolderStore

    return FolderStore(root / environment.store.folder / environment.name)


@contextmanager
def open_cloud(
    environment: Environment,
    pins: Mapping[str, str],
    root: Path,
    needed: frozenset[str],
    before_send: BeforeSend | None = None,
) -> Iterator[Cloud]:
    """The environment's systems, of which only those that the policies speak of are opened.

    Entra is always among them: it says who is who.  Who writes gives `before_send`.
    """
    from reconciler.providers.discreet import DiscreetDirectory, discreet
    from reconciler.survey import Cloud

    secrets = in_environment()
    guard = {} if before_send is None else {"before_send": before_send}

    def scrub(text: str) -> str:
        return without(text, secrets)

    opened: dict[str, Any] = {}
    try:
        for vocabulary in VOCABULARIES:
            if vocabulary.provider in needed | {"entra"}:
                opened[vocabulary.provider] = vocabulary.open(environment, os.environ, root, **guard)
        directory = opened["entra"].directory
        directory.pins = pins
        yield Cloud(
            providers={name: discreet(provider, scrub) for name, provider in opened.items()},
            directory=DiscreetDirectory(directory, scrub),
            kinds=KINDS,
        )
    except KeyboardInterrupt:
        # Taking leave of every service in good order could take as long as the answers that nobody awaits.
        opened.clear()
        raise
    finally:
        for provider in opened.values():
            provider.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Everything that planning in one environment needs."""

    root: Path
    policies: Policies
    environment: Environment
    store: Store
    inputs: Inputs

    @property
    def needed(self) -> frozenset[str]:
        """Providers that the policies or the journal speak of."""
        declared = self.policies.declared_in(self.environment.name)
        spoken = {name for name, documents in declared.items() if documents}
        return frozenset(spoken | {address.provider for address, _ in self.inputs.history.grants()})

    @property
    def pins(self) -> Mapping[str, str]:
        """Names to object ids, as the lock file pins them for the environment's directory."""
        return self.policies.pins(self.environment.name)


def begin(
    arguments: Namespace,
    revision: str | None,
    as_of: date | None = None,
    endpoints_of: str | None = None,
    passing: Callable[[Problem], bool] = lambda problem: False,
) -> Session:
    """Read policies and journal; nothing else of the cloud is asked yet.

    Raises Unreviewed where the environment's endpoints are not those of the revision `endpoints_of`.
    `passing` says which faults of the platform's half do not matter here.
    """
    from reconciler.store.journal import read
    from reconciler.survey import Inputs

    policies = load(arguments.root, revision, passing)
    environment = environment_of(policies, arguments.env)
    if endpoints_of is not None:
        _reviewed(environment, load(arguments.root, endpoints_of), endpoints_of)
    store = open_store(environment, arguments.root)
    moment = now()
    inputs = Inputs(
        policies=policies,
        environment=environment,
        as_of=as_of or moment.date(),
        now=moment,
        history=read(store, environment.name),
    )
    return Session(
        root=arguments.root, policies=policies, environment=environment, store=store, inputs=inputs
    )


def _reviewed(environment: Environment, policies: Policies, revision: str) -> None:
    """Refuse to sign in where the reviewed policies would not: an endpoint receives tokens."""
    known = policies.environments.get(environment.name)
    if known is None or known.endpoints != environment.endpoints:
        raise Unreviewed(
            f"environment {environment.name} has other endpoints, credentials or another store here than at "
            f"{revision}, and nobody has reviewed them: nothing was sent to them. Review and merge what "
            "changes the environment by itself; its plan can be made then"
        )


def checkpoint(session: Session, arguments: Namespace, kept: Kept, warn: Callable[[str], None]) -> Checkpoint:
    """Where this environment's long readings may be taken up again, by whoever asks the same.

    An apply takes up none: it goes by what is there now, or by an inventory whose drift it looks at again.
    """
    from reconciler.providers.contract import Checkpoint

    judged = dict(getattr(arguments, "judged", ()))
    for place in judged:
        lake, _, container = place.partition("/")
        named = session.environment.lakes.get(lake)
        if named is None or container not in named.containers:
            raise Unusable(
                f"--judged {clean.plain(place)}: environment {session.environment.name} has no such "
                "container; give LAKE/CONTAINER as documents name it"
            )
    folder = session.root / SCANS / session.environment.name
    fresh = getattr(arguments, "fresh", True)
    return Checkpoint(
        folder=folder,
        now=now,
        fresh=fresh,
        inventories=not arguments.live,
        judged=judged,
        kept=kept,
        warn=warn,
    )


def vocabularies() -> tuple[Vocabulary, ...]:
    """What every provider adds to the policy language."""
    return VOCABULARIES
