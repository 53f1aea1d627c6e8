"""Carry approved actions out on one lake: read again, decide per path, write, say what became of each.

Its law: what is written was read a moment ago.  No service compares and swaps access control lists: their
changes touch neither ETag nor Last-Modified, so that a condition would always hold (recorded traffic).  A
change that somebody else makes between the reading and the write of one path is lost; that window is the time
from the listing to the write of the path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconciler.core.model import EXISTS, Unlisted, Wanted
from reconciler.core.plan import Action, Outcome, Status
from reconciler.providers.adls.acl import EXECUTE, OTHER, Acl, AclError, Conflict, Entry, merge
from reconciler.providers.adls.acl import parse as parse_acl
from reconciler.providers.adls.canonical import passing
from reconciler.providers.adls.client import LakeReader, Refused
from reconciler.providers.adls.client_write import LakeWriter
from reconciler.providers.adls.correcting.carrying import Carrier, Steps
from reconciler.providers.adls.correcting.lots import Lots
from reconciler.providers.adls.correcting.singles import Singles
from reconciler.providers.adls.correcting.surveying import Surveyor
from reconciler.providers.adls.correcting.telling import tolls, why
from reconciler.providers.adls.correcting.walking import Walker
from reconciler.providers.adls.documents import NAME
from reconciler.providers.adls.ground import Tract, tract
from reconciler.providers.adls.reporting import lens_of
from reconciler.providers.adls.sweeping.sweep import Unread
from reconciler.providers.adls.writing import Edit
from reconciler.providers.contract import Diary, Progress
from reconciler.providers.transport import Lost, Unreachable

Entries = Mapping[str, Sequence[Entry]]


def ended(actions: Sequence[Action], status: Status, reason: str) -> list[Outcome]:
    """The same outcome for all of these."""
    return [Outcome(action=action.id, status=status, reason=reason) for action in actions]


def failure(error: Refused | Unreachable | Lost) -> tuple[Status, str]:
    """What a request without success means for its actions."""
    if isinstance(error, Lost):
        return Status.UNKNOWN, str(error)
    return Status.FAILED, why(error)


@dataclass(slots=True, kw_only=True)
class Hand:
    """What writing to one lake takes."""

    reader: LakeReader
    writer: LakeWriter
    diary: Diary
    progress: Progress

    async def folder(self, want: Wanted, actions: Sequence[Action], entries: Entries) -> list[Outcome]:
        """Every action on one declared folder: rename it, make it, edit its lists, delete it."""
        ground = tract(want)
        outcomes: list[Outcome] = []
        edits: list[Action] = []
        last: list[Action] = []
        for action in actions:
            if action.attribute.role == NAME:
                outcomes.append(await self._rename(ground, action))
            elif action.attribute.role != EXISTS:
                edits.append(action)
            elif action.after is None:
                last.append(action)
            else:
                outcomes.append(await self._create(ground, action))
        if edits:
            outcomes += await self._edit(ground, edits, entries)
        return outcomes + [await self._delete(ground, action) for action in last]

    async def way(self, want: Wanted, actions: Sequence[Action], entries: Entries) -> list[Outcome]:
        """Every action on one directory that leads to declared folders."""
        container, _, path = want.address.locator.partition("/")
        try:
            acl = parse_acl((await self.reader.control(container, path)).acl)
        except Refused as error:
            hint = "; it does not exist yet" if error.status == 404 else ""
            return ended(actions, Status.FAILED, f"nothing was sent: {error}{hint}")
        except (Unreachable, Lost, AclError) as error:
            return ended(actions, Status.FAILED, f"nothing was sent: {error}")
        outcomes: list[Outcome] = []
        changes: dict[Entry, int | None] = {}
        sent: list[Action] = []
        for action in actions:
            who = entries[action.attribute.principal]
            present = passing(acl, who, action.attribute in want.grants)
            if present == action.after:
                outcomes += ended([action], Status.ACCEPTED, "held already")
            elif present not in action.before:
                reason = f"it holds {present or 'nothing'} by now; plan again"
                outcomes += ended([action], Status.REFUSED, reason)
            else:
                sent.append(action)
                changes.update((entry, _passage(acl, entry, action.after is not None)) for entry in who)
        return outcomes + await self._pass(container, path, acl, changes, sent)

    async def _pass(
        self,
        container: str,
        path: str,
        acl: Acl,
        changes: Mapping[Entry, int | None],
        actions: Sequence[Action],
    ) -> list[Outcome]:
        if not actions:
            return []
        try:
            merged = merge(acl, changes, {})
        except Conflict as error:
            return ended(actions, Status.FAILED, f"nothing was sent: {error}")
        try:
            await self.writer.assign(container, path, merged.text)
        except (Refused, Unreachable, Lost) as error:
            return ended(actions, *failure(error))
        return ended(actions, Status.ACCEPTED, "written")

    async def _create(self, ground: Tract, action: Action) -> Outcome:
        bare = ground.want.adopted and ground.want.unlisted is Unlisted.REVOKE
        try:
            first = await self._first_list(ground) if bare else ""
            made = await self.writer.create(ground.container, ground.path, first)
        except (Refused, Unreachable, Lost) as error:
            return ended([action], *failure(error))[0]
        except AclError as error:
            return ended([action], Status.FAILED, f"nothing was sent: {error}")[0]
        if made and bare:
            try:
                await self._bare(ground)
            except (Refused, Unreachable, Lost, AclError) as error:
                reason = f"made, and nobody knows whether it inherited anything: {error}"
                return ended([action], Status.UNKNOWN, reason)[0]
        return ended([action], Status.ACCEPTED, "made" if made else "is there already")[0]

    async def _first_list(self, ground: Tract) -> str:
        """The list without which a new folder would inherit entries; "" where it would inherit none.

        It goes with the request that makes the folder: whoever dies after that leaves nobody in it, and no
        removal to which nobody consented.
        """
        held = (await self._nearest(ground.container, ground.path.rpartition("/")[0])).default
        if held is None or not (held.named or held.other):
            return ""
        return _stripped(Acl(held, held)).text

    async def _nearest(self, container: str, path: str) -> Acl:
        """The list of a directory, or of the nearest one above it that is there."""
        while True:
            try:
                return parse_acl((await self.reader.control(container, path)).acl)
            except Refused as error:
                if error.status != 404 or not path:
                    raise
            path = path.rpartition("/")[0]

    async def _bare(self, ground: Tract) -> None:
        """Take from a new folder what it inherited all the same: the service's own default, say."""
        acl = parse_acl((await self.reader.control(ground.container, ground.path)).acl)
        bare = _stripped(acl)
        if bare != acl:
            await self.writer.assign(ground.container, ground.path, bare.text)

    async def _rename(self, ground: Tract, action: Action) -> Outcome:
        container, _, path = str(action.before[0]).partition("/")
        try:
            await self.writer.rename(container, path, f"{ground.container}/{ground.path}")
        except (Refused, Unreachable, Lost) as error:
            return ended([action], *failure(error))[0]
        return ended([action], Status.ACCEPTED, f"renamed from {action.before[0]}")[0]

    async def _delete(self, ground: Tract, action: Action) -> Outcome:
        try:
            await self.reader.remove(ground.container, ground.path)
        except Refused as error:
            if error.status == 404:
                return ended([action], Status.ACCEPTED, "is gone already")[0]
            if error.code == "DirectoryNotEmpty":
                reason = "it is not empty: move or delete what is in it first"
                return ended([action], Status.REFUSED, reason)[0]
            return ended([action], *failure(error))[0]
        except (Unreachable, Lost) as error:
            return ended([action], *failure(error))[0]
        return ended([action], Status.ACCEPTED, "deleted")[0]

    async def _edit(self, ground: Tract, actions: Sequence[Action], entries: Entries) -> list[Outcome]:
        lots = Lots(edit=Edit(lens=lens_of(ground), actions=actions, entries=entries))
        steps = Steps(self.progress)
        carrier = Carrier(
            surveyor=Surveyor(reader=self.reader, ground=ground, lots=lots, met=steps.met),
            walker=Walker(writer=self.writer, container=ground.container, diary=self.diary, step=steps.step),
            singles=Singles(
                reader=self.reader,
                writer=self.writer,
                container=ground.container,
                lots=lots,
                step=steps.step,
            ),
            lots=lots,
            top=ground.path,
            steps=steps,
        )
        try:
            if not await carrier.run():
                where = f"{ground.container}/{ground.path}"
                return ended(actions, Status.FAILED, f"nothing was sent: {where} is not there")
        except Unread as error:
            return ended(actions, Status.FAILED, f"nothing was sent: {error}")
        found = tolls(actions, carrier.finish(), lots)
        return [found[action.id].outcome(action, carrier.races.told) for action in actions]


def _stripped(acl: Acl) -> Acl:
    """The list without anybody whom it names: nobody has used a new folder yet, only its document counts."""
    scopes = [acl.access, *([acl.default] if acl.default else [])]
    gone: list[dict[Entry, int | None]] = [dict.fromkeys((*scope.named, OTHER)) for scope in scopes]
    return merge(acl, gone[0], gone[1] if len(gone) > 1 else {})


def _passage(acl: Acl, entry: Entry, through: bool) -> int | None:
    """What an entry comes to when passing is granted or taken: everything else that it grants stays."""
    held = acl.access.effective(entry) or 0
    return held | EXECUTE if through else (held & ~EXECUTE) or None
