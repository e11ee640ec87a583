"""The command `otel-modeldata label`: adds the labels of a CSV file to a store."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.report import counted

from ...config.store_url import shown_store
from ...exceptions import ConfigError, StoreCheckError
from ..missing_package import missing_package
from ..store_argument import STORE_VARIABLES, add_datastores, add_store_flag, chosen_store, path_argument, with_origin

if TYPE_CHECKING:
    import argparse

_DESCRIPTION: Final = """\
Add the labels of a CSV file to a store: what turned out to be true of rows that
were scored. The file has a header, a column of row ids, and a column for each
label. An empty cell is no label.

Labels may be late and may change: the latest one of a row wins, and the earlier
ones are kept. They are events of the collection ground_truth, delivered as
every other event.
"""
_EPILOG: Final = f"""\
examples:
  otel-modeldata label returns.csv --id order
      the row ids are in the column order
  otel-modeldata label returns.csv --id order --time decided \\
      --store az://modeldata/prod --deployment shop/blue
      each label holds since the time in the column decided

environment:
{STORE_VARIABLES}

exit codes:
  0    every label is in the store
  2    wrong command line, or a file without labels
  3    the store cannot be read or written
  130  Ctrl-C
"""


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `label` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("file", metavar="FILE", type=path_argument, help="a CSV file in UTF-8, with a header")
    parser.add_argument("--id", metavar="COLUMN", required=True, help="the column of row ids, such as order-17_0")
    parser.add_argument(
        "--time",
        metavar="COLUMN",
        help="the column that says since when a label holds: ISO 8601, in UTC without a zone (default: now)",
    )
    add_store_flag(parser)
    add_datastores(parser)
    parser.add_argument(
        "--deployment",
        metavar="NAME",
        help="endpoint/deployment of the rows (default: the only one of the store)",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=label)


def label(arguments: argparse.Namespace) -> None:
    """Add the labels of a file to a store, and print their number.

    Raises:
        ReceiverError: a wrong command line or file, missing dependencies, or a store that cannot be read or written.
    """
    url = chosen_store(arguments)
    try:
        import otel_modeldata_reader as reader  # noqa: PLC0415 (the command line starts without it)
        from otel_modeldata_reader.labels import frames_of_csv  # noqa: PLC0415 (likewise)
    except ImportError as error:
        raise missing_package(error, "read,receiver") from None
    try:
        (frame,) = frames_of_csv(arguments.file, arguments.id, arguments.time)
    except reader.ReaderError as error:
        raise ConfigError(str(error)) from None
    if frame.empty:
        raise ConfigError(f"expected labels in {arguments.file}, got none: write a value into a cell of each row")
    try:
        with reader.open(url, config=arguments.config) as store:
            count = store.label_all(frame, deployment=arguments.deployment)
    except reader.UnknownNameError as error:
        raise ConfigError(str(error)) from None
    except reader.StoreUnavailableError as error:
        raise StoreCheckError(with_origin(url, str(error))) from None
    except reader.ReaderError as error:
        raise StoreCheckError(str(error)) from None
    _print(count, shown_store(url), as_json=arguments.json)


def _print(count: int, store: str, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps({"store": store, "labels": count}) + "\n")
    else:
        sys.stdout.write(f"{store}: {counted(count, 'label')} added\n")
