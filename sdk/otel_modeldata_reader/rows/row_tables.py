"""From events to tables: rows with the envelope's columns, each table with the types that its own rows have.

Events of one kind are parsed together: rows with types (`datatypes`), rows without, and payloads that are no rows, of
which each is one row with its JSON text or its bytes. Lines keep their order, unless kinds alternate in many runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from ..lines.envelope import is_utf8
from ..lines.erased_rows import without_rows
from ..lines.payloads import is_binary
from ..types.plain_arrays import texts_array
from .envelope_columns import ENVELOPE, envelope_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import msgspec

    from ..lines.envelope import Envelope
    from ..lines.event_stream import Events
    from ..lines.payloads import Payloads
    from ..lines.tally import Tally
    from .inferred import Inference, InferredRows
    from .typed import TypedRows

__all__ = ["PAYLOAD_TYPES", "Part", "RowTables", "is_tabular", "is_too_wide", "runs_of"]

_MOST_RUNS: Final = 8
_MOST_BYTES: Final = 32 << 20
"""Payloads that are objects of their own are larger than their lines."""
_MOST_WIDTH: Final = 1024
"""The receiver takes ids of 256 characters."""
_MOST_ENVELOPE_BYTES: Final = 4 << 20
PAYLOAD_TYPES: Final = frozenset({"azureml.inference.request", "azureml.inference.response"})
_layout: Final = attrgetter("type", "datatypes", "dataref", "datainblob", "erasedrows")
_data: Final = attrgetter("data")
_REQUEST_KEYS: Final = ("path", "method", "statuscode", "latencyms")


class Part(NamedTuple):
    """Some rows.

    Attributes:
        envelope: the envelope's columns; empty if they are not wanted.
        own: the columns of the rows.
    """

    envelope: Mapping[str, Any]
    own: pa.Table

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return int(self.own.nbytes + sum(column.nbytes for column in self.envelope.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class RowTables:
    """Makes tables of events.

    Attributes:
        payloads: reads what is not in the lines.
        typed: reads rows that have types.
        inference: reads rows that have none.
        tally: counts what is skipped.
        names: endpoint, deployment and collection, where the folder names them.
        envelope: whether rows have the envelope's columns.
    """

    payloads: Payloads
    typed: TypedRows
    inference: Inference
    tally: Tally
    names: tuple[str, str, str] | None
    envelope: bool

    def parts(self, events: Events) -> Iterator[Part]:
        """The rows of some events."""
        layouts = set(map(_layout, events.envelopes))
        if len(layouts) == 1 and (flat := self._flat_lines(events, *layouts.pop())) is not None:
            yield flat
            return
        for some, contents in self._contents(events):
            keys = [_key(one, content) for one, content in zip(some.envelopes, contents, strict=True)]
            for key, indices in runs_of(keys):
                chosen = some if len(indices) == len(keys) else some.chosen(indices)
                own = contents if len(indices) == len(keys) else [contents[index] for index in indices]
                yield from self._parts(chosen, own, key)

    def _flat_lines(
        self, events: Events, event_type: str | None, types: str | None, *elsewhere_or_erased: str | None
    ) -> Part | None:
        """The rows of events that differ only in their values; None if they must be looked at one by one."""
        if any(one is not None for one in elsewhere_or_erased) or event_type in PAYLOAD_TYPES:
            return None
        rows = self._flat(events, list(map(_data, events.envelopes)), types or "")
        return None if rows is None else self._complete(rows.events, rows.counts, rows.table)

    def _flat(self, events: Events, contents: Sequence[bytes | msgspec.Raw], key: str) -> InferredRows | None:
        return self.typed.flat(events, contents, key) if key else self.inference.flat(events, contents)

    def _parts(self, events: Events, contents: Sequence[bytes], key: str | None) -> Iterator[Part]:
        if key is None:
            yield self._complete(events, [1] * len(contents), _payload_table(events, contents))
        elif key:
            for rows in self.typed.rows(events, contents, key):
                yield self._complete(rows.events, rows.counts, rows.table)
        else:
            for rows in self.inference.rows(events, contents):
                yield self._complete(rows.events, rows.counts, rows.table)

    def _contents(self, events: Events) -> Iterator[tuple[Events, list[bytes]]]:
        """The payload of each event, without those whose payload is missing; as many as memory should hold at once."""
        contents: list[bytes] = []
        kept: list[int] = []
        size = 0
        for index, one in enumerate(events.envelopes):
            if (one.dataref is None and one.datainblob is None) or not self.payloads.is_elsewhere(one):
                content = bytes(one.data)
            else:
                found = self._object(events, index)
                if found is None:
                    continue
                content = found
            if one.erasedrows is not None:
                content = without_rows(content, one.erasedrows)
            contents.append(content)
            kept.append(index)
            size += len(content)
            if size >= _MOST_BYTES:
                yield events.chosen(kept), contents
                contents, kept, size = [], [], 0
        if kept:
            yield (events if len(kept) == len(events.envelopes) else events.chosen(kept)), contents

    def _object(self, events: Events, index: int) -> bytes | None:
        """The payload of an event that is an object of its own; None if it is missing, which is counted."""
        one = events.envelopes[index]
        found = self.payloads.read(one, events.blobs[index])
        if found is not None and (is_binary(one) or is_utf8(found)):
            return found
        got = self.payloads.problem(one, events.blobs[index]) or "one that is not UTF-8"
        reason = f"expected the object of {one.dataref or 'its data'!r:.200} in the store, got {got}"
        self.tally.skip("missing_payloads", events.place(index), reason)
        return None

    def _complete(self, events: Events, counts: Sequence[int], own: pa.Table) -> Part:
        if self.envelope and sum(counts) > len(counts):
            events, counts, own = self._bounded(events, counts, own)
        self.tally.add("lines", len(counts))
        self.tally.add("rows", sum(counts))
        wanted = ENVELOPE.names if self.envelope else ()
        return Part(envelope_columns(events, counts, self.names, wanted), own)

    def _bounded(self, events: Events, counts: Sequence[int], own: pa.Table) -> tuple[Events, Sequence[int], pa.Table]:
        """The events whose envelope fits into memory beside each of their rows: a line has it once."""
        kept = []
        for index, (one, count) in enumerate(zip(events.envelopes, counts, strict=True)):
            if is_too_wide(one, count):
                width = _width(one)
                reason = f"expected at most {_MOST_WIDTH} bytes of ids beside each of {count:,} rows, got {width:,}"
                self.tally.skip("foreign", events.place(index), reason)
            else:
                kept.append(index)
        if len(kept) == len(counts):
            return events, counts, own
        is_kept = np.zeros(len(counts), dtype=np.bool_)
        is_kept[kept] = True
        rows = pa.array(np.repeat(is_kept, counts))
        own = own.filter(rows) if own.num_columns else own  # a table of no columns has no rows
        return events.chosen(kept), [counts[index] for index in kept], own


def is_too_wide(one: Envelope, count: int) -> bool:
    """Whether the envelope of an event does not fit into memory beside each of so many rows."""
    width = _width(one)
    return width > _MOST_WIDTH and width * count > _MOST_ENVELOPE_BYTES


def _width(one: Envelope) -> int:
    """About how many bytes the texts of an envelope take beside a row; the correlation id is in its row id, too."""
    texts = (one.correlationid, one.correlationid, one.id, one.traceparent, one.modelversion)
    return sum(map(len, filter(None, texts)))


def _key(envelope: Envelope, content: bytes) -> str | None:
    """The types that a line says, empty if it says none; None for a payload that is no rows."""
    if envelope.type in PAYLOAD_TYPES or is_binary(envelope) or not is_tabular(content):
        return None
    return envelope.datatypes or ""


def is_tabular(content: bytes) -> bool:
    """Whether this may be an array of JSON objects."""
    if content.startswith((b"[{", b"[]")):
        return True
    content = content.lstrip()
    return content[:1] == b"[" and content[1:].lstrip()[:1] in {b"{", b"]"}


def runs_of(keys: Sequence[str | None]) -> Iterator[tuple[str | None, Sequence[int]]]:
    """The indices of equal keys: in runs, or all together if there are many runs."""
    runs: list[tuple[str | None, list[int]]] = []
    for key, run in groupby(range(len(keys)), key=keys.__getitem__):
        runs.append((key, list(run)))
    if len(runs) > _MOST_RUNS:
        together: dict[str | None, list[int]] = {}
        for key, indices in runs:
            together.setdefault(key, []).extend(indices)
        runs = list(together.items())
    yield from runs


def _payload_table(events: Events, contents: Sequence[bytes]) -> pa.Table:
    """One row for each payload: its JSON text as `data`, or the bytes of a binary one as `payload`."""
    binary = [is_binary(one) for one in events.envelopes]
    pairs = list(zip(contents, binary, strict=True))
    texts = [None if is_bytes else content.decode(errors="replace") for content, is_bytes in pairs]
    columns: dict[str, Any] = {"data": texts_array(texts)}
    if any(binary):
        columns["payload"] = pa.array([content if is_bytes else None for content, is_bytes in pairs], pa.binary())
    for key in _REQUEST_KEYS:
        values = [getattr(one, key) for one in events.envelopes]
        if any(value is not None for value in values):
            columns[key] = texts_array(values)
    return pa.table(columns)
