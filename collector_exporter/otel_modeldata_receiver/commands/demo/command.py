"""The command `otel-modeldata demo`: a day of a model in production, in half a minute, on this machine.

`demo.py` runs it, `scripts/` has the service, `verification.py` compares the store with what was sent. The command
succeeds when accepted = stored and every id, trace and value is what the client sent.
"""

from __future__ import annotations

import argparse
import json
import sys
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.printable import printable

from ...config import receiver as configuration
from ..missing_package import is_missing, missing_package
from ..store_argument import DEFAULT_STORE, store_argument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .demo import Demo

_DESCRIPTION: Final = """\
Run a day of a model in production on this machine, in half a minute. The demo
starts a receiver and a FastAPI service that predicts late flights, and sends it
the flights that left New York on a day of 2013, with the times of the last 24
hours. A feature changes its unit in the evening, and labels arrive when flights
have landed. In the middle the receiver is killed with -9 and started again.
Then the demo reads the store: every event that the service accepted must be
there, once, with the ids, traces and values that were sent.
"""
_EPILOG: Final = """\
examples:
  otel-modeldata demo
      store below ./modeldata; open Studio in the browser
  otel-modeldata demo --no-studio
      watch in the terminal only
  otel-modeldata demo --store az://modeldata/demo
      store in Azure, or in Azurite if AZURE_STORAGE_CONNECTION_STRING names it

Studio runs until Ctrl-C if stdout is a terminal; else it is not started.

The events are those of flights/blue. If the store has that deployment already,
this run is flights/green, then flights/run3 and so on. The final report of the
service, which audit --report compares with the store, is kept in a folder
beside a local store, such as ./modeldata-reports.

environment:
  AZURE_STORAGE_CONNECTION_STRING
      account of an az:// store
  AZURE_STORAGE_ACCOUNT_URL
      URL of that account, without a secret; it is opened with the identity of
      the machine
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
      where to send the request spans (http://HOST:4317); by default they are
      sent to the receiver, which stores them beside the events

exit codes:
  0    accepted = stored, and ids, traces and values are those that were sent
  1    something is missing, or a process of the demo failed
  2    wrong command line or configuration
  3    the store cannot be used
  130  Ctrl-C before the end
"""
_NEEDED: Final = ("fastapi", "grpc_health", "opentelemetry.instrumentation.fastapi", "rich", "sklearn", "uvicorn")
"""Packages of the extra, most of which only other processes import."""


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `demo` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument(
        "--store",
        metavar="URL",
        type=store_argument,
        default=DEFAULT_STORE,
        help="where to store the blobs (default: ./modeldata)",
    )
    parser.add_argument(
        "--requests",
        metavar="N",
        type=_count,
        help="how many flights to score (default: the 937 of that day)",
    )
    parser.add_argument("--no-studio", action="store_true", help="do not start Studio")
    parser.add_argument("--create-container", action="store_true", help="create a missing Azure container")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON, and start no Studio")
    parser.set_defaults(run=demo)


def demo(arguments: argparse.Namespace) -> None:
    """Run the demo and print its summary; exit with code 1 when something is missing.

    Raises:
        ReceiverError: wrong settings, missing dependencies, or an unusable store.
    """
    settings = {
        "listen": "127.0.0.1:0",
        "store": arguments.store,
        "instance_id": uuid.uuid4().hex,  # own blobs, so that only this run's are read
        "create_container": arguments.create_container,
    }
    config = configuration.load(None, settings)
    missing = [name for name in _NEEDED if is_missing(name)]
    if missing:
        raise missing_package(ModuleNotFoundError(name=missing[0]), "demo")
    from . import summary  # noqa: PLC0415 (the command line starts without them)
    from .demo import running_demo  # noqa: PLC0415
    from .exceptions import DemoError  # noqa: PLC0415
    from .view import progress_view  # noqa: PLC0415

    wants_studio = sys.stdout.isatty() and not arguments.no_studio and not arguments.json and _has_studio()
    try:
        with running_demo(config) as demo, _said_when_interrupted(demo, config.shown_store):
            with progress_view(is_quiet=arguments.json) as view:
                result = demo.run(arguments.requests, view, studio=wants_studio)
            if arguments.json:
                reports = None if demo.reports is None else str(demo.reports)
                facts = {"deployment": demo.deployment, **result.facts(), "reports": reports}
                sys.stdout.write(json.dumps(facts) + "\n")
            else:
                summary.show(result, config.shown_store, demo.deployment, demo.reports)
            if result.problems:
                sys.exit("otel-modeldata: " + "; ".join(result.problems))
            demo.stay(lambda url: summary.tell_studio(url, demo.deployment))
    except DemoError as error:
        sys.exit(f"otel-modeldata: {error}")


def _has_studio() -> bool:
    """Whether Studio can start here; say why not."""
    from otel_modeldata_reader.exceptions import ReaderError  # noqa: PLC0415 (the command line starts without them)
    from otel_modeldata_reader.sql.database import check_duckdb  # noqa: PLC0415

    try:
        check_duckdb()
    except ReaderError as error:
        sys.stderr.write(f"otel-modeldata: the demo goes on without Studio: {error}\n")
        return False
    return True


@contextmanager
def _said_when_interrupted(demo: Demo, store: str) -> Iterator[None]:
    """Say at once that Ctrl-C came: the processes of the demo take a moment to end."""
    try:
        yield
    except KeyboardInterrupt:
        flights = demo.progress.requests
        after = f" after {flights:,} of {demo.progress.total:,} flights" if flights else ""
        sys.stderr.write(f"otel-modeldata: interrupted{after}, its processes end\n")
        if flights:
            sys.stderr.write(f"otel-modeldata: {printable(store)} keeps what is stored of {demo.deployment}\n")
        sys.stderr.flush()
        raise


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) <= 100_000:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a whole number from 1 to 100000, got {text!r}")
