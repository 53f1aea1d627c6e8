"""Privileged access to groups: who is a member for a time only, and who may become one.

Source: Microsoft docs, privilegedAccessGroup resources.  An active assignment makes its principal an ordinary
member or owner for as long as it lasts; an eligibility makes it neither.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from reconciler.emulator.directory import Relation
from reconciler.emulator.graph import rights
from reconciler.emulator.graph.call import Call, Reply, Schedule, State, timestamp
from reconciler.emulator.graph.errors import GraphError, bad_request, no_segment, not_found
from reconciler.emulator.graph.filters import compile_filter

ROOT = ("identitygovernance", "privilegedaccess", "group")
Kind = Literal["assignment", "eligibility"]
RELATION: dict[str, Relation] = {"member": "members", "owner": "owners"}
_NAME = re.compile(r"(assignment|eligibility)Schedule(s|Instances|Requests)$", re.IGNORECASE)
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$")


def route(state: State, call: Call) -> Reply:
    """Everything below `/identityGovernance/privilegedAccess/group`; raises GraphError."""
    name = call.segments[3] if len(call.segments) > 3 else ""
    match = _NAME.match(name)
    if match is None:
        raise no_segment(name)
    kind: Kind = "assignment" if match[1].lower() == "assignment" else "eligibility"
    form = match[2].lower()
    if call.method == "POST" and form == "requests":
        rights.need_permission(state, call, rights.PIM_WRITE[kind])
        return _request(state, call, kind)
    rights.need_permission(state, call, rights.PIM_READ[kind] | rights.PIM_WRITE[kind])
    if call.method != "GET" or form == "requests":
        raise GraphError(405, "MethodNotAllowed", "The method is not allowed on this resource.")
    return _list(state, call, kind, name, instances=form == "instances")


def _list(state: State, call: Call, kind: Kind, name: str, instances: bool) -> Reply:
    context = call.context(f"identityGovernance/privilegedAccess/group/{name}")
    if len(call.segments) > 4:
        found = next((one for one in _current(state, kind, instances) if _id(one) == call.segments[4]), None)
        if found is None:
            raise not_found(call.segments[4])
        return Reply(200, {"@odata.context": f"{context}/$entity"} | _shown(found, instances))
    if not call.query.filter:
        raise GraphError(
            400, "MissingRequiredFilter", "A $filter on groupId or principalId is required on this request."
        )
    filters = compile_filter(call.query.filter)
    if not filters.properties & {"groupId", "principalId"}:
        raise GraphError(
            400, "MissingRequiredFilter", "A $filter on groupId or principalId is required on this request."
        )
    shown = (_shown(one, instances) for one in _current(state, kind, instances))
    return Reply(200, {"@odata.context": context, "value": [one for one in shown if filters.matches(one)]})


def _current(state: State, kind: Kind, instances: bool) -> list[Schedule]:
    now = state.world.clock.now()
    return [
        one
        for one in state.schedules
        if one.kind == kind and (one.end is None or one.end > now) and (one.start <= now or not instances)
    ]


def _id(one: Schedule) -> str:
    return f"{one.group}_{one.access}_{one.id}"


def _shown(one: Schedule, instance: bool) -> dict[str, Any]:
    common = {"accessId": one.access, "principalId": one.principal, "groupId": one.group}
    if instance:
        shown: dict[str, Any] = {
            "id": _id(one),
            "startDateTime": timestamp(one.start),
            "endDateTime": timestamp(one.end) if one.end is not None else None,
            "memberType": "Direct",
        }
        if one.kind == "assignment":
            shown["assignmentType"] = "activated" if one.activated else "assigned"
        return shown | common | {f"{one.kind}ScheduleId": _id(one)}
    expiration = {
        "type": "noExpiration" if one.end is None else "afterDateTime",
        "endDateTime": timestamp(one.end) if one.end is not None else None,
        "duration": None,
    }
    shown = {
        "id": _id(one),
        "scheduleInfo": {"startDateTime": timestamp(one.start), "recurrence": None, "expiration": expiration},
        "createdUsing": one.id,
        "createdDateTime": timestamp(one.start),
        "modifiedDateTime": "0001-01-01T08:00:00Z",
        "status": "Provisioned",
        "memberType": "Direct",
    }
    if one.kind == "assignment":
        shown["assignmentType"] = "activated" if one.activated else "assigned"
    return shown | common


def settle(state: State) -> None:
    """Let assignments begin and end whose time has come; memberships follow."""
    now = state.world.clock.now()
    for one in state.schedules:
        if one.kind != "assignment" or one.group not in state.directory.groups:
            continue
        active = one.start <= now and (one.end is None or one.end > now)
        if active == one.linked:
            continue
        relation = RELATION[one.access]
        if active and state.directory.find(one.principal):
            state.directory.link(one.group, relation, one.principal)
        elif not active:
            state.directory.unlink(one.group, relation, one.principal)
        one.linked = active


def _request(state: State, call: Call, kind: Kind) -> Reply:
    body = call.json()
    for name in ("accessId", "principalId", "groupId", "action"):
        if not isinstance(body.get(name), str):
            raise bad_request(f"The required property '{name}' is missing.")
    group, principal = body["groupId"].lower(), body["principalId"].lower()
    if group not in state.directory.groups:
        raise not_found(group)
    if state.directory.find(principal) is None:
        raise not_found(principal)
    if body["accessId"] not in RELATION:
        raise bad_request(f"Invalid accessId '{body['accessId']}'.")
    state.note(group)
    action = body["action"]
    if action in ("adminAssign", "adminUpdate", "adminExtend", "adminRenew", "selfActivate"):
        schedule = _scheduled(state, kind, group, principal, body)
        state.schedules = [one for one in state.schedules if not one.same(schedule)] + [schedule]
        settle(state)
        target = _id(schedule)
    elif action in ("adminRemove", "selfDeactivate"):
        target = _removed(state, kind, group, principal, body["accessId"])
    else:
        raise bad_request(f"Invalid action '{action}'.")
    return Reply(201, _answer(state, call, kind, body, target))


def _scheduled(state: State, kind: Kind, group: str, principal: str, body: dict[str, Any]) -> Schedule:
    info = body.get("scheduleInfo") or {}
    expiration = info.get("expiration") or {}
    start = _seconds(info.get("startDateTime")) or state.world.clock.now()
    end = _seconds(expiration.get("endDateTime"))
    if expiration.get("type") == "afterDuration":
        end = start + _duration(str(expiration.get("duration"))).total_seconds()
    return Schedule(
        id=state.new_id(),
        kind=kind,
        group=group,
        principal=principal,
        access=body["accessId"],
        start=start,
        end=end,
        activated=body["action"] == "selfActivate",
    )


def _removed(state: State, kind: Kind, group: str, principal: str, access: str) -> str:
    wanted = (kind, group, principal, access)
    found = next(
        (one for one in state.schedules if (one.kind, one.group, one.principal, one.access) == wanted), None
    )
    if found is None:
        raise GraphError(404, "RoleAssignmentDoesNotExist", "The Role assignment does not exist.")
    state.schedules.remove(found)
    if found.linked:
        state.directory.unlink(group, RELATION[access], principal)
    return _id(found)


def _answer(state: State, call: Call, kind: Kind, body: dict[str, Any], target: str) -> dict[str, Any]:
    now = state.now()
    what = f"identityGovernance/privilegedAccess/group/{kind}ScheduleRequests/$entity"
    return {
        "@odata.context": call.context(what),
        "id": state.new_id(),
        "status": "Provisioned",
        "createdDateTime": now,
        "completedDateTime": now,
        "approvalId": None,
        "customData": None,
        "action": body["action"],
        "principalId": body["principalId"],
        "accessId": body["accessId"],
        "groupId": body["groupId"],
        "targetScheduleId": target,
        "justification": body.get("justification"),
        "scheduleInfo": body.get("scheduleInfo"),
        "ticketInfo": {"ticketNumber": None, "ticketSystem": None},
        "createdBy": {"user": {"displayName": None, "id": call.caller.object_id}},
    }


def _seconds(text: Any) -> float | None:
    if not text:
        return None
    try:
        return parsed(str(text))
    except ValueError:
        raise bad_request(f"Invalid date and time '{text}'.") from None


def parsed(text: str) -> float:
    """Seconds since the epoch of an ISO date or date and time; UTC unless it says otherwise."""
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _duration(text: str) -> timedelta:
    match = _DURATION.match(text)
    if match is None:
        raise bad_request(f"Invalid duration '{text}'.")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
