"""What a receiver has set aside in the store: records that could not become lines, and lines that wait for their place.

Both are named as `layout/partition.py` and `storage/parking/parked_names.py` of the receiver say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .listing import date_of, hours_of

if TYPE_CHECKING:
    from ..window import Window
    from .store_access import StoreAccess

__all__ = ["parked_bytes", "quarantined_lines"]


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
    from otel_modeldata_receiver.storage.parking.parked_names import parked_folder  # noqa: PLC0415 (see above)

    return sum(one.size for one in store.walk(parked_folder(root)) if date_of(one.name))
