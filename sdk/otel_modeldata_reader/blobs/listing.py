"""The collections of a store: which blobs they have, and which of them may have events of a window.

A folder is named by the UTC time of its events, at the rolling rate of the collection: `2026/11/22/10` for an hour. So
folders outside of a window are known by their names, and are not opened.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from .compacted_name import compacted_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..window import Window

__all__ = ["CollectionBlobs", "collections_of", "hours_of"]

_BLOB: Final = re.compile(r"(?:(?P<root>.+?)/)?(?P<date>\d{4}(?:/\d\d){0,4})/[^/]+\.jsonl", re.ASCII)
_NANOSECONDS: Final = 1_000_000_000
_SECONDS: Final = {3: 86_400, 4: 3_600, 5: 60}
_MONTHS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionBlobs:
    """The blobs of one collection.

    Attributes:
        root: its folder in the store: `endpoint/deployment/collection`, or another one that the operator chose; empty
            if the store is the folder of the collection itself.
        blobs: its blobs, in the order of their times.
        objects: the sizes of all other objects below its folder by name: payloads that lines refer to.
        compacted: the objects of its compacted folders: for the date of each folder, as `date_of` has it, the sizes
            by the name in the folder. `compacted/folder_sources.py` says what a reading takes of them.
        limits: for blobs of which Parquet files have too much, how many lines are read of them there.
    """

    root: str
    blobs: tuple[StoredObject, ...]
    objects: Mapping[str, int]
    compacted: Mapping[str, Mapping[str, int]] = field(default_factory=dict, repr=False)
    limits: Mapping[str, int] = field(default_factory=dict, repr=False)

    @property
    def names(self) -> tuple[str, str, str] | None:
        """Endpoint, deployment and collection, if the folder has the standard layout."""
        parts = self.root.split("/")
        return (parts[0], parts[1], parts[2]) if len(parts) == 3 else None

    def within(self, window: Window) -> list[StoredObject]:
        """The blobs whose folders overlap a window."""
        return [blob for blob in self.blobs if window.overlaps(*hours_of(date_of(blob.name)))]

    def dates(self, window: Window) -> list[str]:
        """The dates of the folders that overlap a window, with those whose lines are compacted and dropped."""
        found = {date_of(blob.name) for blob in self.blobs} | self.compacted.keys()
        return sorted(date for date in found if window.overlaps(*hours_of(date)))


def collections_of(objects: Iterable[StoredObject]) -> dict[str, CollectionBlobs]:
    """The collections among the objects of a store, by their roots.

    Left out are quarantine, parked lines and notes of receivers, whose folders begin with an underscore, and the
    copies that Azure ML's reader makes of append blobs. A collection may have compacted folders only.
    """
    compacted: dict[str, dict[str, dict[str, int]]] = {}
    blobs: dict[str, list[tuple[str, str, StoredObject]]] = {}
    others: dict[str, int] = {}
    for one in objects:
        if one.name.startswith("_"):
            if (place := compacted_name(one.name)) is not None:
                compacted.setdefault(place.root, {}).setdefault(place.date, {})[place.file] = one.size
            continue
        match = _BLOB.fullmatch(one.name)
        if match is None:
            others[one.name] = one.size
        elif not _is_copy(root := match["root"] or ""):
            blobs.setdefault(root, []).append((match["date"], one.name, one))
    # Files without a manifest are those of a compaction that was interrupted.
    dated = {
        root: {date: files for date, files in dates.items() if _has_manifest(files)}
        for root, dates in compacted.items()
    }
    roots = sorted(blobs.keys() | {root for root, dates in dated.items() if dates})
    payloads: dict[str, dict[str, int]] = {root: {} for root in roots}
    for name, size in others.items():
        root = _root_of(name)
        if root in payloads:
            payloads[root][name] = size
    return {
        root: CollectionBlobs(
            root=root,
            blobs=tuple(blob for *_, blob in sorted(blobs.get(root, []))),
            objects=payloads[root],
            compacted=dated.get(root, {}),
        )
        for root in roots
    }


def _has_manifest(files: Iterable[str]) -> bool:
    return any(file.startswith("manifest-") for file in files)


def date_of(name: str) -> str:
    """The date in the name of a blob: `2026/11/22/10`."""
    match = _BLOB.fullmatch(name)
    return "" if match is None else match["date"]


@lru_cache(maxsize=8192)
def hours_of(date: str) -> tuple[int, int]:
    """The first nanosecond of a folder's time since the epoch, and the first one after it; (0, 0) for no date."""
    parts = [int(part) for part in date.split("/")] if date else []
    try:
        year, month, day, hour, minute = [*parts, *(1, 1, 1, 0, 0)[len(parts) :]]
        start = _seconds_of(datetime(year, month, day, hour, minute, tzinfo=timezone.utc))
        if len(parts) >= 3:
            end = start + _SECONDS[len(parts)]
        else:  # the year 10000 is none of a datetime
            last = datetime(year, month if len(parts) == 2 else _MONTHS, 28, tzinfo=timezone.utc)
            days = monthrange(year, last.month)[1] - last.day + 1
            end = _seconds_of(last) + days * _SECONDS[3]
    except ValueError:  # 2026/13/45
        return 0, 0
    return start * _NANOSECONDS, end * _NANOSECONDS


def _seconds_of(moment: datetime) -> int:
    return int(moment.timestamp())


def _is_copy(root: str) -> bool:
    from otel_modeldata_receiver.layout.partition import SHADOW_SUFFIX  # noqa: PLC0415 (a store is open already)

    return root.endswith(SHADOW_SUFFIX)


_DATED: Final = re.compile(r"(?:(?P<root>.+?)/)?\d{4}(?:/\d\d){0,4}/.+", re.ASCII)


def _root_of(name: str) -> str | None:
    match = _DATED.fullmatch(name)
    return None if match is None else match["root"] or ""
