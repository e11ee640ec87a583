"""A hint to the C library's allocator for processes that allocate and free large blocks again and again."""

from __future__ import annotations

__all__ = ["keep_freed_memory"]

MAX_BYTES = 31 * 2**20
"""glibc raises its threshold up to 32 MiB (mallopt(3), M_MMAP_THRESHOLD)."""


def keep_freed_memory(nbytes: int = MAX_BYTES) -> None:
    """Make glibc keep freed memory for the next allocation, up to twice `nbytes`.

    By default glibc returns a large freed block to the kernel, and the next allocation gets its pages again with one
    page fault each. Freeing one block of `nbytes` raises the threshold for that; the block is never written to, so it
    takes no memory. With other allocators this has no effect.

    Args:
        nbytes: size of the largest block that should be kept; at most `MAX_BYTES` has an effect.
    """
    bytes(min(nbytes, MAX_BYTES))
