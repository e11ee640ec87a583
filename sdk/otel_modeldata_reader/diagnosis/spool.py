"""Records that wait in the spool of a scoring host, by the sizes and times of its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SpoolFiles", "spool_files"]

_LEAST_BYTES = 4096
"""Without a backlog each process holds one file that is nearly empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolFiles:
    """The files of a spool.

    Attributes:
        size: their bytes.
        waiting: bytes of those that have records.
        oldest: when the one that was not written for the longest time was last written, in seconds since the epoch;
            None if none waits.
    """

    size: int
    waiting: int
    oldest: float | None


def spool_files(folder: Path) -> SpoolFiles | None:
    """The files of a spool; None if the folder is missing or cannot be read."""
    try:
        found = [one.stat() for one in folder.iterdir() if one.is_file()]
    except OSError:
        return None
    waiting = [one for one in found if one.st_size > _LEAST_BYTES]
    return SpoolFiles(
        size=sum(one.st_size for one in found),
        waiting=sum(one.st_size for one in waiting),
        oldest=min((one.st_mtime for one in waiting), default=None),
    )
