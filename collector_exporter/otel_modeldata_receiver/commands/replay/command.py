"""The command `otel-modeldata replay`: recorded requests to another endpoint, and its answers compared."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.printable import printable

from ...config.secret_name import is_secret_name
from ...config.store_url import has_secret, shown_store
from ...exceptions import ConfigError, ReceiverError
from ..number_argument import number_argument
from ..reader_session import opened_reader
from ..store_argument import STORE_VARIABLES, add_datastores, add_store, chosen_store, path_argument
from .headers import add_headers, files_of, headers_of, secret_names_of

if TYPE_CHECKING:
    from otel_modeldata_reader import Store
    from otel_modeldata_reader.replaying import Recording, Replayed

_DESCRIPTION: Final = """\
Send the recorded inputs of a deployment to another endpoint, one request for
each that was recorded, and keep the answers in a folder. With --compare, the
answers are compared with the recorded outputs, row by row. Labels are never
sent.

Status 429, 502, 503, 504 and connections that end are tried up to five times,
after the Retry-After of the answer if it has one; no answer in time is final.
A replay that was stopped, killed too, goes on with --resume: it sends what has
no answer of status 2xx.

FOLDER has journal.sqlite, answers.parquet (a row for each request) and
differences.parquet (a row for each value that differs).
"""
_FORMATS: Final = """\
formats:
  input_data         {"input_data": {"columns", "index", "data"}}: MLflow models
                     on Azure ML; the default
  dataframe_split    {"dataframe_split": {..}}, likewise: mlflow models serve
  dataframe_records  {"dataframe_records": [{..}]}: mlflow models serve
  data               {"data": [{..}]}: score.py as Azure ML documents it
  inputs, instances  {"inputs": [{..}]}, {"instances": [{..}]}: KServe V1
  records:NAME       {"NAME": [{..}]}
  rows               [{..}], the array of rows
  row                {..}, the row itself, of requests with one row
  kserve-v2          {"inputs": [{"name", "shape", "datatype", "data"}]}: the
                     Open Inference Protocol
"""
_EPILOG: Final = f"""\
{_FORMATS}
examples:
  otel-modeldata replay shop/blue --target http://localhost:5001/score --dry-run
  otel-modeldata replay shop/blue --target http://localhost:5001/score \\
      --since -1d --compare --by country --rate 50
  otel-modeldata replay shop/blue --target https://green.example.com/score \\
      --header-env Authorization=GREEN_AUTHORIZATION --out green --resume

environment:
{STORE_VARIABLES}
  SSL_CERT_FILE                    certificates that are trusted, in PEM

exit codes:
  0    every request has an answer, and no more rows differ than may
  1    requests without an answer, or more rows that are not equal
  2    wrong command line, no such collection, or a folder of another replay
  3    the store cannot be read, or the target does not answer
  130  Ctrl-C; what was answered is kept
