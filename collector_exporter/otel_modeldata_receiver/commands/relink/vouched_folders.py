"""What vouches for the bytes of lines: seals, and Parquet files with their manifest.

Lines that are rewritten are other bytes. So what vouches for the folder goes before its first blob is replaced, and
`seal` and `compact` make it again. Where `compact` has removed lines, its files are the only copy of them: such a
folder is left as it is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from otel_modeldata_reader.blobs.compacted_name import compacted_name
from otel_modeldata_reader.sealing.seal_name import SEALED

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ...storage.store import StoredObject

__all__ = ["VouchedFolders"]


class VouchedFolders:
    """The folders of a store that have seals or Parquet files.

    Args:
        root: the folder of the store.
        listing: everything in it.
    """

    def __init__(self, root: Path, listing: Iterable[StoredObject]) -> None:
        self._root = root
        self._objects: dict[str, list[str]] = {}
        manifests: dict[str, tuple[int, str]] = {}
        for one in listing:
            compacted = compacted_name(one.name)
            if compacted is not None:
                self._objects.setdefault(compacted.folder, []).append(one.name)
                if compacted.number is not None:
                    newest = manifests.get(compacted.folder, (0, ""))
                    manifests[compacted.folder] = max(newest, (compacted.number, one.name))
            elif one.name.startswith(f"{SEALED}/"):
                folder = one.name.removeprefix(f"{SEALED}/").rpartition("/")[0]
                self._objects.setdefault(folder, []).append(one.name)
        self._newest = {folder: name for folder, (_, name) in manifests.items()}

    def has_dropped_lines(self, folder: str) -> bool:
        """Whether lines of a folder may be in Parquet files only."""
        name = self._newest.get(folder)
        if name is None:
            return any(compacted_name(one) is not None for one in self._objects.get(folder, ()))
        try:
            found: Any = json.loads((self._root / name).read_bytes())
            return any(blob.get("dropped", False) for blob in found["blobs"])
        except (OSError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
            return True  # what cannot be read may say so

    def release(self, folder: str) -> None:
        """Remove what vouches for a folder, manifests first: without one its Parquet files mean nothing.

        Raises:
            OSError: it cannot be removed.
        """
        self._newest.pop(folder, None)
        objects = self._objects.pop(folder, [])
        for name in sorted(objects, key=lambda one: not one.endswith(".json")):
            (self._root / name).unlink(missing_ok=True)
