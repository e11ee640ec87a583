"""What a compaction did to a folder."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CompactedFolder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactedFolder:
    """What a compaction did to a folder, or would do.

    Attributes:
        collection: its collection.
        date: the span of time in UTC, as the folder has it: `2026/11/22/10`.
        lines: lines that were read now.
        read: bytes of these lines; of a dry run, those that would be read.
        events: events that the folder has in Parquet now.
        rows: rows in typed columns.
        json_events: events that stay JSON in Parquet; their rows are not counted.
        files: Parquet files of the folder.
        size: their bytes.
        written: bytes of the files that were written now.
        duplicates: lines of the folder that were left out, because another one has the same id.
        foreign: lines of the folder that were left out, because they are no events.
        dropped: blobs of lines that were removed now, or would be.
        dropped_bytes: their bytes.
        problem: why nothing was done; empty if all is well.
    """

    collection: str
    date: str
    lines: int = 0
    read: int = 0
    events: int = 0
    rows: int = 0
    json_events: int = 0
    files: int = 0
    size: int = 0
    written: int = 0
    duplicates: int = 0
    foreign: int = 0
    dropped: int = 0
    dropped_bytes: int = 0
    problem: str = ""

    @property
    def has_changed(self) -> bool:
        """Whether anything was done, or would be."""
        return bool(self.read or self.dropped or self.problem)
