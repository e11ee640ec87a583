"""A store in a folder of the local file system. Durable means: written, flushed with fsync, and found by name.

Blobs are ordinary files. An append opens the file, locks it, compares its size with the position that the caller
expects, writes, calls fsync and closes it. So two processes that share a folder by mistake take turns, and the one
whose position no longer equals the size is fenced. No file is open between two appends, so after a crash there is
nothing to repair but a torn line.

The lock is advisory (`flock`). Windows has none: there the comparison of sizes is the only fence.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import stat
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from ..daemon_executor import DaemonExecutor
from ..exceptions import RemovedError, StoreCheckError, StoreError
from .durable_file import (
    FLAGS,
    BusyError,
    end_of_last_line,
    lock_file,
    opened,
    publish,
    release_pages,
    sync_folder,
    write,
)
from .locking.local_lock import LocalLock
from .locking.store_lock import LOCK_NAME
from .store import BLOB_SUFFIX, BlobState, FencedError, StoredObject, checked_name

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

_P = ParamSpec("_P")
_T = TypeVar("_T")

_THREADS: Final = 8
"""Calls of fsync that may run at the same time."""
_LOCK_SECONDS: Final = 5.0
"""How long an append waits for a lock that another process holds (an append takes milliseconds)."""
_LOCK_POLL_SECONDS: Final = 0.01
_APPENDED: Final = os.O_RDWR | os.O_APPEND | FLAGS
"""No call is needed to go to the end: around each call a thread gives the interpreter up, and waits to get it back."""


_PROBE: Final = bytes(64 * 1024)
"""What a check writes: a full disk may have room for a byte, and for no block."""


class LocalStore:
    """Blobs as files below a folder, which is created when it is missing.

    Args:
        root: the folder; relative paths start at the working directory of this moment.
    """

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.abspath(root))  # noqa: PTH100 (resolve() would also follow symbolic links)
        self._threads = DaemonExecutor(_THREADS, "modeldata-store")

    def __repr__(self) -> str:
        return f"LocalStore({str(self._root)!r})"

    async def check(self) -> None:
        """Create the folder, and a file in it that is removed again."""
        await self._in_thread(self._check)

    async def blobs(self, prefix: str) -> list[str]:
        """See `Store.blobs`."""
        return await self._in_thread(self._blobs, prefix)

    async def walk(self, folder: str) -> list[StoredObject]:
        """See `Store.walk`."""
        return await self._in_thread(self._walk, folder)

    async def folders(self, folder: str) -> list[str]:
        """See `LockableStore.folders`."""
        return await self._in_thread(self._folders, folder)

    async def create(self, name: str) -> BlobState | None:
        """See `Store.create`."""
        return await self._in_thread(self._create, self._path(name))

    async def state(self, name: str) -> BlobState | None:
        """See `Store.state`."""
        return await self._in_thread(self._state, self._path(name))

    async def read(self, name: str, start: int, end: int) -> bytes:
        """See `Store.read`."""
        return await self._in_thread(_read, self._path(name), start, end)

    async def append(self, name: str, state: BlobState, block: bytes) -> BlobState:
        """See `Store.append`."""
        return await self._in_thread(_append, f"{self._root}{os.sep}{checked_name(name)}", state, block)

    async def put(self, name: str, content: bytes, content_type: str) -> str:  # noqa: ARG002 (a file has no type)
        """See `Store.put`; the absolute path, which Azure ML's own reader accepts in `dataref`."""
        return await self._in_thread(self._put, self._path(name), content)

    def url(self, name: str) -> str:
        """See `Store.url`."""
        return str(self._path(name))

    async def remove(self, name: str, size: int) -> None:
        """See `Store.remove`; folders that are empty then are removed too."""
        await self._in_thread(self._remove, self._path(name), size)

    async def lock(self, holder: str) -> LocalLock:
        """See `LockableStore.lock`."""
        return await self._in_thread(LocalLock, self._path(LOCK_NAME), holder)

    async def close(self) -> None:
        """Wait for the threads: a write that has begun is completed."""
        await self._threads.close()

    async def _in_thread(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        deadline = 0.0
        while True:
            try:
                return await self._threads.call(work, *args, **kwargs)
            except BusyError as error:
                deadline = deadline or time.monotonic() + _LOCK_SECONDS
                if time.monotonic() > deadline:
                    raise StoreError(
                        f"expected the lock of {error.path!r} within {_LOCK_SECONDS:.0f} s, got none: "
                        "another process holds it; give each receiver its own instance id"
                    ) from None
            await asyncio.sleep(_LOCK_POLL_SECONDS)  # in no thread: they are for others meanwhile

    def _path(self, name: str) -> Path:
        return self._root / checked_name(name)

    def _check(self) -> None:
        probe = self._root / f".write-check-{uuid.uuid4().hex}"
        try:
            self._make_folder(self._root)
            with opened(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as file:
                write(file, _PROBE)
                os.fsync(file)
            probe.unlink()
        except OSError as error:
            with contextlib.suppress(OSError):
                probe.unlink()
            cure = "give the receiver's user write access, free space, or choose another store"
            if isinstance(error, (FileExistsError, NotADirectoryError)):
                cure = "a file is in its place, choose another store"
            raise StoreCheckError(
                f"expected to write into {str(self._root)!r}, got {_reason(error, self._root)}: {cure}"
            ) from error

    def _blobs(self, prefix: str) -> list[str]:
        folder, _, start = checked_name(prefix).rpartition("/")
        parent = f"{folder}/" if folder else ""
        try:
            names = os.listdir(self._root / folder)  # noqa: PTH208 (names, not a Path for each file)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _failure("list", self._root / folder, error) from error
        return sorted(parent + name for name in names if name.startswith(start) and name.endswith(BLOB_SUFFIX))

    def _walk(self, folder: str) -> list[StoredObject]:
        self._check_root()
        start = self._path(folder) if folder else self._root
        root = len(str(self._root).rstrip(os.sep)) + 1
        objects = []
        left_out: list[str] = []
        try:
            for here, _, names in os.walk(start, onerror=_raise):
                for path in (f"{here}{os.sep}{name}" for name in names):  # a Path for each takes half of the time
                    with contextlib.suppress(FileNotFoundError):  # a draft that was renamed meanwhile
                        found = os.lstat(path)
                        if stat.S_ISLNK(found.st_mode):
                            if not self._is_inside(Path(path)):
                                left_out.append(path)
                                continue
                            found = os.stat(path)  # noqa: PTH116 (see above)
                        if not stat.S_ISREG(found.st_mode):  # a pipe has no end
                            continue
                        name = path[root:].replace(os.sep, "/")
                        objects.append(StoredObject(name=name, size=found.st_size, modified=found.st_mtime))
        except OSError as error:
            raise _failure("list", start, error) from error
        if left_out:
            logger.warning("left out %d links to no file of this store, such as %r", len(left_out), left_out[0])
        return sorted(objects, key=lambda one: one.name)

    def _check_root(self) -> None:
        if not self._root.is_dir():
            raise StoreCheckError(f"expected a folder of blobs, got none at {str(self._root)!r}: correct its path")

    def _folders(self, folder: str) -> list[str]:
        self._check_root()
        start = self._path(folder) if folder else self._root
        try:
            with os.scandir(start) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _failure("list", start, error) from error

    def _is_inside(self, link: Path) -> bool:
        """Whether a link leads to a file of this store: whoever writes into it could have any other file read."""
        target, root = os.path.realpath(link), os.path.realpath(self._root)
        return os.path.isfile(target) and os.path.commonpath([target, root]) == root  # noqa: PTH113 (see above)

    def _create(self, path: Path) -> BlobState | None:
        try:
            self._make_folder(path.parent)
            with contextlib.suppress(FileExistsError), opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as file:
                os.fsync(file)
            sync_folder(path.parent)
            return None if path.stat().st_size else BlobState(size=0, blocks=0)
        except OSError as error:
            raise _failure("create", path, error) from error

    def _state(self, path: Path) -> BlobState | None:
        try:
            with opened(path, os.O_RDWR) as file:
                lock_file(file, path)
                size = os.fstat(file).st_size
                whole = end_of_last_line(file, size)
                if whole < size:
                    logger.warning("cut a torn line of %d bytes, never acknowledged, off %s", size - whole, path)
                    os.ftruncate(file, whole)
                # Lines of an append that failed half-way may be in the page cache only; the size that is returned must
                # be durable.
                os.fsync(file)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failure("look at", path, error) from error
        return BlobState(size=whole, blocks=0)

    def _put(self, path: Path, content: bytes) -> str:
        draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            if not path.exists():
                self._make_folder(path.parent)
                with opened(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as file:
                    write(file, content)
                    os.fsync(file)
            if (draft.exists() and publish(draft, path)) or path.read_bytes() == content:
                sync_folder(path.parent)  # also for an existing file: its writer may have died before this
                return str(path)
        except OSError as error:
            raise _failure("write", path, error) from error
        finally:
            with contextlib.suppress(OSError):
                draft.unlink()
        raise ValueError(
            f"expected a new name or equal content, got other content for {str(path)!r}: ids must be unique"
        )

    def _remove(self, path: Path, size: int) -> None:
        try:
            with opened(path, os.O_RDWR) as file:
                lock_file(file, path)
                if os.fstat(file).st_size != size:
                    raise FencedError
                if os.name != "nt":  # Windows removes no file that is open
                    path.unlink()
            if os.name == "nt":
                path.unlink()
            sync_folder(path.parent)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _failure("remove", path, error) from error
        with contextlib.suppress(OSError):  # the first one that has other content
            for folder in path.parents:
                if folder == self._root:
                    break
                folder.rmdir()

    def _make_folder(self, folder: Path) -> None:
        """Create `folder` so that it survives a power failure: each new entry is flushed in its parent."""
        if folder.is_dir():
            return
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def _append(path: str, state: BlobState, block: bytes) -> BlobState:
    size = state.size
    try:
        file = os.open(path, _APPENDED)
        try:
            lock_file(file, path)
            found = os.fstat(file)
            if found.st_size != size or not found.st_nlink:  # no link: removed after it was opened
                raise FencedError
            try:
                write(file, block)
                os.fsync(file)
                release_pages(file, size, size + len(block))
            except OSError:
                # There are two reasons to cut the file back. No half line is left. And the next attempt writes these
                # pages again: without that, an fsync after a failed one reports success for bytes that are not on disk.
                with contextlib.suppress(OSError):
                    os.ftruncate(file, size)
                raise
        finally:
            os.close(file)
    except FileNotFoundError as error:
        raise FencedError from error
    except OSError as error:
        raise _failure("append to", Path(path), error) from error
    return BlobState(size=size + len(block), blocks=state.blocks)


def _read(path: Path, start: int, end: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(end - start)
    except FileNotFoundError:
        raise RemovedError(f"expected to read {str(path)!r}, got no such file: it was removed, run it again") from None
    except OSError as error:
        raise _failure("read", path, error) from error


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # a folder that was removed meanwhile
        raise error


def _reason(error: OSError, path: Path) -> str:
    """The reason that the system gives, and the file, when it is not `path`."""
    reason = error.strerror or repr(error)
    return reason if error.filename in {None, str(path)} else f"{reason} ({str(error.filename)!r})"


def _failure(act: str, path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"expected to {act} {str(path)!r}, got {_reason(error, path)}: check space and permissions of that disk"
    )
