"""Temporary folders of processes that were killed: the next process removes them.

Each process locks a file in its folder (`flock`) until it ends, however it ends. If a lock is free, the process is
dead: the number of a process would say nothing, because the system gives it to another one. Windows has no `flock`, and
some network file systems lock nothing: there such a folder stays.
"""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING, Final

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["lock_folder", "remove_abandoned", "unlock_folder"]

_LOCK: Final = "in-use"


def lock_folder(folder: Path) -> int | None:
    """Lock a folder until this process ends, by a file in it.

    Returns:
        What `unlock_folder` takes; None where files cannot be locked.

    Raises:
        FileNotFoundError: another process has removed it, or is about to: make another one.
    """
    if fcntl is None:
        return None
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise FileNotFoundError(f"{folder} is being removed") from None
    except OSError:
        os.close(descriptor)
        return None
    if os.fstat(descriptor).st_nlink == 0:
        os.close(descriptor)
        raise FileNotFoundError(f"{folder} was removed")
    return descriptor


def unlock_folder(descriptor: int | None) -> None:
    """Unlock a folder that `lock_folder` has locked."""
    if descriptor is not None:
        os.close(descriptor)


def remove_abandoned(place: Path, prefix: str) -> None:
    """Remove the folders of processes that have ended; what cannot be removed stays.

    Args:
        place: where they are.
        prefix: how their names begin, to which `tempfile` has added eight characters. What others made with such a
            name has no lock in it, and is not touched.
    """
    if fcntl is None:
        return
    made_here = re.compile(re.escape(prefix) + "[a-z0-9_]{8}")
    for folder in place.glob(f"{prefix}*"):
        if not made_here.fullmatch(folder.name) or folder.is_symlink():
            continue
        try:
            descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:  # of another program or user, or it has just gone
            continue
        try:
            if os.fstat(descriptor).st_uid == os.geteuid():
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # its process runs, or files cannot be locked
            continue
        finally:
            os.close(descriptor)
