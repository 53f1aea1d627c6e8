"""Which application permissions allow what (Microsoft docs: permissions tables of each operation).

A signed-in user reads the whole directory, as members of a tenant do by default, and writes with an
administrator's directory role only.
"""

from __future__ import annotations

from reconciler.emulator.directory import DirectoryObject, Group, ServicePrincipal, User
from reconciler.emulator.graph.call import Call, State
from reconciler.emulator.graph.errors import denied

DIRECTORY_READ = frozenset({"Directory.Read.All", "Directory.ReadWrite.All"})
READ: dict[type, frozenset[str]] = {
    User: DIRECTORY_READ | {"User.Read.All", "User.ReadBasic.All", "User.ReadWrite.All"},
    Group: DIRECTORY_READ
    | {"Group.Read.All", "Group.ReadWrite.All", "GroupMember.Read.All", "GroupMember.ReadWrite.All"},
    ServicePrincipal: DIRECTORY_READ | {"Application.Read.All", "Application.ReadWrite.All"},
}
WRITE: dict[type, frozenset[str]] = {
    User: frozenset({"User.ReadWrite.All", "Directory.ReadWrite.All"}),
    Group: frozenset({"Group.ReadWrite.All", "Directory.ReadWrite.All"}),
    ServicePrincipal: frozenset({"Application.ReadWrite.All", "Directory.ReadWrite.All"}),
}
WRITE_MEMBERS = WRITE[Group] | {"GroupMember.ReadWrite.All"}
ROLE_MANAGEMENT = "RoleManagement.ReadWrite.Directory"
HIDDEN = "Member.Read.Hidden"
PIM_READ = {
    "assignment": frozenset(
        {
            "PrivilegedAssignmentSchedule.Read.AzureADGroup",
            "PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup",
            "PrivilegedAccess.Read.AzureADGroup",
            "PrivilegedAccess.ReadWrite.AzureADGroup",
        }
    ),
    "eligibility": frozenset(
        {
            "PrivilegedEligibilitySchedule.Read.AzureADGroup",
            "PrivilegedEligibilitySchedule.ReadWrite.AzureADGroup",
            "PrivilegedAccess.Read.AzureADGroup",
            "PrivilegedAccess.ReadWrite.AzureADGroup",
        }
    ),
}
PIM_WRITE = {
    kind: frozenset(name for name in names if ".ReadWrite." in name) for kind, names in PIM_READ.items()
}
ADMINISTRATORS = frozenset(
    {"Global Administrator", "Groups Administrator", "User Administrator", "Privileged Role Administrator"}
)


def is_user(state: State, call: Call) -> bool:
    """Whether a person, not an application, is calling."""
    return call.caller.object_id in state.directory.users


def is_administrator(state: State, call: Call) -> bool:
    """Whether the caller is a person with a directory role that writes."""
    user = state.directory.users.get(call.caller.object_id)
    return user is not None and bool(ADMINISTRATORS & set(user.properties.get("roles", ())))


def holds(state: State, call: Call, permissions: frozenset[str]) -> bool:
    """Whether the calling application was granted one of these permissions."""
    if call.caller.kind == "superuser":
        return True
    caller = state.directory.service_principals.get(call.caller.object_id)
    return caller is not None and not permissions.isdisjoint(caller.app_roles)


def may_read(state: State, call: Call, kind: type[DirectoryObject]) -> bool:
    """Whether the caller may read objects of a type."""
    return is_user(state, call) or holds(state, call, READ[kind])


def need_read(state: State, call: Call, kind: type[DirectoryObject], oid: str = "") -> None:
    """Raise 403 unless the caller may read objects of this type, and this one."""
    if not may_read(state, call, kind) or oid in state.denied.get(call.caller.object_id, ()):
        raise denied()


def may_see_members(state: State, call: Call, group: Group) -> bool:
    """Whether the membership is open, or the caller holds `Member.Read.Hidden`."""
    return not group.hidden or holds(state, call, frozenset({HIDDEN})) or is_administrator(state, call)


def need_write(state: State, call: Call, kind: type[DirectoryObject]) -> None:
    """Raise 403 unless the caller may write objects of this type."""
    if not (is_administrator(state, call) or holds(state, call, WRITE[kind])):
        raise denied()


def need_permission(state: State, call: Call, permissions: frozenset[str]) -> None:
    """Raise 403 unless the caller was granted one of these permissions, or is an administrator."""
    if not (is_administrator(state, call) or holds(state, call, permissions)):
        raise denied()
