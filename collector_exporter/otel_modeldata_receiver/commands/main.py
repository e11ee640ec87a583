"""The command line `otel-modeldata`: one sub-command per module, errors in one sentence, exit codes for scripts.

To add a command, write a module with `add_parser(commands)`, which sets the default `run`, and add it to `_COMMANDS`.
"""

from __future__ import annotations

import argparse
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, NoReturn

from ..config.store_url import without_secrets
from ..exceptions import ConfigError, ReceiverError
from . import receive
from .audit import command as audit
from .check import command as check
from .demo import command as demo
from .doctor import command as doctor
from .log_output import end_with
from .relink import command as relink

if TYPE_CHECKING:
    from collections.abc import Sequence


EXIT_OK: Final = 0
EXIT_CONFIG: Final = 2
"""Wrong command line or configuration; argparse uses the same code."""
EXIT_UNUSABLE: Final = 3
"""The store cannot be used, or the address cannot be listened on."""
EXIT_INTERRUPTED: Final = 130
"""Ctrl-C before the receiver runs; shells report SIGINT with this code."""
_COMMANDS: Final = (receive, audit, check, doctor, demo, relink)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        parsed.run(parsed)
    except ReceiverError as error:
        end_with(error)
        return EXIT_CONFIG if isinstance(error, ConfigError) else EXIT_UNUSABLE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return EXIT_OK


class _Parser(argparse.ArgumentParser):
    """Reports wrong arguments without secrets in them; the parsers of commands are of this class too."""

    def error(self, message: str) -> NoReturn:
        """Print usage and `message`, and exit with code 2."""
        super().error(without_secrets(message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="otel-modeldata",
        description="Inference data of models in production, over OpenTelemetry, in Azure ML's file\nformat.",
        epilog="otel-modeldata COMMAND --help explains a command.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('otel-modeldata')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_parser(commands)
    return parser
