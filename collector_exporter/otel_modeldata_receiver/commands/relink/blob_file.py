"""Replaces the lines of a blob in a folder by others, as a whole: a reader or a crash finds the old or the new file."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from ...exceptions import StoreCheckError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["replace_lines"]

_DRAFT: Final = ".{}.relink"
"""Readers of a store pass over names that begin with a dot."""
_COPY_BYTES: Final = 1 << 20


def replace_lines(
    path: Path, change: Callable[[bytes], bytes], *, write: bool, before: Callable[[], object] = lambda: None
) -> bool:
    """Replace each line of a file; return whether any differs. A file without a different line is not touched.

    A receiver that appends to the file nevertheless finds another one under its name, and continues in a new blob.

    Args:
        path: the file.
        change: from a line, with its line break, to the new one; called once for each.
        write: whether the file is replaced.
        before: called before it is replaced.

    Raises:
        StoreCheckError: it cannot be replaced; it is as it was.
    """
    path = Path(os.path.realpath(path))
    draft = path.with_name(_DRAFT.format(path.name))
    try:
        with path.open("rb") as file, _locked(file, path):
            same = 0
            for line in file:
                new = change(line)
                if new != line:
                    break
                same += len(line)
            else:
                return False
            if not write:
                for line in file:
                    change(line)
                return True
            with draft.open("wb") as target:
                _give_rights(target, os.fstat(file.fileno()))
                _copy_beginning(path, target, same)
                target.write(new)
                for line in file:
                    target.write(change(line))
                target.flush()
                os.fsync(target.fileno())
            before()
            draft.replace(path)
            _flush(path.parent)
    except OSError as error:
        raise StoreCheckError(
            f"expected to replace {str(path)!r}, got {error.strerror or repr(error)}: run this as the receiver's user, "
            "with free space; a second run continues where this one ended"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
    return True


@contextlib.contextmanager
def _locked(file: BinaryIO, path: Path) -> Iterator[None]:
    """Hold the lock that writers of a local store take for each append; closing the file releases it."""
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreCheckError(
                f"expected no writer, got a lock on {str(path)!r}: stop the receiver of this store first"
            ) from None
    yield


def _give_rights(file: BinaryIO, old: os.stat_result) -> None:
    """Give a file the owner and the mode of the old one, or the receiver could not append to it."""
    if os.name == "nt":
        return
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(file.fileno(), old.st_uid, old.st_gid)
    os.fchmod(file.fileno(), old.st_mode & 0o7777)


def _copy_beginning(path: Path, target: BinaryIO, size: int) -> None:
    with path.open("rb") as source:
        while size and (part := source.read(min(size, _COPY_BYTES))):
            target.write(part)
            size -= len(part)


def _flush(folder: Path) -> None:
    """Make a new name durable."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
