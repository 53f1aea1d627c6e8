"""Everything that is wanted of one container, in the form in which rows of an inventory are held against it.

Its law: what crosses to another process or machine is JSON that says all of it; nothing is unpickled.

Tens of thousands of folders share a few hundred shapes, so each shape is written once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from reconciler.core.errors import ReconcilerError
from reconciler.providers.adls.expectation import Expectation, Shape, from_document, to_document

FORMAT = "reconciler/ground/v1"
NOBODY = -1
"""The home of paths that no declared folder governs, or one that nobody asked about."""


class GroundError(ReconcilerError):
    """A document that is no ground, or one of another version."""


class Landmark(NamedTuple):
    """A path about which more is known than that it lies in somebody's tree."""

    path: str
    home: int
    """The number of its folder, or NOBODY."""
    declared: bool
    """It is where a declared folder begins, be it one that was not asked about."""
    spot: bool
    """More applies to it than to the rest of its tree: it is judged by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The declared folders of one container; a folder's number is its place among `paths`."""

    container: str
    paths: Sequence[str]
    shapes: Sequence[int]
    """The number of each folder's shape: what decides about all its paths but its spots."""
    passages: Mapping[int, Mapping[str, Sequence[str]]]
    """By number of the folder: see `Tract.passages`."""
    holes: frozenset[str]
    """Declared folders that were not asked about: their trees are nobody's here."""
    examples: Sequence[Mapping[str, Any]]
    """One folder of each shape, as `expectation.to_document` has it."""
    key: int
    """64 random bits that paths are told apart with: see `places`.  No verdict depends on them."""

    def expectation(self, home: int) -> Expectation:
        """What a folder's paths should hold."""
        example = self.examples[self.shapes[home]]
        own = {"path": self.paths[home], "passages": self.passages.get(home, {}), "deeper": []}
        return from_document({**example, **own})

    def spots(self, home: int) -> frozenset[str]:
        """See `Tract.spots`."""
        return frozenset({self.paths[home], *self.passages.get(home, ())})

    def landmarks(self) -> Iterator[Landmark]:
        """Declared folders, other spots, and every directory that leads to one; parents before children."""
        homes = dict.fromkeys(self.holes, NOBODY)
        homes.update((path, home) for home, path in enumerate(self.paths))
        levels: dict[str, int] = {"": -1}
        for path in (*homes, *(place for passages in self.passages.values() for place in passages)):
            while path not in levels:
                levels[path] = path.count("/")
                path = path[: max(path.rfind("/"), 0)]
        governed = {"": NOBODY}
        for path in sorted(levels, key=levels.__getitem__)[1:]:
            home = homes.get(path)
            if home is not None:
                governed[path] = home
                yield Landmark(path, home, True, home != NOBODY)
            else:
                home = governed[path] = governed[path[: max(path.rfind("/"), 0)]]
                yield Landmark(path, home, False, path in self.passages.get(home, ()))

    def document(self) -> str:
        """The ground as JSON, for `parse`."""
        found = {
            "format": FORMAT,
            "container": self.container,
            "key": f"{self.key:016x}",
            "shapes": list(self.examples),
            "folders": [list(pair) for pair in zip(self.paths, self.shapes, strict=True)],
            "passages": {str(home): dict(found) for home, found in self.passages.items()},
            "holes": sorted(self.holes),
        }
        return json.dumps(found, ensure_ascii=True, separators=(",", ":"))


def ground(expectations: Iterable[Expectation], key: int) -> Ground:
    """The ground of one container; raises GroundError where folders lie in several, or none is given."""
    found = sorted(expectations, key=lambda each: each.tract.path)
    containers = sorted({each.tract.container for each in found})
    if len(containers) != 1:
        raise GroundError(f"a ground is of one container, not of {len(containers)}: {', '.join(containers)}")
    paths = [each.tract.path for each in found]
    _distinct(containers[0], paths)
    shapes: dict[Shape, int] = {}
    examples: list[Mapping[str, Any]] = []
    for each in found:
        if shapes.setdefault(each.shape, len(shapes)) == len(examples):
            examples.append(to_document(each) | {"path": "", "deeper": [], "passages": {}})
    return Ground(
        container=containers[0],
        paths=paths,
        shapes=[shapes[each.shape] for each in found],
        passages={
            home: {place: sorted(who) for place, who in sorted(each.tract.passages.items())}
            for home, each in enumerate(found)
            if each.tract.passages
        },
        holes=frozenset(path for each in found for path in each.tract.deeper) - set(paths),
        examples=examples,
        key=key,
    )


def parse(text: str) -> Ground:
    """Read what `Ground.document` wrote; raises GroundError."""
    try:
        document: Mapping[str, Any] = json.loads(text)
        if document["format"] != FORMAT:
            raise GroundError(f"the ground is {document['format']!r}, this version reads {FORMAT!r}")
        found = Ground(
            container=str(document["container"]),
            paths=[str(path) for path, _ in document["folders"]],
            shapes=[int(shape) for _, shape in document["folders"]],
            passages={int(home): _passages(found) for home, found in document["passages"].items()},
            holes=frozenset(map(str, document["holes"])),
            examples=list(document["shapes"]),
            key=int(document["key"], 16),
        )
        for each in found.examples:
            from_document(each)
        if any(not 0 <= shape < len(found.examples) for shape in found.shapes):
            raise GroundError("this is no ground: a folder has a shape that is not in it; write it anew")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise GroundError(f"this is no ground: {error!r}; write it anew") from None
    _distinct(found.container, found.paths)
    return found


def _passages(found: Mapping[str, Any]) -> dict[str, list[str]]:
    if not all(isinstance(who, list) for who in found.values()):
        raise TypeError("who passes is no list")
    return {place: [str(each) for each in who] for place, who in found.items()}


def _distinct(container: str, paths: Sequence[str]) -> None:
    met: set[str] = set()
    for path in paths:
        if path in met:
            raise GroundError(f"{container}/{path} is declared twice: a path belongs to one folder")
        met.add(path)


def above(path: str) -> str:
    """The directory that a path is in; "" for the root."""
    return path[: max(path.rfind("/"), 0)]
