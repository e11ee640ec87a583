"""Parquet files of folders without any manifest: what a compaction has left that died before it was done.

No reading takes them, and nothing vouches for them. They have rows all the same, so whoever removes rows has to remove
them. Only who has the store's lock may: without it they may be those of a compaction that runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..blobs.compacted_name import compacted_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_modeldata_receiver.storage.store import StoredObject

__all__ = ["orphaned_parts"]


def orphaned_parts(objects: Iterable[StoredObject]) -> dict[tuple[str, str], list[StoredObject]]:
    """The files of compacted folders that have no manifest, not even a damaged one.

    Args:
        objects: a listing of the store, or of its folder `_parquet`.

    Returns:
        For each such folder the root of its collection and its date (`2026/11/22/10`), and its objects.
    """
    folders: dict[tuple[str, str], list[StoredObject]] = {}
    for one in objects:
        if (place := compacted_name(one.name)) is not None:
            folders.setdefault((place.root, place.date), []).append(one)
    return {place: found for place, found in folders.items() if not any(map(_may_be_a_manifest, found))}


def _may_be_a_manifest(one: StoredObject) -> bool:
    return one.name.rpartition("/")[2].startswith("manifest-")
