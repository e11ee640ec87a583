"""Temporary folders of processes that were killed: the next process removes them.

Each process locks its folder (`flock`) until it ends, however it ends. If a lock is free, the process is dead: the
number of a process would say nothing, because the system gives it to another one. Windows has no `flock`, and some
network file systems lock no folder: there such a folder stays.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["lock_folder", "remove_abandoned", "unlock_folder"]


def lock_folder(folder: Path) -> int | None:
    """Lock a folder until this process ends.

    Returns:
        What `unlock_folder` takes; None where folders cannot be locked.

    Raises:
        FileNotFoundError: another process has removed it, or is about to: make another one.
    """
    if fcntl is None:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise FileNotFoundError(f"{folder} is being removed") from None
    except OSError:
        os.close(descriptor)
        return None
    if os.fstat(descriptor).st_nlink == 0 or not folder.exists():
        os.close(descriptor)
        raise FileNotFoundError(f"{folder} was removed")
    return descriptor


def unlock_folder(descriptor: int | None) -> None:
    """Unlock a folder that `lock_folder` has locked."""
    if descriptor is not None:
        os.close(descriptor)


def remove_abandoned(folders: Iterable[Path]) -> None:
    """Remove those folders of this user whose process has ended; what cannot be removed stays."""
    if fcntl is None:
        return
    for folder in folders:
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # another user's, or it has just gone
            continue
        try:
            if os.fstat(descriptor).st_uid == os.geteuid():
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # its process runs, or folders cannot be locked
            continue
        finally:
            os.close(descriptor)
