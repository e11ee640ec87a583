"""The file of `--receipt`: the only place that has the key of what was asked for, when an erasure is complete."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

from ...exceptions import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from otel_modeldata_reader.erasing import Receipt

__all__ = ["ReceiptFile", "check_receipt_file"]


def check_receipt_file(path: Path | None) -> None:
    """Raise ConfigError if the receipt cannot be written: that must be known before anything is erased."""
    if path is None:
        return
    if path.exists():
        raise ConfigError(f"expected a new file for the receipt, got {str(path)!r}, which exists: name another one")
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"expected a folder for the receipt, got {str(path.parent)!r}: create it")


class ReceiptFile:
    """Writes receipts into new files that only their owner can read: they have what was asked for.

    Args:
        path: of the first receipt; further ones, after `--resume`, get a number. None writes none.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._written = 0

    def write(self, receipt: Receipt) -> None:
        """Write a receipt as a whole: a process that is killed leaves no part of it under its name.

        Raises:
            ConfigError: it cannot be written.
        """
        if self._path is None:
            return
        self._written += 1
        path = self._path
        if self._written > 1:
            path = path.with_name(f"{path.stem}-{self._written}{path.suffix}")
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with contextlib.ExitStack() as stack:
                stack.callback(part.unlink, missing_ok=True)
                descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    json.dump(receipt.facts(), file, indent=1)
                    file.write("\n")
                    file.flush()
                    os.fsync(file.fileno())
                _rename_to_new(part, path)
        except OSError as error:
            raise ConfigError(
                f"expected to write the receipt to {str(path)!r}, got {error.strerror}: the rows are gone, and the "
                f"tombstone is {receipt.tombstone or 'none'}; run the same command again with another file"
            ) from None


def _rename_to_new(part: Path, path: Path) -> None:
    """Rename a file to a name that no file has: a link fails if the name is taken, where the file system has links."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        part.replace(path)
