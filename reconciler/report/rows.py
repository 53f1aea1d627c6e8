"""The actions of one tenant as aligned lines: verb, whom, which right, why, and where it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.core.model import Address, Verb
from reconciler.core.order import takes_away
from reconciler.core.plan import Action
from reconciler.report.clean import plain
from reconciler.report.counts import by_address, places
from reconciler.report.lines import Line, Span, beside, cells, count, line, padded, width, wrapped
from reconciler.report.words import SYMBOLS, Speech, evidence, lists, reason, verb

STYLES = {Verb.CREATE: "add", Verb.GRANT: "add", Verb.RAISE: "change", Verb.SET: "change"}
SHORT = 10
"""Characters of an action's id that are shown: enough for `approve --only`."""
INDENT = 13
"""Where whatever belongs to the action above begins."""
SPACED = "   "
FOLD = 12
"""More like actions on one thing than this are one row that names everybody; removals never are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One action, or several alike that only differ in whom they are about, in words."""

    actions: Sequence[Action]
    verb: str
    style: str
    who: str
    change: str
    why: str
    because: str
    notes: tuple[str, ...]
    names: str = ""
    """Everybody whom a folded row is about."""

    def tail(self, whole: bool) -> str:
        """Where it is asked for, with or without the file, and the id to approve it by."""
        source = self.actions[0].source
        if len(self.actions) > 1:
            return plain(places(self.actions)) if whole else f"{len(self.actions):,} ids in the JSON"
        return f"{plain(str(source)) if whole else f':{source.line}'}  {self.actions[0].id[:SHORT]}"


