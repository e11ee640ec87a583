"""A file or folder that gets its name when it is whole."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..exceptions import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NewFile", "new_file"]

_KINDS: Final = (
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)
"""What a place can be beside a file and a folder."""


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
        path: its own name; of a symbolic link, what it names is replaced, and the link stays.
        overwrite: whether to replace what has the name. Only a file or a folder is replaced, never a device, a pipe
            or the file that is standard output.

    Raises:
        ExportError: the name is taken, its folder is missing, or it cannot be written.
    """
    final = Path(path)
    check_free(final, overwrite=overwrite)
    new = NewFile(_target(final))
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
    """Raise ExportError if a name is taken or none, is one of no file, or its folder is missing."""
    if not path.name or "\0" in str(path) or not _is_of_unicode(str(path)):
        raise ExportError(f"expected the name of a file, got {str(path)!r}: correct it")
    _check_kind(path)
    if os.path.lexists(path) and not overwrite:
        raise ExportError(
            f"expected a new file, got one that is there, {path}: choose another name, or overwrite it "
            "(overwrite=True, --force)"
        )
    path = _target(path)
    if not os.path.isdir(path.absolute().parent):  # noqa: PTH112 (Path raises if it may not look)
        raise ExportError(f"expected a folder for {path.name}, got none at {path.parent}: create it")


def _check_kind(path: Path) -> None:
    """Raise ExportError for what is there and is neither a file nor a folder: it cannot be replaced by one.

    A file that is standard output is refused too: what is printed there afterwards would be lost.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 (follows links, as the writing does)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ExportError(f"expected the name of a file, got {path}, a link to itself: correct it") from None
        return
    kind = next((name for is_kind, name in _KINDS if is_kind(found.st_mode)), None)
    if kind is None and _is_standard_output(found):
        kind = "standard output"
    if kind is None:
        return
    raise ExportError(
        f"expected the name of a file, got {path}, which is {kind}: name a file, or print rows with otel-modeldata "
        "query --csv"
    )


def _target(path: Path) -> Path:
    """What a symbolic link names; another path as it is."""
    return Path(os.path.realpath(path)) if os.path.islink(path) else path  # noqa: PTH114 (Path raises if it may not look)


def _is_standard_output(found: os.stat_result) -> bool:
    try:
        return os.path.samestat(found, os.fstat(1))
    except OSError:  # it is closed
        return False


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
