"""Looks for an id in lines that are parked: a lookup has only what is in its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..blobs.listing import date_of, hours_of
from ..blobs.newest_blobs import lines_of, newest
from ..report import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess
    from ..window import Window
    from .id_search import IdSearch

__all__ = ["parked_note"]

MOST_BYTES: Final = 64 << 20
"""Of parked lines that are searched, the newest ones."""
_MOST_EVENTS: Final = 1000
_SHOWN_PLACES: Final = 3


def parked_note(
    store: StoreAccess, objects: Sequence[StoredObject], search: IdSearch, window: Window, found: Collection[str | None]
) -> str:
    """That events of an id are parked, and where they will be; empty if none is.

    Args:
        store: has the lines.
        objects: its listing.
        search: for the id.
        window: only folders of this window are searched.
        found: ids of events that are in their folders: a parked copy of one is no other event.

    Raises:
        StoreUnavailableError: a blob cannot be read.
    """
    from otel_modeldata_receiver.storage.parking.parked_names import (  # noqa: PLC0415 (a store is open)
        is_parked,
        parked_blob,
        place_of,
    )

    blobs = [
        one
        for one in objects
        if is_parked(one.name) and parked_blob(one.name) is not None and window.overlaps(*hours_of(date_of(one.name)))
    ]
    if not blobs:
        return ""
    events, places = set[str | None](), set[str]()
    for blob, line in lines_of(store, newest(blobs, MOST_BYTES)[0]):
        if not search.may_be_in(line) or (named := parked_blob(blob)) is None or len(events) >= _MOST_EVENTS:
            continue
        match = search.match(line, named.folder.removesuffix(f"/{date_of(blob)}"))
        if match is not None and match.envelope.id not in found:
            events.add(match.envelope.id)
            places.add(place_of(named.folder))
    if not events:
        return ""
    shown = ", ".join(sorted(places)[:_SHOWN_PLACES]) + (", ..." if len(places) > _SHOWN_PLACES else "")
    are = "is" if len(events) == 1 else "are"
    return (
        f"{counted(len(events), 'event')} of it {are} parked until the place of {shown} takes lines again, and not "
        "shown: otel-modeldata why says more"
    )
