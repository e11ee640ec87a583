"""Reads a store of the receiver from synchronous code, also where an event loop runs already, such as a notebook.

The stores are asynchronous. Here their calls run on an event loop in a thread of its own, which starts with the first
call. After a fork the child starts another one, and opens the store again.
"""

from __future__ import annotations

import os
import socket
import threading
import weakref
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from ..exceptions import RemovedError, StoreBusyError, StoreUnavailableError
from .byte_ranges import ByteRange
from .compacted_name import PARQUET
from .opened_store import OpenedStore, in_one_sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from otel_modeldata_receiver.config.store_access import AccessConfig
    from otel_modeldata_receiver.storage.locking.store_lock import LockableStore
    from otel_modeldata_receiver.storage.store import StoredObject

__all__ = ["Piece", "StoreAccess"]

_T = TypeVar("_T")
_READ_BYTES: Final = 4 << 20
_LOCAL_READS_AHEAD: Final = 2
_READS_AHEAD: Final = 4
"""Concurrent requests: a distant store takes about as long to answer as the reader takes to process the content."""
_LOCK_FOLDER: Final = "_maintenance"
_SMALL_READS_AHEAD: Final = 16
"""Concurrent requests for a few kilobytes, whose time is that of the way."""


class Piece(NamedTuple):
    """Some bytes of a blob.

    Attributes:
        blob: name of the blob.
        start: position of the first byte in the blob.
        content: the bytes.
        is_last: whether the blob, as it was listed, ends with them.
    """

    blob: str
    start: int
    content: bytes
    is_last: bool


