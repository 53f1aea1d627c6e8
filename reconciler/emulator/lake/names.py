"""User principal names in place of object ids, where a request asks for them with `upn=true`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.emulator.lake.call import Call


@dataclass(frozen=True, slots=True)
class Translation:
    """Object id to name; groups and applications keep their ids, as they have no unique name (SDK source)."""

    upn: Callable[[str], str] | None

    def __call__(self, who: str) -> str:
        """The user's name, or the id as it is."""
        return self.upn(who) if self.upn else who

    def acl(self, text: str) -> str:
        """A list with its users named."""
        if self.upn is None or "user:" not in text:
            return text
        return ",".join(self._entry(entry) for entry in text.split(","))

    def _entry(self, entry: str) -> str:
        scope, kind, who, bits = ("", *entry.split(":"))[-4:]
        scope = "default:" if entry.startswith("default:") else ""
        return f"{scope}{kind}:{self(who) if kind == 'user' and who else who}:{bits}"


def readable(call: Call) -> Translation:
    """The translation that this request asks for."""
    wanted = (call.param("upn") or call.header("x-ms-upn") or "").lower() == "true"
    return Translation(call.upn if wanted else None)
