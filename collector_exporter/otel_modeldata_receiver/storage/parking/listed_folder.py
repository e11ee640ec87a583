"""What a folder has: the blobs with its lines, and the objects beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..store import BLOB_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..store import Store, StoredObject

__all__ = ["ListedFolder", "listed_folder"]


class ListedFolder(NamedTuple):
    """One listing of a folder.

    Attributes:
        blobs: those of all receivers, the newest one of each last.
        files: the sizes of the objects by their names.
    """

    blobs: Sequence[StoredObject]
    files: Mapping[str, int]


async def listed_folder(store: Store, folder: str) -> ListedFolder:
    """List a folder, with one request for some thousand objects.

    Raises:
        StoreError: it cannot be listed now: nothing is known about its objects then.
    """
    objects = await store.walk(folder)
    return ListedFolder(
        blobs=[one for one in objects if one.name.endswith(BLOB_SUFFIX)],
        files={one.name: one.size for one in objects if not one.name.endswith(BLOB_SUFFIX)},
    )
