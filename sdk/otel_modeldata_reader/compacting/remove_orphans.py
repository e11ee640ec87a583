"""Removes what compactions have left that died before the first manifest of a folder, also where no line is left.

A folder that has lost its manifest looks the same. If its lines were dropped, its files are all that there is of them,
and stay. Notes for receivers say which lines were removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..blobs.compacted_name import PARQUET, compacted_folder
from ..compacted.orphaned_parts import orphaned_parts
from .compacted_folder import CompactedFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ..blobs.store_access import StoreAccess
    from .dropped_folders import DroppedFolders

__all__ = ["remove_orphans"]


def remove_orphans(
    store: StoreAccess,
    roots: Collection[str] | None,
    dropped: DroppedFolders,
    check: Callable[[], None] | None,
) -> list[CompactedFolder]:
    """Remove the files of folders without a manifest.

    Args:
        store: has them.
        roots: only of these collections; None means all, also those of which nothing else is left.
        dropped: the folders whose lines were removed.
        check: called before each file is removed; see `StoreAccess.locked`. None removes nothing.

    Returns:
        The folders whose files stay, because they may be all that there is of their lines.

    Raises:
        StoreUnavailableError: the store cannot be read or written.
        StoreBusyError: another command changes the store.
    """
    orphans = orphaned_parts(store.walk(PARQUET))
    orphans = {place: objects for place, objects in orphans.items() if roots is None or place[0] in roots}
    kept = []
    for (root, date), objects in sorted(orphans.items()):
        if dropped.has(root, date):
            problem = (
                f"expected a manifest in {compacted_folder(root, date)}, got none, and lines of the folder were "
                "removed: its files may be all that is left of them; restore the manifest, or remove the files"
            )
            kept.append(CompactedFolder(collection=root, date=date, problem=problem))
            continue
        if check is None:
            continue
        for one in objects:
            check()
            store.remove(one.name, one.size)
    return kept
