"""Many requests in few: `$batch` by hand, and listings followed to their end through it.

Its law: a listing is complete, or it is a trouble; nothing in between is ever returned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from reconciler.providers.entra.client import Failed, GraphClient
from reconciler.providers.entra.wire import CHUNK, READ, V1, WRITE, Call, Reply, Trouble, objects
from reconciler.providers.transport import REFUSED, Answer, Attempts

MAX_PAGES = 2_000
"""Pages of one listing: two million objects; a service that goes on for longer is going in circles."""

Values = list[dict[str, Any]]
Listing = Values | Trouble
Report = Callable[[int], None]
"""Called with the number of listings that came to their end."""


def unheard(_: int) -> None:
    """Report to nobody."""


async def batch(client: GraphClient, calls: Sequence[Call], version: str = V1) -> list[Reply | Failed]:
    """Reply to each call in its place, 20 to a request; an item that was throttled is sent again alone.

    The service answers the outer request 200 when items in it are turned away, so that no retry of the
    outer request would ever see them (Microsoft docs: JSON batching).
    """
    chunks = [calls[start : start + CHUNK] for start in range(0, len(calls), CHUNK)]
    parts = await asyncio.gather(*(_chunk(client, chunk, version) for chunk in chunks))
    return [reply for part in parts for reply in part]


async def _chunk(client: GraphClient, calls: Sequence[Call], version: str) -> list[Reply | Failed]:
    replies: list[Reply | Failed] = [Failed("not sent")] * len(calls)
    attempts = [Attempts(client.patience, client.pacer.clock, call.harmless) for call in calls]
    waiting = list(range(len(calls)))
    while waiting:
        found = await _once(client, [calls[index] for index in waiting], version)
        again: list[int] = []
        pause = 0.0
        for index, reply in zip(waiting, found, strict=True):
            replies[index] = reply
            delay = _delay(attempts[index], reply) if len(calls) > 1 else None
            if delay is None:
                continue
            again.append(index)
            pause = max(pause, delay)
            if isinstance(reply, Reply) and reply.status == 429:
                # The same bucket serves everybody: nobody else need be turned away to learn that.
                client.pacer.hold(READ if calls[index].harmless else WRITE, delay)
        if again:
            await client.pacer.sleep_async(pause)
        waiting = again
    return replies


def _delay(attempts: Attempts, reply: Reply | Failed) -> float | None:
    if isinstance(reply, Failed):
        return None
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return attempts.delay(Answer(reply.status, headers, None))


async def _once(client: GraphClient, calls: Sequence[Call], version: str) -> list[Reply | Failed]:
    if len(calls) == 1:
        return [await _alone(client, calls[0], version)]
    requests = [_item(str(number), call) for number, call in enumerate(calls)]
    harmless = all(call.harmless for call in calls)
    outer = Call(path="/$batch", method="POST", body={"requests": requests}, reads=harmless)
    units: dict[str, float] = {READ: sum(call.units() for call in calls)}
    writes = sum(not call.harmless for call in calls)
    if writes:
        units[WRITE] = writes
    try:
        reply = await client.send(outer, version, units)
    except Failed as error:
        return [error] * len(calls)
    if not reply.ok:
        return [reply] * len(calls)
    replies = _sorted_out(reply, len(calls))
    for number, each in enumerate(replies):
        if isinstance(each, Reply) and each.status == REFUSED:
            # By itself it is answered with all that renewing its token takes.
            replies[number] = await _alone(client, calls[number], version)
    return replies


async def _alone(client: GraphClient, call: Call, version: str) -> Reply | Failed:
    try:
        return await client.send(call, version)
    except Failed as error:
        return error


def _item(number: str, call: Call) -> dict[str, Any]:
    item: dict[str, Any] = {"id": number, "method": call.method, "url": call.path}
    if call.headers:
        item["headers"] = call.headers
    if call.body is not None:
        item["body"] = call.body
    return item


def _sorted_out(outer: Reply, count: int) -> list[Reply | Failed]:
    """Replies in the order of their requests; the service gives them in any order."""
    missing = Failed("the service left this request out of its answer to a batch", lost=True)
    replies: list[Reply | Failed] = [missing] * count
    responses = outer.payload.get("responses") if isinstance(outer.payload, dict) else None
    for one in responses if isinstance(responses, list) else ():
        try:
            number, status = int(one["id"]), int(one["status"])
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        if 0 <= number < count:
            said = one.get("headers")
            headers = (
                {str(name): str(value) for name, value in said.items()} if isinstance(said, dict) else {}
            )
            replies[number] = Reply(status=status, headers=headers, payload=one.get("body"))
    return replies


@dataclass(slots=True)
class _Course:
    """One listing on its way from page to page."""

    call: Call
    alike: dict[str, dict[str, Any]]
    """One copy of every object met in any of the listings: the same people are in many groups."""
    values: Values = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    pages: int = 0
    trouble: Trouble | None = None

    def take(self, client: GraphClient, version: str, reply: Reply | Failed) -> bool:
        """Add a page; True when there is another one."""
        if isinstance(reply, Failed):
            self.trouble = reply.trouble
            return False
        page = objects(reply)
        if page is None:
            words = reply.said if not reply.ok else f"{reply.status} without a list of objects"
            self.trouble = Trouble(words, reply.spelt)
            return False
        self.values.extend(map(self._shared, page))
        self.pages += 1
        link = reply.payload.get("@odata.nextLink")
        return bool(link) and self._turn(client, version, str(link))

    def _shared(self, value: dict[str, Any]) -> dict[str, Any]:
        known = self.alike.setdefault(value["id"], value)
        return known if known == value else value

    def _turn(self, client: GraphClient, version: str, link: str) -> bool:
        path = relative(client.root(version), link)
        if path is None:
            self.trouble = Trouble(f"the next page is said to be at {_netloc(link)}, another service")
        elif link in self.seen:
            self.trouble = Trouble(f"the service repeats a page after {self.pages} of them")
        elif self.pages >= MAX_PAGES:
            self.trouble = Trouble(f"the listing goes on after {MAX_PAGES} pages")
        else:
            self.seen.add(link)
            # The link holds every query option, but not the header that advanced ones need.
            self.call = Call(path=path, advanced=self.call.advanced)
        return self.trouble is None


async def listings(
    client: GraphClient, calls: Sequence[Call], version: str = V1, report: Report = unheard
) -> list[Listing]:
    """All values of each collection, over all its pages; a page may be empty and still have a next one."""
    alike: dict[str, dict[str, Any]] = {}
    courses = [_Course(call, alike) for call in calls]
    pending = courses
    while pending:
        replies = await batch(client, [course.call for course in pending], version)
        ahead = [
            course
            for course, reply in zip(pending, replies, strict=True)
            if course.take(client, version, reply)
        ]
        report(len(pending) - len(ahead))
        pending = ahead
    return [course.trouble or course.values for course in courses]


async def remainder(client: GraphClient, call: Call, first: Reply, version: str = V1) -> Listing:
    """All values of a collection whose first page is here already."""
    course = _Course(call, {})
    more = course.take(client, version, first)
    while more:
        (reply,) = await batch(client, [course.call], version)
        more = course.take(client, version, reply)
    return course.trouble or course.values


def _netloc(link: str) -> str:
    try:
        return urlsplit(link).netloc.rpartition("@")[2] or "no address"
    except ValueError:
        return "no address"


def relative(root: str, link: str) -> str | None:
    """A link's path and query below the version's root; None when it leads anywhere else."""
    try:
        ours, theirs = urlsplit(root), urlsplit(link)
    except ValueError:
        return None
    if (ours.scheme, ours.netloc.lower()) != (theirs.scheme, theirs.netloc.lower()):
        return None
    prefix = ours.path.rstrip("/") + "/"
    path = theirs.path.replace("//", "/")
    if not path.startswith(prefix):
        return None
    return path[len(prefix) - 1 :] + (f"?{theirs.query}" if theirs.query else "")
