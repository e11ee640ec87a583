"""Whether a folder can be made and written to, as far as can be known without making it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["obstacle"]


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
    return "" if os.access(there, os.W_OK | os.X_OK) else "one without write access"


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return path.is_symlink()
    return True
