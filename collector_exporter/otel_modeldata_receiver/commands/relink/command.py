"""The command `otel-modeldata relink`: rewrites the references of a store that was moved, copied or downloaded.

`run.py` goes through the blobs, `line_references.py` rewrites a line, `blob_file.py` replaces a file.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.printable import printable

from ...config.store_url import is_azure, meant_store, shown_store
from ...exceptions import ConfigError, StoreCheckError
from ..missing_package import missing_package
from ..store_argument import add_store, chosen_store, store_argument

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from ...storage.store import StoredObject
    from .run import Relinked

_DESCRIPTION: Final = """\
Rewrite the references of a store in a folder that was moved, copied or
downloaded. Rows above 4 MiB and binary payloads are files beside the lines,
and a line has the path or URL at which its file was when it was stored:
Azure ML's reader opens nothing else. Audit finds the files without this.

Only the references change. Each blob is replaced as a whole, so an
interrupted run leaves whole blobs, and a second one continues. Stop the
receiver of the store before: it would take replaced blobs for lost ones.
Seals and Parquet files of an hour whose lines change are removed: run seal and
compact again. Hours of which compact has removed lines stay as they are.
"""
_EPILOG: Final = """\
examples:
  otel-modeldata relink "/data/moved store"
      references lead to where the files are now
  otel-modeldata relink ./copy --to \\
      https://account.blob.core.windows.net/modeldata/prod
      and to where they will be after an upload of ./copy to there
  otel-modeldata relink ./modeldata --relative
      references are relative to the folder of the store: Azure ML's reader
      finds the files if its working directory is that folder, wherever it is

environment:
  OTEL_MODELDATA_STORE  the store, without STORE and --store

exit codes:
  0    every reference to a file of the store leads to it
  1    files are missing; the references to them are as they were
  2    wrong command line
  3    the store cannot be read or written
  130  Ctrl-C
"""


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `relink` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    add_store(parser)
    target = parser.add_mutually_exclusive_group()
    target.add_argument(
        "--to",
        metavar="URL",
        type=store_argument,
        help="where the store will be: the URL of a container and prefix, or a folder (default: where it is now)",
    )
    target.add_argument("--relative", action="store_true", help="references relative to the folder of the store")
    parser.add_argument("--dry-run", action="store_true", help="count the references and change nothing")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=relink)


def relink(arguments: argparse.Namespace) -> None:
    """Relink a store and print the result; exit with code 1 when files are missing.

    Raises:
        ReceiverError: a wrong command line, missing dependencies, or a store that cannot be read or written.
    """
    url = chosen_store(arguments)
    if is_azure(meant_store(url)):
        raise ConfigError(
            f"expected a store in a folder, got {shown_store(url)!r}: blobs in Azure are only appended to, and their "
            "references are URLs; download it, relink the folder with --to, and upload that"
        )
    try:
        from . import run as relinking  # noqa: PLC0415 (the command line starts without it)
    except ImportError as error:
        raise missing_package(error, "receiver") from None
    place = _place(url if arguments.to is None else arguments.to, is_relative=arguments.relative)
    listing = _listing(url)
    if not listing:
        raise StoreCheckError(f"expected blobs of a receiver in {shown_store(url)}, got none: correct the store")
    root = Path(meant_store(url)).absolute()
    with nullcontext() if arguments.dry_run else _locked(root):
        result = relinking.relink(root, listing, place, write=not arguments.dry_run)
    _print(result, shown_store(url), as_json=arguments.json, is_dry=arguments.dry_run)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Keep other commands from changing the store."""
    import asyncio  # noqa: PLC0415 (the command line starts without them)

    from ...storage.locking.local_lock import LocalLock  # noqa: PLC0415
    from ...storage.locking.store_lock import LOCK_NAME  # noqa: PLC0415

    lock = LocalLock(root / LOCK_NAME, f"'relink' of process {os.getpid()}")
    try:
        yield
    finally:
        asyncio.run(lock.release())


def _place(url: str, *, is_relative: bool) -> Callable[[str], str]:
    """From the name of an object to the reference."""
    if is_relative:
        return lambda name: name
    if "?" in url and is_azure(meant_store(url)):
        raise ConfigError(f"expected --to without a query, got {shown_store(url)!r} with one: leave it out")
    from ...storage.open_store import open_store  # noqa: PLC0415 (the command line starts without it)

    return open_store(url).url


def _listing(url: str) -> Sequence[StoredObject]:
    import asyncio  # noqa: PLC0415 (the command line starts without them)

    from ...storage.open_store import open_store  # noqa: PLC0415

    async def walk() -> Sequence[StoredObject]:
        store = open_store(url)
        try:
            return await store.walk("")
        finally:
            await store.close()

    return asyncio.run(walk())


def _print(result: Relinked, store: str, *, as_json: bool, is_dry: bool) -> None:
    counts = result.counts
    if as_json:
        facts = {
            "store": store,
            "dry_run": is_dry,
            "blobs": list(result.blobs),
            "left": list(result.left),
            **dataclasses.asdict(counts),
        }
        sys.stdout.write(json.dumps(facts) + "\n")
    else:
        done = "would be rewritten" if is_dry else "rewritten"
        sys.stdout.write(
            f"{store}: {counts.rewritten:,} references in {len(result.blobs):,} blobs {done}, {counts.right:,} were "
            f"right, {counts.foreign:,} lead outside of their folder\n"
        )
        if result.left:
            sys.stdout.write(
                f"{len(result.left):,} blobs are left as they are: other lines of their hours are only in Parquet\n"
            )
            sys.stdout.writelines(f"  {printable(name)}\n" for name in result.left)
    if counts.missing:
        sys.stdout.flush()
        sys.exit(
            f"otel-modeldata: expected a file for each reference, got none for {counts.missing:,} of them: copy the "
            "folders 'files' of the store too"
        )
