"""The command line `otel-modeldata`: one sub-command per module, errors in one sentence, exit codes for scripts.

To add a command, write a module with `complete(parser)`, which gives its parser texts, arguments and the default
`run`, and add it to `_COMMANDS`. Only the modules of commands that the command line names are imported, so that
`--help` loads nothing of the package but this module.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Container, Sequence


EXIT_OK: Final = 0
EXIT_CONFIG: Final = 2
"""Wrong command line or configuration; argparse uses the same code."""
EXIT_UNUSABLE: Final = 3
"""The store cannot be used, or the address cannot be listened on."""
EXIT_INTERRUPTED: Final = 130
"""Ctrl-C before the receiver runs; shells report SIGINT with this code."""
_COMMANDS: Final = {
    "demo": (".demo.command", "score real rows with a real model and verify them in the store"),
    "receive": (".receive", "receive OTLP logs and store them as lines"),
    "check": (".check.command", "explain what is wrong with configuration files"),
    "doctor": (".doctor.command", "send one event and report each step"),
    "why": (".why.command", "say why there is no data, and what to do"),
    "ls": (".reading.ls", "list the collections of a store"),
    "show": (".reading.show", "show everything about one id"),
    "tail": (".reading.tail", "print the rows of a collection as they are written"),
    "query": (".reading.query", "run SQL over the collections of a store"),
    "export": (".reading.export", "write rows of a store into a file"),
    "report": (".report.command", "report on a deployment: drift, errors, performance"),
    "studio": (".studio.command", "show the data of a store in the browser"),
    "label": (".reading.label", "add the labels of a CSV file to a store"),
    "replay": (".replay.command", "send recorded requests to another endpoint and compare"),
    "audit": (".audit.command", "check that every event of a store is accounted for"),
    "seal": (".maintenance.seal", "say which hours of a store are complete"),
    "compact": (".maintenance.compact", "make Parquet files of hours that have ended"),
    "expire": (".maintenance.expire", "remove what is older than a time"),
    "erase": (".maintenance.erase", "erase rows of a store, with a receipt"),
    "relink": (".relink.command", "rewrite the references of a store that was moved"),
}
"""The module of each command, and its line in the help: first what stores, then what reads, then what looks after."""
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
_TIMES: Final = ("--since", "--until", "--from", "--to", "--baseline")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        return _run(_with_times(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:  # also while a command is imported
        return EXIT_INTERRUPTED


def _run(words: Sequence[str]) -> int:
    _prepare_output()
    try:
        parsed = _parsed(words)
    except OSError as error:  # `--help` and `--version` write, too
        return _unwritten(error)
    # Not before: `--help` and `--version` have ended the process, and load no part of the SDK.
    from ..exceptions import ConfigError, ReceiverError  # noqa: PLC0415
    from .log_output import end_with  # noqa: PLC0415 (likewise)

    try:
        parsed.run(parsed)
        sys.stdout.flush()
    except OSError as error:
        return _unwritten(error)
    except ReceiverError as error:
        end_with(error)
        return EXIT_CONFIG if isinstance(error, ConfigError) else EXIT_UNUSABLE
    return EXIT_OK


def _unwritten(error: OSError) -> int:
    """The exit code if the output cannot be written; another error is raised again."""
    if not isinstance(error, BrokenPipeError) and (error.filename is not None or error.errno not in _NO_ROOM):
        raise error
    _discard_output()
    if isinstance(error, BrokenPipeError):  # what reads the output has enough of it
        return EXIT_OK
    from ..exceptions import ConfigError  # noqa: PLC0415 (only for errors)
    from .log_output import end_with  # noqa: PLC0415 (likewise)

    end_with(ConfigError(f"expected to write the output, got {error.strerror}: write it elsewhere"))
    return EXIT_CONFIG


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    """The arguments of the command; a wrong one is an error of the command, not of `otel-modeldata`."""
    parser = _parser(words)
    named = next((word for word in words if not word.startswith("-")), None)
    if named is not None and named not in _COMMANDS:
        parser.error(f"expected a command, got {named!r}: {_near_command(named)}")
    parsed, unknown = parser.parse_known_args(words)
    if unknown and named is None:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if named is None:
        parser.print_help(sys.stderr)
        parser.exit(EXIT_CONFIG)
    if unknown:
        from difflib import get_close_matches  # noqa: PLC0415 (only for errors)

        command: argparse.ArgumentParser = parsed.parser
        options = command._option_string_actions  # noqa: SLF001 (argparse has them nowhere else)
        near = get_close_matches(unknown[0].partition("=")[0], options, 1, 0.65)
        if len(unknown) == 1 and not unknown[0].startswith("-") and "--store" in options:  # its first argument is none
            near = [f"--store {unknown[0]}"]
        command.error(f"unrecognized arguments: {' '.join(unknown)}" + (f": did you mean {near[0]}?" if near else ""))
    return parsed


def _near_command(word: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 (only for errors)

    near = get_close_matches(word.lower(), _COMMANDS, 1)
    return f"did you mean {near[0]}?" if near else "otel-modeldata --help lists them"


def _prepare_output() -> None:
    """Let a character that the terminal does not have be escaped, and a stream that is closed take everything."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 (until the end)
        elif stream.errors == "strict" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """Let the interpreter, which flushes once more at its end, do so without an error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _with_times(words: Sequence[str]) -> list[str]:
    """`--since -7d` as `--since=-7d`: argparse takes `-7d` for an option."""
    found: list[str] = []
    for word in words:
        if found and found[-1] in _TIMES and word[:1] == "-" and word[1:2].isdigit():
            found[-1] += f"={word}"
        else:
            found.append(word)
    return found


class _Parser(argparse.ArgumentParser):
    """Reports wrong arguments without secrets in them; the parsers of commands are of this class too."""

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End the process; what `--help` or `--version` printed is written before."""
        sys.stdout.flush()
        super().exit(status, message)

    def error(self, message: str) -> NoReturn:
        """Print usage and `message`, and exit with code 2."""
        from ..config.store_url import without_secrets  # noqa: PLC0415 (only for errors)

        super().error(without_secrets(message))


class _Version(argparse.Action):
    """Prints the version, which is read only then: to find it takes longer than all the rest of `--help`."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        """Print the version and exit."""
        from importlib.metadata import version  # noqa: PLC0415 (see above)

        sys.stdout.write(f"{parser.prog} {version('otel-modeldata')}\n")
        parser.exit()


def _parser(words: Container[str] = _COMMANDS) -> argparse.ArgumentParser:
    """The parser of the command line; only commands among `words`, by default all, have their arguments."""
    parser = _Parser(
        prog="otel-modeldata",
        description="Inference data of models in production, over OpenTelemetry, in Azure ML's file\nformat.",
        epilog="otel-modeldata COMMAND --help explains a command.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, (module, about) in _COMMANDS.items():
        command = commands.add_parser(name, help=about, formatter_class=argparse.RawDescriptionHelpFormatter)
        command.set_defaults(parser=command)
        if name in words:
            import_module(module, __package__).complete(command)
    return parser
