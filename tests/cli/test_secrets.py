"""No secret leaves the process: canaries lie wherever one could come from, and what is written is searched.

Services answer with the very request that they were sent, headers and form included, as some proxies and
gateways do: whatever a message is made of may hold a token.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from reconciler.cli_emulator import read_seed
from reconciler.emulator.app import App
from reconciler.emulator.wire import Request, Response
from tests.cli.canaries import LAID, VALUES, echo, leaks, written
from tests.cli.desk import ESTATE, HOME, Desk, Said, signed_in
from tests.cli.facts import held
from tests.cli.test_process import RUN

Which = Callable[[Request], bool]


@pytest.fixture
def echoing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Which, int], None]:
    """Let the emulator answer some requests with themselves."""
    handle = App.handle

    def order(which: Which, status: int) -> None:
        def answer(self: App, request: Request) -> Response:
            return echo(request, status) if which(request) else handle(self, request)

        monkeypatch.setattr(App, "handle", answer)

    return order


def to(service: str) -> Which:
    return lambda request: re.fullmatch(service, request.service) is not None


def is_write(request: Request) -> bool:
    """Whether a request would change something; Graph also asks in POST."""
    asks = request.service == "entra" or "/oidc/" in request.path or request.path.endswith(("/getByIds",))
    if request.path.endswith("/$batch"):
        return b'"PATCH"' in request.body or b'"DELETE"' in request.body or b"$ref" in request.body
    return not asks and request.method not in ("GET", "HEAD")


SERVICES = ("entra", "graph", "arm", "databricks/ws", "databricks-account", "lake/lake/dfs", "lake/lake/blob")
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("validate",),
    ("validate", "--format", "json"),
    ("validate", "--format", "github"),
    ("plan", "--out", "out/plan.json"),
    ("plan", "--format", "markdown"),
    ("plan", "--format", "json"),
    ("drift", "--markdown", "out/drift.md", "--json", "out/drift.json"),
    ("pin", "--check"),
    ("pin",),
    ("ground", "lake/data", "--out", "out/ground.json"),
    ("show", "out/plan.json"),
    ("show", "out/plan.json", "--format", "markdown"),
)


def everything(desk: Desk, commands: tuple[tuple[str, ...], ...] = COMMANDS) -> list[Said]:
    """Run every command, and apply what was approved; whatever they come to."""
    said = [desk.run(*arguments, **LAID) for arguments in commands]
    said.append(desk.approve_what_may_go("CHG-1", "out/plan.json", **LAID))
    desk.commit("lea")
    said.append(desk.run("apply", "--markdown", "out/apply.md", **LAID))
    assert not any("internal error" in each.err for each in said), [each.err for each in said]
    return said


def test_the_canaries_are_where_they_can_be_found(desk: Desk) -> None:
    """What searches for leaks finds one."""
    assert leaks(desk, Said(0, f"x{LAID['STORAGE_ACCESS_KEY']}", "")) != []
    (desk.root / "note.txt").write_text("canary-secret-value")
    assert [leak.partition(":")[0] for leak in leaks(desk)] == ["note.txt"]
    assert signed_in(True)["AZURE_CLIENT_SECRET"] in VALUES


def test_every_command_with_success(desk: Desk) -> None:
    said = everything(desk)
    assert said[-1].code == 0
    assert "red-ds" in said[-1].out
    assert held(desk.emulator)["group red-ds"]["members"] == ["user:ana", "user:bo"]
    assert leaks(desk, *said) == []


@pytest.mark.parametrize("status", [400, 403, 500])
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_gives_back_what_it_was_sent(
    desk: Desk, echoing: Callable[[Which, int], None], service: str, status: int
) -> None:
    echoing(to(service), status)
    said = [
        desk.run("plan", "--out", "out/plan.json", **LAID),
        desk.run("plan", "--format", "markdown", **LAID),
    ]
    said.append(desk.run("pin", **LAID))
    assert leaks(desk, *said) == []
    assert not any("internal error" in each.err for each in said), [each.err for each in said]


@pytest.mark.parametrize("status", [400, 403, 500])
def test_writes_that_are_given_back(desk: Desk, echoing: Callable[[Which, int], None], status: int) -> None:
    """How each action ended goes into the journal, which is kept for years."""
    echoing(is_write, status)
    said = everything(desk)
    journals = "".join(text for name, text in written(desk) if name.endswith(".jsonl"))
    assert "bad request with" in journals or "Denied" in journals
    assert leaks(desk, *said) == []


@pytest.mark.parametrize("which", ["reads", "writes", "sign-in"])
def test_nothing_at_any_level_of_logging(
    desk: Desk, echoing: Callable[[Which, int], None], which: str
) -> None:
    """RECONCILER_DEBUG shows all that the libraries log, on every road."""
    for arguments in (
        ("plan", "--out", "plan.json"),
        ("approve", "plan.json", "--because", "x", "--expires", "2099-01-01"),
    ):
        desk.run(*arguments)
    desk.commit("lea")
    desk.emulator.world.clock.frozen_at = None
    match which:
        case "writes":
            echoing(is_write, 400)
        case "sign-in":
            echoing(lambda request: "token" in request.path, 401)
        case _:
            echoing(lambda request: request.method == "GET" and "users" in request.path.lower(), 403)
    said = [desk.spawn(command, RECONCILER_DEBUG="1", **LAID) for command in ("plan", "pin", "apply")]
    assert all("DEBUG]" in each.err for each in said)
    assert leaks(desk, *said) == []


RAISING = """
import os
import reconciler.providers.entra.directory as directory
def broken(*arguments):
    try:
        raise ValueError("first " + " ".join(os.environ.values()))
    except ValueError as error:
        words = {"headers": {"Authorization": "Bearer abc.canary-bearer"}, "token": "canary-opaque"}
        raise RuntimeError(words) from error
