"""Lists a folder whose name a person has written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_modeldata_receiver.storage.store import checked_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess

__all__ = ["walk_below"]


def walk_below(store: StoreAccess, name: str) -> Sequence[StoredObject]:
    """What is below a folder; the whole store for an empty name, and nothing for a name that no folder can have.

    Raises:
        StoreUnavailableError: the store is missing, cannot be reached, or may not be read.
    """
    try:
        checked = checked_name(name) if name else ""
    except ValueError:
        return ()
    return store.walk(checked)
