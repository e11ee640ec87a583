"""Whether a folder can be made and written to, as far as can be known without making it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

__all__ = ["WITHOUT_ACCESS", "obstacle"]

WITHOUT_ACCESS: Final = "one without write access"
"""What may be right for another user."""

_OF_THE_KERNEL: Final = frozenset(
    {
        *(
            "proc",
            "sysfs",
            "cgroup",
            "cgroup2",
            "debugfs",
            "tracefs",
            "securityfs",
            "devpts",
            "mqueue",
            "bpf",
            "pstore",
        ),
        *("configfs", "efivarfs", "fusectl", "binfmt_misc", "selinuxfs", "autofs", "rpc_pipefs", "nsfs"),
    }
)
"""Here root may write, as `access` sees it, and nothing can be made."""


def obstacle(folder: Path) -> str:
    """Why a folder cannot be made or written to; empty if nothing is known that prevents it.

    Args:
        folder: an absolute path.
    """
    try:
        there = next(path for path in (folder, *folder.parents) if _is_there(path))
        for name in folder.relative_to(there).parts:
            _is_there(there / name)  # raises for a name that is too long
    except OSError as error:
        return str(error)
    if not there.exists():
        return f"a link to nothing in {str(there)!r}"
    if not there.is_dir():
        return "a file"
    if not os.access(there, os.W_OK | os.X_OK):
        return WITHOUT_ACCESS
    kind = _kind_of_mount(there)
    return f"one in a file system of the kernel ({kind}), which stores no files" if kind in _OF_THE_KERNEL else ""


def _kind_of_mount(path: Path) -> str:
    """The type of the file system that a path is on, such as `ext4`; empty where the system does not list them."""
    try:
        lines = Path("/proc/self/mounts").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    kinds = {fields[1]: fields[2] for fields in map(str.split, lines) if len(fields) > 2}  # the last mount is on top
    real = path.resolve()
    return next((kinds[str(place)] for place in (real, *real.parents) if str(place) in kinds), "")


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return path.is_symlink()
    return True
