"""Lists a folder whose name a person has written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otel_modeldata_receiver.storage.store import checked_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess

__all__ = ["walk_below"]

_LONGEST: Final = 1024
"""Of a blob's name in Azure."""
_LONGEST_SEGMENT: Final = 255
"""Of a name in a folder, in bytes."""


def walk_below(store: StoreAccess, name: str) -> Sequence[StoredObject]:
    """What is below a folder; the whole store for an empty name, and nothing for a name that no folder can have.

    Raises:
        StoreUnavailableError: the store is missing, cannot be reached, or may not be read.
    """
    if len(name) > _LONGEST or any(len(part.encode(errors="replace")) > _LONGEST_SEGMENT for part in name.split("/")):
        return ()
    try:
        checked = checked_name(name) if name else ""
    except ValueError:
        return ()
    return store.walk(checked)
