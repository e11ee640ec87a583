"""The command `otel-modeldata doctor`: sends one event as configured and reports how far it gets.

`run.py` follows the event; `network.py`, `canary.py` and `store.py` are its parts.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import textwrap
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from otel_modeldata import semconv
from otel_modeldata_reader.printable import printable

from ...layout.canary_collection import CANARY_COLLECTION
from ..missing_package import missing_package
from ..store_argument import endpoint_argument, store_argument
from ..terminal import fitting, writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .hop import Hop

_DEFAULT_TIMEOUT_SECONDS: Final = 30.0
_LEAST_COLUMNS: Final = 40
_OUTCOME_COLUMNS: Final = 12
_CLEAR: Final = "\r\x1b[K"

_DESCRIPTION: Final = """\
Send one event as a Collector in this shell would, and report each step: name,
connection, TLS, protocol, authorization, acknowledgment and, with --store, the
line in the store and the difference of the clocks.

The event is written to a collection of its own ("doctor") beside the others of
the endpoint and deployment.
"""
_EPILOG: Final = """\
examples:
  otel-modeldata doctor
      from here to http://localhost:4317
  OTEL_EXPORTER_OTLP_ENDPOINT=https://gateway:4317 \\
      otel-modeldata doctor --store az://modeldata/prod
      and look for the event in the store: a gateway acknowledges an event that
      it has queued, not one that is stored
  otel-modeldata doctor --endpoint http://gateway:4317 --large --json

environment:
  OTEL_EXPORTER_OTLP_*, OTEL_MODELDATA_*
      as a Collector reads them (otel-modeldata check --environment)
  AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_ACCOUNT_URL
      account of an az:// store, to read it

exit codes:
  0    no step failed; a step that could not be observed is "not checked"
  1    a step failed; its line names what to do
  2    wrong command line
  130  Ctrl-C
"""


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `doctor` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument(
        "--endpoint",
        metavar="URL",
        type=endpoint_argument,
        help="endpoint to send to, such as http://localhost:4317 (default: as a Collector)",
    )
    parser.add_argument(
        "--store",
        metavar="URL",
        type=store_argument,
        help="store to look for the event in (default: OTEL_MODELDATA_STORE)",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=_DEFAULT_TIMEOUT_SECONDS,
        help="how long to wait for the acknowledgment, and again for the line (default: 30)",
    )
    parser.add_argument(
        "--large", action="store_true", help="also send an event of 5 MiB, to find size limits of the gateway"
    )
    parser.add_argument(
        "--collection",
        metavar="NAME",
        type=_collection,
        default=CANARY_COLLECTION,
        help="collection of the event (default: doctor)",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=doctor)


def doctor(arguments: argparse.Namespace) -> None:
    """Follow an event and report each step; exit with code 1 when one failed.

    Raises:
        ConfigError: missing dependencies.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # failures are reported here, in sentences
    try:
        from otel_modeldata.environment import STORE_VARIABLE, read_environment  # noqa: PLC0415 (only for this)

        from .network import ENDPOINT_VARIABLE, endpoint_variable  # noqa: PLC0415
        from .run import ENDPOINT_FLAG, Examination, examine  # noqa: PLC0415
    except ImportError as error:
        raise missing_package(error, "receiver") from None
    named = endpoint_variable(os.environ) if arguments.endpoint is None else ENDPOINT_FLAG
    with _sending_to(arguments.endpoint, ENDPOINT_VARIABLE, STORE_VARIABLE):
        environment = read_environment()
        examination = Examination(
            environment=environment,
            collection=arguments.collection,
            store=arguments.store or environment.store,
            timeout=arguments.timeout,
            large=arguments.large,
            named=named,
            announce=(lambda *_: None) if arguments.json else _announce,
        )
        hops = _printed(examine(examination), None if arguments.json else writer())
    if any(hop.outcome == "failed" for hop in hops):
        sys.exit(1)


@contextmanager
def _sending_to(endpoint: str | None, variable: str, without: str) -> Iterator[None]:
    """Name `endpoint`, if there is one, in the environment of this process, and restore it."""
    before = dict(os.environ)
    if endpoint is not None:
        os.environ[variable] = endpoint
        os.environ.pop(without, None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _printed(hops: Iterable[Hop], write: Callable[..., None] | None) -> list[Hop]:
    """Print each hop when it is known or, without a function that writes, all of them as JSON."""
    if write is None:
        done = list(hops)
        facts = [{"hop": hop.name, "outcome": hop.outcome, "sentence": hop.sentence} for hop in done]
        ok = all(hop.outcome != "failed" for hop in done)
        sys.stdout.write(json.dumps({"ok": ok, "hops": facts}) + "\n")
        return done
    styles = {"ok": "green", "failed": "bold red", "not checked": "yellow"}
    done = []
    try:
        for hop in hops:
            _clear()
            done.append(hop)
            first, *rest = _wrapped(f"{hop.name}: {hop.sentence}")
            write(f"{hop.outcome:{_OUTCOME_COLUMNS - 1}}", styles[hop.outcome], end=" ")
            write("\n".join([first, *rest]))
    finally:
        _clear()
    return done


def _wrapped(sentence: str) -> list[str]:
    """A sentence as it fits a terminal, behind the column of outcomes; whole for a pipe or a file."""
    if not sys.stdout.isatty():
        return [sentence]
    indent = " " * _OUTCOME_COLUMNS
    lines = textwrap.wrap(
        printable(sentence),
        max(_LEAST_COLUMNS, shutil.get_terminal_size().columns),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [lines[0].removeprefix(indent), *lines[1:]]


def _announce(name: str, awaited: str, seconds: float) -> None:
    """Say on a terminal what a step waits for, in a line that its result replaces."""
    if sys.stderr is not None and sys.stderr.isatty():
        text = f"{'waits':{_OUTCOME_COLUMNS}}{name}: at most {seconds:g} s for {awaited}"
        width = max(_LEAST_COLUMNS, shutil.get_terminal_size().columns) - 1
        sys.stderr.write(f"{_CLEAR}{fitting(text, width)}")
        sys.stderr.flush()


def _clear() -> None:
    if sys.stderr is not None and sys.stderr.isatty():
        sys.stderr.write(_CLEAR)
        sys.stderr.flush()


def _seconds(text: str) -> float:
    try:
        if 0 < (seconds := float(text)) < float("inf"):
            return seconds
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"expected seconds above 0, got {text!r}")


def _collection(text: str) -> str:
    if not semconv.is_name(text):
        raise argparse.ArgumentTypeError(f"expected {semconv.NAME_RULE}, got {text!r}")
    return text
