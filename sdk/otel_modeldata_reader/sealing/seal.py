"""A seal: what a folder had when all of its events could be there."""

from __future__ import annotations

from typing import Final

import msgspec

from ..blobs.checksum import BlobChecksum
from .seal_name import SealName, read_name

__all__ = [
    "LONGEST_SEAL",
    "MOST_PRODUCERS",
    "MOST_RANGES",
    "ProducerNumbers",
    "Seal",
    "SealedBlob",
    "decoded",
    "encoded",
]

LONGEST_SEAL: Final = 8 << 20
"""Bytes; a larger object is none of this program, and is not read."""
MOST_PRODUCERS: Final = 1_000
MOST_RANGES: Final = 100
_VERSION: Final = 1


class ProducerNumbers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The events of one producer in a folder.

    Attributes:
        producer: the process; empty for lines that name none.
        events: its events, each once.
        ranges: the first and the last number of each range of its event numbers, ascending; at most 100 ranges.
        more_ranges: how many further ranges there are.
    """

    producer: str
    events: int
    ranges: tuple[tuple[int, int], ...] = ()
    more_ranges: int = 0


class SealedBlob(BlobChecksum, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sealed bytes of a blob.

    Attributes:
        lines: how many lines they are.
        torn: bytes of an incomplete last line after them: its writer was interrupted, and cuts it off if it goes on.
        end: the digest of the last 4 KiB of them, which says whether a blob of the same name is another one; empty in
            seals that were made without it.
    """

    lines: int
    torn: int = 0
    end: str = ""


class Seal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A seal.

    Attributes:
        version: of this form.
        root: folder of the collection.
        date: the span of time in UTC, as the folder has it.
        number: of the seal among those of the folder, from 1.
        reason: `closed` for the first one, `late` where lines came after the one before, `changed` where bytes that the
            one before has are gone or are others now (rows were erased, or the store was restored from a copy), `audit`
            where only an audit's memory was added.
        sealed_at: when it was made, in UTC, as ISO 8601.
        made_by: name and version of the program.
        lateness: how many seconds after the end of its time the folder was closed at the earliest.
        blobs: the bytes that are sealed: the first ones of each blob, whole lines.
        lines: lines in them.
        events: events, each once.
        rows: rows of these lines; a payload that is no list of rows is one.
        unreadable: lines that are no events.
        first_ns: time of the first event in nanoseconds since the epoch; None without events.
        last_ns: time of the last one.
        producers: the events by producer; those with the most events if there are more than 1,000.
        more_producers: how many further producers there are.
        late_lines: lines that came after the seal before.
        late_bytes: bytes of them.
        audit: what an audit remembers of these lines, if it does.
    """

    version: int = _VERSION
    root: str
    date: str
    number: int
    reason: str
    sealed_at: str
    made_by: str
    lateness: float
    blobs: tuple[SealedBlob, ...]
    lines: int
    events: int
    rows: int
    unreadable: int
    first_ns: int | None
    last_ns: int | None
    producers: tuple[ProducerNumbers, ...]
    more_producers: int = 0
    late_lines: int = 0
    late_bytes: int = 0
    audit: BlobChecksum | None = None

    @property
    def name(self) -> SealName:
        """The parts of its name."""
        return SealName(self.root, self.date, self.number)

    @property
    def size(self) -> int:
        """Bytes that are sealed."""
        return sum(blob.size for blob in self.blobs)


_decoder: Final = msgspec.json.Decoder(Seal)


def encoded(seal: Seal) -> bytes:
    """A seal as the content of its object."""
    return msgspec.json.format(msgspec.json.encode(seal), indent=1) + b"\n"


def decoded(name: str, content: bytes) -> Seal | None:
    """The seal in an object of the store; None where it is none, or one of another folder."""
    try:
        seal = _decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return seal if seal.version == _VERSION and read_name(name) == seal.name and _is_sound(seal) else None


def _is_sound(seal: Seal) -> bool:
    """Whether all blobs are of its folder, each once: a store is written by others too."""
    names = [blob.name for blob in seal.blobs]
    folder = f"{seal.name.folder}/"
    are_inside = all(name.startswith(folder) and "/" not in name[len(folder) :] for name in names)
    return (
        are_inside
        and len(set(names)) == len(names)
        and all(blob.size >= 0 <= min(blob.torn, blob.lines) for blob in seal.blobs)
    )
