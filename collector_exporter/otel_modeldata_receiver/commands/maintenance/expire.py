"""The command `otel-modeldata expire`: removes whole folders whose time ended long ago."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

from ...exceptions import ConfigError
from ..reader_session import opened_reader
from ..store_argument import STORE_VARIABLES, path_argument
from .collection_argument import add_collection_and_store, chosen_collection
from .duration import duration_argument
from .erasure_output import add_erasure_flags, is_confirmed, show
from .receipt_file import ReceiptFile, check_receipt_file

if TYPE_CHECKING:
    import argparse

_DESCRIPTION: Final = """\
Remove what is older than a time: the folders of lines that ended before, with
their payloads, Parquet files and seals, and without COLLECTION the quarantine
of these hours too. Labels go by the time at which they were given.

A tombstone stays, so that audit knows which events are gone on purpose.
Receivers may run, if --older is longer than their max_event_age_days: else
events that come that late begin the folder again.
"""
_EPILOG: Final = f"""\
examples:
  otel-modeldata expire --older 90d
      what would go; nothing is changed
  otel-modeldata expire --older 90d --yes
      remove it, for example every night from cron
  otel-modeldata expire shop/blue/request --older 7d --yes
      bodies of requests are kept for a week only

environment:
{STORE_VARIABLES}

exit codes:
  0    done, also if nothing is that old; or only said what would go
  1    done, but some folders stay, because their Parquet files are damaged
  2    wrong command line, or no such collection
  3    the store cannot be read or written, or another command changes it
  130  Ctrl-C; run it again to continue
"""


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `expire` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    add_collection_and_store(parser, "all collections and the quarantine expire")
    parser.add_argument(
        "--older-than",
        "--older",
        metavar="TIME",
        dest="older",
        type=duration_argument,
        required=True,
        help="how old, such as 90d or 12w",
    )
    add_erasure_flags(parser, path_argument)
    parser.set_defaults(run=expire)


def expire(arguments: argparse.Namespace) -> None:
    """Remove what is old, or say what would go; print it, and write the receipt.

    Raises:
        ReceiverError: a wrong command line, missing dependencies, or a store that cannot be read or written.
    """
    collection, url = chosen_collection(arguments)
    check_receipt_file(arguments.receipt)
    if arguments.receipt is not None and not arguments.yes:
        raise ConfigError("expected --yes with --receipt, got none: a receipt is of what was done")
    kept = ReceiptFile(arguments.receipt)
    given: dict[str, Any] = {"by": arguments.by, "reason": arguments.reason, "keep": kept.write}
    with opened_reader(url, arguments.config) as store:
        receipt = store.expire(arguments.older, collection or "", dry_run=not arguments.yes, **given)
        if not arguments.json:
            show(receipt)
        if not arguments.yes and not arguments.json and not arguments.dry_run and is_confirmed(receipt):
            receipt = store.expire(arguments.older, collection or "", dry_run=False, **given)
            show(receipt)
    if arguments.json:
        sys.stdout.write(json.dumps(receipt.facts()) + "\n")
    if receipt.problems:
        sys.stdout.flush()
        sys.exit(1)
