"""Rows on stdout: as a table for people, as JSON or CSV for programs."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.report import counted

from ..terminal import WIDTH, printable_lines, writer
from .row_table import row_table

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from otel_modeldata_reader.sql import Query

__all__ = ["add_window", "write_csv", "write_json", "write_table"]

_LAST: Final = ("correlationid", "endpoint", "deployment", "collection", "traceparent", "modelversion", "event_id")
"""Columns of the envelope that give way where a table does not fit: the model's own say more."""
_SHOWN_ROWS: Final = 40


def add_window(parser: argparse.ArgumentParser) -> None:
    """Add the window of event time."""
    parser.add_argument("--since", metavar="TIME", help="only events from this time on, such as -7d or 2026-11-22")
    parser.add_argument("--until", metavar="TIME", help="only events before this time")


def write_json(query: Query) -> None:
    """Write rows as JSON, one object a line."""
    from otel_modeldata_reader.exporting import json_rows  # noqa: PLC0415 (imports pyarrow)

    for batch in query.batches():
        _write(json_rows(batch))


def write_csv(query: Query) -> None:
    """Write rows as CSV, with a header."""
    from otel_modeldata_reader.exporting import CsvRows  # noqa: PLC0415 (imports pyarrow)
    from otel_modeldata_reader.exporting.exported import batches_of  # noqa: PLC0415 (likewise)

    csv = CsvRows()
    has_header = False
    for batch in batches_of(query):
        if not has_header:
            _write(csv.header(batch.schema))
            has_header = True
        _write(csv.rows(batch))


def write_table(query: Query) -> None:
    """Write the first rows as a table, as wide as the terminal; 80 columns in a pipe."""
    from otel_modeldata_reader.exporting.exported import batches_of  # noqa: PLC0415 (imports pyarrow)
    from otel_modeldata_reader.types.plain_values import plain_batch  # noqa: PLC0415 (likewise)

    say = writer()
    rows: list[list[Any]] = []
    names: list[str] = []
    count = 0
    for batch in batches_of(query):
        names = batch.schema.names
        count += batch.num_rows
        if (missing := _SHOWN_ROWS - len(rows)) > 0:
            plain = plain_batch(batch.slice(0, missing), nested=True)
            rows += map(list, zip(*(column.to_pylist() for column in plain.columns), strict=True))
    width = shutil.get_terminal_size((WIDTH, 0)).columns if sys.stdout.isatty() else WIDTH
    lines, hidden = row_table(names, rows, width)
    if hidden:
        order = sorted(range(len(names)), key=lambda place: names[place] in _LAST)
        lines, hidden = row_table([names[place] for place in order], [[row[at] for at in order] for row in rows], width)
    say(lines[0], "bold")
    for line in lines[1:]:
        say(line)
    more = [f"the first {len(rows)} are shown" if count > len(rows) else "", _more_columns(hidden)]
    notes = "; ".join(filter(None, more))
    total = counted(count, "row")
    say(f"{total}; {notes}: --json and --csv have all" if notes else total, "dim")


def _more_columns(hidden: int) -> str:
    return counted(hidden, "more column") if hidden else ""


def _write(content: bytes) -> None:
    """Write rows for programs as they are; in a terminal, where people read them, nothing in them steers it."""
    buffer = getattr(sys.stdout, "buffer", None)
    if sys.stdout.isatty():
        sys.stdout.write(printable_lines(content.decode()))
        return
    if buffer is None:  # a test's
        sys.stdout.write(content.decode())
        return
    sys.stdout.flush()
    buffer.write(content)
