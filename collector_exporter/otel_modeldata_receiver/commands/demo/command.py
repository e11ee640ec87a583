"""The command `otel-modeldata demo`: the whole path of inference data on one machine, verified in the store.

`run.py` runs the demo, `app.py` is the application, `verification.py` reads the store. The command succeeds when every
collected event is in the store, joined with its pair and in the trace of its request.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import uuid
from typing import TYPE_CHECKING, Final

from otel_modeldata.exceptions import ModelDataError

from ...config import receiver as configuration
from ...exceptions import ConfigError
from ..missing_package import missing_package
from ..store_argument import store_argument

if TYPE_CHECKING:
    from .verification import Verification

_DESCRIPTION: Final = """\
Run the whole path of inference data on this machine. The demo starts a
receiver, trains a small model on a real dataset, serves it with score.py as
Azure documents it, and scores rows over HTTP. Then it reads the store and
verifies that the inputs and outputs of every request are there, joined by
correlation id and trace.
"""
_EPILOG: Final = """\
examples:
  otel-modeldata demo
      store below ./modeldata; no other process is needed
  otel-modeldata demo --store az://modeldata/demo
      store in Azure, or in Azurite if AZURE_STORAGE_CONNECTION_STRING names it

environment:
  AZURE_STORAGE_CONNECTION_STRING
      account of an az:// store
  AZURE_STORAGE_ACCOUNT_URL
      URL of that account, without a secret; it is opened with the identity of
      the machine
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
      where to send the request spans (http://HOST:4317); by default they are
      not sent

exit codes:
  0  every collected event is stored and joined
  1  an event is missing; the summary and one sentence report which
  2  wrong command line or configuration
  3  the store cannot be used
"""


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `demo` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument(
        "--store",
        metavar="URL",
        type=store_argument,
        default="./modeldata",
        help="where to store the blobs (default ./modeldata)",
    )
    parser.add_argument(
        "--requests", metavar="N", type=_count, default=300, help="number of requests to score (default 300)"
    )
    parser.add_argument("--create-container", action="store_true", help="create a missing Azure container")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.set_defaults(run=demo)


def demo(arguments: argparse.Namespace) -> None:
    """Run the demo and print its summary; exit with code 1 when an event is missing.

    Raises:
        ReceiverError: wrong settings, missing dependencies, or an unusable store.
    """
    try:
        result = _verify(arguments)
    except ModelDataError as error:
        raise ConfigError(str(error)) from None
    except KeyboardInterrupt:
        sys.exit(130)  # as shells report SIGINT
    if result.problems:
        sys.exit("otel-modeldata: " + "; ".join(result.problems))


def _verify(arguments: argparse.Namespace) -> Verification:
    """Run the demo and print its summary."""
    settings = {
        "listen": "127.0.0.1:0",
        "store": arguments.store,
        "instance_id": uuid.uuid4().hex,  # own blobs, so that only this run's are read
        "create_container": arguments.create_container,
    }
    config = configuration.load(None, settings)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC writes to stderr what the command reports in one sentence
    try:
        from . import run, summary  # noqa: PLC0415 (the command line starts without them)
    except ImportError as error:
        raise missing_package(error, "demo") from None
    result = run.run(config, arguments.requests, show_progress=not arguments.json)
    if arguments.json:
        sys.stdout.write(json.dumps(result.facts()) + "\n")
    else:
        summary.show(result)
    return result


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) <= 100_000:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a whole number from 1 to 100000, got {text!r}")
