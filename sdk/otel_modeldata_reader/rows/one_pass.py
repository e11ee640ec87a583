"""One pass over the blobs of a reading: every part of its rows, with what the pass learns and counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..lines.event_stream import event_batches
from ..lines.payloads import Payloads
from .inferred import Inference
from .row_tables import RowTables
from .typed import TypedRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess
    from ..lines.tally import Tally
    from ..window import Window
    from .column_types import ColumnTypes
    from .row_tables import Part

__all__ = ["OnePass"]


@dataclass(slots=True, kw_only=True)
class OnePass:
    """Reads the rows of a collection once.

    Attributes:
        store: has the blobs.
        collection: the blobs.
        window: only events of this window.
        envelope: whether parts have the envelope's columns.
        tally: the counts.
        known: the types of the columns, if an earlier pass has learned them.
        progress: called with the number of bytes of each piece that is read.
    """

    store: StoreAccess
    collection: CollectionBlobs
    window: Window
    envelope: bool
    tally: Tally
    known: ColumnTypes | None = None
    progress: Callable[[int], object] = field(default=lambda _: None)
    _inference: Inference = field(init=False)

    def __post_init__(self) -> None:
        self._inference = Inference(self.tally, self.known)

    @property
    def columns(self) -> ColumnTypes:
        """What is known about the types of columns."""
        return self._inference.columns

    @property
    def blobs(self) -> list[StoredObject]:
        """The blobs that are read."""
        return self.collection.within(self.window)

    def parts(self) -> Iterator[Part]:
        """The rows, in the order of their lines.

        Raises:
            StoreUnavailableError: a blob cannot be read.
            DamagedLineError: the tally is strict, and something is skipped.
        """
        tables = RowTables(
            payloads=Payloads(self.store, self.collection.objects),
            typed=TypedRows(self.tally, self._inference),
            inference=self._inference,
            tally=self.tally,
            names=self.collection.names,
            envelope=self.envelope,
        )
        for events in event_batches(self.store, self.blobs, self.window, self.tally, self.progress):
            yield from tables.parts(events)
