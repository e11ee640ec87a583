"""The command `otel-modeldata audit`: reads a store and reports whether every event is accounted for.

`otel_modeldata_reader.auditing` reads the store and counts and checks its lines; `summary.py` prints the result.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_modeldata import semconv

from ...config import receiver as configuration
from ...exceptions import ConfigError, StoreCheckError
from ..missing_package import missing_package
from ..store_argument import add_store, chosen_store, path_argument, with_origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from otel_modeldata.report import DeliveryReport
    from otel_modeldata_reader.auditing.audit import Audit, Selection
    from otel_modeldata_reader.auditing.producer_report import ReportSource

_DESCRIPTION: Final = """\
Check that every event of a store is accounted for. For each producer and
collection the audit counts the events that are stored, stored twice, missing
(by their sequence numbers) and in quarantine, and it reports lines that are
unreadable or in a wrong folder. It reads, and changes no line; with --remember
it also seals the hours that are complete, so that the next audit reads only
what came later.
"""
_EPILOG: Final = """\
examples:
  otel-modeldata audit ./modeldata --running
      check a local store that is being written; a gap in the numbers of a
      producer is a missing event
  otel-modeldata audit az://modeldata/prod --report reports/
      compare with the final reports of the producers, which each of them writes
      if it runs with OTEL_MODELDATA_REPORT=DIR: an accepted event that is not
      stored, in quarantine or reported lost is missing
  otel-modeldata audit ./modeldata --endpoint credit \\
      --from 2026-11-22T10 --to 2026-11-22T11
      check the lines of two hours; an event that is missing there is searched
      for in the other hours
  otel-modeldata audit az://modeldata/prod --running --remember
      every night: read the lines of the last day, and remember their hours;
      --verify, once a month, compares all sealed bytes with their checksums

what an audit cannot find:
  without a final report, events that a producer sent after its last stored one:
  a finding, unless --running says that producers have not ended, or only some
  hours are audited; without sequence numbers, any missing event. While a store
  is being written, events that are on their way count as missing.

environment:
  OTEL_MODELDATA_STORE             the store, without STORE and --store
  AZURE_STORAGE_CONNECTION_STRING  account of an az:// store
  AZURE_STORAGE_ACCOUNT_URL        URL of that account, without a secret; it is
                                   opened with the identity of the machine

exit codes:
  0    every event is accounted for
  1    not every event is accounted for, or a final report is missing: findings
  2    wrong command line, or a file that is not a final report
  3    the store cannot be read, or has no blob to audit
  130  Ctrl-C
