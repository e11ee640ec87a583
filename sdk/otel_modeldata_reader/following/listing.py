"""The listing of a collection, again and again: of its latest days each time, of all of it as often as it is cheap."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

from ..blobs.listing import collections_of, date_of
from ..window import Window

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess

__all__ = ["Listing"]

_SHARE: Final = 20
"""Listings of a whole collection take at most one part of the time in this number of parts."""
_HOUR: Final = timedelta(hours=1)
_DAY_PARTS: Final = 3


class Listing:
    """Lists a collection.

    Late events are in folders of the past, so that every folder may get new lines; a listing of ten thousand blobs in
    Azure takes a second or more.

    Args:
        store: has it.
        found: its blobs, as they were listed at first.

    Attributes:
        is_whole: whether the latest listing was one of the whole collection.
    """

    def __init__(self, store: StoreAccess, found: CollectionBlobs) -> None:
        self._store = store
        self._found = found
        self._latest = max(found.dates(Window()), default="")
        self._next_whole = 0.0
        self.is_whole = True

    def next(self) -> CollectionBlobs:
        """The blobs that may have grown.

        Raises:
            StoreUnavailableError: the store cannot be listed.
        """
        started = time.monotonic()
        self.is_whole = started >= self._next_whole
        if not self.is_whole:
            return self._walked(self._days())
        found = self._walked([""])
        ended = time.monotonic()
        self._next_whole = ended + (ended - started) * _SHARE
        return found

    def _walked(self, dates: Iterable[str]) -> CollectionBlobs:
        root = self._found.root
        folders = ["/".join(filter(None, (root, date))) for date in dates]
        found = collections_of(one for folder in folders for one in self._store.walk(folder)).get(root)
        if found is None:  # no blob in these days
            return type(self._found)(root=root, blobs=(), objects={})
        self._latest = max(self._latest, date_of(found.blobs[-1].name))
        return found

    def _days(self) -> list[str]:
        """The folders of the latest blob and of now, by whatever clock, each once; of the day if there are such."""
        now = datetime.now(timezone.utc)
        latest = self._latest.split("/")[:_DAY_PARTS]
        days = {f"{moment:%Y/%m/%d}" for moment in (now - _HOUR, now, now + _HOUR)}
        return sorted({"/".join(day.split("/")[: len(latest)]) for day in days} | {"/".join(latest)})
