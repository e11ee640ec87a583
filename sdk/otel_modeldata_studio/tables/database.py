"""One DuckDB in memory, which reads Parquet files of two folders and nothing else; each request has a cursor of its own."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from contextvars import ContextVar
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from otel_modeldata_reader.exceptions import ReaderError
from otel_modeldata_reader.sql.database import sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

__all__ = ["Database", "Question", "StoppedQueryError", "asking"]

_MEMORY: Final = "400MB"
_THREADS: Final = "2"
_BATCH_ROWS: Final = 65_536


class StoppedQueryError(ReaderError):
    """A query took too long, or nothing waits for its answer any more."""


class Question:
    """What a person asked: its queries can be stopped from another thread.

    Args:
        seconds: how long its queries may take together.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._running: set[DuckDBPyConnection] = set()
        self._reason = ""

    @property
    def is_stopped(self) -> bool:
        """Whether it was stopped."""
        return bool(self._reason)

    def stop(self, reason: str = "expected a client that waits, got none") -> None:
        """Interrupt its queries; later ones are refused."""
        with self._lock:
            self._reason = self._reason or reason
            for cursor in self._running:
                cursor.interrupt()

    def time_out(self) -> None:
        """Stop it because its time is over."""
        self.stop(f"expected an answer within {self._seconds:g} seconds, got none: choose a shorter window")

    @contextmanager
    def running(self, cursor: DuckDBPyConnection) -> Iterator[None]:
        """A query of this question.

        Raises:
            StoppedQueryError: it was stopped.
        """
        with self._lock:
            self.check()
            self._running.add(cursor)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(cursor)

    def check(self) -> None:
        """Raise StoppedQueryError if it was stopped."""
        if self._reason:
            raise StoppedQueryError(self._reason)


_question: ContextVar[Question | None] = ContextVar("question", default=None)


@contextmanager
def asking(question: Question) -> Iterator[Question]:
    """Queries of this context, and of threads that take it over, belong to a question; its time begins now."""
    token = _question.set(question)
    timer = threading.Timer(question._seconds, question.time_out)  # noqa: SLF001 (of this module)
    timer.daemon = True
    timer.start()
    try:
        yield question
    finally:
        timer.cancel()
        _question.reset(token)


class Database:
    """See above.

    Args:
        folders: the only ones whose files it reads.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        import duckdb  # noqa: PLC0415 (slow to import)

        self._spill = TemporaryDirectory(prefix="otel-modeldata-studio-sql-")
        self._connection = duckdb.connect(
            config={
                "memory_limit": _MEMORY,
                "threads": _THREADS,
                "temp_directory": self._spill.name,
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

    def rows(self, text: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query.

        Raises:
            StoppedQueryError: it was interrupted.
            ReaderError: DuckDB cannot run it.
        """
        with self._ran(text, parameters) as cursor:
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def table(self, text: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """The rows of a query as an Arrow table.

        Raises:
            ReaderError: as for `rows`.
        """
        with self._ran(text, parameters) as cursor:
            return cursor.to_arrow_table()

    def close(self) -> None:
        """Close it, and remove its temporary files."""
        self._connection.close()
        self._spill.cleanup()

    @contextmanager
    def _ran(self, text: str, parameters: Sequence[Any]) -> Iterator[Any]:
        import duckdb  # noqa: PLC0415 (slow to import)

        question = _question.get()
        with self._lock:
            cursor = self._connection.cursor()
        try:
            if question is None:
                yield cursor.execute(text, list(parameters))
            else:
                with question.running(cursor):
                    yield cursor.execute(text, list(parameters))
        except duckdb.Error as error:
            if question is not None:
                question.check()
            raise ReaderError(f"expected a query that DuckDB can run, got: {sentence(error)}") from None
        finally:
            cursor.close()


def _escaped(text: str) -> str:
    return text.replace("'", "''")