directory.Who._identity = broken
"""


def test_nothing_in_the_trace_of_a_fault_of_ours(desk: Desk) -> None:
    desk.emulator.world.clock.frozen_at = None
    said = desk.spawn("plan", program=["-c", RAISING + RUN], RECONCILER_DEBUG="1", **LAID)
    assert "Traceback" in said.err and "ValueError: first" in said.err
    assert leaks(desk, said, more=("canary-bearer", "canary-opaque")) == []
    assert "canary" not in said.err


def test_a_token_file(desk: Desk, tmp_path: Path, echoing: Callable[[Which, int], None]) -> None:
    """A federated token is read for each request; it is no variable's value, and may look like anything."""
    token = tmp_path / "federated"
    token.write_text("canary-federated-assertion\n")
    text = (desk.root / "policies/environment.yaml").read_text("utf-8")
    desk.write("policies/environment.yaml", text.replace("client-secret", "workload-identity"))
    echoing(lambda request: request.service == "entra" and request.method == "POST", 401)
    said = [
        desk.run(command, AZURE_FEDERATED_TOKEN_FILE=str(token), **LAID)
        for command in ("plan", "pin", "drift")
    ]
    assert all("signing in failed" in each.everything for each in said)
    assert leaks(desk, *said, more=("canary-federated-assertion",)) == []


def test_the_token_service_of_a_workflow(desk: Desk, echoing: Callable[[Which, int], None]) -> None:
    text = (desk.root / "policies/environment.yaml").read_text("utf-8")
    text = text.replace("azure-credential: client-secret", "azure-credential: workload-identity")
    desk.write("policies/environment.yaml", text.replace("oauth-m2m", "github-oidc"))
    environ = {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{desk.emulator.url('entra')}/idtoken?v=2&sig=canary-query",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "canary-request-token",
        "AZURE_CLIENT_SECRET": None,
    }
    echoing(lambda request: "/idtoken" in request.path, 500)
    said = [
        desk.run("plan", **{**LAID, **environ}),
        desk.spawn("plan", RECONCILER_DEBUG="1", **{**LAID, **environ}),
    ]
    assert all(each.code == 1 for each in said)
    assert leaks(desk, *said, more=("canary-query", "canary-request-token")) == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_with_a_password(desk: Desk, scheme: str) -> None:
    proxy = f"{scheme}://noor:canary-proxy%40pass@127.0.0.1:9"
    environ: dict[str, Any] = {
        "HTTPS_PROXY": proxy,
        "https_proxy": proxy,
        "HTTP_PROXY": proxy,
        "NO_PROXY": "",
    }
    said = [desk.run("plan", **LAID, **environ), desk.spawn("plan", RECONCILER_DEBUG="1", **LAID, **environ)]
    assert all(each.code in (1, 4) for each in said), said
    assert leaks(desk, *said, more=("canary-proxy", "canary-proxy@pass")) == []


