"""The command `otel-modeldata report`: what came in, what changed, and how good predictions were."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Final

from ...exceptions import ConfigError
from ..number_argument import number_argument, number_between
from ..reader_session import opened_reader
from ..reading.row_output import add_window
from ..store_argument import STORE_VARIABLES, add_datastores, add_store, chosen_store, path_argument

if TYPE_CHECKING:
    from otel_modeldata_reader import Store
    from otel_modeldata_reader.reporting import Report, Thresholds

_DESCRIPTION: Final = """\
Report on a deployment, or on one collection: volume, latency, errors, the
columns of inputs and outputs against a baseline (drift, nulls, new categories,
changes of type), and the performance of predictions that have a label. What
needs eyes comes first.

The baseline is a file, such as the training data, or another window. Without
one nothing is compared. With --html the report is one page that needs no
network and no script. Memory is bounded: above a million rows the figures that
need sorted values are of a fixed sample, and the report says so.
"""
_EPILOG: Final = f"""\
examples:
  otel-modeldata report shop/blue --since -7d --baseline -14d..-7d
      this week against the last one
  otel-modeldata report shop/blue --since -1d --baseline train.parquet \\
      --html report.html --by country
      yesterday against the training data, with performance by country
  otel-modeldata report shop/blue --since -1d --baseline train.parquet \\
      --fail-on psi=0.25 --fail-on nulls=0.1
      a step of a pipeline: exit code 1 if a column has drifted
  OTEL_METRICS_EXPORTER=otlp otel-modeldata report shop/blue --since -1d \\
      --baseline train.parquet --watch 600
      the figures as metrics, made again every ten minutes

thresholds (--threshold, --fail-on): psi 0.2, nulls 0.05 (growth of the share),
  new_categories 1, type_changes 1, skipped 1, errors 0.05 (share); without a
  default: normalized_wasserstein, jensen_shannon, ks_statistic. A distance that
  samples of this size have by chance (p >= 0.01) is no finding.

environment:
{STORE_VARIABLES}
  OTEL_METRICS_EXPORTER            otlp or console, for --watch; the variables
                                   OTEL_EXPORTER_OTLP_* name the endpoint

exit codes:
  0    reported; with --watch ended by Ctrl-C or SIGTERM
  1    a figure of --fail-on reaches its threshold, or cannot be compared,
       because the window or the baseline has no rows
  2    wrong command line, no such deployment, or a baseline that is none
  3    the store cannot be read
  130  Ctrl-C
