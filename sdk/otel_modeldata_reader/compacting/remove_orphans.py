"""Removes what compactions have left that died before the first manifest of a folder, also where no line is left.

A folder that has lost its manifest looks the same. If its lines were dropped, its files are all that there is of them,
and stay. Notes for receivers say which lines were removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..blobs.compacted_name import PARQUET, compacted_folder
from ..compacted.orphaned_parts import orphaned_parts
from .compacted_folder import CompactedFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ..blobs.store_access import StoreAccess

__all__ = ["remove_orphans"]

_LARGEST_NOTE: Final = 1 << 20


def remove_orphans(
    store: StoreAccess, roots: Collection[str] | None, check: Callable[[], None] | None
) -> list[CompactedFolder]:
    """Remove the files of folders without a manifest.

    Args:
        store: has them.
        roots: only of these collections; None means all, also those of which nothing else is left.
        check: called before each file is removed; see `StoreAccess.locked`. None removes nothing.

    Returns:
        The folders whose files stay, because they may be all that there is of their lines.

    Raises:
        StoreUnavailableError: the store cannot be read or written.
        StoreBusyError: another command changes the store.
    """
    orphans = orphaned_parts(store.walk(PARQUET))
    orphans = {place: objects for place, objects in orphans.items() if roots is None or place[0] in roots}
    dropped = _dropped_folders(store) if orphans else set()
    kept = []
    for (root, date), objects in sorted(orphans.items()):
        if (f"{root}/{date}" if root else date) in dropped:
            problem = (
                f"expected a manifest in {compacted_folder(root, date)}, got none, and lines of the folder were "
                "removed: its files may be all that is left of them; restore the manifest, or remove the files"
            )
            kept.append(CompactedFolder(collection=root, date=date, problem=problem))
            continue
        for one in objects if check is not None else ():
            check()
            store.remove(one.name, one.size)
    return kept


def _dropped_folders(store: StoreAccess) -> set[str]:
    """The folders of blobs that were removed on purpose."""
    from otel_modeldata_receiver.storage.folders.folder_names import REPLACED  # noqa: PLC0415 (a store is open already)
    from otel_modeldata_receiver.storage.folders.replaced_blobs import (  # noqa: PLC0415
        is_replacement_note,
        noted_blob,
    )

    found = set()
    for one in store.walk(REPLACED):
        if is_replacement_note(one.name) and one.size <= _LARGEST_NOTE:
            blob = noted_blob(store.read(one.name, one.size))
            if blob is not None:
                found.add(blob.rpartition("/")[0])
    return found