"""
_MOST_WORKERS: Final = 256
_HOUR: Final = re.compile(r"(\d{4})[-/](\d\d)[-/](\d\d)[T/](\d\d)(?::00(?::00)?Z?)?", re.ASCII)


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `audit` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    add_store(parser)
    parser.add_argument("--endpoint", metavar="NAME", help="audit only this endpoint")
    parser.add_argument("--deployment", metavar="NAME", help="audit only this deployment")
    parser.add_argument("--collection", metavar="NAME", help="audit only this collection")
    parser.add_argument(
        "--from", metavar="HOUR", dest="first", type=_hour, help="first hour to audit, in UTC, such as 2026-11-22T10"
    )
    parser.add_argument("--to", metavar="HOUR", dest="last", type=_hour, help="last hour to audit, included")
    parser.add_argument(
        "--report",
        metavar="PATH",
        type=_report_source,
        nargs="+",
        action="extend",
        default=[],
        help="files of final reports, or folders of them; credit/blue=PATH takes only those of credit/blue",
    )
    parser.add_argument(
        "--running",
        action="store_true",
        help="producers still run: one without a final report is a note, not a finding",
    )
    memory = parser.add_mutually_exclusive_group()
    memory.add_argument(
        "--remember",
        action="store_true",
        help="first seal the hours that are complete (see seal --help), with what the next audit needs of them",
    )
    memory.add_argument("--no-memory", action="store_true", help="read every line, also of hours that are remembered")
    parser.add_argument(
        "--verify",
        action="store_true",
        help="read sealed bytes again and compare their checksums; without, names, sizes and last 4 KiB",
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=_worker_count,
        help="processes that read lines (default: one for each core, if there are 256 MiB or more to read)",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=audit)


def audit(arguments: argparse.Namespace) -> None:
    """Audit a store and print the result; exit with code 1 when something is not accounted for.

    Raises:
        ReceiverError: a wrong command line, missing dependencies, or a store that cannot be read.
    """
    try:
        from otel_modeldata_reader.auditing import finding, producer_report  # noqa: PLC0415 (the command line starts without them)
        from otel_modeldata_reader.auditing.audit import Selection  # noqa: PLC0415 (numpy, OTLP likewise)
        from otel_modeldata_reader.exceptions import ReaderError  # noqa: PLC0415
        from otel_modeldata_reader.report import counted  # noqa: PLC0415

        from . import summary  # noqa: PLC0415
    except ImportError as error:
        raise missing_package(error, "receiver") from None
    _check(arguments)
    url = chosen_store(arguments)
    names = ("endpoint", "deployment", "collection", "first", "last")
    selection = Selection(**{name: getattr(arguments, name) for name in names})
    reports = producer_report.load(arguments.report)
    try:
        if arguments.remember:
            _remember(url, selection)
        result = _run(url, selection, reports, arguments)
    except (StoreCheckError, ReaderError) as error:
        raise StoreCheckError(with_origin(url, str(error))) from None
    result = replace(result, running=arguments.running)
    store = configuration.shown_store(url)
    if result.is_empty:
        raise StoreCheckError(
            f"expected blobs of {_selected(arguments)} in {store}, got none: correct the store or the names"
        )
    if arguments.json:
        sys.stdout.write(json.dumps(summary.facts(result, store)) + "\n")
    else:
        summary.show(result, store)
    if findings := finding.findings(result):
        sys.stdout.flush()
        sys.exit(f"otel-modeldata: {counted(len(findings), 'finding')}: not everything in {store} is accounted for")


def _selected(arguments: argparse.Namespace) -> str:
    """The audited part, for a message."""
    names = ("endpoint", "deployment", "collection", "first", "last")
    given = [f"{name} {getattr(arguments, name)}" for name in names if getattr(arguments, name) is not None]
    return " and ".join(given) or "a receiver"


def _check(arguments: argparse.Namespace) -> None:
    if arguments.report and (arguments.first or arguments.last):
        raise ConfigError(
            "expected --report without --from and --to, got both: a final report covers all hours; leave one out"
        )
    if arguments.first and arguments.last and arguments.first > arguments.last:
        raise ConfigError(f"expected --from before --to, got {arguments.first} and {arguments.last}; swap them")


def _run(url: str, selection: Selection, reports: Sequence[DeliveryReport], arguments: argparse.Namespace) -> Audit:
    import asyncio  # noqa: PLC0415 (slow to import, and no help needs it)

    from otel_modeldata_reader.auditing import audit as audit_run  # noqa: PLC0415 (see above)
    from otel_modeldata_reader.auditing.records.store_records import StoreRecords  # noqa: PLC0415
    from otel_modeldata_reader.auditing.summaries.line_decoder import raise_recursion_limit  # noqa: PLC0415
    from otel_modeldata_reader.auditing.summaries.workers import BySize, InProcess, Processes, cores  # noqa: PLC0415
    from otel_modeldata_reader.blobs.store_access import StoreAccess  # noqa: PLC0415

    from ...storage.open_store import open_store  # noqa: PLC0415

    async def run() -> Audit:
        store = open_store(url)
        here: InProcess | Processes = InProcess(store)
        several = Processes(url, arguments.workers or cores())
        workers = {None: BySize(here, several), 1: here}.get(arguments.workers, several)
        records = StoreRecords(StoreAccess(url), use_seals=not arguments.no_memory, verify=arguments.verify)
        try:
            with _progress(show=not arguments.json) as progress:
                return await audit_run.audit(store, selection, reports, progress, workers=workers, records=records)
        finally:
            await store.close()

    raise_recursion_limit()
    return asyncio.run(run())


def _remember(url: str, selection: Selection) -> None:
    """Seal the hours that are complete, with what an audit needs of them.

    Raises:
        ReaderError: the store cannot be read or written, or another command changes it.
    """
    from otel_modeldata_reader.auditing.records.sealed_memory import HourSummaryMaker  # noqa: PLC0415 (see above)
    from otel_modeldata_reader.blobs.dated_folder import LATENESS_SECONDS  # noqa: PLC0415
    from otel_modeldata_reader.blobs.listing import collections_of  # noqa: PLC0415
    from otel_modeldata_reader.blobs.store_access import StoreAccess  # noqa: PLC0415
    from otel_modeldata_reader.sealing.sealing import seal_collections  # noqa: PLC0415
    from otel_modeldata_reader.window import Window  # noqa: PLC0415

    access = StoreAccess(url)
    found = collections_of(access.walk()).values()
    chosen = [one for one in found if one.names is None or selection.names(*one.names)]
    for _ in seal_collections(access, chosen, Window(), lateness=LATENESS_SECONDS, observing=HourSummaryMaker):
        pass  # each is written before the next one


@contextmanager
def _progress(*, show: bool) -> Iterator[Callable[[int, int], object]]:
    """A progress bar on stderr while the store is read, if stderr is a terminal and rich is installed."""
    try:
        from rich.console import Console  # noqa: PLC0415 (optional)
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            DownloadColumn,
            Progress,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
    except ImportError:
        yield lambda *_: None
        return
    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not (show and console.is_terminal))
    task = bar.add_task("audit", total=None)
    with bar:
        yield lambda read, total: bar.update(task, completed=read, total=total)


def _report_source(text: str) -> ReportSource:
    """`PATH`, or `ENDPOINT/DEPLOYMENT=PATH`; a path that exists is one, whatever characters it has."""
    from otel_modeldata_reader.auditing.producer_report import ReportSource  # noqa: PLC0415 (see above)

    deployment, equals, path = text.partition("=")
    names = deployment.split("/")
    if equals and len(names) == 2 and all(map(semconv.is_name, names)) and not Path(text).exists():
        return ReportSource(path=path_argument(path), deployment=deployment.lower())
    return ReportSource(path=path_argument(text))


def _worker_count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= _MOST_WORKERS):
        raise argparse.ArgumentTypeError(f"expected 1 to {_MOST_WORKERS} processes, got {text!r}")
    return int(text)


def _hour(text: str) -> str:
    match = _HOUR.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"expected an hour in UTC like 2026-11-22T10, got {text!r}")
    return "/".join(match.groups())
