"""The names of compacted folders: `_parquet/shop/blue/model_inputs/date=2026-11-22/hour=10/`.

They are never below the folder of a collection: Azure ML's reader reads everything there. The segments `name=value` are
those of Hive, which other engines read as columns.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["PARQUET", "CompactedName", "compacted_folder", "compacted_name", "compacted_root", "manifest_name"]

PARQUET: Final = "_parquet"
"""First segment of the folders. No endpoint can have this name: names start with a letter or digit."""
_NAME: Final = re.compile(
    rf"{PARQUET}/(?:(?P<root>.+)/)?"
    r"(?:(?:date=(?P<day>\d{4}-\d\d-\d\d)(?:/hour=(?P<hour>\d\d)(?:/minute=(?P<minute>\d\d))?)?)"
    r"|month=(?P<month>\d{4}-\d\d)|year=(?P<year>\d{4}))"
    r"/(?P<file>[^/]+)",
    re.ASCII,
)
_MANIFEST: Final = re.compile(r"manifest-(\d{1,9})\.json", re.ASCII)


class CompactedName(NamedTuple):
    """The parts of the name of an object in a compacted folder.

    Attributes:
        root: folder of the collection in the store.
        date: the span of time, as the folder of the lines has it: `2026/11/22/10`.
        file: name of the object in its folder.
    """

    root: str
    date: str
    file: str

    @property
    def folder(self) -> str:
        """Folder of the lines, relative to the store."""
        return f"{self.root}/{self.date}" if self.root else self.date

    @property
    def number(self) -> int | None:
        """The number of a manifest; None for other objects."""
        found = _MANIFEST.fullmatch(self.file)
        return None if found is None else int(found[1])


def compacted_root(root: str) -> str:
    """The folder that has all compacted folders of a collection, relative to the store."""
    return f"{PARQUET}/{root}" if root else PARQUET


def compacted_folder(root: str, date: str) -> str:
    """The compacted folder of a folder of lines, relative to the store.

    Args:
        root: folder of the collection in the store; empty if the store is that folder.
        date: the span of time, as the folder of the lines has it: `2026/11/22/10`.
    """
    year, *rest = date.split("/")
    day = "-".join([year, *rest[:2]])
    if len(rest) < 2:
        dated = f"month={day}" if rest else f"year={year}"
    else:
        clock = zip(("hour", "minute"), rest[2:], strict=False)
        dated = "/".join([f"date={day}", *(f"{name}={value}" for name, value in clock)])
    return f"{compacted_root(root)}/{dated}"


def compacted_name(name: str) -> CompactedName | None:
    """The parts of the name of an object in a store; None if it is in no compacted folder."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    if found["day"] is not None:
        date = "/".join([*found["day"].split("-"), *filter(None, (found["hour"], found["minute"]))])
    else:
        date = "/".join((found["month"] or found["year"]).split("-"))
    return CompactedName(found["root"] or "", date, found["file"])


def manifest_name(root: str, date: str, number: int) -> str:
    """The name of a manifest, relative to the store."""
    return f"{compacted_folder(root, date)}/manifest-{number:06d}.json"
