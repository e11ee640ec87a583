"""The command `otel-modeldata erase`: takes rows out of a store, so that no byte of them remains."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

from ...exceptions import ConfigError
from ..reader_session import opened_reader
from ..reading.row_output import add_window
from ..store_argument import STORE_VARIABLES, path_argument
from .collection_argument import add_collection_and_store, chosen_collection
from .erasure_output import add_erasure_flags, is_confirmed, show
from .receipt_file import ReceiptFile, check_receipt_file

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from otel_modeldata_reader.erasing import Receipt

_DESCRIPTION: Final = """\
Erase rows of a store: those for which a condition is true in one collection,
or everything about some ids. The same rows go from all collections of the
deployment: inputs, outputs, labels, bodies of requests, spans. They go from
lines, payloads, Parquet files, parked lines, the quarantine and the index.

All other rows keep their ids and their bytes. Receivers may run. What was
erased leaves a tombstone without personal data, so that audit stays right.
An erasure that was interrupted continues when it is run again.
"""
_EPILOG: Final = f"""\
examples:
  otel-modeldata erase shop/blue/model_inputs --where "customer = 'c-17'"
      what would go; nothing is changed
  otel-modeldata erase shop/blue/model_inputs --where "customer = 'c-17'" \\
      --yes --by dpo@shop.example --reason "request 4711" --receipt 4711.json
      erase it, and keep a receipt
  otel-modeldata erase shop/blue --id 0b9c3a61-5d5f-4d1e-9f6b-7e0f9c1d2a3b --yes
      a correlation id, row id, event id or trace id
  otel-modeldata erase --resume
      complete what was interrupted

environment:
{STORE_VARIABLES}

exit codes:
  0    done, also if there was nothing to erase; or only said what would go
  1    done, and some rows may be left: lines that cannot be read, or that
       have no ids; rows that have a chosen id in a column of another name;
       rows that came meanwhile; damaged Parquet files: they are counted
  2    wrong command line, no such collection, or a condition that chooses too
       much
  3    the store cannot be read or written, or another command changes it
  130  Ctrl-C; run it again to continue
"""
_MOST_IDS_BYTES: Final = 64 << 20
_EXIT_LEFT: Final = 1


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `erase` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    add_collection_and_store(parser, "ids are searched for in all of the store; a deployment is possible with ids")
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument(
        "--where", metavar="SQL", help="rows of COLLECTION for which this is true: \"customer = 'c-17'\""
    )
    chosen.add_argument(
        "--id", metavar="ID", action="append", dest="ids", help="a correlation id, row id, event id or trace id; repeat"
    )
    chosen.add_argument(
        "--ids", metavar="FILE", type=path_argument, dest="ids_file", help="ids, one a line; - is stdin"
    )
    chosen.add_argument("--resume", action="store_true", help="complete every erasure that was interrupted")
    add_window(parser)
    parser.add_argument("--only", action="store_true", help="erase in COLLECTION alone")
    parser.add_argument("--all", action="store_true", help="also if the condition is true for every row")
    parser.add_argument(
        "--shared", action="store_true", help="also rows that were not chosen, where several have the same row id"
    )
    add_erasure_flags(parser, path_argument)
    parser.set_defaults(run=erase)


def erase(arguments: argparse.Namespace) -> None:
    """Erase rows, or say what would go; print it, and write the receipt.

    Raises:
        ReceiverError: a wrong command line, missing dependencies, or a store that cannot be read or written.
    """
    scope, url = chosen_collection(arguments)
    check_receipt_file(arguments.receipt)
    _check(arguments)
    ids = [] if arguments.where is not None or arguments.resume else _ids(arguments)
    kept = ReceiptFile(arguments.receipt)
    with opened_reader(url, arguments.config) as store:
        if arguments.resume:
            receipts = store.resume_erasures(kept.write)
        else:

            def run(*, dry_run: bool) -> Receipt:
                return store.erase(
                    scope or "",
                    where=arguments.where,
                    ids=ids,
                    since=arguments.since,
                    until=arguments.until,
                    dry_run=dry_run,
                    only=arguments.only,
                    every=arguments.all,
                    shared=arguments.shared,
                    by=arguments.by,
                    reason=arguments.reason,
                    keep=kept.write,
                )

            receipts = [_run(run, arguments)]
    _finish(receipts, arguments)


def _run(run: Callable[..., Receipt], arguments: argparse.Namespace) -> Receipt:
    if arguments.yes:
        return run(dry_run=False)
    receipt = run(dry_run=True)
    if arguments.json or arguments.dry_run:
        return receipt
    show(receipt)
    arguments.shown = True
    return run(dry_run=False) if is_confirmed(receipt) else receipt


def _check(arguments: argparse.Namespace) -> None:
    if arguments.receipt is not None and not arguments.yes and not arguments.resume:
        raise ConfigError("expected --yes with --receipt, got none: a receipt is of what was done")
    if arguments.where is None and (arguments.since or arguments.until):
        raise ConfigError("expected --where with --since and --until, got ids: leave the times out")


def _finish(receipts: list[Receipt], arguments: argparse.Namespace) -> None:
    for receipt in receipts:
        if arguments.json:
            sys.stdout.write(json.dumps(receipt.facts()) + "\n")
        elif receipt.is_done or not getattr(arguments, "shown", False):
            show(receipt)
    if not receipts and not arguments.json:
        sys.stdout.write("nothing was interrupted\n")
    if any(one.is_done and _has_left(one) for one in receipts):
        sys.stdout.flush()
        raise SystemExit(_EXIT_LEFT)


def _has_left(receipt: Receipt) -> bool:
    """Whether rows may be left that were asked for."""
    left = (receipt.unread, receipt.undecided, receipt.unidentified, receipt.later, receipt.mentions, receipt.problems)
    return any(left)


def _ids(arguments: argparse.Namespace) -> list[str]:
    """The ids of the command line or of a file.

    Raises:
        ConfigError: the file cannot be read, is too large, or has none.
    """
    given: Any = arguments.ids
    if given is None:
        name = str(arguments.ids_file)
        try:
            if name == "-":
                text = sys.stdin.read(_MOST_IDS_BYTES + 1).removeprefix("\ufeff")
            else:
                with arguments.ids_file.open(encoding="utf-8-sig") as file:
                    text = file.read(_MOST_IDS_BYTES + 1)
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "no text in UTF-8"
            raise ConfigError(
                f"expected a file of ids, got {reason} at {name!r}: correct the path, or the file"
            ) from None
        if len(text) > _MOST_IDS_BYTES:
            raise ConfigError(f"expected at most {_MOST_IDS_BYTES >> 20} MiB of ids, got more: use several files")
        given = [line.strip() for line in text.splitlines() if line.strip()]
    if not given or not all(given):
        raise ConfigError("expected ids, got none: nothing would be erased")
    return list(given)
