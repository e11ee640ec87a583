"""Finds the events of an id, within bounds: nothing is written, and what is searched does not take minutes."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.blobs.compacted_name import compacted_folder
from otel_modeldata_reader.blobs.listing import date_of, hours_of
from otel_modeldata_reader.exceptions import UnknownNameError
from otel_modeldata_reader.lookup import find_id
from otel_modeldata_reader.window import Window, window_of
from otel_modeldata_receiver.storage.store import StoredObject

from ..queries.lookups import moment_of_place, moments_of_id
from ..tables.slices import EDGE_NS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from otel_modeldata_reader.blobs.listing import CollectionBlobs
    from otel_modeldata_reader.found_id import FoundId

    from ..studio import Studio
    from ..tables.piece import Piece

__all__ = ["found_request"]

_MOST_BYTES: Final = 1 << 30
"""Of lines that are searched for an id whose time is not known, the newest first: some seconds."""
_MOST_LABEL_BYTES: Final = 256 << 20
"""Of labels that came later than the request."""
_INPUTS: Final = "model_inputs"
_OUTPUTS: Final = "model_outputs"
_LABELS: Final = "ground_truth"
_LISTING_SECONDS: Final = 8.0
"""How long an id waits for the first listing of everything, where it is not among the newest folders."""
_OPENING_SECONDS: Final = 5.0
"""How long an id waits until the Parquet files are opened that were not before: each is checked once."""
_NEAR_NS: Final = 600 * 1_000_000_000
"""The events of a request are within ten minutes, but for outputs of a batch."""
_INDEX: Final = "_index"
_UNKNOWN: Final = "no stored event has it; correct the id, or look again in a moment if it is new"


def found_request(studio: Studio, wanted: str, deployment: str | None, at: str | None) -> FoundId:
    """Everything about an id.

    Args:
        studio: has the store.
        wanted: a correlation id, row id, event id or trace id.
        deployment: only of this one; None searches all.
        at: when it happened, as far as it is known; ten minutes before and after it are searched, and labels after it.

    Raises:
        UnknownNameError: no line has it, in what was searched.
        ReaderError: the store cannot be read, or `at` is no time.
    """
    is_whole = bool(deployment) or studio.catalog.listing().is_whole
    try:
        return _found(studio, wanted, _collections(studio, deployment), at)
    except UnknownNameError:
        if is_whole or not studio.catalog.whole(_LISTING_SECONDS).is_whole:
            raise
    return _found(studio, wanted, _collections(studio, deployment), at)


def _found(studio: Studio, wanted: str, collections: Mapping[str, CollectionBlobs], at: str | None) -> FoundId:
    moment, unread = (window_of(at, None).since, 0) if at else _moment_of(studio, wanted, collections)
    store = studio.store.objects
    if moment is not None:
        try:
            found = _found_near(studio, wanted, collections, moment, _NEAR_NS)
            if _lacks_outputs(found, collections):  # they come up to an hour later
                found = _found_near(studio, wanted, collections, moment, EDGE_NS)
        except UnknownNameError:
            if not at:
                raise
        else:
            return found
    window, is_whole = _newest(collections)
    is_whole = is_whole and not any(one.compacted for one in collections.values())
    try:
        return find_id(store, _lines(studio, collections, window), wanted, window, write=False, unknown=_UNKNOWN)
    except UnknownNameError:
        if is_whole:
            raise
        if unread:
            raise UnknownNameError(
                f"expected an id of {store.shown}, got {wanted!r:.200}: {unread:,} bytes are not searched yet: "
                "ask again in a moment"
            ) from None
        command = shlex.join(["otel-modeldata", "show", wanted, "--store", store.shown])
        raise UnknownNameError(
            f"expected an id of {store.shown}, got {wanted!r:.200}: no row in Parquet files and no line of the newest "
            f"{_MOST_BYTES >> 20:,} MiB has it; this searches everything: {command}"
        ) from None


def _found_near(
    studio: Studio, wanted: str, collections: Mapping[str, CollectionBlobs], moment: int, after: int
) -> FoundId:
    near = Window(since=moment - _NEAR_NS, until=moment + after + 1)
    objects = [*_objects(studio, collections, near), *_later_labels(collections, moment + after)]
    later = Window(since=near.since)
    return find_id(studio.store.objects, list(dict.fromkeys(objects)), wanted, later, write=False, near=near)


def _lacks_outputs(found: FoundId, collections: Mapping[str, CollectionBlobs]) -> bool:
    """Whether inputs were found without outputs, which their deployment has."""
    names = {one.collection for one in found.events}
    deployments = {root.rpartition("/")[0] for root in names if root.rpartition("/")[2] == _INPUTS}
    return any(f"{one}/{_OUTPUTS}" in collections and f"{one}/{_OUTPUTS}" not in names for one in deployments)


def _collections(studio: Studio, deployment: str | None) -> Mapping[str, CollectionBlobs]:
    if deployment:
        studio.tables.roots(deployment)  # raises for a name that there is not
        return studio.catalog.deployment(deployment)
    return studio.catalog.listing().collections


def _moment_of(studio: Studio, wanted: str, collections: Mapping[str, CollectionBlobs]) -> tuple[int | None, int]:
    """When the request happened, by the rows that a compaction has in Parquet files: lines are searched otherwise.

    The second value is about how many bytes of their hours were not searched.
    """
    sides: dict[str, list[Piece]] = {_INPUTS: [], _OUTPUTS: []}
    unread, end = 0, time.monotonic() + _OPENING_SECONDS
    for root, one in sorted(collections.items()):
        if (side := root.rpartition("/")[2]) in sides and one.compacted:
            hours = [hours_of(date) for date in one.compacted]
            window = Window(since=min(first for first, _ in hours), until=max(last for _, last in hours))
            read = studio.tables.pieces(root, window, end=end)
            unread += read.pending
            sides[side] += read.pieces
            for row_id in (wanted, f"{wanted}_0"):  # of a request the first row
                for place in studio.tables.partners.places(root, row_id):
                    text = moment_of_place(*place, row_id)
                    for (moment,) in studio.tables.database.rows(text.text, text.parameters):
                        return int(moment), 0
    for text in moments_of_id(list(sides.values()), wanted):
        for (moment,) in studio.tables.database.rows(text.text, text.parameters):
            return int(moment), 0
    return None, unread


def _newest(collections: Mapping[str, CollectionBlobs]) -> tuple[Window, bool]:
    """The window of the newest lines that are searched, and whether these are all."""
    sizes: dict[int, int] = {}
    for one in collections.values():
        for blob in one.blobs:
            start = hours_of(date_of(blob.name))[0]
            sizes[start] = sizes.get(start, 0) + blob.size
    room = _MOST_BYTES
    for start in sorted(sizes, reverse=True):
        room -= sizes[start]
        if room < 0:
            return Window(since=start + 1), False
    return Window(), True


def _objects(studio: Studio, collections: Mapping[str, CollectionBlobs], window: Window) -> Sequence[StoredObject]:
    """The objects of a window as a listing has them, with the index of ids."""
    files = [file for root, one in collections.items() for file in _compacted(root, one, window)]
    return [*_lines(studio, collections, window), *files]


def _lines(studio: Studio, collections: Mapping[str, CollectionBlobs], window: Window) -> Sequence[StoredObject]:
    """The same without Parquet files."""
    found: list[StoredObject] = []
    for one in collections.values():
        found += one.within(window)
        found += [StoredObject(name=name, size=size) for name, size in one.objects.items()]
    return [*found, *studio.catalog.listing().below(_INDEX)]


def _later_labels(collections: Mapping[str, CollectionBlobs], moment: int) -> list[StoredObject]:
    """The lines of labels after a moment, as many as are searched quickly: labels come days later."""
    found: list[StoredObject] = []
    room, window = _MOST_LABEL_BYTES, Window(since=moment)
    for root, one in collections.items():
        if root.rpartition("/")[2] != _LABELS:
            continue
        for blob in one.within(window):
            room -= blob.size
            if room >= 0:
                found.append(blob)
    return found


def _compacted(root: str, one: CollectionBlobs, window: Window) -> Iterable[StoredObject]:
    return [
        StoredObject(name=f"{compacted_folder(root, date)}/{file}", size=size)
        for date, files in one.compacted.items()
        if window.overlaps(*hours_of(date))
        for file, size in files.items()
    ]
