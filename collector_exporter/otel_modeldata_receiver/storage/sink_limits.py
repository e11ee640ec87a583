"""The limits of the sink in one value."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SinkLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkLimits:
    """The limits of the sink.

    Attributes:
        block_bytes: most bytes of one append; Azure takes blocks of at most 4 MiB.
        max_blocks: most blocks of a blob; Azure takes 50,000.
        max_bytes: most bytes of a blob, if more than one block is in it.
        tail_bytes: bytes of the newest own blobs that are read for their ids when a folder is opened.
        folder_ids: most ids of stored lines that a folder remembers; never less than the latest half of them.
        total_ids: most ids that all open folders remember together; an id takes about 150 bytes.
        open_folders: most folders that are open; above it the least recently used idle one is closed.
        large_put_bytes: an object above this size counts as large.
        large_puts: large objects of one place that are sent at the same time.
        small_puts: other objects of one place that are sent at the same time; they do not wait for large ones.
        known_objects: stored objects that are remembered; a name and its URL take about 500 bytes.
        idle_seconds: time without lines after which a folder is closed.
        retry_seconds: how long a block is retried before its callers get the error.
    """

    block_bytes: int = 4 << 20
    max_blocks: int = 49_900
    max_bytes: int = 1 << 30
    tail_bytes: int = 8 << 20
    folder_ids: int = 100_000
    total_ids: int = 1_000_000
    open_folders: int = 256
    large_put_bytes: int = 1 << 20
    large_puts: int = 4
    small_puts: int = 8
    known_objects: int = 4096
    idle_seconds: float = 900.0
    retry_seconds: float = 8.0