class StoreAccess:
    """A store that is read, and to which whole objects are added.

    Args:
        url: as `open_store` of the receiver takes it.
        access: how an account in Azure is opened.

    Raises:
        StoreUnavailableError: the URL names no store, or its credentials cannot be used.
    """

    def __init__(self, url: str, access: AccessConfig | None = None) -> None:
        from otel_modeldata_receiver.config.store_url import shown_store  # noqa: PLC0415 (imported with the first store)

        self._url = url
        self._access = access
        self.shown = shown_store(url)
        self._lock = threading.Lock()
        self._opened: OpenedStore | None = None
        self._open()  # a wrong URL is an error here, not at the first read

    def __repr__(self) -> str:
        return f"StoreAccess({self.shown!r})"

    @property
    def url(self) -> str:
        """The URL as it was given; it may hold a secret."""
        return self._url

    @property
    def access(self) -> AccessConfig | None:
        """How an account in Azure is opened, if it was given."""
        return self._access

    def __getstate__(self) -> tuple[str, AccessConfig | None]:
        return self._url, self._access

    def __setstate__(self, state: tuple[str, AccessConfig | None]) -> None:
        self.__init__(*state)  # type: ignore[misc] # the same store in another process

    def walk(self, folder: str = "") -> Sequence[StoredObject]:
        """Everything below a folder, in ascending order of names; nothing for a folder that does not exist.

        Names that no store reads, such as those with a backslash or control characters, are left out: other programs
        made them.

        Raises:
            StoreUnavailableError: the store is missing, cannot be reached, or may not be read.
        """
        from otel_modeldata_receiver.storage.store import is_checked_name  # noqa: PLC0415 (see above)

        found = [one for one in self._run(lambda store: store.walk(folder)) if is_checked_name(one.name)]
        inside = f"{PARQUET}/"
        if folder or not any(one.name.startswith(inside) for one in found):
            return found
        # A compaction may remove lines once their files are listed. So files are listed after lines.
        files = self.walk(PARQUET)
        return sorted([*(one for one in found if not one.name.startswith(inside)), *files], key=lambda one: one.name)

    def walk_each(self, folders: Iterable[str]) -> Iterator[Sequence[StoredObject]]:
        """Everything below each of some small folders, in their order; later ones are being listed meanwhile.

        Names that no store reads are left out, as by `walk`.

        Raises:
            StoreUnavailableError: as for `walk`.
        """
        from otel_modeldata_receiver.storage.store import is_checked_name  # noqa: PLC0415 (see above)

        for found in self._side_by_side(_walker(one) for one in folders):
            yield [one for one in found if is_checked_name(one.name)]

    def folders_of(self, folders: Iterable[str]) -> Iterator[Sequence[str]]:
        """The names of the folders directly below each of some folders, in their order; see `walk_each`.

        Raises:
            StoreUnavailableError: as for `walk`.
        """
        from otel_modeldata_receiver.storage.store import is_checked_name  # noqa: PLC0415 (see above)

        for found in self._side_by_side(_lister(one) for one in folders):
            yield [one for one in found if is_checked_name(one)]

    def read(self, name: str, size: int) -> bytes:
        """The first `size` bytes of a blob or object.

        Raises:
            StoreUnavailableError: as for `walk`.
        """
        return self._run(lambda store: store.read(name, 0, size))

    def pieces(self, blobs: Iterable[StoredObject | ByteRange]) -> Iterator[Piece]:
        """The bytes of blobs, one after the other, a few megabytes at a time.

        Later ones are being read meanwhile.

        Args:
            blobs: blobs as they were listed, or ranges of them.

        Raises:
            StoreUnavailableError: as for `walk`.
        """
        ahead = _READS_AHEAD if self.is_distant() else _LOCAL_READS_AHEAD
        for one, content, is_last in self._in_order(_steps(blobs), ahead):
            yield Piece(one.blob, one.start, content, is_last)

    def read_ranges(self, ranges: Iterable[ByteRange]) -> Iterator[bytes]:
        """The bytes of small ranges in their order; later ones are being read meanwhile.

        Raises:
            StoreUnavailableError: as for `walk`.
        """
        for _, content, _ in self._in_order(((one, True) for one in ranges), _SMALL_READS_AHEAD):
            yield content

    def url_of(self, name: str) -> str:
        """The URL or path at which programs other than this reader find an object, as lines have it in `dataref`."""
        with self._lock:
            opened = self._opened
            if opened is None or opened.pid != os.getpid():
                opened = self._open()
            return opened.url(name)

    def create(self, name: str) -> bool:
        """Create an empty blob for `append`; False if the name is taken by one that has content.

        Raises:
            StoreUnavailableError: it cannot be written.
        """
        self._check_no_link(name)
        return self._run(lambda store: store.create(name)) is not None

    def append(self, name: str, size: int, block: bytes) -> int:
        """Append to a blob that this process created, at its end.

        Args:
            name: of the blob.
            size: bytes that it has.
            block: at most 4 MiB.

        Returns:
            Its new size.

        Raises:
            StoreUnavailableError: it cannot be written, or something else wrote to it.
        """
        from otel_modeldata_receiver.storage.store import BlobState, FencedError  # noqa: PLC0415 (see above)

        state = BlobState(size=size, blocks=0)
        try:
            return self._run(lambda store: store.append(name, state, block)).size
        except FencedError:
            raise StoreUnavailableError(
                f"expected {name} with {size:,} bytes, got another size: something else writes to it; run it again"
            ) from None

    def run(self, call: Callable[[LockableStore], Coroutine[Any, Any, _T]]) -> _T:
        """The result of an asynchronous call with the store, such as an audit.

        Raises:
            StoreUnavailableError: as for `walk`.
        """
        return self._run(call)

    def put(self, name: str, content: bytes) -> None:
        """Write a whole object; putting it again is safe.

        Raises:
            StoreUnavailableError: it cannot be written, or the name has other content.
        """
        self._check_no_link(name)
        try:
            self._run(lambda store: store.put(name, content, "application/octet-stream"))
        except StoreUnavailableError:
            raise
        except ValueError as error:
            raise StoreUnavailableError(str(error)) from None

    def remove(self, name: str, size: int) -> bool:
        """Remove a blob or an object of this size; a name that is gone is no error.

        Returns:
            False when it has another size, because something was appended meanwhile: nothing was removed.

        Raises:
            StoreUnavailableError: it cannot be removed.
        """
        from otel_modeldata_receiver.storage.store import FencedError  # noqa: PLC0415 (see above)

        self._check_no_link(name)
        try:
            self._run(lambda store: store.remove(name, size))
        except FencedError:
            return False
        return True

    @contextmanager
    def locked(self, work: str) -> Iterator[Callable[[], None]]:
        """Hold the lock of the store, which one command has that changes what is stored already.

        Args:
            work: what the command does, for the message of another one: `compact`.

        Returns:
            A function to call before each step that others can see; it raises if the lock has ended meanwhile.

        Raises:
            StoreBusyError: another command holds it, or it has ended meanwhile.
            StoreUnavailableError: the store may not be written to.
        """
        holder = f"'{work}' of process {os.getpid()} on {socket.gethostname()}"
        self._check_no_link(_LOCK_FOLDER)
        held = self._run(lambda store: store.lock(holder))
        try:
            yield lambda: self._run(lambda _: held.check())
        finally:
            self._run(lambda _: held.release())

    def _in_order(
        self, ranges: Iterator[tuple[ByteRange, bool]], ahead: int
    ) -> Iterator[tuple[ByteRange, bytes, bool]]:
        reads: deque[tuple[ByteRange, bool, Future[bytes]]] = deque()
        try:
            while True:
                while len(reads) < ahead and (step := next(ranges, None)) is not None:
                    reads.append((*step, self._start(_reader(*step[0]))))
                if not reads:
                    return
                one, is_last, future = reads.popleft()
                yield one, self._result(future), is_last
        finally:
            for *_, future in reads:
                future.cancel()

    def _side_by_side(self, calls: Iterator[Callable[[LockableStore], Coroutine[Any, Any, _T]]]) -> Iterator[_T]:
        """The results of small requests in their order; later ones are under way meanwhile."""
        waiting: deque[Future[_T]] = deque()
        try:
            for call in calls:
                waiting.append(self._start(call))
                if len(waiting) >= _SMALL_READS_AHEAD:
                    yield self._result(waiting.popleft())
            while waiting:
                yield self._result(waiting.popleft())
        finally:
            for future in waiting:
                future.cancel()

    def _check_no_link(self, name: str) -> None:
        """Raise StoreUnavailableError if a link leads a name out of the store: its writers choose where it leads."""
        from otel_modeldata_receiver.config.store_url import meant_store  # noqa: PLC0415 (see above)

        if self.is_distant():
            return
        root = os.path.realpath(meant_store(self._url))
        path = os.path.realpath(os.path.join(root, name))  # noqa: PTH118 (as the store has it)
        if os.path.commonpath([root, path]) != root:
            raise StoreUnavailableError(f"expected {name} in {self.shown}, got a link to {path}: remove the link")

    def is_distant(self) -> bool:
        """Whether each call takes its time, and the store itself says when a blob was written last."""
        from otel_modeldata_receiver.config.store_url import is_azure, meant_store  # noqa: PLC0415 (see above)

        return is_azure(meant_store(self._url))

    def close(self) -> None:
        """Release the connections and threads; a later call opens the store again."""
        with self._lock:
            self._opened = None
        self._closing()

    def _run(self, call: Callable[[LockableStore], Coroutine[Any, Any, _T]]) -> _T:
        return self._result(self._start(call))

    def _start(self, call: Callable[[LockableStore], Coroutine[Any, Any, _T]]) -> Future[_T]:
        with self._lock:
            opened = self._opened
            if opened is None or opened.pid != os.getpid():
                opened = self._open()
            return opened.start(call)

    def _open(self) -> OpenedStore:
        self._opened = opened = OpenedStore(self._url, self._access)
        # Also when a caller forgets it, and at the end of the process.
        self._closing = weakref.finalize(self, opened.close)
        return opened

    def _result(self, future: Future[_T]) -> _T:
        from otel_modeldata_receiver.exceptions import ReceiverError  # noqa: PLC0415 (see above)
        from otel_modeldata_receiver.exceptions import RemovedError as Removed  # noqa: PLC0415 (see above)
        from otel_modeldata_receiver.storage.locking.store_lock import (  # noqa: PLC0415 (see above)
            LockHeldError,
            LockLostError,
        )

        try:
            return future.result()
        except (LockHeldError, LockLostError) as error:
            raise StoreBusyError(str(error)) from None
        except Removed as error:
            raise RemovedError(in_one_sentence(error)) from None
        except (ReceiverError, UnicodeError) as error:  # a folder whose name is no text of Unicode
            raise StoreUnavailableError(in_one_sentence(error)) from None


def _steps(blobs: Iterable[StoredObject | ByteRange]) -> Iterator[tuple[ByteRange, bool]]:
    """Each read, and whether it is the last one of its blob or range."""
    for blob in blobs:
        name, first, last = blob if isinstance(blob, ByteRange) else (blob.name, 0, blob.size)
        for start in range(first, last, _READ_BYTES):
            end = min(start + _READ_BYTES, last)
            yield ByteRange(name, start, end), end == last


def _reader(name: str, start: int, end: int) -> Callable[[LockableStore], Coroutine[Any, Any, bytes]]:
    return lambda store: store.read(name, start, end)


def _walker(folder: str) -> Callable[[LockableStore], Coroutine[Any, Any, Sequence[StoredObject]]]:
    return lambda store: store.walk(folder)


def _lister(folder: str) -> Callable[[LockableStore], Coroutine[Any, Any, Sequence[str]]]:
    return lambda store: store.folders(folder)
