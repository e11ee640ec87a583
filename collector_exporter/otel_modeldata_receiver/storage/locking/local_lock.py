"""The lock of a store in a folder: a file that is locked by `flock`, which ends with the process.

Windows has no `flock`; there the file is opened exclusively by its library `msvcrt`.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from ...exceptions import StoreError
from .store_lock import LockLostError, held_by

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LocalLock"]

_LONGEST: Final = 1 << 10


class LocalLock:
    """A held lock; see `StoreLock`.

    Args:
        path: its file, which stays.
        holder: see `LockableStore.lock`.

    Raises:
        LockHeldError: another process holds it.
        StoreError: the file cannot be written.
    """

    def __init__(self, path: Path, holder: str) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        except OSError as error:
            raise StoreError(
                f"expected to lock {str(path)!r}, got {error.strerror}: check the permissions of the folder"
            ) from error
        try:
            self._take(holder)
        except BaseException:  # only to close the file; it is raised again
            os.close(self._file)
            raise

    async def check(self) -> None:
        """See `StoreLock.check`; it is lost if its file was removed, so that another process may hold a new one."""
        try:
            is_same = os.path.samestat(os.fstat(self._file), self._path.stat())
        except OSError:
            is_same = False
        if not is_same:
            raise LockLostError(f"expected the lock {str(self._path)!r}, got none: run the command again")

    async def release(self) -> None:
        """See `StoreLock.release`."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _take(self, holder: str) -> None:
        try:
            if fcntl is not None:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            else:  # pragma: no cover (Windows)
                import msvcrt  # noqa: PLC0415 (Windows only)

                os.lseek(self._file, _LONGEST, os.SEEK_SET)  # beyond the text, which others read
                msvcrt.locking(self._file, msvcrt.LK_NBLCK, 1)
        except OSError:
            text = os.pread(self._file, _LONGEST, 0) if hasattr(os, "pread") else b""
            raise held_by(text.decode(errors="replace"), "") from None
        with contextlib.suppress(OSError):  # a full disk: the text is for a message, and what makes room needs the lock
            os.ftruncate(self._file, 0)
            os.lseek(self._file, 0, os.SEEK_SET)
            os.write(self._file, holder.encode()[:_LONGEST])
