"""The command `otel-modeldata studio`: a web page for the data of a store."""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from otel_modeldata_reader.printable import printable

from ...config.store_url import shown_store
from ...exceptions import ConfigError
from ..browser import open_browser
from ..missing_package import missing_package
from ..reader_session import opened_reader
from ..store_argument import STORE_VARIABLES, add_datastores, add_store, chosen_store, path_argument
from .listening import DEFAULT, Address, address_argument, bound, token_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_modeldata_reader import Store
    from otel_modeldata_studio.studio import Studio

_EXTRA: Final = "studio"
_MINUTE_NS: Final = 60 * 1_000_000_000
_DESCRIPTION: Final = """\
Show the data of a store in the browser: which collections need eyes, rows over
time with a histogram of each column, one request with everything about it, a
feature against its baseline, the performance of predictions, and what is wrong
with the data. The page only reads, and needs no network.

Only this machine can connect. With --listen on another address every request
needs a token: the printed address has it.
"""
_EPILOG: Final = f"""\
examples:
  otel-modeldata studio
      the store in OTEL_MODELDATA_STORE, else ./modeldata
  otel-modeldata studio az://modeldata/prod --baseline -14d..-7d
      a container, compared with the week before the last one
  otel-modeldata studio --trace-url 'https://jaeger.example/trace/{{trace_id}}'
      with a link from each request to its trace
  otel-modeldata studio --listen 0.0.0.0:4390 --token-file studio-token
      for others, who open http://HOST:4390/?token=TOKEN; put a proxy with TLS
      in front of it
  ssh -N -L 4390:127.0.0.1:4390 HOST
      on your machine, for a Studio that runs on HOST

environment:
{STORE_VARIABLES}

exit codes:
  0    ended by Ctrl-C or SIGTERM
  2    wrong command line, such as a baseline that cannot be read, or the extra
       studio is not installed, or Python is older than 3.11
  3    the store cannot be read, or the address cannot be listened on
  130  Ctrl-C before it listens
"""


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `studio` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    add_store(parser)
    add_datastores(parser)
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        type=address_argument,
        default=DEFAULT,
        help=f"where to listen (default: {DEFAULT.host}:{DEFAULT.port}, or a free port if that is taken)",
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address, and open no browser")
    parser.add_argument(
        "--baseline", metavar="WHAT", help="a Parquet or CSV file, or a window such as -14d..-7d, to compare with"
    )
    parser.add_argument(
        "--trace-url", metavar="URL", type=_template, help="of a trace in your tracing backend, with {trace_id} in it"
    )
    parser.add_argument(
        "--token-file", metavar="FILE", type=path_argument, help="the token that every request needs, in one line"
    )
    parser.add_argument(
        "--cache",
        metavar="DIR",
        type=path_argument,
        help="put what is decoded of lines here, in a folder that is removed at the end (default: among the "
        "temporary files of the system)",
    )
    parser.add_argument("--json", action="store_true", help="print the address as JSON")
    parser.set_defaults(run=studio)


def studio(arguments: argparse.Namespace) -> None:
    """Serve the page until Ctrl-C or SIGTERM.

    Raises:
        ReceiverError: a wrong command line, missing dependencies, a store that cannot be read, or an address that
            cannot be listened on.
    """
    address: Address = arguments.listen
    token = token_of(address, arguments.token_file)
    url = chosen_store(arguments)
    with opened_reader(url, arguments.config, extra=_EXTRA) as store, _opened(store, arguments) as shown:
        from otel_modeldata_studio.web.app import studio_app  # noqa: PLC0415 (the command line starts without it)
        from otel_modeldata_studio.web.server import serve  # noqa: PLC0415 (likewise)
        from otel_modeldata_studio.web.settings import WebSettings  # noqa: PLC0415 (likewise)

        from .line_limit import start_limited_log  # noqa: PLC0415 (likewise)

        list(store.objects.folders_of([""]))  # a store that cannot be read is an error now, not on the page
        app = studio_app(shown, WebSettings(token=token))
        listening = bound(address)
        with closing(listening):
            _tell(arguments, url, _address_of(address, listening.getsockname()[1]), token)
            start_limited_log()
            serve(app, listening)


