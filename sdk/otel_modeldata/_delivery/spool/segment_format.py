"""The format of a segment: a file of entries, each with its own checksums, so that damage affects only what it hits.

An entry is a head of 20 bytes and a payload. The head has a mark of three bytes, the kind, the ordinal of the record,
the length and CRC-32 of the payload, and a CRC-32 of the head itself. The kinds:

- `SOURCE`: an OTLP request without records. Written twice at the beginning, because every record needs it.
- `RECORD`: one encoded OTLP `LogRecord`.
- `SETTLED`: ordinals, as pairs of first and last, of records that are delivered or reported lost.

`scan` verifies everything. An incomplete last entry is a *torn tail*: its writer died during the write, before
`collect` returned, so it is left out. Any other bytes that fail their checksum are *damage*: reading continues at the
next valid head, the damaged bytes are returned so that they can be kept in another file, and missing ordinals show how
many records were damaged. This module does not depend on files, locks or delivery: bytes in, bytes out.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SOURCE: Final = 0x0F
RECORD: Final = 0x33
SETTLED: Final = 0x55
"""They differ in four bits, so that one flipped bit never turns one kind into another."""

_MARK: Final = b"\xf5MD"
"""0xF5 occurs in no UTF-8 text, and rows are text."""
_HEAD: Final = struct.Struct("<3sBIII")
_CRC: Final = struct.Struct("<I")
HEAD_BYTES: Final = _HEAD.size + _CRC.size
_RANGE: Final = struct.Struct("<II")


def entry(kind: int, ordinal: int, payload: bytes) -> bytes:
    """The bytes of one entry."""
    head = _HEAD.pack(_MARK, kind, ordinal, len(payload), zlib.crc32(payload))
    return b"".join((head, _CRC.pack(zlib.crc32(head)), payload))


def beginning(source: bytes) -> bytes:
    """The first bytes of a segment."""
    return entry(SOURCE, 0, source) * 2


def settled_entry(ordinals: Iterable[int]) -> bytes:
    """The entry that marks records as settled."""
    return entry(SETTLED, 0, b"".join(_RANGE.pack(first, last) for first, last in _ranges(sorted(ordinals))))


class RecordSpan(NamedTuple):
    """Where a record's payload is in its segment."""

    ordinal: int
    start: int
    end: int


@dataclass(slots=True)
class SegmentContent:
    """What a segment holds.

    Attributes:
        source: an OTLP request without records; empty when both copies are damaged.
        records: the intact records that are not settled, in order.
        corrupt: how many unsettled records are lost to damage.
        damaged: start and end of the bytes that could not be read.
        end: where the torn tail begins; the size if there is none.
    """

    source: bytes = b""
    records: list[RecordSpan] = field(default_factory=list)
    corrupt: int = 0
    damaged: list[tuple[int, int]] = field(default_factory=list)
    end: int = 0


def scan(data: bytes) -> SegmentContent:
    """Read a segment, damaged or not."""
    content = SegmentContent(end=len(data))
    settled: set[int] = set()
    for start, end, head in _entries(data):
        payload = memoryview(data)[start + HEAD_BYTES : end]
        if head is None or zlib.crc32(payload) != head.checksum:
            content.damaged.append((start, end))
        elif head.kind == RECORD:
            content.records.append(RecordSpan(head.ordinal, start + HEAD_BYTES, end))
        elif head.kind == SETTLED:
            for first, last in _RANGE.iter_unpack(payload):
                settled.update(range(first, last + 1))
        else:
            content.source = bytes(payload)
        content.end = end
    intact = settled.union(record.ordinal for record in content.records)
    content.corrupt = _count_corrupt(data, content.damaged, intact)
    content.records = [record for record in content.records if record.ordinal not in settled]
    return content


def _count_corrupt(data: bytes, damaged: Sequence[tuple[int, int]], intact: set[int]) -> int:
    """How many records are damaged: their ordinals are missing. A damaged last record leaves no gap."""
    heads = [_head(data, start) for start, _ in damaged]
    ordinals = intact.union(head.ordinal for head in heads if head is not None and head.kind == RECORD)
    missing = set(range(max(ordinals, default=-1) + 1)) - intact
    last = [start for (start, end), head in zip(damaged, heads, strict=True) if head is None and end == len(data)]
    return len(missing) + sum(_nearest_kind(data[start + len(_MARK) :]) == RECORD for start in last)


def _nearest_kind(data: bytes) -> int:
    """The kind of an entry with a damaged head, guessed from its first byte."""
    return min((RECORD, SETTLED, SOURCE), key=lambda kind: (kind ^ data[0]).bit_count()) if data else RECORD


class _Head(NamedTuple):
    kind: int
    ordinal: int
    length: int
    checksum: int


def _head(data: bytes, start: int) -> _Head | None:
    """The head at `start`; None when there is no valid one."""
    raw = data[start : start + HEAD_BYTES]
    if len(raw) < HEAD_BYTES or _CRC.unpack_from(raw, _HEAD.size)[0] != zlib.crc32(raw[: _HEAD.size]):
        return None
    mark, *rest = _HEAD.unpack_from(raw)
    return _Head(*rest) if mark == _MARK else None


def _entries(data: bytes) -> Iterator[tuple[int, int, _Head | None]]:
    """Start, end and head of each entry up to the torn tail; no head where it is damaged."""
    start = 0
    while start < len(data):
        head = _head(data, start)
        if head is not None:
            end = start + HEAD_BYTES + head.length
        elif len(data) - start < HEAD_BYTES and data[start : start + len(_MARK)] == _MARK[: len(data) - start]:
            return
        else:
            end = _next_head(data, start + 1)
        if end > len(data):
            return
        yield start, end, head
        start = end


def _next_head(data: bytes, start: int) -> int:
    """Where the next valid head begins; the end of `data` when there is none."""
    while (start := data.find(_MARK, start)) >= 0:
        if _head(data, start) is not None:
            return start
        start += 1
    return len(data)


def _ranges(ordinals: Sequence[int]) -> Iterator[tuple[int, int]]:
    first = last = None
    for ordinal in ordinals:
        if first is None or last is None or ordinal != last + 1:
            if first is not None and last is not None:
                yield first, last
            first = ordinal
        last = ordinal
    if first is not None and last is not None:
        yield first, last
