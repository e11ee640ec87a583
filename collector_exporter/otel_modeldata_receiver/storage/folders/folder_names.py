"""The first segments of folders that the receiver itself chooses, and the tenant that a folder belongs to.

No endpoint has such a name: the names of endpoints begin with a letter or digit.
"""

from __future__ import annotations

from typing import Final

__all__ = ["MOUNTED", "PARKED", "REPLACED", "VANISHED", "tenant_of_folder"]

MOUNTED: Final = "_at"
"""Of folders in a mounted store; the second segment is its name (`../mounts.py`)."""
PARKED: Final = "_parked"
"""Of folders for lines whose own folder cannot be written; the rest is that folder."""
REPLACED: Final = "_replaced"
"""The folder for notes about blobs that were replaced on purpose."""
VANISHED: Final = "_vanished"
"""The folder for notes about acknowledged lines that are not in the store any more."""


def tenant_of_folder(folder: str) -> str:
    """The tenant of a folder: its first two segments, `endpoint/deployment`; for others the first one."""
    parts = folder.split("/", 5)
    if parts[0] == PARKED:
        parts = parts[1:]
    if parts and parts[0] == MOUNTED:
        parts = parts[2:]
    return parts[0] if parts and parts[0].startswith("_") else "/".join(parts[:2])
