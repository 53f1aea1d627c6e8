"""The `lake-folder` document: one folder of a data lake with everything below it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from reconciler.core.environment import Environment
from reconciler.core.model import Attribute, Kind, Passage, Source, Value
from reconciler.providers.document import Declared, Document, DocumentKind, Reach, Terminable

PROVIDER = "adls"
FOLDER = "folder"
TRAVERSE = "traverse"
ROLES = "role-assignments"
"""The kind in addresses of bypass findings: it holds nothing that could be planned."""

ACCESS, DEFAULT, NAME = "access", "default", "name"
EVERYBODY = "other"
"""The principal of what a list grants to whoever it does not speak of."""
LIST = "list"
"""The value of an access fact that holds on the folder itself and nowhere below."""
PASS = "--x"

CONTAINER = re.compile(r"(?:[a-z0-9]|(?<=[a-z0-9])-(?=[a-z0-9])){3,63}")
"""Microsoft docs: naming containers."""
SEGMENT_LIMIT, PATH_LIMIT, DEPTH_LIMIT = 255, 1024, 60
"""Characters of a name and of a path, and names in a path; below the service's own limits, which count the
container and reserve some (Microsoft docs: naming blobs; scalability targets)."""


def _folder(text: str) -> str:
    lake, _, rest = text.partition("/")
    container, _, path = rest.partition("/")
    if not lake or not container or not path:
        raise ValueError(f"{text!r} is not a folder: write lake/container/path")
    if CONTAINER.fullmatch(container) is None:
        raise ValueError(f"{container!r} is not a container: 3 to 63 of a-z, 0-9 and single hyphens")
    names = path.split("/")
    if any(name in ("", ".", "..") for name in names):
        raise ValueError(f"{text!r} has an empty, '.' or '..' name in its path; write lake/container/path")
    if "\\" in path or len(path) > PATH_LIMIT or len(names) > DEPTH_LIMIT or _longest(names) > SEGMENT_LIMIT:
        raise ValueError(
            f"path {path[:60]!r}… of {len(path)} characters cannot be a folder: no backslash, at most "
            f"{PATH_LIMIT} characters, {DEPTH_LIMIT} names, {SEGMENT_LIMIT} characters a name"
        )
    return text


def _longest(names: Iterable[str]) -> int:
    return max(map(len, names))


Folder = Annotated[str, AfterValidator(_folder)]


class LakeGrant(Terminable):
    """What somebody may do with a folder and everything below it."""

    can: Literal["read", "list", "write"] = Field(
        description="`read`: list and read everything below, now and later. `write`: read, create, change "
        "and delete everything below. `list`: see the names directly in this folder, neither contents nor "
        "what is in its subfolders.",
        examples=["read", "write"],
    )


class LakeFolder(Document):
    """A folder of a data lake: who may do what with everything below it."""

    kind: Literal["lake-folder"]
    folder: Folder = Field(
        description="Lake, container and path. The document governs the whole tree below, up to folders "
        "that have documents of their own.",
        examples=["datalake/curated/pricing"],
    )
    grants: tuple[LakeGrant, ...] = Field(
        description="Everybody who is granted something; `[]` grants nothing to anybody."
    )
    enforce_file_masks: bool = Field(
        default=False,
        alias="enforce-file-masks",
        description="Also correct files that grant less than this document says because the program that "
        "created them asked for a narrow mode. Otherwise they are counted in a finding.",
    )
    was: Folder | None = Field(
        default=None,
        description="The former lake/container/path: the folder is renamed with everything in it.",
        examples=["datalake/curated/pricing-old"],
    )

    @field_validator("grants")
    @classmethod
    def _once(cls, grants: tuple[LakeGrant, ...]) -> tuple[LakeGrant, ...]:
        seen: set[str] = set()
        for grant in grants:
            if grant.who in seen:
                raise ValueError(
                    f"{grant.who} is granted something twice; keep one line, `write` includes `read`"
                )
            seen.add(grant.who)
        return grants

    @model_validator(mode="after")
    def _renamed_within_the_lake(self) -> LakeFolder:
        if self.was and self.was.partition("/")[0] != self.lake:
            raise ValueError(f"was: {self.was} is in another lake; data is moved between lakes by its owners")
        if self.was == self.folder:
            raise ValueError(f"was: {self.was} is the present name; remove the line")
        return self

    @property
    def lake(self) -> str:
        """The logical name of the lake."""
        return self.folder.partition("/")[0]

    @property
    def locator(self) -> str:
        """Container and path: what the folder is called in addresses."""
        return self.folder.partition("/")[2]


def facts(grant: LakeGrant) -> Iterator[tuple[Attribute, Value]]:
    """What a grant comes to on the tree.

    An entry that lists directories would let files be read, as files inherit it: so `list` is an access
    entry on the folder alone and has no default (see the decision record on `list`).
    """
    if grant.can == "list":
        yield Attribute(ACCESS, grant.who), LIST
        return
    for role in (ACCESS, DEFAULT):
        yield Attribute(role, grant.who), "rwx" if grant.can == "write" else "r-x"


_LETTERS = {
    text: frozenset(text) - {"-"}
    for text in ("---", "--x", "-w-", "-wx", "r--", "r-x", "rw-", "rwx")
}  # fmt: skip
_SCALE = _LETTERS | {
    LIST: frozenset({LIST}),
    # Who may list and enter everywhere may list here too.
    "r-x": frozenset({"r", "x", LIST}),
    "rwx": frozenset({"r", "w", "x", LIST}),
}
_WORDS = {
    "r-x": "read",
    "rwx": "write: read, create, change, delete",
    LIST: "list: names in this folder only",
    PASS: "pass through",
    "---": "nothing: an entry that denies",
    "r--": "read files, open no folder",
}

KINDS = (
    Kind(
        name=TRAVERSE,
        rank=40,
        scales={ACCESS: _LETTERS},
        words=_WORDS,
        title="way to the folders below",
        roles={ACCESS: ""},
    ),
    Kind(
        name=FOLDER,
        rank=50,
        scales={ACCESS: _SCALE, DEFAULT: _SCALE},
        words=_WORDS,
        roles={ACCESS: "", DEFAULT: "for new files"},
        properties=frozenset({NAME}),
        passage=Passage(kinds=(TRAVERSE, FOLDER), role=ACCESS, part="x", own=LIST),
        own_first=True,
    ),
)


def _reach(declared: Declared) -> Iterator[Reach]:
    document: LakeFolder = declared.document
    yield Reach(
        boundary="folders",
        installation=document.lake,
        locator=document.locator,
        source=declared.locate("folder"),
    )
    if document.was:
        # A rename takes the old folder along, so that place must be the tenant's own as well.
        lake, _, locator = document.was.partition("/")
        yield Reach(boundary="folders", installation=lake, locator=locator, source=declared.locate("was"))


def _principals(declared: Declared) -> Iterator[tuple[str, Source]]:
    for number, grant in enumerate(declared.document.grants):
        yield grant.who, declared.locate("grants", number, "who")


def _known(document: LakeFolder, environment: Environment) -> bool:
    return document.lake in environment.lakes


LAKE_FOLDER = DocumentKind[LakeFolder](
    kind="lake-folder", model=LakeFolder, reach=_reach, principals=_principals, environments=_known
)
