"""Every bound of the sink in one value."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SinkLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkLimits:
    """Every bound of the sink.

    Attributes:
        block_bytes: most bytes of one append; Azure's limit for a block of an append blob is 4 MiB.
        max_blocks: blocks after which a blob is left; Azure takes 50,000.
        max_bytes: size that no block may push a blob over.
        tail_bytes: how much of its own newest blobs a folder reads when it is opened, to know the ids in it.
        folder_ids: most ids of stored lines that a folder remembers; at least the last half of them is there.
        total_ids: most ids that all open folders remember; an id takes about 150 bytes.
        open_folders: folders that may be open; the least recently used idle one is closed.
        large_put_bytes: an object above this size counts as large.
        large_puts: large objects that may be on their way to the store at the same time.
        small_puts: likewise the others, which wait for no large one.
        known_objects: objects that are remembered to be stored; a name and its URL take about 500 bytes.
        idle_seconds: time without lines after which a folder is closed.
        retry_seconds: how long a block is tried again before those who wait for it are told.
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
