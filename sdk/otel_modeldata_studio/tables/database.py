"""One DuckDB in memory, which reads Parquet files of two folders and nothing else; each query has its own cursor."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from otel_modeldata_reader.exceptions import ReaderError
from otel_modeldata_reader.sql.database import sentence

from ..interruption import current
from .cache_folder import CacheFullError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

__all__ = ["Database"]

_MEMORY: Final = "400MB"
_THREADS: Final = "2"
_NO_SPACE: Final = os.strerror(errno.ENOSPC)


class Database:
    """See above.

    Args:
        folders: the only ones whose files it reads.
        spill: where it makes a folder for what it has no memory for.
        prepare: makes the folder around it again if that has gone; called before each query.
    """

    def __init__(self, folders: Sequence[Path], spill: Path, prepare: Callable[[], None] | None = None) -> None:
        import duckdb  # noqa: PLC0415 (slow to import)

        self._connection = duckdb.connect(
            config={
                "memory_limit": _MEMORY,
                "threads": _THREADS,
                "temp_directory": str(spill),
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "allow_community_extensions": "false",
            }
        )
        allowed = ", ".join(f"'{_escaped(str(folder))}/'" for folder in folders)
        for setting in (
            f"allowed_directories = [{allowed}]",
            "enable_external_access = false",
            "TimeZone = 'UTC'",
            "python_enable_replacements = false",
            "preserve_insertion_order = false",
            "parquet_metadata_cache = true",
            "lock_configuration = true",
        ):
            self._connection.execute(f"SET {setting}")
        self._lock = threading.Lock()
        self._spill = spill
        self._has_spilled = False
        self._prepare = prepare
        self._folders = tuple(f"{folder}/" for folder in folders)

    def rows(self, text: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query.

        Raises:
            InterruptedRequest: the answer is not wanted any more.
            ReaderError: DuckDB cannot run it.
        """
        with self._cursor() as cursor:
            found: list[tuple[Any, ...]] = cursor.execute(text, list(parameters)).fetchall()
            return found

    def table(self, text: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """The rows of a query as an Arrow table.

        Raises:
            InterruptedRequest: the answer is not wanted any more.
            ReaderError: DuckDB cannot run it.
        """
        with self._cursor() as cursor:
            return cursor.sql(text, params=list(parameters)).to_arrow_table()

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    @contextmanager
    def _cursor(self) -> Iterator[DuckDBPyConnection]:
        import duckdb  # noqa: PLC0415 (slow to import)

        self._make_spill_again()
        with self._lock:
            cursor = self._connection.cursor()
        try:
            with current().interrupting(cursor):
                yield cursor
        except duckdb.Error as error:
            current().check()
            text = sentence(error)
            if isinstance(error, duckdb.IOException) and _NO_SPACE in text:
                raise CacheFullError(_NO_SPACE) from None
            if isinstance(error, duckdb.OutOfMemoryException):
                raise ReaderError(
                    f"expected a question that needs at most {_MEMORY} of memory, got one that needs more: choose a "
                    "shorter window, or fewer columns"
                ) from None
            for folder in self._folders:  # whoever asks need not know where they are
                text = text.replace(folder, "")
            raise ReaderError(f"expected a query that DuckDB can run, got: {text}") from None
        finally:
            cursor.close()
            self._has_spilled = self._has_spilled or self._spill.is_dir()

    def _make_spill_again(self) -> None:
        """DuckDB makes its folder once: if the system has cleaned it up, each later query without memory would fail."""
        if self._prepare is not None:
            self._prepare()
        if self._has_spilled:
            with suppress(OSError):  # a query that needs it says so
                self._spill.mkdir(exist_ok=True)


def _escaped(text: str) -> str:
    return text.replace("'", "''")
