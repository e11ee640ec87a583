"""What a store has, as far as it was listed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from otel_modeldata_reader.blobs.listing import collections_of, date_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from otel_modeldata_reader.blobs.listing import CollectionBlobs
    from otel_modeldata_receiver.storage.store import StoredObject

__all__ = ["Listing", "whole_listing", "with_newer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A listing. A collection that did not change is the same object in the next one.

    Attributes:
        collections: by their folders. Before the first whole listing they have their newest folders only.
        aside: by their names: what does not belong to a collection, such as quarantine, parked lines and seals; empty
            before the first whole listing.
        is_whole: whether everything was listed at least once.
        time: when, in seconds since the epoch.
    """

    collections: Mapping[str, CollectionBlobs] = field(default_factory=dict)
    aside: Mapping[str, StoredObject] = field(default_factory=dict)
    is_whole: bool = False
    time: float = 0.0

    def below(self, folder: str) -> list[StoredObject]:
        """What is set aside below a folder."""
        start = f"{folder}/"
        return [one for name, one in self.aside.items() if name.startswith(start)]


def whole_listing(objects: Sequence[StoredObject], time: float, before: Listing) -> Listing:
    """The listing of everything.

    Args:
        objects: all of a store.
        time: when they were listed.
        before: the listing before.
    """
    found = collections_of(objects)
    collections = {root: _kept(before.collections.get(root), one) for root, one in found.items()}
    aside = {one.name: one for one in objects if one.name.startswith("_") and not one.name.startswith("_parquet/")}
    return Listing(collections=collections, aside=aside, is_whole=True, time=time)


def with_newer(before: Listing, newer: Mapping[str, CollectionBlobs], time: float) -> Listing:
    """The same listing with some folders that were listed again.

    Args:
        before: the listing before.
        newer: what some folders have now; those without a blob are left as they were.
        time: when they were listed.
    """
    changed = {
        root: merged
        for root, one in newer.items()
        if (merged := _merged(before.collections.get(root), one)) is not before.collections.get(root)
    }
    return replace(before, collections={**before.collections, **changed}, time=time)


def _merged(before: CollectionBlobs | None, newer: CollectionBlobs) -> CollectionBlobs:
    if before is None:
        return newer
    dates = {date_of(one.name) for one in newer.blobs}
    first = min(dates, default="")
    place = len(before.blobs)
    while place and date_of(before.blobs[place - 1].name) >= first:
        place -= 1
    old = before.blobs[place:]
    if _sizes(one for one in old if date_of(one.name) in dates) == _sizes(newer.blobs):
        return before
    others = [one for one in old if date_of(one.name) not in dates]
    tail = sorted([*others, *newer.blobs], key=lambda one: (date_of(one.name), one.name))
    return replace(before, blobs=(*before.blobs[:place], *tail))


def _kept(before: CollectionBlobs | None, now: CollectionBlobs) -> CollectionBlobs:
    """The object of the listing before, if nothing has changed."""
    if before is None or before.blobs != now.blobs or before.compacted != now.compacted:
        return now
    return before if before.objects == now.objects else now


def _sizes(blobs: Iterable[StoredObject]) -> dict[str, int]:
    return {one.name: one.size for one in blobs}
