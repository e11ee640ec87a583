"""Finds the events of an id, within bounds: nothing is written, and what is searched does not take minutes."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.blobs.compacted_name import compacted_folder
from otel_modeldata_reader.blobs.listing import date_of, hours_of
from otel_modeldata_reader.exceptions import UnknownNameError
from otel_modeldata_reader.index.line_ids import id_of_row
from otel_modeldata_reader.lookup import find_id
from otel_modeldata_reader.window import Window, window_of
from otel_modeldata_receiver.storage.store import StoredObject

from ..queries.lookups import moment_of_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from otel_modeldata_reader.blobs.listing import CollectionBlobs
    from otel_modeldata_reader.found_id import FoundId

    from ..studio import Studio

__all__ = ["found_request"]

_MOST_BYTES: Final = 1 << 30
"""Of lines that are searched for an id whose time is not known, the newest first: some seconds."""
_MOST_LABEL_BYTES: Final = 256 << 20
"""Of labels that came later than the request."""
_LABELS: Final = "ground_truth"
_NEAR_NS: Final = 600 * 1_000_000_000
"""The events of a request are within ten minutes."""
_INDEX: Final = "_index"


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
    collections = _collections(studio, deployment)
    moment = window_of(at, None).since if at else _moment_of(studio, wanted, collections)
    store = studio.store.objects
    if moment is not None:
        near = Window(since=moment - _NEAR_NS, until=moment + _NEAR_NS)
        later = Window(since=near.since)
        objects = [*_objects(studio, collections, near), *_later_labels(collections, moment + _NEAR_NS)]
        try:
            return find_id(store, list(dict.fromkeys(objects)), wanted, later, write=False, near=near)
        except UnknownNameError:
            if not at:
                raise
    window, is_whole = _newest(collections)
    try:
        return find_id(store, _objects(studio, collections, window), wanted, window, write=False)
    except UnknownNameError:
        if is_whole:
            raise
        command = shlex.join(["otel-modeldata", "show", wanted, "--store", store.shown])
        raise UnknownNameError(
            f"expected an id of {store.shown}, got {wanted!r:.200}: no line of the newest {_MOST_BYTES >> 20:,} MiB "
            f"has it; this searches all of them: {command}"
        ) from None


def _collections(studio: Studio, deployment: str | None) -> Mapping[str, CollectionBlobs]:
    if deployment:
        studio.tables.roots(deployment)  # raises for a name that there is not
        return studio.catalog.deployment(deployment)
    return studio.catalog.listing().collections


def _moment_of(studio: Studio, wanted: str, collections: Mapping[str, CollectionBlobs]) -> int | None:
    """When the request happened, by the rows that a compaction has in Parquet files: lines are searched otherwise."""
    row = id_of_row(wanted)
    ids = [wanted] if row is None else [wanted, row[0]]
    for root, one in sorted(collections.items()):
        if root.rpartition("/")[2] not in {"model_inputs", "model_outputs"} or not one.compacted:
            continue
        hours = [hours_of(date) for date in one.compacted]
        window = Window(since=min(first for first, _ in hours), until=max(last for _, last in hours))
        pieces = studio.tables.pieces(root, window, end=0.0).pieces
        if not pieces:
            continue
        text = moment_of_request(pieces, ids)
        for (moment,) in studio.tables.database.rows(text.text, text.parameters):
            return int(moment)
    return None


def _newest(collections: Mapping[str, CollectionBlobs]) -> tuple[Window, bool]:
    """The window of the newest lines that are searched, and whether these are all."""
    sizes: dict[int, int] = {}
    for one in collections.values():
        for blob in one.blobs:
            start = hours_of(date_of(blob.name))[0]
            sizes[start] = sizes.get(start, 0) + blob.size
        for date, files in one.compacted.items():
            start = hours_of(date)[0]
            sizes[start] = sizes.get(start, 0) + sum(files.values())
    room = _MOST_BYTES
    for start in sorted(sizes, reverse=True):
        room -= sizes[start]
        if room < 0:
            return Window(since=start + 1), False
    return Window(), True


def _objects(studio: Studio, collections: Mapping[str, CollectionBlobs], window: Window) -> Sequence[StoredObject]:
    """The objects of a window as a listing has them, with the index of ids."""
    found: list[StoredObject] = []
    for root, one in collections.items():
        found += one.within(window)
        found += [StoredObject(name=name, size=size) for name, size in one.objects.items()]
        found += _compacted(root, one, window)
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
