"""The types of command-line arguments that name a store, an endpoint or a path; none may hold a secret."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

from otel_modeldata.validation.path_text import read_path

from ..config.store_url import has_secret, meant_store, shown_store
from ..exceptions import ConfigError

__all__ = [
    "DEFAULT_STORE",
    "STORE_VARIABLE",
    "STORE_VARIABLES",
    "add_datastores",
    "add_store",
    "add_store_flag",
    "chosen_store",
    "endpoint_argument",
    "path_argument",
    "store_argument",
    "with_origin",
]

STORE_VARIABLE: Final = "OTEL_MODELDATA_STORE"
DEFAULT_STORE: Final = "./modeldata"
STORE_VARIABLES: Final = """\
  OTEL_MODELDATA_STORE             the store, without --store
  AZURE_STORAGE_CONNECTION_STRING  account of an az:// store
  AZURE_STORAGE_ACCOUNT_URL        URL of that account, without a secret; it is
                                   opened with the identity of the machine"""
"""What the help of each command that has `--store` says of them."""


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add the store that a command works on: its first argument, or `--store`; `chosen_store` reads it."""
    parser.add_argument(
        "store",
        metavar="STORE",
        type=store_argument,
        nargs="?",
        help="a folder, az://container/prefix, or the URL of a container "
        f"(default: {STORE_VARIABLE}, else {DEFAULT_STORE})",
    )
    parser.add_argument("--store", metavar="URL", type=store_argument, dest="store_flag", help="the same as STORE")


def add_store_flag(parser: argparse.ArgumentParser) -> None:
    """Add the store of a command whose first argument is another: only `--store`; `chosen_store` reads it."""
    parser.add_argument(
        "--store",
        metavar="URL",
        type=store_argument,
        dest="store_flag",
        help=f"a folder, az://container/prefix, or a container's URL (default: {STORE_VARIABLE}, else {DEFAULT_STORE})",
    )
    parser.set_defaults(store=None)


def add_datastores(parser: argparse.ArgumentParser) -> None:
    """Add `--config`, with which the store may be `azureml://datastores/NAME/paths/PATH`."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=path_argument,
        help="the receiver's configuration, which knows the datastores of a store azureml://datastores/NAME/paths/PATH",
    )


def chosen_store(arguments: argparse.Namespace) -> str:
    """The store of `add_store`: an argument, else that of the environment, else `./modeldata`.

    Raises:
        ConfigError: two different ones are given, or that of the environment is none.
    """
    given: list[str] = [text for text in (arguments.store, arguments.store_flag) if text is not None]
    if len(set(given)) > 1:
        first, second = given
        raise ConfigError(
            f"expected one store, got {shown_store(first)!r} and --store {shown_store(second)!r}: leave one out"
        )
    if given:
        return given[0]
    url = os.environ.get(STORE_VARIABLE) or DEFAULT_STORE
    try:
        meant_store(url)
    except ConfigError as error:
        raise ConfigError(f"{STORE_VARIABLE}: {error}") from None
    return url


def with_origin(url: str, sentence: str) -> str:
    """A sentence about a store that cannot be used, with the variable where its URL is from, or could be."""
    if url == os.environ.get(STORE_VARIABLE):
        return f"{STORE_VARIABLE}: {sentence}"
    return f"{sentence}, or name another store with --store or {STORE_VARIABLE}" if url == DEFAULT_STORE else sentence


def store_argument(text: str) -> str:
    """`text`, unless it has a signature or a key in it: every user of a machine can list its command lines.

    Raises:
        argparse.ArgumentTypeError: it has one; the message says where to put it.
    """
    if has_secret(text):
        raise argparse.ArgumentTypeError(
            "expected a store without a signature, key or password, got one in the command line, which every user of "
            "this machine can read: put the signature into AZURE_STORAGE_SAS_TOKEN, the account's URL into "
            "AZURE_STORAGE_ACCOUNT_URL, and write az://container/prefix"
        )
    return text


def endpoint_argument(text: str) -> str:
    """`text`, unless it has a password or a token in it; see `store_argument`.

    Raises:
        argparse.ArgumentTypeError: it has one; the message says where to put it.
    """
    if has_secret(text) or "@" in text or "?" in text:
        raise argparse.ArgumentTypeError(
            "expected an endpoint like http://localhost:4317, got one with '@' or '?': put credentials into "
            "OTEL_EXPORTER_OTLP_HEADERS, because every user of this machine can read command lines"
        )
    return text


def path_argument(text: str) -> Path:
    """The path in `text`; a shell does not expand `~` in `--config=~/x`.

    Raises:
        argparse.ArgumentTypeError: it is no path as it is.
    """
    path, wrong = read_path(text)
    if wrong:
        raise argparse.ArgumentTypeError(f"expected a path, got {text!r}, {wrong}")
    return Path(path)