"""
_RATE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(?:/(s|m|h))?", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
_SHARE: Final = re.compile(r"(\d{1,12})|(\d{1,3}(?:\.\d{1,9})?)%", re.ASCII)


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `replay` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("deployment", metavar="DEPLOYMENT", help="endpoint/deployment, as ls lists it")
    add_store(parser)
    add_datastores(parser)
    parser.add_argument("--target", metavar="URL", type=_target, required=True, help="where requests go")
    parser.add_argument(
        "--out", metavar="FOLDER", type=path_argument, default="replay", help="folder for the results (default: replay)"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the replay in FOLDER")
    parser.add_argument("--dry-run", action="store_true", help="say what would be sent, and send nothing")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    what = parser.add_argument_group("what is sent")
    what.add_argument("--since", "--from", metavar="TIME", help="only requests from this time on, such as -7d")
    what.add_argument("--until", "--to", metavar="TIME", help="only requests before this time")
    what.add_argument("--limit", metavar="N", type=_number, help="only the first N requests")
    form = what.add_mutually_exclusive_group()
    form.add_argument("--format", metavar="FORMAT", dest="form", help="of the bodies, see below (default: input_data)")
    form.add_argument("--input-data", action="store_const", dest="form", const="input_data", help="the default format")
    form.add_argument("--from-requests", action="store_true", help="the bodies that payload logging has recorded")
    what.add_argument("--columns", metavar="NAMES", help="only these columns, in this order, with commas between")
    what.add_argument("--inputs", metavar="NAME", help="the collection of inputs (default: model_inputs)")
    add_headers(parser)
    pace = parser.add_argument_group("how fast")
    pace.add_argument(
        "--concurrency", metavar="N", type=_number, default=4, help="requests at the same time (default: %(default)s)"
    )
    pace.add_argument("--rate", metavar="R", type=_rate, help="requests a second, or 100/m (default: no limit)")
    pace.add_argument(
        "--timeout", metavar="SECONDS", type=_positive, default=60.0, help="of one answer (default: %(default)g)"
    )
    comparison = parser.add_argument_group("comparison")
    comparison.add_argument("--compare", action="store_true", help="compare answers with the recorded outputs")
    comparison.add_argument("--by", metavar="COLUMN", help="also for each value of this column of the inputs")
    comparison.add_argument("--outputs", metavar="NAME", help="the collection of outputs (default: model_outputs)")
    comparison.add_argument(
        "--answer-at", metavar="KEYS", help="where the rows are in an answer, such as result.rows (default: found)"
    )
    comparison.add_argument(
        "--tolerance",
        metavar="T",
        type=number_argument,
        help="numbers that differ by at most T are equal (default: 1e-9)",
    )
    comparison.add_argument(
        "--relative-tolerance",
        metavar="T",
        type=number_argument,
        help="likewise, by T times the number (default: 1e-9)",
    )
    comparison.add_argument(
        "--max-different", metavar="N", type=_share, help="rows that may be not equal, such as 10 or 1%% (default: 0)"
    )
    parser.set_defaults(run=replay)


def replay(arguments: argparse.Namespace) -> None:
    """Replay a deployment and print the result; exit with code 1 if requests failed or too many rows differ.

    Raises:
        ReceiverError: a wrong command line, missing dependencies, a store that cannot be read, or a target that does
            not answer.
    """
    _check(arguments)
    url = chosen_store(arguments)
    with opened_reader(url, arguments.config, "read,receiver") as store:
        from otel_modeldata_reader.replaying import target_of  # noqa: PLC0415 (the command line starts without it)

        from . import summary  # noqa: PLC0415 (likewise)

        target = target_of(arguments.target, headers_of(arguments), files_of(arguments), secret_names_of(arguments))
        recording = _recording(arguments)
        if arguments.dry_run:
            found = store.replay(recording).preview(arguments.limit)
            summary.print_preview(found, recording, target.shown, as_json=arguments.json)
            return
        result = _replayed(store, recording, arguments)
    verdict = summary.verdict_of(result, arguments.max_different)
    summary.print_result(result, verdict, shown_store(url), as_json=arguments.json)
    if not verdict.is_good:
        sys.exit(1)


def _replayed(store: Store, recording: Recording, arguments: argparse.Namespace) -> Replayed:
    from otel_modeldata_reader.exceptions import TargetUnavailableError  # noqa: PLC0415 (the command line starts without)
    from otel_modeldata_reader.replaying import Pace, Tolerance, target_of  # noqa: PLC0415 (likewise)

    from .progress_line import ProgressLine  # noqa: PLC0415 (likewise)

    given = {"absolute": arguments.tolerance, "relative": arguments.relative_tolerance}
    tolerance = Tolerance(**{name: value for name, value in given.items() if value is not None})
    pace = Pace(
        concurrency=arguments.concurrency, rate=arguments.rate, timeout=arguments.timeout, limit=arguments.limit
    )
    line = ProgressLine()
    try:
        return store.replay(recording).send(
            target_of(arguments.target, headers_of(arguments), files_of(arguments), secret_names_of(arguments)),
            arguments.out,
            pace=pace,
            tolerance=tolerance if arguments.compare else None,
            resume=arguments.resume,
            report=line.show,
        )
    except TargetUnavailableError as error:
        raise ReceiverError(f"{error}; --resume goes on from {arguments.out}") from None
    except KeyboardInterrupt:
        line.clear()
        sys.stderr.write(printable(f"otel-modeldata: what was answered is in {arguments.out}; --resume goes on") + "\n")
        raise
    finally:
        line.clear()


def _recording(arguments: argparse.Namespace) -> Recording:
    from otel_modeldata_reader.replaying import DEFAULT_FORMAT, Recording  # noqa: PLC0415 (the command line starts without)

    columns = None if arguments.columns is None else tuple(name.strip() for name in arguments.columns.split(","))
    return Recording(
        deployment=arguments.deployment.strip("/"),
        since=arguments.since,
        until=arguments.until,
        inputs=arguments.inputs,
        from_requests=arguments.from_requests,
        form=arguments.form or DEFAULT_FORMAT,
        columns=columns,
        by=arguments.by,
        outputs=arguments.outputs,
        answer_at=tuple((arguments.answer_at or "").split(".")) if arguments.answer_at else (),
    )


def _check(arguments: argparse.Namespace) -> None:
    if arguments.deployment.strip("/").count("/") != 1:
        raise ConfigError(f"expected a deployment, such as shop/blue, got {arguments.deployment!r}")
    if not arguments.compare:
        for name in ("by", "outputs", "answer_at", "tolerance", "relative_tolerance", "max_different"):
            if getattr(arguments, name) is not None:
                flag = name.replace("_", "-")
                raise ConfigError(f"expected --compare with --{flag}, got none: add --compare, or leave --{flag} out")


def _target(text: str) -> str:
    query = text.partition("?")[2].partition("#")[0]
    names = [one.partition("=")[0] for one in query.split("&")]
    if has_secret(text) or "@" in text.partition("?")[0] or any(map(is_secret_name, names)):
        raise argparse.ArgumentTypeError(
            "expected a URL without a signature, key or password, got one with it, which every user of this machine "
            "can read: put it into a header, with --header-env or --header-file"
        )
    return text


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:10]) > 0 and len(text) < 10):
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, got {text!r:.40}")
    return int(text)


def _positive(text: str) -> float:
    if (value := number_argument(text)) == 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r:.40}")
    return value


def _rate(text: str) -> float:
    found = _RATE.fullmatch(text)
    if found is None or not float(found[1]):
        raise argparse.ArgumentTypeError(f"expected a rate like 50, 50/s or 100/m, got {text!r:.40}")
    return float(found[1]) / _SECONDS[found[2] or "s"]


def _share(text: str) -> tuple[float, bool]:
    """A number, and whether it is a share."""
    found = _SHARE.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"expected a number of rows, or a share like 1%, got {text!r:.40}")
    return (float(found[1]), False) if found[1] else (float(found[2]) / 100, True)
