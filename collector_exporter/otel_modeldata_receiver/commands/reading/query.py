"""The command `otel-modeldata query`: SQL over the collections of a store."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.printable import printable

from ..reader_session import opened_reader
from ..store_argument import STORE_VARIABLES, add_datastores, add_store_flag, chosen_store
from .row_output import add_window, write_csv, write_json, write_table

if TYPE_CHECKING:
    import argparse

_DESCRIPTION: Final = """\
Run a statement in SQL (DuckDB's) over the collections of a store. Each is a
table: "shop/blue/model_inputs", also shop_blue.model_inputs, and model_inputs
where only one deployment has it. The rows of a deployment, its inputs, outputs
and labels joined, are the table "shop/blue/joined". SHOW TABLES lists all.

Only the collections that the statement names are read, in bounded memory. SQL
reaches nothing but the store: no files, no network, no extensions.
"""
_EPILOG: Final = f"""\
examples:
  otel-modeldata query "SHOW TABLES" --store ./modeldata
  otel-modeldata query "SELECT country, count(*) FROM model_inputs GROUP BY ALL"
  otel-modeldata query "SELECT * FROM joined WHERE score > 0.9" --since -7d

environment:
{STORE_VARIABLES}

exit codes:
  0    printed, also if there is no row
  2    wrong command line or SQL, or no such table or column
  3    the store cannot be read
  130  Ctrl-C
"""  # noqa: S608 (a help text)


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `query` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("sql", metavar="SQL", help="one statement that reads")
    add_store_flag(parser)
    add_datastores(parser)
    add_window(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print each row as a JSON object on a line of its own")
    form.add_argument("--csv", action="store_true", help="print CSV with a header")
    parser.set_defaults(run=query)


def query(arguments: argparse.Namespace) -> None:
    """Print the rows of a query, and on stderr what was skipped.

    Raises:
        ReceiverError: a wrong command line or SQL, missing dependencies, or a store that cannot be read.
    """
    write = write_json if arguments.json else write_csv if arguments.csv else write_table
    with opened_reader(chosen_store(arguments), arguments.config) as store:
        found = store.query(arguments.sql, arguments.since, arguments.until)
        write(found)
        for name, report in found.reports.items():
            if not report.is_clean:
                sys.stderr.write(printable(f"{name}: {report}") + "\n")
