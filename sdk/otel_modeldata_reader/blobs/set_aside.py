"""What a receiver has set aside in the store: records that could not become lines, and lines that wait for their place.

Both are named as `layout/partition.py` and `storage/parking/parked_names.py` of the receiver say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .listing import date_of, hours_of

if TYPE_CHECKING:
    from ..window import Window
    from .store_access import StoreAccess

__all__ = ["parked_bytes", "parked_folders", "quarantined_lines"]


def quarantined_lines(store: StoreAccess, window: Window) -> int:
    """The lines of the quarantine that arrived in the hours of a window.

    Raises:
        StoreUnavailableError: they cannot be read.
    """
    from otel_modeldata_receiver.layout.partition import QUARANTINE  # noqa: PLC0415 (a store is open already)

    blobs = [one for one in store.walk(QUARANTINE) if window.overlaps(*hours_of(date_of(one.name)))]
    return sum(piece.content.count(b"\n") for piece in store.pieces(blobs))


def parked_bytes(store: StoreAccess, root: str) -> int:
    """The bytes of the lines of a collection that are parked.

    Raises:
        StoreUnavailableError: they cannot be listed.
    """
    return sum(parked_folders(store, root).values())


def parked_folders(store: StoreAccess, root: str) -> dict[str, int]:
    """The bytes of parked lines by the date of the folder in which they will be.

    Blobs that are delivered, and could not be removed, are left out: a mark beside them says it.

    Args:
        store: has them.
        root: folder of the collection.

    Raises:
        StoreUnavailableError: they cannot be listed.
    """
    from otel_modeldata_receiver.storage.parking.parked_names import parked_folder, read_mark  # noqa: PLC0415 (see above)

    found = store.walk(parked_folder(root)) if root else []
    delivered = {(mark.blob, mark.size) for one in found if (mark := read_mark(one.name)) is not None}
    sizes: dict[str, int] = {}
    for one in found:
        if (date := date_of(one.name)) and (one.name, one.size) not in delivered:
            sizes[date] = sizes.get(date, 0) + one.size
    return sizes
