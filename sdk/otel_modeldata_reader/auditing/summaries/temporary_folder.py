"""The folder for what an audit writes until it ends: the summaries of parts, and the hashes of ids in runs."""

from __future__ import annotations

from contextlib import contextmanager
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING

from ...exceptions import ReaderError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["room_needed", "temporary_folder"]


def temporary_folder() -> TemporaryDirectory[str]:
    """A new folder, which is removed at the end.

    Raises:
        ReaderError: no folder can be written.
    """
    try:
        return TemporaryDirectory(prefix="otel-modeldata-audit-")
    except OSError as error:
        raise ReaderError(
            f"expected a temporary folder that can be written, got {_reason(error)!r}: set TMPDIR to one"
        ) from None


@contextmanager
def room_needed() -> Iterator[None]:
    """Say it in a sentence if something cannot be written there.

    Raises:
        ReaderError: the disk is full, for example.
    """
    try:
        yield
    except OSError as error:
        raise ReaderError(
            f"expected room in the temporary folder {gettempdir()}, got {_reason(error)!r}: an audit needs about 12 "
            "bytes there for each line; set TMPDIR to a folder on a larger disk"
        ) from None


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
