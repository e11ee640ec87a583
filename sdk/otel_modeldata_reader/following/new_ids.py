"""Leaves out the rows of events that came before, as a retry of a sender or a second receiver writes them."""

from __future__ import annotations

from itertools import islice
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["NewIds"]

_MOST_IDS: Final = 100_000
"""An id repeats, if at all, shortly after its first line."""
_ID: Final = "event_id"


class Unknown(NamedTuple):
    """The rows of new events, and how many events are none."""

    table: pa.Table
    repeated: int


class NewIds:
    """The latest event ids, in bounded memory."""

    def __init__(self) -> None:
        self._known: dict[str, None] = {}

    def take(self, table: pa.Table) -> Unknown:
        """The rows whose event is not known; all of them are known from now on. Rows without an id stay."""
        ids = [one for one in pc.unique(table[_ID]).to_pylist() if one is not None]
        repeated = [one for one in ids if one in self._known]
        self._known |= dict.fromkeys(ids)
        for one in list(islice(self._known, max(0, len(self._known) - _MOST_IDS))):
            del self._known[one]
        if repeated:
            table = table.filter(pc.invert(pc.is_in(table[_ID], value_set=pa.array(repeated, pa.string()))))
        return Unknown(table, len(repeated))
