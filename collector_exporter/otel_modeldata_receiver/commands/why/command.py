"""The command `otel-modeldata why`: where data stopped on its way into a store, and what to run next.

The reader finds what the store and the sender's settings say (`otel_modeldata_reader.diagnosis`). The modules here add
the receiver's configuration, the receiver and the gateway.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any, Final

from otel_modeldata_reader.printable import printable

from ...exceptions import ConfigError
from ..missing_package import missing_package
from ..store_argument import add_datastores, add_store, chosen_store, endpoint_argument
from ..terminal import WIDTH, writer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from otel_modeldata_reader import Diagnosis, Finding

    from ...config.receiver import ReceiverConfig

_DESCRIPTION: Final = """\
Say why a store has no data of a collection, of a deployment, or at all: where
on their way records stop, the most likely cause first, with the commands to run
next. Nothing is written, and no event is sent.

It looks at the store: names, times, quarantine, parked and vanished lines, and
gaps in the numbers of the events. With --environment also at the settings of a
sender and at its connection, with --config at the receiver's configuration, and
with --receiver and --gateway at those processes. What it cannot see is "not
checked".
"""
_EPILOG: Final = """\
examples:
  otel-modeldata why shop/blue/model_inputs
      no data of the last hour in ./modeldata: why?
  otel-modeldata why shop/blue az://modeldata/prod --since -1d
  otel-modeldata why shop/blue/model_inputs --environment
      where the model runs, with its environment: is it collected, under which
      name, and does the endpoint take it?
  otel-modeldata why shop/blue --config receiver.yaml \\
      --gateway http://127.0.0.1:8888/metrics
      on the machine of the receiver

environment:
  OTEL_MODELDATA_STORE             the store, without STORE and --store
  AZURE_STORAGE_CONNECTION_STRING  account of an az:// store
  AZURE_STORAGE_ACCOUNT_URL        URL of that account, without a secret; it is
                                   opened with the identity of the machine
  OTEL_EXPORTER_OTLP_*, OTEL_MODELDATA_*
      with --environment, as a Collector reads them

exit codes:
  0    there is data of the window, and no step stops it
  1    a step stops it, or there is none; also if the store cannot be read
  2    wrong command line
  130  Ctrl-C
"""
_STYLES: Final = {
    "stopped": "bold red",
    "suspect": "yellow",
    "missing": "yellow",
    "not checked": "dim",
    "ok": "green",
}
_STORE_VARIABLE: Final = "OTEL_MODELDATA_STORE"
_INDENT: Final = " " * 13


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `why` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument(
        "name",
        metavar="COLLECTION",
        nargs="?",
        default="",
        help="endpoint/deployment/collection, or endpoint/deployment (default: the whole store)",
    )
    add_store(parser)
    add_datastores(parser)
    parser.add_argument(
        "--since", metavar="TIME", default="-1h", help="what is missed is from this time on (default: -1h)"
    )
    parser.add_argument("--until", metavar="TIME", help="and before this time")
    parser.add_argument("--environment", action="store_true", help="check the sender's settings in this shell, too")
    parser.add_argument(
        "--receiver",
        metavar="URL",
        type=endpoint_argument,
        help="admin port of the receiver, such as http://127.0.0.1:9464 (default: that of --config)",
    )
    parser.add_argument(
        "--gateway",
        metavar="URL",
        type=endpoint_argument,
        help="metrics of the gateway, such as http://127.0.0.1:8888/metrics",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=why)


def why(arguments: argparse.Namespace) -> None:
    """Print where data stopped; exit with code 1 when something stops it, or there is none.

    Raises:
        ConfigError: a wrong command line, or missing dependencies.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # failures are reported here, in sentences
    if _is_store(arguments.name) and arguments.store is None:
        arguments.name, arguments.store = "", arguments.name
    for url in (arguments.receiver, arguments.gateway):
        if url is not None and not url.startswith(("http://", "https://")):
            raise ConfigError(f"expected a URL like http://127.0.0.1:9464, got {url!r}: write http:// before it")
    try:
        from otel_modeldata_reader import ReaderError  # noqa: PLC0415 (the command line starts without it)

        diagnosis = _found(arguments, ReaderError)
    except ImportError as error:
        raise missing_package(error, "receiver") from None
    sys.stdout.write(json.dumps(_facts(diagnosis)) + "\n") if arguments.json else _show(diagnosis)
    if diagnosis.is_stopped:
        sys.stdout.flush()
        sys.exit(1)


def _is_store(name: str) -> bool:
    """Whether the only argument is a store rather than a name in one."""
    return "://" in name or name.startswith((".", "/", "~"))


