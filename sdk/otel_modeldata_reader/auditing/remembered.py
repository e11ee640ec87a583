"""What earlier audits left of closed hours: their summaries, which their seals vouch for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from .blob_blocks import BlobRange
    from .hour_summary import Summarized

__all__ = ["Memory", "Remembered"]


class Remembered(NamedTuple):
    """What is remembered of a folder.

    Attributes:
        read: reads the summary; None if it cannot be used.
        further: lines that came later.
    """

    read: Callable[[], Summarized | None]
    further: Sequence[BlobRange]


class Memory(Protocol):
    """Remembers folders."""

    def of_folder(self, name: str, blobs: Sequence[StoredObject]) -> Remembered | None:
        """What is remembered of a folder with these blobs; None if nothing, or if some of its bytes are gone."""
