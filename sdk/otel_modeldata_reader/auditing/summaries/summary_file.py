"""Summaries that wait in a temporary file: an audit has one for each part of a store."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from .hour_summary import HourSummary
from .temporary_folder import room_needed

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SummaryFile"]

_decode: Final = msgspec.msgpack.Decoder(HourSummary).decode
_encode: Final = msgspec.msgpack.Encoder().encode


class SummaryFile:
    """Keeps the summaries of parts by their numbers; the last one of a part counts.

    Args:
        path: of the file, which is made here.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b")
        self._places: dict[int, tuple[int, int]] = {}

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):  # what a full disk did not take
            self._file.close()

    def put(self, part: int, summary: HourSummary) -> None:
        """Keep the summary of a part."""
        content = _encode(summary)
        with room_needed():
            start = self._file.seek(0, 2)
            self._file.write(content)
            self._file.flush()
        self._places[part] = (start, len(content))

    def get(self, part: int) -> HourSummary:
        """The summary of a part."""
        start, size = self._places[part]
        self._file.seek(start)
        return _decode(self._file.read(size))
