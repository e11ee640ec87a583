"""The names of seals: `_sealed/{root}/{date}/{number}.json`, and beside it what an audit remembers of the same lines.

No endpoint can have the first name, because it begins with an underscore: Azure ML's reader does not see it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["SEALED", "SealName", "is_draft", "memory_name", "read_name", "seals_of"]

SEALED: Final = "_sealed"
"""First segment of the names of seals."""
_NAME: Final = re.compile(
    rf"{SEALED}/(?:(?P<root>.+?)/)?(?P<date>\d{{4}}(?:/\d\d){{0,4}})/(?P<number>\d{{6}})\.json", re.ASCII
)

_DRAFT: Final = re.compile(r"\.\d{6}(?:\.json|-[0-9a-f]{16}\.audit)\.[0-9a-f]{32}", re.ASCII)
"""A file that a local store renames when it is whole."""


class SealName(NamedTuple):
    """The parts of the name of a seal.

    Attributes:
        root: folder of the collection.
        date: the span of time in UTC, as the folder has it: `2026/11/22/10`.
        number: of the seal among those of the folder, from 1.
    """

    root: str
    date: str
    number: int

    @property
    def folder(self) -> str:
        """The folder that is sealed, relative to the store."""
        return f"{self.root}/{self.date}" if self.root else self.date

    def __str__(self) -> str:
        return f"{SEALED}/{self.folder}/{self.number:06d}.json"


def read_name(name: str) -> SealName | None:
    """The parts of a name; None for a name that is none of a seal."""
    match = _NAME.fullmatch(name)
    return None if match is None else SealName(match["root"] or "", match["date"], int(match["number"]))


def seals_of(folder: str) -> str:
    """Where the seals of a folder, or of all folders of a collection, are."""
    return f"{SEALED}/{folder}" if folder else SEALED


def memory_name(name: SealName, sha256: str) -> str:
    """Where an audit's memory of the lines of a seal is; it has its digest in its name, so it never changes."""
    return f"{SEALED}/{name.folder}/{name.number:06d}-{sha256[:16]}.audit"


def is_draft(name: str) -> bool:
    """Whether an object is what a process that was killed left of a seal, or of an audit's memory."""
    return _DRAFT.fullmatch(name.rpartition("/")[2]) is not None