def style(action: Action) -> str:
    """The colour of an action: every loss looks the same, whatever its verb."""
    return "remove" if takes_away(action) else STYLES.get(action.verb, "remove")


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing with the rows of what would happen to it."""

    address: Address
    rows: Sequence[Row]

    @property
    def files(self) -> frozenset[str]:
        """The policy files that ask for it."""
        return frozenset(action.source.file for row in self.rows for action in row.actions)


def things(actions: Iterable[Action], by_id: Mapping[str, Action], speech: Speech) -> list[Thing]:
    """The things of one tenant; many like actions on one of them make one row."""
    return [Thing(address, rows_of(own, by_id, speech)) for address, own in by_address(actions)]


def laid_out(tenants: Sequence[Sequence[Thing]], speech: Speech, columns: int) -> list[list[Line]]:
    """The lines of every tenant: each in columns of its own, all with the same right margin."""
    tables = [_table([row for thing in own for row in thing.rows], columns) for own in tenants]
    margin = min(columns, max((table.needed for table in tables), default=columns))
    return [
        [line for thing in own for line in _thing(thing, speech, replace(table, columns=margin))]
        for own, table in zip(tenants, tables, strict=True)
    ]


def _table(rows: Sequence[Row], columns: int) -> _Table:
    """Columns as wide as most rows need: a few long names do not push everything else to the right.

    The roomiest look in which every row is one line is taken, and the narrowest where none is.
    """
    reasoned = [row.change for row in rows if row.why or row.notes] or [row.change for row in rows]
    who = _widest((row.who for row in rows), max(22, columns * 2 // 5))
    change = _widest(reasoned, max(16, columns // 4))
    for noted, whole in ((True, True), (True, False), (False, True)):
        table = _Table(who=who, change=change, columns=columns, noted=noted, whole=whole)
        if table.needed_by(rows) <= columns:
            return replace(table, needed=table.needed_by(rows))
    return _Table(who=who, change=change, columns=columns, needed=columns)


def _widest(texts: Iterable[str], limit: int) -> int:
    return max((size for size in map(cells, texts) if size <= limit), default=0)


def _thing(thing: Thing, speech: Speech, table: _Table) -> Iterator[Line]:
    yield from _heading(thing, speech, table)
    for row in thing.rows:
        yield from table.lines(row, alone=len(thing.files) == 1)


def _heading(thing: Thing, speech: Speech, table: _Table) -> list[Line]:
    """The address, with what it is and the file that asks for it, below it where there is no room."""
    bare = line("  ", ("name", plain(str(thing.address))))
    gloss = speech.gloss(thing.address.kind)
    full = (*bare, ("dim", f"  {plain(gloss)}")) if gloss else bare
    known = [plain(file) for file in thing.files]
    if table.whole or len(known) > 1:
        return [full]
    for head in (full, bare):
        for place in (known[0], shorter(known[0])):
            made = beside(head, [("dim", place)], table.columns)
            if made:
                return [made]
    file = [("dim", shorter(known[0]))]
    return [bare, beside((), file, table.columns) or tuple(file)]


def rows_of(actions: Iterable[Action], by_id: Mapping[str, Action], speech: Speech) -> list[Row]:
    """A row for each action, or for each lot of many that are alike."""
    lots: dict[object, list[Action]] = {}
    single = {action.id: _row(action, by_id, speech) for action in actions}
    for ident, row in single.items():
        action = row.actions[0]
        alike = (row.verb, row.change, row.why, row.because, row.notes, action.source.file)
        keep_apart = takes_away(action) or not action.attribute.principal
        lots.setdefault(ident if keep_apart else alike, []).append(action)
    rows: list[Row] = []
    for lot in lots.values():
        own = [single[action.id] for action in lot]
        rows.extend([_folded(own)] if len(lot) > FOLD else own)
    return rows


def _folded(rows: Sequence[Row]) -> Row:
    first = rows[0]
    return Row(
        actions=[row.actions[0] for row in rows],
        verb=first.verb,
        style=first.style,
        who=count(len(rows), "principal"),
        change=first.change,
        why=first.why,
        because=first.because,
        notes=first.notes,
        names=", ".join(row.who for row in rows),
    )


def _row(action: Action, by_id: Mapping[str, Action], speech: Speech) -> Row:
    notes = (evidence(action, speech), lists(action, speech), after(action, by_id, speech))
    return Row(
        actions=[action],
        verb=f"{SYMBOLS[action.verb]} {verb(action):<6}",
        style=style(action),
        who=speech.who(action),
        change=speech.change(action),
        why=reason(action),
        because=f'"{speech.say(action.because)}"' if action.because else "",
        notes=tuple(note for note in notes if note),
    )


def after(action: Action, by_id: Mapping[str, Action], speech: Speech) -> str:
    """What has to be seen to work before this action may be sent; "" when nothing has to."""
    if not action.needs:
        return ""
    ident = next((need for need in action.needs if need in by_id), action.needs[0])
    first = by_id.get(ident)
    more = f" and {len(action.needs) - 1:,} more" if len(action.needs) > 1 else ""
    if first is None:
        return f"after {speech.quote(ident[:SHORT])} (not shown here){more}"
    words = " ".join(word for word in (verb(first), speech.who(first), speech.change(first)) if word)
    where = f" on {speech.quote(str(first.address))}" if first.address != action.address else ""
    return f"after {speech.quote(ident[:SHORT])}: {words}{where}{more}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """The columns that all rows of a tenant share."""

    who: int
    change: int
    columns: int
    noted: bool = False
    """Whether notes stand in the row itself, as there is room in all of them."""
    whole: bool = False
    """Whether every row has room for the whole place in the policies."""
    needed: int = 0
    """How wide the widest row is."""

    def needed_by(self, rows: Iterable[Row]) -> int:
        """How many columns the widest of these rows takes on one line."""
        return max(
            min(width(head) for head in self._heads(row, "  ".join(self._extras(row))))
            + 2
            + cells(row.tail(self.whole))
            for row in rows
        )

    def _extras(self, row: Row) -> list[str]:
        return [text for text in (row.why, row.because, *(row.notes if self.noted else ())) if text]

    def lines(self, row: Row, alone: bool) -> Iterator[Line]:
        """The row, on one line where there is room for it; `alone` if its file stands above it."""
        tail: list[Span] = [("dim", row.tail(whole=self.whole or not alone))]
        extras = self._extras(row)
        notes = [] if self.noted else row.notes
        for taken in range(len(extras), -1, -1):
            for head in self._heads(row, "  ".join(extras[:taken])):
                made = beside(head, tail, self.columns)
                if made:
                    yield made
                    yield from self._below(row, [*extras[taken:], *notes], ())
                    return
        yield from self._cramped(row, tail, [*extras, *notes])

    def _cramped(self, row: Row, tail: Sequence[Span], notes: Sequence[str]) -> Iterator[Line]:
        """A row whose parts do not fit side by side: what does not goes below the name."""
        head = next(iter(self._heads(row, "")))
        if width(head) <= self.columns:
            yield tuple(head)
            yield from self._below(row, notes, tail)
            return
        narrow = head[:3]
        made = beside(narrow, tail, self.columns)
        yield made or tuple(narrow)
        yield from wrapped(row.style, row.change, INDENT, self.columns)
        yield from self._below(row, notes, () if made else tail)

    def _heads(self, row: Row, why: str) -> Iterator[list[Span]]:
        """The row without its tail, in its columns; then a closer one, for where there is no room."""
        start: list[Span] = [("", "    "), (row.style, f"{row.verb} ")]
        spans: list[Span] = [*start, ("", padded(row.who, self.who))]
        if not why:
            right: list[Span] = [(row.style, f"  {row.change}")] if row.change else []
            yield [*spans, *right]
            yield [*start, ("", row.who), *right]
            return
        for change in (padded(row.change, self.change), row.change):
            yield [*spans, (row.style, f"  {change}"), ("dim", f"  {why}")]

    def _below(self, row: Row, notes: Sequence[str], tail: Sequence[Span]) -> Iterator[Line]:
        """What else there is to say of the row, the tail at the margin where it had no room above."""
        yield from wrapped("", row.names, INDENT, self.columns)
        lines = list(_packed(notes, self.columns))
        if tail:
            left = lines.pop(0) if lines else line(" " * INDENT)
            made = beside(left, tail, self.columns)
            yield from [made] if made else [left, beside((), tail, self.columns) or tuple(tail)]
        yield from lines


def _packed(notes: Iterable[str], columns: int) -> Iterator[Line]:
    """Notes, several on a line where they fit."""
    waiting: list[str] = []
    for note in notes:
        if waiting and INDENT + cells(SPACED.join([*waiting, note])) > columns:
            yield from _noted(waiting, columns)
            waiting = []
        waiting.append(note)
    yield from _noted(waiting, columns)


def _noted(notes: Sequence[str], columns: int) -> list[Line]:
    if len(notes) > 1:
        # They fit, or would not have been put together; folding would close the gap between them.
        return [line(" " * INDENT, ("dim", SPACED.join(notes)))]
    return [each for note in notes for each in wrapped("dim", note, INDENT, columns)]


def shorter(place: str) -> str:
    """A place in the policies by its file's name alone; the heading above says whose."""
    return f".../{place.rpartition('/')[2]}" if "/" in place else place
