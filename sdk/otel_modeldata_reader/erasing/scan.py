"""Looks through blobs for lines with chosen rows, without changing anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..blobs.byte_ranges import ByteRange
from ..blobs.listing import date_of
from ..progress import Progress
from .places import collections_in_scope, places_in
from .rewriting.blob_rewrite import changed_lines
from .rewriting.compacted_eraser import CompactedEraser
from .rewriting.compacted_rows import manifests_with_lines
from .rewriting.erased_counts import ErasedCounts, joined_hours
from .rewriting.line_blocks import line_blocks, lines_in
from .rewriting.line_eraser import LineEraser
from .rewriting.quarantine_eraser import QuarantineEraser

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess
    from ..compacted.manifest import Manifest
    from .choosing.quarantine_condition import QuarantineCondition
    from .choosing.selection import Selection
    from .places import Place
    from .rewriting.blob_rewrite import Eraser
    from .tombstone import ErasedHour

__all__ = ["Erasers", "compacted_in", "has_chosen", "mentions_in", "would_go"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasers:
    """Makes what erases from the lines of a place.

    Attributes:
        store: has the lines.
        selection: the chosen rows.
        payloads: the objects of the store, see `objects_of`.
        scope: of the request.
        condition: for records in quarantine, if the request has one.
        only: whether nothing but the collection `scope` is changed.
    """

    store: StoreAccess
    selection: Selection
    payloads: Mapping[str, tuple[str, int]]
    scope: str
    condition: QuarantineCondition | None = None
    only: bool = False

    def of(self, place: Place) -> Eraser:
        """What erases from the lines of a place."""
        if place.is_quarantine:
            return QuarantineEraser(
                self.selection,
                self.store,
                place.folder,
                self.payloads,
                scope=self.scope,
                only=self.only,
                parked_by=place.parked_by,
                condition=self.condition,
            )
        return LineEraser(
            self.selection,
            self.store,
            place.root,
            place.folder,
            self.payloads,
            source=place.source,
            parked_by=place.parked_by,
        )


def compacted_in(erasers: Erasers, objects: Sequence[StoredObject]) -> Iterator[tuple[CompactedEraser, Manifest]]:
    """The compacted folders of a scope, each with what erases from it.

    Raises:
        ReaderError: a manifest is damaged, or cannot be read.
    """
    for root, collection in collections_in_scope(objects, erasers.scope).items():
        if erasers.only and root != erasers.scope:
            continue
        for manifest, has_lines in manifests_with_lines(erasers.store, collection):
            lines = LineEraser(erasers.selection, erasers.store, root, manifest.lines_folder, erasers.payloads)
            yield CompactedEraser(erasers.store, erasers.selection, root, lines, has_lines=has_lines), manifest


def has_chosen(store: StoreAccess, place: Place, eraser: Eraser, start: int, progress: Progress) -> tuple[int, bool]:
    """How far whole lines of a blob reach, and whether one from `start` on has chosen rows.

    Raises:
        StoreUnavailableError: the blob cannot be read.
    """
    position = start
    for block in line_blocks(store, ByteRange(place.blob.name, start, place.blob.size)):
        progress.add(len(block.content) + len(block.tail))
        if any(change is not None for _, change in changed_lines(block, eraser)):
            return position, True
        position = block.start + len(block.content)
    return position, False


def mentions_in(erasers: Erasers, objects: Sequence[StoredObject]) -> int:
    """How many rows of labels, spans and own collections have a chosen id in a column that names none, and stay.

    The value may be equal by chance, or be what names the row in a column that only its owner knows.

    Raises:
        ReaderError: a manifest is damaged, or the store cannot be read.
    """
    if erasers.only:
        return 0
    found = sum(eraser.mentions(manifest) for eraser, manifest in compacted_in(erasers, objects))
    for place in places_in(objects, erasers.scope, only=False):
        if place.is_quarantine or place.counted != place.root or not erasers.selection.in_rows(place.root):
            continue
        eraser = erasers.of(place)
        if isinstance(eraser, LineEraser):
            for block in line_blocks(erasers.store, ByteRange(place.blob.name, 0, place.blob.size)):
                if not block.is_long:
                    found += sum(map(eraser.mentions, [*lines_in(block.content), block.tail]))
    return found


def would_go(erasers: Erasers, places: Iterable[Place]) -> tuple[ErasedHour, ...]:
    """What would go from some places.

    Raises:
        StoreUnavailableError: a blob cannot be read.
    """
    places = list(places)
    progress = Progress(erasers.store.shown, sum(place.blob.size for place in places))
    hours: list[ErasedHour] = []
    for place in places:
        eraser = erasers.of(place)
        counts = ErasedCounts(place.counted, date_of(place.blob.name))
        for block in line_blocks(erasers.store, ByteRange(place.blob.name, 0, place.blob.size)):
            progress.add(len(block.content) + len(block.tail))
            for line, change in changed_lines(block, eraser):
                if change is not None:
                    counts.add(change, len(line))
        hours += counts.hours
    return joined_hours(hours)