def _found(arguments: argparse.Namespace, wrong: type[ValueError]) -> Diagnosis:
    try:
        return _diagnosis(arguments)
    except wrong as error:  # of the window: whatever else is wrong is a finding
        raise ConfigError(str(error)) from None


def _diagnosis(arguments: argparse.Namespace) -> Diagnosis:
    import otel_modeldata_reader as reader  # noqa: PLC0415 (the command line starts without it)
    from otel_modeldata_reader.diagnosis.why import scope_of  # noqa: PLC0415 (likewise)

    config = _receiver_config(arguments)
    is_chosen = arguments.store or arguments.store_flag or os.environ.get(_STORE_VARIABLE)
    url = chosen_store(arguments) if is_chosen or config is None else config.store
    found = reader.why(
        url,
        arguments.name,
        arguments.since,
        arguments.until,
        environ=os.environ if arguments.environment else None,
        access=None if is_chosen or config is None else config.store_access,
        config=arguments.config,
    )
    scope = scope_of(url, arguments.name, arguments.since, arguments.until)
    return found.with_findings(_around(arguments, found, scope, config))


def _receiver_config(arguments: argparse.Namespace) -> ReceiverConfig | None:
    """The configuration that `--config` names; None without one, and if it is wrong, which is a finding."""
    if arguments.config is None:
        return None
    try:
        from ...config.receiver import load  # noqa: PLC0415 (the command line starts without it)

        return load(arguments.config, {})
    except ConfigError:
        return None


def _around(
    arguments: argparse.Namespace, found: Diagnosis, scope: Any, config: ReceiverConfig | None
) -> Iterator[Finding]:
    """What the parts in front of the store say."""
    from . import configuration, gateway, receiver  # noqa: PLC0415 (the command line starts without them)

    if arguments.environment:
        yield from _network(scope.url)
    else:
        yield _not_checked("environment", "--environment checks the settings of a sender, where the model runs")
    if arguments.gateway is not None:
        yield from gateway.about_gateway(arguments.gateway, has_data=bool(found.has_data))
    if arguments.config is not None:
        yield from configuration.about_configuration(arguments.config, scope)
    url = arguments.receiver or (None if config is None else configuration.admin_url(config))
    if url is not None:
        file = None if arguments.config is None else str(arguments.config)
        yield from receiver.about_receiver(url, file, scope, found)
    elif config is not None:
        yield from configuration.about_listener(config)
    else:
        yield _not_checked("receiver", "--config FILE or --receiver URL shows whether it is ready, and its metrics")


def _network(store: str) -> Iterator[Finding]:
    from otel_modeldata.environment import read_environment  # noqa: PLC0415 (the command line starts without it)

    from . import network  # noqa: PLC0415 (imports grpc)

    endpoint = read_environment().endpoint
    if endpoint is not None:
        yield from network.about_network(endpoint)
    yield from network.about_clock(store)


def _not_checked(step: Any, sentence: str) -> Finding:
    from otel_modeldata_reader import Finding  # noqa: PLC0415 (the command line starts without it)

    return Finding(cause=f"{step}_not_checked", step=step, outcome="not checked", sentence=sentence)


def _show(diagnosis: Diagnosis) -> None:
    say = writer()
    for line in _wrapped(diagnosis.headline, ""):
        say(line, "bold")
    for one in diagnosis.findings:
        first, *rest = _wrapped(f"{one.step}: {one.sentence}", _INDENT)
        say(f"{one.outcome:<13}", _STYLES[one.outcome], end="")
        say(first.removeprefix(_INDENT))
        for line in rest:
            say(line)
        for command in one.run:
            say(f"{_INDENT}$ {printable(command)}", "cyan")


def _wrapped(sentence: str, indent: str) -> list[str]:
    """A sentence as wide as the terminal, 80 columns in a pipe; long paths stay whole."""
    width = max(40, shutil.get_terminal_size().columns) if sys.stdout.isatty() else WIDTH
    return textwrap.wrap(
        printable(sentence[:1].upper() + sentence[1:]) if not indent else printable(sentence),
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _facts(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "name": diagnosis.name,
        "store": diagnosis.store,
        "since": None if diagnosis.since is None else diagnosis.since.isoformat(),
        "until": None if diagnosis.until is None else diagnosis.until.isoformat(),
        "has_data": diagnosis.has_data,
        "is_stopped": diagnosis.is_stopped,
        "headline": diagnosis.headline,
        "findings": [
            {
                "cause": one.cause,
                "step": one.step,
                "outcome": one.outcome,
                "sentence": one.sentence,
                "run": list(one.run),
            }
            for one in diagnosis.findings
        ],
    }
