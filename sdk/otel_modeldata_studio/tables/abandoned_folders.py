"""Temporary folders of processes that were killed: the next process removes them.

Each process locks a file in its folder (`flock`) until it ends, however it ends. If a lock is free, the process is
dead: the number of a process would say nothing, because the system gives it to another one.

On a network drive a lock may hold on its own machine only (`flock(2)`, NFS and SMB). So the file says which machine has
made it, and since which start of it: a folder of another one is removed only if nothing was written there for a week,
as systems do with their temporary files. Where files cannot be locked, as on Windows, such a folder stays.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["lock_folder", "remove_abandoned", "unlock_folder"]

_LOCK: Final = "in-use"
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
"""What Linux makes at each start: no other machine has it, and all containers of this one do."""
_WEEK_SECONDS: Final = 7 * 24 * 3600.0
_LONGEST: Final = 1000
"""Bytes of a lock's file that are looked at."""


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
    with suppress(OSError):  # on a full disk it says nothing, and the folder stays for a week
        os.ftruncate(descriptor, 0)
        os.write(descriptor, _machine())
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
            if os.fstat(descriptor).st_uid == os.geteuid() and _may_be_dead(folder, descriptor):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # its process runs, or files cannot be locked
            continue
        finally:
            os.close(descriptor)


def _machine() -> bytes:
    """What this machine, since its last start, has in the files of its locks."""
    with suppress(OSError):
        return _BOOT.read_bytes()
    return platform.node().encode()


def _may_be_dead(folder: Path, descriptor: int) -> bool:
    """Whether a free lock says that the process of a folder has ended."""
    is_of_here = os.read(descriptor, _LONGEST) == _machine()
    return is_of_here or folder.stat().st_mtime < time.time() - _WEEK_SECONDS
