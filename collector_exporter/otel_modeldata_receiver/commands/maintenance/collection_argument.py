"""The arguments `[COLLECTION] [STORE]` of commands that work on a collection, or on all of a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from otel_modeldata_reader.printable import printable

from ...exceptions import ConfigError
from ..store_argument import add_datastores, chosen_store, store_argument

if TYPE_CHECKING:
    import argparse

__all__ = ["add_collection_and_store", "chosen_collection"]


def add_collection_and_store(parser: argparse.ArgumentParser, without: str) -> None:
    """Add a collection, a store, `--store` and `--config`; `chosen_collection` reads them.

    Args:
        parser: of the command.
        without: what the command does without a collection, for its help.
    """
    parser.add_argument(
        "collection",
        metavar="COLLECTION",
        type=store_argument,  # it may be a store, see below
        nargs="?",
        help=f"endpoint/deployment/collection, as ls lists it; without it {without}",
    )
    parser.add_argument(
        "store",
        metavar="STORE",
        type=store_argument,
        nargs="?",
        help="a folder, az://container/prefix, or a container's URL (default: OTEL_MODELDATA_STORE, else ./modeldata)",
    )
    parser.add_argument("--store", metavar="URL", type=store_argument, dest="store_flag", help="the same as STORE")
    add_datastores(parser)


def chosen_collection(arguments: argparse.Namespace) -> tuple[str | None, str]:
    """The collection, or None, and the URL of the store.

    A lone argument that can be no collection is the store: a path that begins with `.`, `/` or `~`, or a URL.

    Raises:
        ConfigError: the lone argument is a folder that is no collection of the store, and as for `chosen_store`.
    """
    collection = arguments.collection
    if collection is not None and arguments.store is None and _is_store(collection):
        arguments.store, collection = collection, None
    is_alone = arguments.store is None and getattr(arguments, "store_flag", None) is None
    url = chosen_store(arguments)
    if collection is not None and is_alone and Path(collection).is_dir() and not Path(url, collection).exists():
        raise ConfigError(
            f"expected a collection as ls lists it, got the folder {collection!r}: if it is the store, write "
            f"--store {printable(collection)}"
        )
    return collection, url


def _is_store(text: str) -> bool:
    return text.startswith((".", "/", "~")) or "://" in text
