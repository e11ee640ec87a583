"""A file or folder that gets its name when it is whole."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..exceptions import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NewFile", "new_file"]


class NewFile:
    """A file or folder that is being written.

    Attributes:
        final: its own name.
        path: the name that it has until it is whole.
        size: its bytes, when it is.
    """

    def __init__(self, final: Path) -> None:
        self.final = final
        self.path = final.with_name(f".{final.name[:200]}.{secrets.token_hex(4)}.part")
        self.size = 0


@contextmanager
def new_file(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[NewFile]:
    """A new file or folder: write it at `path` of the value, and it is renamed at the end.

    After an error, an interruption too, nothing of it is left.

    Args:
        path: its own name.
        overwrite: whether to replace what has the name.

    Raises:
        ExportError: the name is taken, its folder is missing, or it cannot be written.
    """
    final = Path(path)
    check_free(final, overwrite=overwrite)
    new = NewFile(final)
    try:
        yield new
        new.size = _size(new.path)
        _rename(new, overwrite=overwrite)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error  # pyarrow's text has the other name of the file
        raise ExportError(f"expected a file that can be written, got {reason}: {new.final}") from None
    finally:
        _remove(new.path)


def check_free(path: Path, *, overwrite: bool) -> None:
    """Raise ExportError if a name is taken or none, or its folder is missing."""
    if not path.name or "\0" in str(path) or not _is_of_unicode(str(path)):
        raise ExportError(f"expected the name of a file, got {str(path)!r}: correct it")
    if os.path.lexists(path) and not overwrite:
        raise ExportError(
            f"expected a new file, got one that is there, {path}: choose another name, or overwrite it "
            "(overwrite=True, --force)"
        )
    if not os.path.isdir(path.absolute().parent):  # noqa: PTH112 (Path raises if it may not look)
        raise ExportError(f"expected a folder for {path.name}, got none at {path.parent}: create it")


def _rename(new: NewFile, *, overwrite: bool) -> None:
    if new.path.is_dir():
        if overwrite and new.final.is_dir() and not new.final.is_symlink():
            old = new.path.with_suffix(".old")
            new.final.rename(old)
            new.path.rename(new.final)
            shutil.rmtree(old, ignore_errors=True)
            return
        new.path.rename(new.final)
        return
    with new.path.open("rb") as file:
        os.fsync(file.fileno())
    if overwrite:
        new.path.replace(new.final)
        return
    try:
        os.link(new.path, new.final)  # refuses a name that somebody took in the meantime
    except FileExistsError:
        check_free(new.final, overwrite=False)
    except OSError:  # a file system without links
        check_free(new.final, overwrite=False)
        new.path.replace(new.final)


def _is_of_unicode(text: str) -> bool:
    """Whether the file system has such a name; a byte that is no UTF-8 has one."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def _remove(path: Path) -> None:
    """Remove what there is, and hide no error behind one of this."""
    if os.path.isdir(path):  # noqa: PTH112 (Path raises if it may not look)
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    return path.stat().st_size