def test_a_redirect_with_a_token_in_its_address(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    handle = App.handle

    def elsewhere(self: App, request: Request) -> Response:
        if request.service in ("entra",) or "oidc" in request.path:
            return handle(self, request)
        address = f"https://127.0.0.1:9/signin?access_token=canary-redirect&x={quote(request.headers['authorization'])}"
        return Response(307, [("Location", address)], b"")

    monkeypatch.setattr(App, "handle", elsewhere)
    said = [desk.run("plan", **LAID), desk.spawn("plan", RECONCILER_DEBUG="1", **LAID)]
    assert leaks(desk, *said, more=("canary-redirect",)) == []


def test_a_redirect_takes_no_credential_along(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever answers for a token endpoint may send the caller on, and not what he signs in with."""
    handle, met = App.handle, list[Mapping[str, str]]()

    def elsewhere(self: App, request: Request) -> Response:
        if request.path == "/elsewhere":
            met.append(request.headers)
        if "/oidc/" in request.path or "/idtoken" in request.path:
            return Response(302, [("Location", f"{desk.emulator.url('graph')}/elsewhere")], b"")
        return handle(self, request)

    monkeypatch.setattr(App, "handle", elsewhere)
    desk.run("plan", **LAID)
    asked = len(met)
    text = (desk.root / "policies/environment.yaml").read_text("utf-8")
    text = text.replace("azure-credential: client-secret", "azure-credential: workload-identity")
    desk.write("policies/environment.yaml", text.replace("oauth-m2m", "github-oidc"))
    url = f"{desk.emulator.url('entra')}/idtoken?v=2"
    environ = {"ACTIONS_ID_TOKEN_REQUEST_URL": url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "canary-request-token"}
    desk.run("plan", **{**LAID, **environ, "AZURE_CLIENT_SECRET": None})
    assert len(met) > asked > 0
    assert [headers for headers in met if "authorization" in headers] == []


@pytest.mark.parametrize("service", ["graph", "arm", "databricks/ws", "lake/lake/blob"])
def test_a_service_that_redirects_is_not_followed_with_a_token(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    handle, met = App.handle, list[Mapping[str, str]]()
    other = desk.emulator.url("entra").replace("127.0.0.1", "localhost")

    def elsewhere(self: App, request: Request) -> Response:
        if request.path == "/elsewhere":
            met.append(request.headers)
        if request.service == service and "/oidc/" not in request.path:
            return Response(307, [("Location", f"{other}/elsewhere")], b"")
        return handle(self, request)

    monkeypatch.setattr(App, "handle", elsewhere)
    said = desk.run("plan", **LAID)
    assert said.code in (1, 4)
    assert [headers for headers in met if "authorization" in headers] == []


def test_a_remote_with_a_password(desk: Desk, tmp_path: Path) -> None:
    """Git names the remote when a clone lacks what a commit holds."""
    remote = "https://noor:canary-remote@127.0.0.1:9/policies.git"
    desk.run("plan", "--out", "plan.json")
    partial = tmp_path / "partial"
    desk.repository.git("config", "uploadpack.allowFilter", "true")
    desk.repository.git(
        "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{desk.root}", str(partial)
    )
    config = (partial / ".git/config").read_text().replace(f"file://{desk.root}", remote)
    (partial / ".git/config").write_text(config)
    assert remote in config
    said = [
        desk.run("--root", str(partial), command, "--revision", "HEAD", **LAID)
        for command in ("plan", "apply")
    ]
    said.append(
        desk.spawn("--root", str(partial), "plan", "--revision", "HEAD", RECONCILER_DEBUG="1", **LAID)
    )
    assert all(each.code == 1 for each in said)
    assert leaks(desk, *said, more=("canary-remote",)) == []


def test_a_store_that_gives_back_what_it_was_sent(desk: Desk, echoing: Callable[[Which, int], None]) -> None:
    text = (desk.root / "policies/environment.yaml").read_text("utf-8")
    url = desk.emulator.url("lake/lake/dfs")
    desk.write(
        "policies/environment.yaml",
        text.replace("{folder: .reconciler/store}", f"{{container: {url}/data/store}}"),
    )
    desk.commit("noor")
    echoing(to("lake/lake/(dfs|blob)"), 403)
    said = [desk.run(command, **LAID) for command in ("plan", "apply")]
    assert all(each.code == 1 and "store" in each.err for each in said)
    assert leaks(desk, *said) == []


def test_the_emulator_shows_no_secret_of_its_seed(desk: Desk) -> None:

    code = (
        "import os, signal, threading\nfrom reconciler.cli import main\n"
        "threading.Timer(6, lambda: os.kill(os.getpid(), signal.SIGINT)).start()\n"
    ) + RUN.replace("from reconciler.cli import main\n", "")
    arguments = (
        "emulator",
        "serve",
        "--seed",
        str(ESTATE / "seed.yaml"),
        "--port",
        "0",
        "--ca",
        "out/ca.pem",
    )
    said = desk.spawn(*arguments, program=["-c", code], RECONCILER_DEBUG="1", **LAID)
    assert "https://127.0.0.1:" in said.out
    assert leaks(desk, said) == []


def test_what_the_emulator_prints_can_be_pasted(desk: Desk, tmp_path: Path) -> None:
    said = []
    with desk.process(
        "emulator", "serve", "--port", "0", "--ca", str(tmp_path / "ca.pem"), **LAID
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if "Ctrl-C ends it" in line:
                break
    assert leaks(desk, Said(0, "", "".join(said))) == []
    exports = [line for line in said if line.startswith("  export ")]
    script = "".join([*exports, "env\n"])
    shell = subprocess.run(["sh"], input=script, env={}, capture_output=True, text=True, check=True)
    given = dict(line.split("=", 1) for line in shell.stdout.splitlines())
    sample = read_seed(None)
    signing = [each for each in sample["directory"]["service-principals"] if "secret" in each]
    secrets = {each["app-id"]: each["secret"] for each in signing}
    assert given["RECONCILER_ENV"] == "local"
    assert secrets[given["AZURE_CLIENT_ID"]] == given["AZURE_CLIENT_SECRET"]
    account = sample["databricks"]["account"]["secrets"]
    assert account[given["DATABRICKS_CLIENT_ID"]] == given["DATABRICKS_CLIENT_SECRET"]
    other = f"{given['AZURE_CLIENT_ID'][:-1]}2"
    assert f"ends in 2, {secrets[other]})" in "".join(said), "the identity that applies"


@pytest.mark.slow
def test_the_demo_shows_and_keeps_no_secret(desk: Desk, tmp_path: Path) -> None:
    kept = tmp_path / "demo"
    with desk.process("demo", "--keep", str(kept), cwd=HOME, **LAID) as process:
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0
    journals = sorted(kept.rglob("*.jsonl"))
    assert journals and "exit code 0" in out
    texts = [out, err, *(path.read_text("utf-8") for path in (*journals, *kept.glob("*.json")))]
    own = ("emulator-plan-secret", "emulator-apply-secret", "eyJ")
    assert [secret for text in texts for secret in (*VALUES, *own) if secret in text] == []


def test_what_is_held_in_memory_does_not_spell_a_secret(desk: Desk) -> None:
    """A structure that is shown in a trace, a log or an assertion shows who signs in, and not with what."""
    from reconciler.cli_session import load
    from reconciler.providers.databricks.client_auth import Signature, Token, signing
    from reconciler.providers.identity import azure_credential

    policies = load(desk.root, None)
    environment = policies.environments["test"]
    environ = {**signed_in(True), **LAID}
    signature = Signature(lambda: Token("canary-access-token", 60))
    signature()
    sign = signing(environment, environ, desk.root)
    held = (policies, environment, signature, Token("canary-access-token", 60), sign, sign("https://ws", ""),
            azure_credential(environment, environ, desk.root))  # fmt: skip
    for each in held:
        assert "canary" not in repr(each) + str(each)


def test_a_checkpoint_keeps_no_token() -> None:
    """Why List Blobs does not serve is kept in a file, where a reading of hours was interrupted."""
    from reconciler.providers.adls.client import refused
    from reconciler.providers.transport import Answer

    answer = echo(
        Request(service="lake", method="GET", path="/", headers={"authorization": "Bearer eyJcanarycanary"}),
        403,
    )
    told = refused(Answer(403, {"x-ms-error-code": "Denied eyJcanarycanary"}, answer.body))
    assert "canary" not in str(told) + told.short
    assert "bad request with" in str(told)