"""
_LONGEST_WATCH: Final = 7 * 86_400
_WITHOUT_THRESHOLD: Final = frozenset({"any", "rows", "baseline", "columns"})
"""What --fail-on may name, too: every finding, collections or a baseline without rows, and columns that one side
lacks."""
_OF_BASELINE: Final = frozenset(
    {"psi", "normalized_wasserstein", "jensen_shannon", "ks_statistic", "new_categories", "baseline"}
)
"""Measures that there are only beside a baseline."""
_NOT_COMPARED: Final = frozenset({"rows", "baseline"})
"""Findings that say that there is no such measure."""


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `report` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("name", metavar="DEPLOYMENT", help="endpoint/deployment, or a collection as ls lists it")
    add_store(parser)
    add_datastores(parser)
    add_window(parser)
    parser.add_argument(
        "--baseline", metavar="WHAT", help="a Parquet or CSV file, or a window such as 2026-11-01..2026-11-08"
    )
    parser.add_argument("--by", metavar="COLUMN", help="performance for each value of this column, too")
    parser.add_argument("--prediction", metavar="COLUMN", help="of the outputs, if they have several")
    parser.add_argument("--label", metavar="COLUMN", help="of the labels, if they have several")
    parser.add_argument("--score", metavar="COLUMN", help="of the outputs: a score of the positive class, for AUC")
    parser.add_argument(
        "--threshold",
        metavar="MEASURE=VALUE",
        type=_threshold,
        action="append",
        default=[],
        help="from which value on a figure is a finding, such as psi=0.1; psi=off never",
    )
    parser.add_argument(
        "--fail-on",
        metavar="MEASURE[=VALUE]",
        type=_failing,
        action="append",
        default=[],
        help="exit with code 1 if a figure of this measure reaches its threshold; any is every finding",
    )
    parser.add_argument("--html", metavar="FILE", type=path_argument, help="write the report as a page; replaces FILE")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    parser.add_argument(
        "--watch", metavar="SECONDS", type=_seconds, help="report again and again, and export the figures as metrics"
    )
    parser.set_defaults(run=report)


def report(arguments: argparse.Namespace) -> None:
    """Report once, or until Ctrl-C.

    Raises:
        ReceiverError: a wrong command line, missing dependencies, or a store that cannot be read.
    """
    url = chosen_store(arguments)
    with opened_reader(url, arguments.config) as store:
        if arguments.html is not None:  # known before the store is read
            from otel_modeldata_reader.exporting.new_file import check_free  # noqa: PLC0415 (only for files)

            check_free(arguments.html, overwrite=True)
        if arguments.watch is not None:
            from .watch import watch  # noqa: PLC0415 (only with --watch)

            watch(lambda: made(store, arguments), lambda one: _put(one, arguments), arguments, url)
            return
        found = made(store, arguments)
        _put(found, arguments)
    failed = _failed(found, arguments.fail_on)
    if failed:
        sys.stdout.flush()
        from otel_modeldata_reader.report import counted  # noqa: PLC0415 (loaded with the store)

        sys.exit(f"otel-modeldata: {counted(failed, 'figure')} of --fail-on at the threshold or above")


def made(store: Store, arguments: argparse.Namespace) -> Report:
    """The report that the arguments ask for."""
    thresholds = _thresholds(arguments)
    return store.report(
        arguments.name,
        arguments.since,
        arguments.until,
        baseline=arguments.baseline,
        by=arguments.by,
        prediction=arguments.prediction,
        label=arguments.label,
        score=arguments.score,
        thresholds=thresholds,
    )


def _put(found: Report, arguments: argparse.Namespace) -> None:
    """Write the page, and print the report."""
    if arguments.html is not None:
        found.write_html(arguments.html, overwrite=True)
    if arguments.json:
        sys.stdout.write(json.dumps(found.to_dict()) + "\n")  # in ASCII: nothing in it steers a terminal
        sys.stdout.flush()
        return
    if arguments.watch is None:
        from .summary import show  # noqa: PLC0415 (only for people)

        show(found.figures, arguments.html)


def _failed(found: Report, measures: list[tuple[str, float | None]]) -> int:
    names = {name for name, _ in measures}
    if names & _OF_BASELINE:  # what was not compared is not well
        names |= _NOT_COMPARED
    return sum("any" in names or one.measure in names for one in found.findings)


def _thresholds(arguments: argparse.Namespace) -> Thresholds:
    """The thresholds, those of --fail-on among them.

    Raises:
        ConfigError: one is of no measure, or what the command is to fail on has none.
    """
    from otel_modeldata_reader.reporting import Thresholds  # noqa: PLC0415 (the command line starts without it)

    values = dict(arguments.threshold) | {name: value for name, value in arguments.fail_on if value is not None}
    known = Thresholds.__struct_fields__
    for name in (*values, *(name for name, _ in arguments.fail_on)):
        if name not in known and (name in values or name not in _WITHOUT_THRESHOLD):
            raise ConfigError(f"expected a measure like {', '.join(known)}, got {name!r}: choose one of them")
    thresholds = Thresholds(**values)
    for name, _ in arguments.fail_on:
        if name in known and getattr(thresholds, name) is None:
            raise ConfigError(f"expected a threshold of {name} for --fail-on, got none: write {name}=0.1, for example")
        if name in _OF_BASELINE and arguments.baseline is None:
            raise ConfigError(f"expected a baseline for --fail-on {name}, got none: name a file or a window")
    return thresholds


def _threshold(text: str) -> tuple[str, float | None]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"expected a measure and a value, such as psi=0.1, got {text!r}")
    return name.strip(), None if value.strip() == "off" else number_argument(value)


def _failing(text: str) -> tuple[str, float | None]:
    name, equals, value = text.partition("=")
    return name.strip(), number_argument(value) if equals else None


def _seconds(text: str) -> float:
    seconds = number_between(text, 1, _LONGEST_WATCH)
    if seconds is None:
        raise argparse.ArgumentTypeError(f"expected 1 to {_LONGEST_WATCH} seconds, got {text!r}: 600 is usual")
    return seconds
