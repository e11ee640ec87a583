"""All events of a collection in a window: those of lines, and those of lines that are in Parquet files only."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from ..compacted.part_file import DamagedPartError
from ..lines.envelope import decode_line
from ..lines.event_stream import Events, event_batches, selected
from ..lines.event_time import times_of
from ..lines.known_ids import KnownIds
from .dropped_lines import dropped_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess
    from ..lines.tally import Tally
    from ..window import Window
    from .dropped_lines import DroppedFolder

__all__ = ["every_event"]

_SOME_LINES: Final = 1000


def every_event(
    store: StoreAccess,
    collection: CollectionBlobs,
    window: Window,
    tally: Tally,
    progress: Callable[[int], object] = lambda _: None,
) -> Iterator[Events]:
    """The events of lines that are compacted and dropped, then those of all other lines; each once.

    Args:
        store: has the blobs.
        collection: whose events.
        window: only events of this window.
        tally: counts what reading skips.
        progress: called with the number of bytes of each part that is read.

    Raises:
        DamagedPartError: lines that are in Parquet files only cannot be read.
        StoreUnavailableError: the store cannot be read.
    """
    ids = KnownIds()
    for folder, problem in dropped_folders(store, collection, window):
        if folder is None:
            raise DamagedPartError(problem)
        for events in _dropped(folder):
            yield selected(events, window, ids, tally)
    yield from event_batches(store, collection.within(window), window, tally, progress, ids=ids)


def _dropped(folder: DroppedFolder) -> Iterator[Events]:
    """The events of the lines of a folder that are in Parquet files only."""
    lines = ((place, line) for place, line in folder.lines() if place[0] in folder.blobs)
    while some := list(islice(lines, _SOME_LINES)):
        found = [(place, one) for place, line in some if (one := decode_line(line)) is not None]
        envelopes = [one for _, one in found]
        yield Events(
            envelopes=envelopes,
            times=times_of(envelopes),
            blobs=[blob for (blob, _), _ in found],
            numbers=[number for (_, number), _ in found],
        )
