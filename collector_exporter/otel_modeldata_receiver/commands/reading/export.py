"""The command `otel-modeldata export`: rows of a store in a file."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

from otel_modeldata_reader.printable import printable
from otel_modeldata_reader.report import counted

from ...config.store_url import shown_store
from ...exceptions import ConfigError
from ..reader_session import opened_reader
from ..store_argument import STORE_VARIABLES, add_datastores, add_store_flag, chosen_store, path_argument
from .collection_name import full_name
from .row_output import add_window

if TYPE_CHECKING:
    import argparse

    from otel_modeldata_reader import Store
    from otel_modeldata_reader.exporting import Exported, Rows

_DESCRIPTION: Final = """\
Write the rows of a collection into a file: Parquet with exact types, CSV, or a
table of Delta Lake. With --joined, the rows of a deployment: its inputs,
outputs and labels joined by row id.

Rows are written in bounded memory. The file has its name when it is whole;
after an error or Ctrl-C there is none. A file that is there is not replaced
without --force.
"""
_EPILOG: Final = f"""\
examples:
  otel-modeldata export shop/blue/model_inputs --parquet inputs.parquet
  otel-modeldata export shop/blue/model_inputs --csv spanish.csv --since -7d \\
      --columns time,age --where "country = 'ES'"
  otel-modeldata export shop/blue --joined --parquet rows.parquet

environment:
{STORE_VARIABLES}

exit codes:
  0    written, also if there is no row
  2    wrong command line, no such collection, or a file that cannot be written
  3    the store cannot be read
  130  Ctrl-C; nothing is written
"""


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `export` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument(
        "collection",
        metavar="COLLECTION",
        help="endpoint/deployment/collection, as ls lists it, or the last part if only one is called so",
    )
    form = parser.add_mutually_exclusive_group(required=True)
    form.add_argument("--parquet", metavar="FILE", type=path_argument, help="a Parquet file, compressed with zstd")
    form.add_argument("--csv", metavar="FILE", type=path_argument, help="a CSV file in UTF-8, with a header")
    form.add_argument("--delta", metavar="FOLDER", type=path_argument, help="a table of Delta Lake")
    add_store_flag(parser)
    add_datastores(parser)
    add_window(parser)
    parser.add_argument("--columns", metavar="NAMES", help="only these columns, in this order, with commas between")
    parser.add_argument("--where", metavar="SQL", help="only rows for which this is true, such as \"country = 'ES'\"")
    parser.add_argument("--joined", action="store_true", help="COLLECTION is a deployment: export its joined rows")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=export)


def export(arguments: argparse.Namespace) -> None:
    """Write rows into a file, and print how many; what was skipped or has another type there is on stderr.

    Raises:
        ReceiverError: a wrong command line, a file that cannot be written, missing dependencies, or a store that
            cannot be read.
    """
    _check(arguments)
    url = chosen_store(arguments)
    with opened_reader(url, arguments.config) as store:
        name = arguments.collection if arguments.joined else full_name(store, arguments.collection)
        rows = _rows(store, arguments, name)
        exported = _written(rows, arguments)
        reports = rows.reports if arguments.joined else {name: rows.report}
    for name, report in reports.items():
        if not report.is_clean:
            sys.stderr.write(printable(f"{name}: {report}") + "\n")
    if arguments.json:
        facts = {"store": shown_store(url), "path": str(exported.path), "rows": exported.rows, "bytes": exported.size}
        sys.stdout.write(json.dumps(facts | {"notes": list(exported.notes)}) + "\n")
        return
    if arguments.delta is None:
        _say(exported.notes)
    sys.stdout.write(printable(f"{exported.path}: {counted(exported.rows, 'row')}, {exported.size:,} bytes") + "\n")


def _check(arguments: argparse.Namespace) -> None:
    if "-" in {str(arguments.parquet), str(arguments.csv), str(arguments.delta)}:
        raise ConfigError("expected the name of a file, got '-': otel-modeldata query --csv prints rows")
    if arguments.joined and arguments.collection.strip("/").count("/") != 1:
        raise ConfigError(f"expected a deployment, such as shop/blue, with --joined, got {arguments.collection!r}")


def _rows(store: Store, arguments: argparse.Namespace, name: str) -> Any:
    window = (arguments.since, arguments.until)
    columns = None if arguments.columns is None else [name.strip() for name in arguments.columns.split(",")]
    from otel_modeldata_reader import UnknownNameError  # noqa: PLC0415 (the command line starts without it)
    from otel_modeldata_reader.sql.table_names import quoted  # noqa: PLC0415 (likewise)

    deployment = name.strip("/")
    if not arguments.joined:
        try:
            return store.read(name, *window, columns=columns, where=arguments.where)
        except UnknownNameError:
            if not any(one.name.startswith(f"{deployment}/") for one in store.collections()):
                raise
        raise ConfigError(
            f"expected a collection, got {name!r}, which has several: add the name of one"
            + (", or --joined" if deployment.count("/") == 1 else "")
        )
    if arguments.where is not None and ";" in arguments.where:
        raise ConfigError(f"expected a condition in SQL, got {arguments.where!r}: leave out the semicolon")
    names = "*" if columns is None else ", ".join(map(quoted, columns))
    condition = "" if arguments.where is None else f" WHERE ({arguments.where}\n)"
    return store.query(f"SELECT {names} FROM {quoted(f'{deployment}/joined')}{condition}", *window)  # noqa: S608 (it only reads)


def _written(rows: Rows, arguments: argparse.Namespace) -> Exported:
    from otel_modeldata_reader.exporting import to_csv, to_delta, to_parquet  # noqa: PLC0415 (imports pyarrow)

    if arguments.delta is not None:
        report = None if arguments.json else lambda note: _say([note])
        return to_delta(rows, arguments.delta, overwrite=arguments.force, report=report or (lambda _: None))
    if arguments.csv is not None:
        return to_csv(rows, arguments.csv, overwrite=arguments.force)
    return to_parquet(rows, arguments.parquet, overwrite=arguments.force)


def _say(notes: Any) -> None:
    from otel_modeldata_reader.progress import clear_line  # noqa: PLC0415 (loaded with the store)

    clear_line()
    for note in notes:
        sys.stderr.write(f"otel-modeldata: {printable(note)}\n")
