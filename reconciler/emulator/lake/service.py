"""The emulated storage accounts: who calls, which account and API, and the frame around every answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.emulator.lake import blob, dfs, growing, inventory, seeding, trash
from reconciler.emulator.lake.account import Account
from reconciler.emulator.lake.acl import Reading
from reconciler.emulator.lake.call import DEFAULT_VERSION, Call, dialect, finish, refuse, request_id, segments
from reconciler.emulator.lake.errors import StorageError
from reconciler.emulator.lake.growing import Row
from reconciler.emulator.lake.rights import OWNER, Access, Roles, superuser
from reconciler.emulator.lake.stamps import ticks
from reconciler.emulator.wire import Request, Response
from reconciler.emulator.world import World

AUDIENCES = ("https://storage.azure.com", "https://storage.azure.com/")
PUBLISHED_LIMITS = {"lake/requests": (20_000, 1.0)}
"""Requests a second of one account, where the region is not one of the larger ones (Microsoft docs:
scalability targets for standard storage accounts)."""


class LakeService:
    """Storage accounts by name, each on a DFS and a Blob endpoint."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.accounts: dict[str, Account] = {}
        self.roles: Roles | None = None
        """Data roles from role assignments; whoever owns those sets this."""

    def handle(self, request: Request) -> Response:
        """Answer one request in the words of its endpoint."""
        _, name, _ = request.service.split("/")
        account = self.account(name)
        filesystem, path, rooted = segments(request.path)
        call = Call(
            request=request,
            account=account,
            dialect=dialect(request),
            filesystem=filesystem,
            path=path,
            rooted=rooted,
            version=request.headers.get("x-ms-version") or DEFAULT_VERSION,
            now=max(ticks(self.world.clock.now()), account.ticker.last),
            access=superuser(),
            switches=self.world.switches,
            request_id=request_id(account),
            upn=self._upn,
            tenant=self.world.directory.tenant_id,
        )
        try:
            self._throttle()
            if any(ord(char) < 32 or char == "\x7f" for part in path for char in part):
                raise StorageError("InvalidUri")
            call.access = self._authenticate(request, account, filesystem)
            if filesystem in account.filesystems:
                trash.purge(account.filesystems[filesystem], call.now)
            response = blob.route(call) if call.dialect == "blob" else dfs.route(call)
        except StorageError as error:
            response = refuse(call, error)
        return finish(call, response)

    def account(self, name: str) -> Account:
        """The account of this name; one that no seed mentions comes into being, empty, at its first use."""
        if name not in self.accounts:
            now = self.world.clock.now
            self.accounts[name] = Account(name=name, created=ticks(now()), now=now)
        return self.accounts[name]

    def _throttle(self) -> None:
        wait = self.world.throttle.take("lake/requests", 1, self.world.clock.now())
        if wait is not None:
            raise StorageError("ServerBusy", headers=(("Retry-After", str(wait)),))

    def _authenticate(self, request: Request, account: Account, filesystem: str) -> Access:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() in ("sharedkey", "sharedkeylite"):
            if value.partition(":")[0] != account.name:
                raise StorageError("AuthenticationFailed")
            return superuser()
        if scheme.lower() == "bearer":
            return self._of_token(request, account, filesystem)
        if request.param("sig") is not None:
            if (request.param("se") or "~") < self.world.clock.utc().strftime("%Y-%m-%dT%H:%M:%SZ"):
                raise StorageError("AuthenticationFailed")
            return superuser()
        if scheme:
            raise StorageError("InvalidAuthenticationInfo")
        raise StorageError("NoAuthenticationInformation", headers=(self._challenge(),))

    def _of_token(self, request: Request, account: Account, filesystem: str) -> Access:
        caller = request.caller
        if caller is None or caller.audience not in AUDIENCES:
            raise self._bad_token(request)
        who = caller.object_id
        roles = frozenset(self.roles(who, account.name, filesystem)) if self.roles else frozenset()
        return Access(
            who=who,
            superuser=OWNER in roles or caller.kind == "superuser",
            roles=roles,
            transitive_groups=lambda: self.world.directory.transitive_groups(who),
            reading=Reading(
                groups=str(self.world.switches.get("lake.group-rights", "union")),
                masked_other=bool(self.world.switches.get("lake.mask-covers-other", True)),
            ),
        )

    def _bad_token(self, request: Request) -> StorageError:
        known = self.world.tokens.get(request.headers.get("authorization", "").partition(" ")[2])
        detail = "Signature validation failed. Signature verification failed."
        if request.caller is not None:
            detail = "Audience validation failed. Audience did not match."
        elif known is not None:
            detail = "Lifetime validation failed. The token is expired."
        return StorageError(
            "InvalidAuthenticationInfo",
            "Server failed to authenticate the request. Please refer to the information in the "
            "www-authenticate header.",
            status=401,
            details=(("AuthenticationErrorDetail", detail),),
            headers=(self._challenge(),),
        )

    def _challenge(self) -> tuple[str, str]:
        tenant = self.world.directory.tenant_id
        return (
            "WWW-Authenticate",
            f"Bearer authorization_uri=https://login.microsoftonline.com/{tenant}/oauth2/authorize "
            "resource_id=https://storage.azure.com",
        )

    def _upn(self, who: str) -> str:
        user = self.world.directory.users.get(who)
        return user.upn if user else who

    def seed(self, section: Mapping[str, Any]) -> None:
        """Add the accounts of a seed's `lakes`; raises ValueError naming the offending entry."""
        seeding.seed(self, section)

    def dump(self) -> dict[str, Any]:
        """The accounts in the form of a seed."""
        return seeding.dump(self)

    def grow(self, account: str, filesystem: str, rows: Iterable[Row], size: int = 0) -> int:
        """Add very many paths at once (see `growing.grow`) and return how many rows there were."""
        return growing.grow(self.account(account), filesystem, rows, size)

    def inventory(self, document: Mapping[str, Any]) -> str:
        """Make a run of an inventory rule (see `inventory.Order`) and return its folder; raises ValueError.

        `account` names the account, the other keys are the order's.
        """
        order = dict(document)
        account = self.accounts.get(str(order.pop("account", "")))
        if account is None:
            raise ValueError(f"inventory: account is one of {', '.join(sorted(self.accounts)) or 'none'}")
        return inventory.run(account, inventory.ordered(order))

    def endpoints(self) -> list[str]:
        """Two endpoints for every account."""
        return [f"lake/{name}/{kind}" for name in sorted(self.accounts) for kind in ("dfs", "blob")]
