"""The ARM endpoint: authentication, rights, routing and the headers of Azure's control plane.

Switches: `arm.assignments-limit` (4000 per subscription).
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Collection, Mapping
from random import Random
from typing import Any
from urllib.parse import unquote

from reconciler.emulator.arm import errors, resources, seeding
from reconciler.emulator.arm.assignments import LIMIT, Assignments
from reconciler.emulator.arm.errors import ArmError
from reconciler.emulator.arm.scopes import Estate, none, subscription_prefix
from reconciler.emulator.wire import Caller, Request, Response, json_response
from reconciler.emulator.world import World

JSON = "application/json; charset=utf-8"
AUDIENCES = (
    "https://management.core.windows.net/",
    "https://management.core.windows.net",
    "https://management.azure.com/",
    "https://management.azure.com",
)
PUBLISHED_LIMITS = {"arm/read": (250, 10), "arm/write": (200, 20), "arm/delete": (200, 20)}
"""Bucket: (capacity, seconds in which it refills), per subscription and principal.

Source: Microsoft docs, "Understand how Azure Resource Manager throttles requests" (buckets of 250 reads
refilled at 25/s, 200 writes and 200 deletes refilled at 10/s)."""
_AUTHORIZATION = re.compile(
    r"(?i)^(?P<scope>.*?)/providers/Microsoft\.Authorization/(?P<type>roleAssignments|roleDefinitions)"
    r"(?:/(?P<name>[^/]+))?$"
)
_RESOURCE = re.compile(
    r"(?i)^/subscriptions/(?P<subscription>[^/]+)"
    r"(?:/resourceGroups/(?P<group>[^/]+)"
    r"(?:/providers/(?P<kind>Microsoft\.Storage/storageAccounts|Microsoft\.ManagedIdentity/userAssignedIdentities)"
    r"/(?P<name>[^/]+))?)?$"
)
VERBS = {"GET": "read", "PUT": "write", "DELETE": "delete"}


class ArmService:
    """Role assignments and what they stand on; endpoint `arm`, seed section `arm`."""

    def __init__(self, world: World, lakes: Callable[[], Collection[str]] = none) -> None:
        self.world = world
        self.estate = Estate(lakes=lakes)
        self.assignments = Assignments(self.estate, world.directory)
        self.readers: dict[str, None] = {}
        """Object ids that may read all role assignments without holding a role."""
        self._ids = Random(3)
        self._known_roles: tuple[tuple[int, int], dict[tuple[str, str, str], frozenset[str]]] = ((-1, -1), {})

    def endpoints(self) -> list[str]:
        """The one endpoint."""
        return ["arm"]

    def seed(self, section: Mapping[str, Any]) -> None:
        """Add subscriptions, accounts, role definitions and assignments; raises ValueError."""
        seeding.seed(self.estate, self.assignments, self.readers, section)

    def dump(self) -> dict[str, Any]:
        """The state in the form of its seed."""
        return seeding.dump(self.estate, self.assignments, self.readers)

    def data_roles(self, oid: str, account: str, filesystem: str = "") -> frozenset[str]:
        """Names of the roles that an object id holds on a filesystem, by itself or through groups."""
        stamp = (self.assignments.version, len(self.world.directory.journal))
        if self._known_roles[0] != stamp:
            self._known_roles = (stamp, {})
        known = self._known_roles[1]
        key = (oid, account, filesystem)
        if key not in known:
            scope = (
                self.estate.container_id(account, filesystem)
                if filesystem
                else self.estate.account_id(account)
            )
            known[key] = frozenset(role.name for role in self.assignments.roles_of(oid, scope))
        return known[key]

    def handle(self, request: Request) -> Response:
        """Answer one HTTP request."""
        extra: dict[str, str] = {}
        payload: Any
        try:
            caller = self._caller(request)
            status, payload = self._answer(request, caller)
            extra = _budget(request.method)
            if status == 201 and not _AUTHORIZATION.match(request.path):
                extra["location"] = payload["id"]
        except ArmError as error:
            status, payload, extra = error.status, error.payload(), error.headers
        identifier = str(uuid.UUID(int=self._ids.getrandbits(128), version=4))
        headers = [
            ("cache-control", "no-cache"),
            ("pragma", "no-cache"),
            ("expires", "-1"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
            ("x-content-type-options", "nosniff"),
            ("x-ms-request-id", identifier),
            ("x-ms-correlation-request-id", request.headers.get("x-ms-correlation-request-id", identifier)),
            *extra.items(),
        ]
        if payload is None:
            return Response(status, headers)
        return json_response(status, payload, [*headers, ("content-type", JSON)])

    def _caller(self, request: Request) -> Caller:
        tenant = (
            f'Bearer authorization_uri="https://login.microsoftonline.com/{self.world.directory.tenant_id}"'
        )
        if "authorization" not in request.headers and request.caller is None:
            raise ArmError(
                401,
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.",
                **{"www-authenticate": tenant},
            )
        if request.caller is None:
            why = 'error="invalid_token"'
            if request.challenge:
                why = f'error="insufficient_claims", claims="{request.challenge}"'
            raise ArmError(
                401,
                "InvalidAuthenticationToken",
                "The access token is invalid.",
                **{"www-authenticate": f"{tenant}, {why}"},
            )
        if request.caller.audience not in AUDIENCES and request.caller.kind != "superuser":
            allowed = ",".join(f"'{audience}'" for audience in AUDIENCES)
            raise ArmError(
                401,
                "InvalidAuthenticationTokenAudience",
                "The access token has been obtained for wrong audience or resource "
                f"'{request.caller.audience}'. It should exactly match with one of the allowed audiences "
                f"{allowed}.",
            )
        return request.caller

    def _answer(self, request: Request, caller: Caller) -> tuple[int, Any]:
        if not request.param("api-version"):
            raise ArmError(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        verb = VERBS.get(request.method)
        if verb is None:
            raise ArmError(405, "MethodNotAllowed", f"The HTTP method '{request.method}' is not supported.")
        self._throttle(verb, caller)
        path = "/" + unquote(request.path).strip("/")
        match = _AUTHORIZATION.match(path)
        if match:
            return self._authorization(request, caller, match)
        match = _RESOURCE.match(path)
        if match:
            return self._resource(request, caller, match)
        raise ArmError(404, "InvalidResourceType", f"The resource path '{path}' is not emulated.")

    def _throttle(self, verb: str, caller: Caller) -> None:
        wait = self.world.throttle.take(f"arm/{verb}", 1, self.world.clock.now())
        if wait is not None:
            raise ArmError(
                429,
                "SubscriptionRequestsThrottled",
                f"Number of '{verb}' requests for subscription '{self.estate.subscription}' actor "
                f"'{caller.object_id}' exceeded. Please try again after '{wait}' seconds after additional "
                "tokens "
                "are available. Refer to https://aka.ms/arm-throttling for additional information.",
                **{"Retry-After": str(wait)},
            )

    def _need(self, caller: Caller, action: str, scope: str) -> None:
        if caller.kind == "superuser" or self.assignments.may(caller.object_id, action, scope):
            return
        if action.endswith("/read") and caller.object_id in self.readers:
            return
        raise errors.no_authorization(caller.name or caller.object_id, caller.object_id, action, scope)

    def _authorization(self, request: Request, caller: Caller, match: re.Match[str]) -> tuple[int, Any]:
        scope = match["scope"] or "/"
        name = match["name"]
        definitions = match["type"].lower() == "roledefinitions"
        kind = "roleDefinitions" if definitions else "roleAssignments"
        self._need(caller, f"Microsoft.Authorization/{kind}/{VERBS[request.method]}", scope)
        self.estate.need(scope)
        if definitions:
            return self._definitions(request, scope, name)
        prefix = subscription_prefix(scope)
        match request.method, name:
            case "GET", None:
                found = self.assignments.list(scope, request.param("$filter") or "")
                return 200, {"value": [one.payload(prefix) for one in found]}
            case "GET", name:
                one = self.assignments.by_name.get(name.lower())
                if one is None or one.scope.lower() != scope.lower():
                    raise errors.assignment_not_found(name)
                return 200, one.payload(prefix)
            case "PUT", str(name):
                limit = int(self.world.switches.get("arm.assignments-limit", LIMIT))
                now = self.world.clock.now()
                properties = _properties(request)
                put = self.assignments.put(scope, name, properties, caller.object_id, now, limit)
                return 201, put.payload(prefix)
            case "DELETE", str(name):
                gone = self.assignments.delete(name, self.world.clock.now(), caller.object_id)
                return (200, gone.payload(prefix)) if gone else (204, None)
        raise ArmError(405, "MethodNotAllowed", f"{request.method} is not supported on {match.string}.")

    def _definitions(self, request: Request, scope: str, name: str | None) -> tuple[int, Any]:
        prefix = subscription_prefix(scope)
        if name is not None:
            if name.lower() not in self.assignments.definitions:
                raise ArmError(
                    404,
                    "RoleDefinitionDoesNotExist",
                    f"The specified role definition with ID '{name}' does not exist.",
                )
            return 200, self.assignments.definitions[name.lower()].payload(prefix)
        wanted = re.search(r"(?i)roleName\s+eq\s+'((?:[^']|'')*)'", request.param("$filter") or "")
        kind = re.search(r"(?i)type\s+eq\s+'(\w+)'", request.param("$filter") or "")
        found = [
            one
            for one in self.assignments.definitions.values()
            if (wanted is None or one.name.lower() == wanted[1].replace("''", "'").lower())
            and (kind is None or one.custom == (kind[1].lower() == "customrole"))
        ]
        return 200, {"value": [one.payload(prefix) for one in found]}

    def _resource(self, request: Request, caller: Caller, match: re.Match[str]) -> tuple[int, Any]:
        subscription, group, kind, name = (match[key] for key in ("subscription", "group", "kind", "name"))
        verb = VERBS[request.method]
        what = kind or (
            "Microsoft.Resources/subscriptions/resourceGroups"
            if group
            else "Microsoft.Resources/subscriptions"
        )
        self._need(caller, f"{what}/{verb}", match[0])
        if kind and kind.lower().endswith("userassignedidentities") and verb == "write":
            body = json.loads(request.body or b"{}")
            return resources.put_identity(self.world.directory, subscription, group, name, body)
        if verb != "read":
            raise ArmError(405, "MethodNotAllowed", f"{request.method} is not emulated on {match[0]}.")
        if group is None:
            return 200, resources.subscription(self.estate, self.world.directory.tenant_id, subscription)
        if name is None:
            return 200, resources.resource_group(self.estate, subscription, group)
        if kind.lower().endswith("storageaccounts"):
            return 200, resources.storage_account(self.estate, subscription, group, name)
        raise errors.resource_not_found(kind, name, group)


def _properties(request: Request) -> Mapping[str, Any]:
    try:
        found = json.loads(request.body)["properties"]
    except (ValueError, KeyError, TypeError):
        raise errors.malformed() from None
    if not isinstance(found, dict):
        raise errors.malformed()
    return found


def _budget(method: str) -> dict[str, str]:
    """What is left of the published budget after one request of a quiet client, as recorded."""
    prefix = "x-ms-ratelimit-remaining-subscription"
    match method:
        case "PUT":
            return {f"{prefix}-global-writes": "2999", f"{prefix}-writes": "199"}
        case "DELETE":
            return {f"{prefix}-deletes": "199", f"{prefix}-global-deletes": "2999"}
    return {f"{prefix}-global-reads": "3749"}
