"""The command `otel-modeldata audit`: reads a store and says whether everything in it accounts.

What is counted is in `ledger.py`, how a store is read in `run.py`, what is printed in `summary.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ...config import receiver as configuration
from ...exceptions import ConfigError
from ...storage.open_store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..subparsers import Commands
    from .producer_report import FinalReport
    from .run import Audit, Selection

_DESCRIPTION: Final = """\
Read a store and account for every event: what is stored, stored twice, missing (by sequence number), in quarantine,
unreadable or in the wrong folder, per producer and collection. Nothing is written.
"""
_EPILOG: Final = """\
examples:
  otel-modeldata audit ./modeldata
      every event that is missing between others is found by the gap in its producer's numbers
  otel-modeldata audit az://modeldata/prod --report reports/
      with the final reports of the producers (they write them with OTEL_MODELDATA_REPORT=DIR): each accepted event is
      stored, in quarantine or reported lost, else it is missing
  otel-modeldata audit ./modeldata --endpoint credit --from 2026-11-22T10 --to 2026-11-22T11
      the lines of two hours; an event that is missing there is looked for in the others

what cannot be known: without its final report, what a producer sent after its last stored event; and of producers that
send no sequence numbers, what is missing at all. While a store is written, events that are on their way are gaps.

environment:
  AZURE_STORAGE_CONNECTION_STRING  account of an az:// store
  AZURE_STORAGE_ACCOUNT_URL        the same without a secret; credentials come from the machine's identity

exit codes:
  0  everything accounts
  1  something does not; the findings say what
  2  wrong command line, or a file that is no final report
  3  the store cannot be read
"""
_HOUR: Final = re.compile(r"(\d{4})[-/](\d\d)[-/](\d\d)[T/](\d\d)(?::00(?::00)?Z?)?", re.ASCII)


def add_parser(commands: Commands) -> None:
    """Add `audit` to the command line."""
    parser = commands.add_parser(
        "audit",
        help="account for every event of a store",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("store", metavar="STORE", help="a folder, az://container/prefix, or the container's https URL")
    parser.add_argument("--endpoint", metavar="NAME", help="only this endpoint")
    parser.add_argument("--deployment", metavar="NAME", help="only this deployment")
    parser.add_argument("--collection", metavar="NAME", help="only this collection")
    parser.add_argument("--from", metavar="HOUR", dest="first", type=_hour, help="first hour (UTC), as 2026-11-22T10")
    parser.add_argument("--to", metavar="HOUR", dest="last", type=_hour, help="last hour, included")
    parser.add_argument(
        "--report", metavar="PATH", type=Path, nargs="+", action="extend", default=[], help="final reports, or folders"
    )
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    parser.set_defaults(run=audit)


def audit(arguments: argparse.Namespace) -> None:
    """Audit a store and print the outcome; exit with code 1 when something does not account.

    Raises:
        ReceiverError: a wrong command line, missing dependencies, or a store that cannot be read.
    """
    try:
        from . import producer_report, summary  # noqa: PLC0415 (the command line starts without them)
        from .reconciliation import counted  # noqa: PLC0415
        from .run import Selection  # noqa: PLC0415 (numpy, OTLP likewise)
    except ImportError as error:
        raise ConfigError(
            f"expected the receiver's dependencies, got no {error.name}; pip install 'otel-modeldata[receiver]'"
        ) from None
    _check(arguments)
    names = ("endpoint", "deployment", "collection", "first", "last")
    selection = Selection(**{name: getattr(arguments, name) for name in names})
    found = _run(arguments.store, selection, producer_report.load(arguments.report), show=not arguments.json)
    store = configuration.shown_store(arguments.store)
    if arguments.json:
        sys.stdout.write(json.dumps(summary.facts(found, store)) + "\n")
    else:
        summary.show(found, store)
    if findings := summary.findings(found):
        sys.stdout.flush()
        sys.exit(f"otel-modeldata: {counted(len(findings), 'finding')}: not everything in {store} accounts")


def _check(arguments: argparse.Namespace) -> None:
    if arguments.report and (arguments.first or arguments.last):
        raise ConfigError(
            "expected --report without --from and --to, got both: a final report speaks of all hours; leave one out"
        )
    if arguments.first and arguments.last and arguments.first > arguments.last:
        raise ConfigError(f"expected --from before --to, got {arguments.first} and {arguments.last}; exchange them")


def _run(url: str, selection: Selection, reports: Sequence[FinalReport], *, show: bool) -> Audit:
    from . import run as audit_run  # noqa: PLC0415 (see above)

    async def run() -> Audit:
        store = open_store(url)
        try:
            with _progress(show=show) as progress:
                return await audit_run.audit(store, selection, reports, progress)
        finally:
            await store.close()

    return asyncio.run(run())


@contextmanager
def _progress(*, show: bool) -> Iterator[Callable[[int, int], object]]:
    """A bar on stderr while the store is read, where somebody can see it."""
    from rich.console import Console  # noqa: PLC0415 (see above)
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not (show and console.is_terminal))
    task = bar.add_task("audit", total=None)
    with bar:
        yield lambda read, total: bar.update(task, completed=read, total=total)


def _hour(text: str) -> str:
    found = _HOUR.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"expected an hour in UTC like 2026-11-22T10, got {text!r}")
    return "/".join(found.groups())
