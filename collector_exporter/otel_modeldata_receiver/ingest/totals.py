"""What a receiver has received since it started, for the line that it logs when it stops."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Totals"]

_MOST_FOLDERS: Final = 10_000
"""Folders that are counted; senders choose their number."""


@dataclass(slots=True)
class Totals:
    """Counts of records and requests.

    Attributes:
        stored: records that became durable lines.
        duplicates: records that were stored already.
        quarantined: records that could not become lines, and requests that could not be read.
        dropped: records that were answered as rejected and are not kept.
        refused: requests that were answered with an error.
        size: bytes of the requests whose records were stored, decompressed.
    """

    stored: int = 0
    duplicates: int = 0
    quarantined: int = 0
    dropped: int = 0
    refused: int = 0
    size: int = 0
    _folders: set[str] = field(default_factory=set)

    def add_folders(self, folders: Iterable[str]) -> None:
        """Count the folders that have lines now."""
        if len(self._folders) < _MOST_FOLDERS:
            self._folders.update(folders)

    @property
    def sentence(self) -> str:
        """All counts, for a log line."""
        most = len(self._folders) >= _MOST_FOLDERS
        folders = f"{_MOST_FOLDERS:,} or more folders" if most else _counted(len(self._folders), "folder")
        dropped = f"{self.dropped:,} not kept, " if self.dropped else ""
        return (
            f"{_counted(self.stored, 'event')} in {folders}, from {_counted(self.size, 'byte')} of requests; "
            f"{_counted(self.duplicates, 'duplicate')}, {self.quarantined:,} in quarantine, {dropped}"
            f"{_counted(self.refused, 'request')} refused"
        )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
