"""The command `otel-modeldata demo`: the whole path on one machine, proven by what the store holds.

What happens is in `run.py`, the application in `app.py`, the check in `verification.py`. The command succeeds
when every event that was collected is found in the store, joined and under the trace of its request.
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

if TYPE_CHECKING:
    from ..subparsers import Commands
    from .verification import Verification

_DESCRIPTION: Final = """\
Train a small model on a real dataset, serve it with the documented score.py, score a few hundred rows over HTTP, and
find every input and output in the store, joined by correlation id and under the trace of its request.
"""
_EPILOG: Final = """\
examples:
  otel-modeldata demo
      blobs go below ./modeldata; nothing else has to run
  otel-modeldata demo --store az://modeldata/demo
      blobs go to Azure, or to Azurite when AZURE_STORAGE_CONNECTION_STRING says so

environment:
  AZURE_STORAGE_CONNECTION_STRING     account of an az:// store
  AZURE_STORAGE_ACCOUNT_URL           the same without a secret; credentials come from the machine's identity
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT  send the request spans there (http://HOST:4317); otherwise they go nowhere

exit codes:
  0  everything that was collected is stored and joined
  1  something is missing; the summary and one sentence say what
  2  wrong command line or configuration
  3  the store cannot be used
"""


def add_parser(commands: Commands) -> None:
    """Add `demo` to the command line."""
    parser = commands.add_parser(
        "demo",
        help="score real rows with a real model and find them in the store",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--store", metavar="URL", default="./modeldata", help="where blobs go (default ./modeldata)")
    parser.add_argument("--requests", metavar="N", type=_count, default=300, help="requests to score (default 300)")
    parser.add_argument("--create-container", action="store_true", help="create a missing Azure container")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.set_defaults(run=demo)


def demo(arguments: argparse.Namespace) -> None:
    """Run the demo and print its summary; exit with code 1 when something is missing.

    Raises:
        ReceiverError: wrong settings, missing dependencies, or an unusable store.
    """
    try:
        proof = _prove(arguments)
    except ModelDataError as error:
        raise ConfigError(str(error)) from None
    except KeyboardInterrupt:
        sys.exit(130)  # as shells report SIGINT
    if proof.problems:
        sys.exit("otel-modeldata: " + "; ".join(proof.problems))


def _prove(arguments: argparse.Namespace) -> Verification:
    """Run the demo and print its summary."""
    settings = {
        "listen": "127.0.0.1:0",
        "store": arguments.store,
        "instance_id": uuid.uuid4().hex,  # blobs of its own, so that what is read back is what this run wrote
        "create_container": arguments.create_container,
    }
    config = configuration.load(None, settings)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC writes to stderr what we say in one sentence
    try:
        from . import run, summary  # noqa: PLC0415 (the command line starts without them)
    except ImportError as error:
        raise ConfigError(
            f"expected the demo's dependencies, got no {error.name}; pip install 'otel-modeldata[demo]'"
        ) from None
    proof = run.run(config, arguments.requests, show_progress=not arguments.json)
    if arguments.json:
        sys.stdout.write(json.dumps(proof.facts()) + "\n")
    else:
        summary.show(proof)
    return proof


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) <= 100_000:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a whole number from 1 to 100000, got {text!r}")
