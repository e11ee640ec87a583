"""The command `otel-modeldata tail`: prints the rows of a collection as they are written."""

from __future__ import annotations

import argparse
import json
import math
import os
import select
import shutil
import stat
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from otel_modeldata_reader.printable import printable

from ..reader_session import opened_reader
from ..store_argument import STORE_VARIABLES, add_datastores, add_store_flag, chosen_store
from .collection_name import full_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from otel_modeldata_reader import NewRows

_DESCRIPTION: Final = """\
Print the rows of a collection as they are written, until Ctrl-C. A line that
is being written waits until it is whole. Late events come when they arrive,
whatever their time is.
"""
_EPILOG: Final = f"""\
examples:
  otel-modeldata tail shop/blue/model_inputs
      the last 10 rows, then new ones
  otel-modeldata tail shop/blue/model_inputs --since -5m --where "age > 40"
      the rows of the last five minutes with this age, then new ones
  otel-modeldata tail shop/blue/model_outputs --lines 0 --json | jq .score

environment:
{STORE_VARIABLES}

exit codes:
  0  ended by Ctrl-C, or by the program that reads the output
  2  wrong command line, no such collection, or a condition that is none
  3  the store cannot be read
"""
_LINES: Final = 10
_LEFT_OUT: Final = frozenset({"row_id", "time", "endpoint", "deployment", "collection", "correlationid", "event_id"})
"""Columns of the envelope that are the same in all rows, or in the row id."""
_LAST: Final = ("modelversion", "traceparent")
"""Columns of the envelope behind the others, which a narrow terminal would hide else."""
_NAMES: Final = {
    "foreign": "that are no events",
    "missing_payloads": "without their payload",
    "undecided": "with values that the condition cannot compare",
}


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `tail` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument(
        "collection",
        metavar="COLLECTION",
        help="endpoint/deployment/collection, as ls lists it, or the last part if only one is called so",
    )
    parser.add_argument("--where", metavar="SQL", help="only rows for which this is true, such as \"country = 'ES'\"")
    parser.add_argument("--since", metavar="TIME", help="begin with the events from this time on, such as -5m")
    parser.add_argument(
        "-n",
        "--lines",
        metavar="N",
        type=_count,
        help=f"begin with the last N rows (default: {_LINES}, all with --since)",
    )
    parser.add_argument(
        "--poll", metavar="SECONDS", type=_seconds, default=1.0, help="time between two looks at the store (default: 1)"
    )
    add_store_flag(parser)
    add_datastores(parser)
    parser.add_argument("--json", action="store_true", help="print each row as a JSON object in one line")
    parser.set_defaults(run=tail)


def tail(arguments: argparse.Namespace) -> None:
    """Print rows until Ctrl-C, or until nothing reads them any more.

    Raises:
        ReceiverError: a wrong command line, missing dependencies, or a store that cannot be read.
    """
    last = _LINES if arguments.lines is None and arguments.since is None else arguments.lines
    lines_of = _json_lines if arguments.json else _lines
    with opened_reader(chosen_store(arguments), arguments.config) as store, suppress(KeyboardInterrupt):
        _end_with_the_pipe()
        collection = full_name(store, arguments.collection)
        for rows in store.follow(collection, arguments.since, where=arguments.where, last=last, poll=arguments.poll):
            _warn(rows.skipped)
            for line in lines_of(rows):
                sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


def _end_with_the_pipe() -> None:
    """End when the program that reads the output ends, as `head` does, also if no further row comes."""
    try:
        output = sys.stdout.fileno()
    except OSError:  # a stream of Python
        return
    if not hasattr(select, "poll") or not stat.S_ISFIFO(os.fstat(output).st_mode):
        return
    poll = select.poll()
    poll.register(output, 0)  # the end of its reader is reported in any case

    def wait() -> None:
        poll.poll()
        os._exit(0)  # nothing is open that needs more; an exception could come anywhere, the handling of another too

    threading.Thread(target=wait, name="modeldata-tail-pipe", daemon=True).start()


def _lines(rows: NewRows) -> Iterator[str]:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for row in _rows(rows):
        time = row["time"]
        shown = "no time                " if time is None else f"{time:%Y-%m-%d %H:%M:%S.%f}"[:23]
        shown_last = {name: row.pop(name) for name in _LAST if name in row}
        values = (
            f"{name}={_text(value)}"
            for name, value in (row | shown_last).items()
            if name not in _LEFT_OUT and value is not None
        )
        line = printable(f"{shown}  {row['row_id']}  {' '.join(values)}".rstrip())
        yield line if width is None or len(line) <= width else f"{line[: width - 3]}..."


def _json_lines(rows: NewRows) -> Iterator[str]:
    for row in _rows(rows):
        yield json.dumps({name: _plain(value) for name, value in row.items()})


def _rows(rows: NewRows) -> list[dict[str, Any]]:
    import pyarrow as pa  # noqa: PLC0415 (the command line starts without it)

    from otel_modeldata_reader.types.short_floats import short_floats  # noqa: PLC0415 (likewise)

    table = rows.table
    shown: list[dict[str, Any]] = pa.table(
        [short_floats(column) for column in table.columns], names=table.column_names
    ).to_pylist()
    return shown


def _text(value: Any) -> str:
    return f"{len(value):,} bytes" if isinstance(value, bytes) else json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    """A value as JSON has it: times in ISO 8601, bytes as hexadecimal digits, and no number that JSON does not have."""
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value if not isinstance(value, float) or math.isfinite(value) else None
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _warn(skipped: Mapping[str, int]) -> None:
    for name, count in skipped.items():
        if name in _NAMES:
            sys.stderr.write(f"otel-modeldata: left out {count:,} line(s) {_NAMES[name]}\n")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"expected a number of rows, got {text!r}: write 0 for none")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.01 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"expected 0.01 to 3600 seconds, got {text!r}: the default is 1")
    return seconds
