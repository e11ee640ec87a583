"""The newest folders of every collection, found level by level: a store with 100,000 folders is not listed for that."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.blobs.compacted_name import compacted_root
from otel_modeldata_reader.blobs.listing import collections_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from otel_modeldata_reader.blobs.listing import CollectionBlobs
    from otel_modeldata_reader.blobs.store_access import StoreAccess

__all__ = ["newest_folders", "of_hours", "roots_of"]

_YEAR: Final = re.compile(r"\d{4}", re.ASCII)
_PART: Final = re.compile(r"\d\d", re.ASCII)
_DEEPEST: Final = 8
_MOST_FOLDERS: Final = 20_000
"""Folders that are looked into while collections are searched; a whole listing finds those beyond."""
_HOUR: Final = timedelta(hours=1)
_DAY_PARTS: Final = 3


def newest_folders(store: StoreAccess, now: datetime) -> dict[str, CollectionBlobs]:
    """The collections of a store, each with its blobs of the last 24 hours, or else of its newest day.

    Collections that have Parquet files only, and payloads that are objects of their own, are left out.

    Args:
        store: has them.
        now: the present.

    Raises:
        StoreUnavailableError: the store cannot be listed.
    """
    years = roots_of(store)
    days = _days(now)
    found = _listed(store, [_below(root, day) for root, of_root in years.items() for day in days if day[:4] in of_root])
    quiet = {root: max(of_root) for root, of_root in years.items() if root not in found}
    found |= _listed(store, _newest_days(store, quiet))
    dates = {root: sorted({date[:10] for date in _dates(one)}) for root, one in found.items()}
    compacted = [
        f"{compacted_root(root)}/date={day.replace('/', '-')}"
        for root, of_root in dates.items()
        for day in of_root
        if day.count("/") + 1 == _DAY_PARTS
    ]
    files = [one for listed in store.walk_each(compacted) for one in listed]
    blobs = [blob for one in found.values() for blob in one.blobs]
    return collections_of([*blobs, *files])


def of_hours(store: StoreAccess, roots: Iterable[str], now: datetime) -> dict[str, CollectionBlobs]:
    """What collections have in the folders of this hour and of the one before, by whatever clock.

    Args:
        store: has them.
        roots: folders of the collections.
        now: the present.

    Raises:
        StoreUnavailableError: the store cannot be listed.
    """
    hours = [f"{moment:%Y/%m/%d/%H}" for moment in (now - _HOUR, now, now + _HOUR)]
    return _listed(store, [_below(root, hour) for root in roots for hour in hours])


def roots_of(store: StoreAccess) -> dict[str, list[str]]:
    """The folders that have folders of years, and these years: collections, and whatever else looks like one.

    Raises:
        StoreUnavailableError: the store cannot be listed.
    """
    found: dict[str, list[str]] = {}
    level, looked = [""], 0
    for _ in range(_DEEPEST):
        level = level[: max(0, _MOST_FOLDERS - looked)]
        looked += len(level)
        children = list(store.folders_of(level))
        below = []
        for parent, names in zip(level, children, strict=True):
            years = [name for name in names if _YEAR.fullmatch(name)]
            if years:
                found[parent] = years
            below += [_below(parent, name) for name in names if name not in years and not _is_other(parent, name)]
        level = below
        if not level:
            break
    return found


def _is_other(parent: str, name: str) -> bool:
    """Whether a folder has no collections: what receivers have set aside, and the payloads of a collection."""
    return name.startswith((".", "_")) if not parent else name == "files"


def _days(now: datetime) -> list[str]:
    """The days of the last 24 hours and of the next one."""
    return sorted({f"{moment:%Y/%m/%d}" for moment in (now - 24 * _HOUR, now, now + _HOUR)})


def _newest_days(store: StoreAccess, years: Mapping[str, str]) -> list[str]:
    """The folder of the newest day of each collection; of its month or year where it has no smaller folders."""
    places = [_below(root, year) for root, year in years.items()]
    ended: list[str] = []
    for _ in range(2):
        newest = [max(filter(_PART.fullmatch, names), default="") for names in store.folders_of(places)]
        ended += [place for place, name in zip(places, newest, strict=True) if not name]
        places = [_below(place, name) for place, name in zip(places, newest, strict=True) if name]
    return [*ended, *places]


def _listed(store: StoreAccess, folders: Sequence[str]) -> dict[str, CollectionBlobs]:
    return collections_of(one for listed in store.walk_each(folders) for one in listed)


def _dates(one: CollectionBlobs) -> set[str]:
    return {blob.name.removeprefix(one.root).strip("/").rpartition("/")[0] for blob in one.blobs}


def _below(parent: str, name: str) -> str:
    return f"{parent}/{name}" if parent else name
