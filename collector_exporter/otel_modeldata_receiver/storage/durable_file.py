"""Files of a store in a folder: opened, locked by `flock`, written so that they survive a power failure."""

from __future__ import annotations

import contextlib
import mmap
import os
from typing import TYPE_CHECKING, Final

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "FLAGS",
    "BusyError",
    "end_of_last_line",
    "lock_file",
    "opened",
    "publish",
    "release_pages",
    "sync_folder",
    "write",
]

_LARGE_BYTES: Final = 1 << 18
"""From this size on, a block's pages are released; for smaller blocks the call costs more than it saves."""
FLAGS: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""How every file of a store is opened."""
_SCAN_BYTES: Final = 1 << 16
"""Step in which the end of a file is searched for its last newline."""


class BusyError(Exception):
    """Another process holds the lock of a file."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@contextlib.contextmanager
def opened(path: Path, flags: int) -> Iterator[int]:
    """An open file, which is closed at the end."""
    file = os.open(path, flags | FLAGS, 0o644)
    try:
        yield file
    finally:
        os.close(file)


def lock_file(file: int, path: Path | str) -> None:
    """Hold the lock of a file; closing the file, also by a crash, releases it.

    Raises:
        BusyError: another process holds it.
    """
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(str(path)) from None


def write(file: int, content: bytes) -> None:
    """Write all of `content` into a new file, or at the end of one that was opened to be appended to."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]


def release_pages(file: int, start: int, end: int) -> None:
    """Release the memory of a flushed part of a file.

    Lines are not read again soon. Without this call their pages stay in memory until it is scarce, and every append
    takes new ones, which costs two thirds more time for a block of megabytes on a virtual machine. The last page is
    kept, because the next append begins in it.
    """
    if end - start >= _LARGE_BYTES and hasattr(os, "posix_fadvise"):
        first = start - start % mmap.PAGESIZE
        os.posix_fadvise(file, first, end - end % mmap.PAGESIZE - first, os.POSIX_FADV_DONTNEED)


def publish(draft: Path, path: Path) -> bool:
    """Give a finished file its final name, unless that is taken."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if path.exists():
            return False
        draft.rename(path)
    return True


def end_of_last_line(file: int, size: int) -> int:
    """The position after the last newline among the first `size` bytes; 0 without one."""
    while size:
        start = max(0, size - _SCAN_BYTES)
        os.lseek(file, start, os.SEEK_SET)
        newline = os.read(file, size - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        size = start
    return 0


def sync_folder(folder: Path) -> None:
    """Flush the entries of a folder, so that its new files are found after a power failure."""
    if os.name == "nt":  # Windows cannot open folders, and flushes their entries itself
        return
    with opened(folder, os.O_RDONLY) as handle:
        os.fsync(handle)
