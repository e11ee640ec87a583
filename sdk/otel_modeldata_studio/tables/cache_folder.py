"""The folder of this process for Parquet files of lines, copies of distant files, and what DuckDB has no memory for."""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import stat
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.exceptions import ReaderError

from .abandoned_folders import lock_folder, remove_abandoned, unlock_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["CacheFolder", "CacheFullError"]

logger = logging.getLogger(__name__)

_PREFIX: Final = "otel-modeldata-studio-"
_KEEP_SECONDS: Final = 60.0
"""How long a file stays that no new question reads: longer than an answer may take."""
_REMOVE_SECONDS: Final = 1.0
"""How long the folder is removed again at the end."""


class CacheFullError(ReaderError):
    """The folder takes no more; nothing that was half written is left there."""

    def __init__(self, reason: str, cure: str = "free some where it runs, or start it with --cache DIR") -> None:
        super().__init__(f"expected space for temporary files of Studio, got {reason}: {cure}")


class CacheFolder:
    """See above; any thread may use it.

    Only this user can read it: another Studio has other rows under the same names. It is removed at the end, or by the
    next Studio if this one is killed, and what is not needed any more a minute after that: rows that are erased in the
    store must not stay here.

    Systems clean their temporary files up after some days, also those of a program that runs. What was here is made
    again then: each user of the folder asks whether its files are still here.

    Args:
        place: where the folder is made; None is where the system has temporary files.
        clock: a monotonic clock in seconds.

    Raises:
        ReaderError: it cannot be made.
    """

    def __init__(self, place: Path | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        try:
            if place is not None:
                place.mkdir(parents=True, exist_ok=True)
            own, self._locked = _new_folder(place)
            self.path = own.resolve()
            self._made = _owner(self.path)
        except OSError as error:
            where = "the temporary folder of the system" if place is None else repr(str(place))
            raise ReaderError(
                f"expected a folder for temporary files in {where}, got {error.strerror or error}: choose another with "
                "--cache DIR"
            ) from None
        self._remover = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)  # if nothing closes it
        # A killed Studio may have left gigabytes: nothing waits until they are gone.
        abandoned = (self.path.parent, _PREFIX)
        threading.Thread(target=remove_abandoned, args=abandoned, name="studio-abandoned", daemon=True).start()
        self._start = f"{self.path}{os.sep}"
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._unneeded: dict[Path, float] = {}
        self._is_closed = False

    def new(self, kind: str = "lines", suffix: str = ".parquet") -> Path:
        """The path of a new file for rows, or of another kind."""
        return self.path / f"{kind}-{next(self._numbers):08d}{suffix}"

    @contextmanager
    def writing(self, path: Path) -> Iterator[Path]:
        """Where to write a file, which has its name when all of it is there.

        Raises:
            CacheFullError: there is no space for it, or the folder has gone and cannot be made again.
        """
        self.make_again()
        self._remove_unneeded()
        partial = path.with_suffix(".partial")
        with self._refusing():
            try:
                yield partial
                partial.rename(path)
            finally:
                partial.unlink(missing_ok=True)

    def make_again(self) -> None:
        """Make the folder again if it has gone.

        Raises:
            CacheFullError: it cannot be made, or something else has its name: whoever made that could read the rows.
        """
        if self._is_here():
            return
        with self._lock, self._refusing():
            if self._is_closed or self._is_here():
                return
            if os.path.lexists(self.path):
                logger.warning("Studio writes no more into %s: something else has this name now", self.path)
                raise CacheFullError("something else in the place of its folder", "start it again")
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.mkdir(mode=0o700)
            self._made = _owner(self.path)
            before, self._locked = self._locked, None
            unlock_folder(before)
            self._locked = lock_folder(self.path)

    def _is_here(self) -> bool:
        """Whether the folder is here as it was made."""
        try:
            return _owner(self.path) == self._made
        except OSError:
            return False

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = str(error) if error.errno is None else os.strerror(error.errno)  # pyarrow's own text is longer
            logger.warning("Studio cannot write into %s: %s", self.path, reason)
            raise CacheFullError(reason) from None

    def has(self, path: Path) -> bool:
        """Whether a file is there; it is kept then."""
        with self._lock:
            self._unneeded.pop(path, None)
        return self._is_file(str(path))

    def has_lost(self, path: str) -> bool:
        """Whether a file of this folder is not there any more, or another user has made it."""
        return path.startswith(self._start) and not self._is_file(path)

    def _is_file(self, path: str) -> bool:
        try:
            found = os.lstat(path)
        except OSError:
            return False
        return found.st_uid == self._made[0] and stat.S_ISREG(found.st_mode)

    def discard(self, paths: Iterable[str]) -> None:
        """Remove files after a while, when no question reads them any more.

        Args:
            paths: those elsewhere are files of the store, which are not touched.
        """
        now = self._clock()
        own = [path for path in map(Path, paths) if path.parent == self.path]
        with self._lock:
            self._unneeded |= dict.fromkeys(own, now)
        self._remove_unneeded()

    def close(self) -> None:
        """Remove it with all files."""
        with self._lock:
            self._is_closed = True
        self._remover.detach()
        end = time.monotonic() + _REMOVE_SECONDS
        while self._is_here():
            shutil.rmtree(self.path, ignore_errors=True)
            if not self._is_here() or time.monotonic() > end:
                break
            time.sleep(_REMOVE_SECONDS / 20)  # a question that ends has written a file meanwhile
        unlock_folder(self._locked)
        self._locked = None

    def _remove_unneeded(self) -> None:
        before = self._clock() - _KEEP_SECONDS
        with self._lock:
            for path in [path for path, since in self._unneeded.items() if since <= before]:
                del self._unneeded[path]
                with suppress(OSError):  # it goes with the folder
                    path.unlink(missing_ok=True)


def _owner(folder: Path) -> tuple[int, int]:
    """Whose a folder is, and its mode; on a network drive they are those of the drive."""
    found = folder.lstat()
    return found.st_uid, found.st_mode


def _new_folder(place: Path | None) -> tuple[Path, int | None]:
    """A folder, and its lock; another one if somebody removes it before it is locked."""
    while True:
        own = Path(mkdtemp(prefix=_PREFIX, dir=place))
        try:
            return own, lock_folder(own)
        except FileNotFoundError:
            shutil.rmtree(own, ignore_errors=True)
