"""Reads what a look at the last day needs, a folder at a time, if it is not too much for work in the background."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.blobs.listing import date_of
from otel_modeldata_reader.collection_names import is_tabular

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel_modeldata_reader.blobs.listing import CollectionBlobs
    from otel_modeldata_reader.window import Window

    from ..tables.tables import Tables
    from .compared_windows import ComparedWindows

__all__ = ["DayReading"]

_MOST_LINES: Final = 256 << 20
"""Bytes of lines that are decoded for one deployment."""
_MOST_LINES_OF_ALL: Final = 1 << 30
"""Bytes of lines that are decoded for all of them: their rows are kept in the temporary folder."""
_MOST_FILES: Final = 2 << 30
"""Bytes of Parquet files that are checked for one deployment."""
_MOST_COPIED: Final = 256 << 20
"""Bytes of Parquet files that are copied from a distant store for one deployment."""


class DayReading:
    """See above.

    Args:
        tables: have the rows.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._decoded: dict[str, int] = {}

    def read(
        self,
        deployment: str,
        found: Mapping[str, CollectionBlobs],
        windows: ComparedWindows,
        pause: Callable[[float], None],
    ) -> str:
        """Read what is pending of both windows.

        Args:
            deployment: `endpoint/deployment`.
            found: its collections.
            windows: what is compared.
            pause: called after each folder with how long it took, in seconds.

        Returns:
            Why it is not read, in one sentence; empty if it was read.

        Raises:
            InterruptedRequest: it is not wanted any more.
            ReaderError: the store cannot be read.
        """
        every = [windows.day] if windows.before is None else [windows.day, windows.before]
        roots = [root for root in found if is_tabular(root)]
        pending = [(root, one) for root in roots for one in every if self._tables.read(root, one, lambda: False)]
        if not pending:
            return ""
        lines = sum(_lines(found[root], window) for root, window in pending)
        files = sum(_files(found[root], window) for root, window in pending)
        others = sum(size for name, size in self._decoded.items() if name != deployment)
        most = _MOST_FILES if self._tables.is_local else _MOST_COPIED
        if lines > _MOST_LINES or lines + others > _MOST_LINES_OF_ALL or files > most:
            size = f"{(lines + files) / 1e6:,.0f} MB"
            how = "compact them" if lines > files else "choose a smaller baseline"
            return f"not compared: the last day and the baseline have {size}, which is much to read for a look: {how}"
        self._decoded[deployment] = max(lines, self._decoded.get(deployment, 0))
        for root, window in pending:
            self._read(root, window, pause)
        return ""

    def _read(self, root: str, window: Window, pause: Callable[[float], None]) -> None:
        waiting: int | None = None
        while True:
            started = time.monotonic()
            firsts = iter([True])
            left = self._tables.read(root, window, lambda ones=firsts: next(ones, False))  # type: ignore[misc]
            pause(time.monotonic() - started)
            if not left or (waiting is not None and left >= waiting):  # what comes meanwhile is for the next look
                return
            waiting = left


def _lines(found: CollectionBlobs, window: Window) -> int:
    """The bytes of lines of the folders that are not compact."""
    return sum(blob.size for blob in found.within(window) if date_of(blob.name) not in found.compacted)


def _files(found: CollectionBlobs, window: Window) -> int:
    """The bytes of Parquet files."""
    every = (found.compacted.get(date, {}) for date in found.dates(window))
    return sum(size for files in every for name, size in files.items() if name.endswith(".parquet"))
