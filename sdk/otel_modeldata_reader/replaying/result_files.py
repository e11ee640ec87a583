"""The files of a replay: its answers and the values that differ, as Parquet."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from ..exporting.new_file import new_file
from .value_differences import as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .comparison import Difference
    from .journal import Journal

__all__ = ["ANSWERS", "DIFFERENCES", "difference_file", "remove_unfinished", "write_answers"]

ANSWERS: Final = "answers.parquet"
DIFFERENCES: Final = "differences.parquet"
_ROWS: Final = 10_000
_BYTES: Final = 8 << 20
_ANSWERS: Final = pa.schema(
    [
        ("event_id", pa.string()),
        ("correlationid", pa.string()),
        ("time", pa.timestamp("ns", "UTC")),
        ("rows", pa.int64()),
        ("sent_correlationid", pa.string()),
        ("status", pa.int64()),
        ("error", pa.string()),
        ("attempts", pa.int64()),
        ("latency_ms", pa.float64()),
        ("answer", pa.string()),
    ]
)
"""One row for each request that was sent; `answer` is the body."""
_DIFFERENCES: Final = pa.schema(
    [
        ("row_id", pa.string()),
        ("event_id", pa.string()),
        ("slice", pa.string()),
        ("column", pa.string()),
        ("recorded", pa.string()),
        ("answered", pa.string()),
        ("difference", pa.float64()),
    ]
)
"""One row for each value that differs; values are texts, or JSON where they are none."""


class _Batches:
    """Rows that are written some thousands at a time."""

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema) -> None:
        self._writer = writer
        self._schema = schema
        self._rows: list[tuple[Any, ...]] = []
        self._size = 0

    def add(self, row: tuple[Any, ...]) -> None:
        # Half of a surrogate pair, which JSON may have, is no text of Arrow.
        whole = [one.encode(errors="replace").decode() if isinstance(one, str) else one for one in row]
        self._rows.append(tuple(whole))
        self._size += sum(len(value) for value in whole if isinstance(value, str))
        if len(self._rows) >= _ROWS or self._size >= _BYTES:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            columns = [
                pa.array(values, kind.type)
                for values, kind in zip(zip(*self._rows, strict=True), self._schema, strict=True)
            ]
            self._writer.write_table(pa.table(columns, schema=self._schema))
        self._rows, self._size = [], 0


def remove_unfinished(folder: Path) -> None:
    """Remove what a replay that was killed has written of its files; call it while the journal is locked."""
    for name in (ANSWERS, DIFFERENCES):
        for path in folder.glob(f".{name}.*.part"):
            path.unlink(missing_ok=True)


@contextmanager
def _writer(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """Writes a file that only its owner may read, as the journal."""
    with new_file(path, overwrite=True) as file:
        file.path.touch(mode=0o600)
        with pq.ParquetWriter(file.path, schema, compression="zstd") as writer:
            yield writer


def write_answers(journal: Journal) -> Path:
    """Write the answers of a journal beside it, and return the path.

    Raises:
        ExportError: the file cannot be written.
    """
    path = journal.folder / ANSWERS
    with _writer(path, _ANSWERS) as writer:
        batches = _Batches(writer, _ANSWERS)
        for one in journal.rows():
            names = ("key", "correlationid", "time", "rows", "sent_id", "status", "error", "attempts", "latency_ms")
            batches.add((*(one[name] for name in names), one["content"].decode(errors="replace")))
        batches.flush()
    return path


@contextmanager
def difference_file(folder: Path) -> Iterator[Callable[[Difference], None]]:
    """Takes the values that differ, one after the other; they are in the file at the end.

    Raises:
        ExportError: the file cannot be written.
    """
    with _writer(folder / DIFFERENCES, _DIFFERENCES) as writer:
        batches = _Batches(writer, _DIFFERENCES)

        def take(one: Difference) -> None:
            batches.add((*one[:4], as_text(one.recorded), as_text(one.answered), one.difference))

        yield take
        batches.flush()
