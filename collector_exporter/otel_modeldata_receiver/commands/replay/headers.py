"""The headers of a command line: values in files and variables, because every user of a machine can list arguments."""

from __future__ import annotations

import argparse
import os

from ...config.secret_name import is_secret_name
from ...exceptions import ConfigError

__all__ = ["add_headers", "files_of", "headers_of", "secret_names_of"]


def add_headers(parser: argparse.ArgumentParser) -> None:
    """Add the headers that are sent with every request."""
    parser.add_argument(
        "--header",
        metavar="NAME=VALUE",
        type=_plain_header,
        action="append",
        default=[],
        help="a header of every request that is no secret",
    )
    parser.add_argument(
        "--header-env",
        metavar="NAME=VARIABLE",
        type=_pair,
        action="append",
        default=[],
        help="a header whose value is in an environment variable",
    )
    parser.add_argument(
        "--header-file",
        metavar="NAME=FILE",
        type=_pair,
        action="append",
        default=[],
        help="a header whose value is in a file, which is read again when it changes",
    )


def headers_of(arguments: argparse.Namespace) -> dict[str, str]:
    """The headers with their values.

    Raises:
        ConfigError: a variable is missing.
    """
    headers: dict[str, str] = dict(arguments.header)
    for name, variable in arguments.header_env:
        value = os.environ.get(variable)
        if not value:
            raise ConfigError(f"expected the value of {name} in the environment variable {variable}, got none: set it")
        headers[name] = value
    return headers


def secret_names_of(arguments: argparse.Namespace) -> list[str]:
    """The names of the headers whose values are in variables."""
    return [name for name, _ in arguments.header_env]


def files_of(arguments: argparse.Namespace) -> dict[str, str]:
    """The files of the headers whose values are in files."""
    return dict(arguments.header_file)


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name.strip() or not value:
        raise argparse.ArgumentTypeError("expected NAME=..., got another text")
    return name.strip(), value


def _plain_header(text: str) -> tuple[str, str]:
    name, value = _pair(text)
    if is_secret_name(name):
        raise argparse.ArgumentTypeError(
            f"expected no secret in the command line, which every user of this machine can read, got {name}: write "
            f"--header-env {name}=VARIABLE or --header-file {name}=FILE"
        )
    return name, value
