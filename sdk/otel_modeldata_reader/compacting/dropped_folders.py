"""The folders some of whose lines were removed on purpose, as the notes for receivers say it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ..blobs.store_access import StoreAccess

__all__ = ["DroppedFolders"]

_LARGEST_NOTE: Final = 1 << 20


class DroppedFolders:
    """See above; the notes are read when they are needed.

    Args:
        store: has them.
    """

    def __init__(self, store: StoreAccess) -> None:
        self._store = store

    def has(self, root: str, date: str) -> bool:
        """Whether blobs of a folder were removed: its Parquet files may be all that there is of their lines.

        Args:
            root: folder of the collection in the store.
            date: the span of time, as the folder has it.

        Raises:
            StoreUnavailableError: the store cannot be read.
        """
        return (f"{root}/{date}" if root else date) in self._folders

    @cached_property
    def _folders(self) -> set[str]:
        from otel_modeldata_receiver.storage.folders.folder_names import (  # noqa: PLC0415 (a store is open already)
            REPLACED,
        )
        from otel_modeldata_receiver.storage.folders.replaced_blobs import (  # noqa: PLC0415
            is_replacement_note,
            noted_blob,
        )

        notes = (one for one in self._store.walk(REPLACED) if is_replacement_note(one.name))
        blobs = (noted_blob(self._store.read(one.name, one.size)) for one in notes if one.size <= _LARGEST_NOTE)
        return {blob.rpartition("/")[0] for blob in blobs if blob is not None}
