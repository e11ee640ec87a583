"""A DuckDB that has only what is put into it: no files, no network, no extensions, no variables of the caller."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from ..exceptions import ReaderError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

__all__ = ["MEMORY_LIMIT", "check_duckdb", "locked_database", "sentence"]

MEMORY_LIMIT: Final = "1GB"
"""What DuckDB may keep in memory; beyond it writes temporary files."""
_OLDEST: Final = (2, 0)
"""Releases before cut the nanoseconds of times with a zone."""
_OLDEST_PYTHON: Final = (3, 11)
"""For which there is such a release."""
_KIND: Final = re.compile(r"^[A-Z][A-Za-z ]* Error: ")
_MOST: Final = 300


def check_duckdb() -> None:
    """Check that DuckDB is there, in a release that keeps every value.

    Raises:
        ReaderError: it is not installed, or is too old.
    """
    try:
        import duckdb  # noqa: PLC0415 (slow to import)
    except ImportError:
        raise ReaderError("expected DuckDB, got no such package: pip install 'otel-modeldata[read]'") from None
    if tuple(map(int, re.findall(r"\d+", duckdb.__version__)[:2])) < _OLDEST:
        raise ReaderError(f"expected DuckDB 2.0 or later, got {duckdb.__version__}: {_cure()}")


@contextmanager
def locked_database() -> Iterator[DuckDBPyConnection]:
    """An empty database in memory, with a temporary folder for what does not fit; both are gone at the end.

    Raises:
        ReaderError: DuckDB is not installed, or is too old.
    """
    check_duckdb()
    import duckdb  # noqa: PLC0415 (slow to import)

    with TemporaryDirectory(prefix="otel-modeldata-sql-") as folder:
        connection = duckdb.connect(
            config={
                "memory_limit": MEMORY_LIMIT,
                "temp_directory": folder,
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "allow_community_extensions": "false",
            }
        )
        try:
            connection.execute("SET enable_external_access = false")  # after the folder, which it locks
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET python_enable_replacements = false")
            connection.execute("SET lock_configuration = true")
            yield connection
        finally:
            connection.close()


def _cure() -> str:
    if sys.version_info < _OLDEST_PYTHON:
        this = f"{sys.version_info.major}.{sys.version_info.minor}"
        return f"it needs Python 3.11, and this is {this}, so use Python 3.11, or Store.read(where=...)"
    return "pip install --upgrade duckdb"


def sentence(error: Exception) -> str:
    """What DuckDB says, without the kind of error, the place and the stack, in one line."""
    text = str(error).partition("\n\n")[0].partition("\n\tCandidate functions:")[0]
    text = " ".join(_KIND.sub("", text).replace("You might need to add explicit type casts.", "").split())
    return text if len(text) <= _MOST else f"{text[: _MOST - 3]}..."