@contextmanager
def _opened(store: Store, arguments: argparse.Namespace) -> Iterator[Studio]:
    """The parts of Studio.

    Raises:
        ConfigError: the extra is not installed, or the page's files are missing.
        ReaderError: DuckDB is too old, there is no such baseline, or no folder for temporary files.
    """
    try:
        import starlette  # noqa: F401, PLC0415 (looked for)
        import uvicorn  # noqa: F401, PLC0415 (likewise)

        from otel_modeldata_reader.sql.database import check_duckdb  # noqa: PLC0415 (the command line starts without it)
        from otel_modeldata_studio.studio import Studio  # noqa: PLC0415 (the command line starts without it)
        from otel_modeldata_studio.vendoring import COMMAND, missing_files  # noqa: PLC0415 (likewise)
    except ImportError as error:
        raise missing_package(error, _EXTRA) from None
    missing = missing_files()
    if missing:
        raise ConfigError(f"expected the files of Studio's page, got no {missing[0]}: run {COMMAND}")
    check_duckdb()
    _check_baseline(arguments.baseline)
    with closing(
        Studio(store, baseline=arguments.baseline, trace_url=arguments.trace_url, cache=arguments.cache)
    ) as opened:
        yield opened


def _check_baseline(given: str | None) -> None:
    """Raise what the first question would: a baseline that is none, or a file that cannot be read."""
    if given is not None:
        from otel_modeldata_reader.reporting.profiles.baselines import (  # noqa: PLC0415 (imports pyarrow)
            FileBaseline,
            baseline_of,
        )
        from otel_modeldata_reader.window import window_of  # noqa: PLC0415

        baseline = baseline_of(given)
        if isinstance(baseline, FileBaseline):
            baseline.unknown_columns(set())
        elif window_of(baseline.since, baseline.until).bounds[1] > time.time_ns() - _MINUTE_NS:
            raise ConfigError(
                f"expected a baseline that ends before now, got {given!r}: what is compared comes after it, as with "
                "-14d..-7d"
            )


def _address_of(address: Address, port: int) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"http://{host}:{port}/"


def _tell(arguments: argparse.Namespace, url: str, place: str, token: str | None) -> None:
    """Print where the page is, and open a browser there."""
    # A token from a file is a secret that is kept there; a new one is known from here only.
    secret = f"?token={quote(token)}" if token is not None and arguments.token_file is None else ""
    if arguments.json:
        facts = {"store": shown_store(url), "url": place + secret, "token": token is not None}
        sys.stdout.write(json.dumps(facts) + "\n")
    else:
        hint = "" if token is None or secret else "?token= and the token of --token-file"
        sys.stdout.write(printable(f"Studio of {shown_store(url)}: {place}{secret}{hint}") + "\nCtrl-C ends it.\n")
    sys.stdout.flush()
    # Not with a token, which is a secret.
    if not arguments.no_browser and token is None and sys.stdout.isatty():
        open_browser(place, _tell_no_browser)


def _tell_no_browser(reason: str) -> None:
    sys.stderr.write(f"otel-modeldata: no browser opened ({printable(reason)}): open the address yourself\n")


def _template(text: str) -> str:
    """`text`, if it is the URL of a page with a place for the trace id.

    Raises:
        argparse.ArgumentTypeError: it is not: a link to `javascript:` would run in the page.
    """
    parts = urlsplit(text.replace("{trace_id}", "0" * 32).replace("{span_id}", "0" * 16))
    if parts.scheme not in {"http", "https"} or not parts.netloc or "{trace_id}" not in text:
        raise argparse.ArgumentTypeError(
            f"expected an http(s) URL with {{trace_id}}, got {text!r}: write https://jaeger.example/trace/{{trace_id}}"
        )
    return text
