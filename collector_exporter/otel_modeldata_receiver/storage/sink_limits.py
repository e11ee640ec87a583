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
        folder_ids: ids of stored lines that an open folder remembers at least, while all of them fit into
            `known_ids_bytes`; at most one and a half times as many.
        known_ids_bytes: memory for the ids of all open folders: about 1.3 million ids, and up to 7 million if they are
            packed, which is done when it is full. When that is not enough, folders that are idle are closed.
        least_ids: ids that an open folder remembers at least, also if all folders are busy and the memory is full.
        open_folders: most folders that are open; above it the least recently used idle one is closed. When it is opened
            again, its `tail_bytes` are read.
        closed_folders: closed folders whose size is remembered, to notice lines that have vanished.
        blocks_under_way: most blocks that are stored at the same time; a block that takes long does not count.
        tenant_blocks_under_way: most of them that are of one tenant.
        turn_seconds: how long a block counts.
        large_put_bytes: an object above this size counts as large.
        large_puts: large objects of one tenant that are sent at the same time.
        small_puts: other objects of one tenant that are sent at the same time; they do not wait for large ones.
        known_objects: stored objects that are remembered; a name and its URL take about 500 bytes.
        idle_seconds: time without lines after which a folder is closed.
        retry_seconds: how long a block is retried before its callers get the error.
    """

    block_bytes: int = 4 << 20
    max_blocks: int = 49_900
    max_bytes: int = 1 << 30
    tail_bytes: int = 8 << 20
    folder_ids: int = 100_000
    known_ids_bytes: int = 192 << 20
    least_ids: int = 1000
    open_folders: int = 10_240
    closed_folders: int = 10_000
    blocks_under_way: int = 64
    tenant_blocks_under_way: int = 8
    turn_seconds: float = 0.5
    large_put_bytes: int = 1 << 20
    large_puts: int = 4
    small_puts: int = 8
    known_objects: int = 4096
    idle_seconds: float = 900.0
    retry_seconds: float = 8.0
