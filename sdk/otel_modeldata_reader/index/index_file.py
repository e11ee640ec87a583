"""One file of the index: which ranges of blobs it covers, and the lines of each id in them.

```
magic, length of the header       8 bytes, u32
header                            JSON: ranges of blobs [name, start, end], number of entries, its checksum
directory                         for each bucket: number of its first entry (u32), CRC-32 of its entries (u32)
entries                           sorted: hash of the id (u64), range (u16) and position (u48) of the line,
                                  number of the line (u32)
```

An id is found by three small reads: header, directory, bucket. A file is content from a store, which anyone may have
written: sizes are checked before anything is read, and each line that it leads to is checked too (`lookup.py`). Its
name is the digest of its content, so that a file is never written over another one.
"""

from __future__ import annotations

import zlib
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from ..blobs.byte_ranges import ByteRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

__all__ = [
    "ENTRIES_OF_ID",
    "FIRST_READ_BYTES",
    "FOLDER",
    "MOST_RANGES",
    "DamagedIndexError",
    "Entry",
    "Header",
    "directory_range",
    "entry_type",
    "header_size",
    "is_index",
    "place_of",
    "read_bucket",
    "read_directory",
    "read_header",
    "written",
]

FOLDER: Final = "_index"
"""No endpoint has this name, and Azure ML reads no folder that is not below a date of a collection."""
_SUFFIX: Final = ".index"
_MAGIC: Final = b"mdindex1"
_PREFIX_BYTES: Final = len(_MAGIC) + 4
FIRST_READ_BYTES: Final = 16 << 10
_MOST_HEADER_BYTES: Final = 4 << 20
_MOST_BUCKET_ENTRIES: Final = 1 << 16
MOST_RANGES: Final = 1024
"""Ranges in one file; their names are read with each lookup."""
ENTRIES_OF_ID: Final = 1000
"""Lines of one id in one file: a lookup shows no more."""
_BUCKET_ENTRIES: Final = 64
_DIRECTORY_BYTES: Final = 8
_ENTRY_BYTES: Final = 20
_POSITION_BITS: Final = 48
_MOST_BITS: Final = 24


class DamagedIndexError(Exception):
    """A file of the index that is torn, damaged or foreign. Never leaves the reader."""


class Entry(NamedTuple):
    """A line that has an id.

    Attributes:
        blob: name of its blob.
        start: position of its first byte.
        end: position up to which the file covers the blob; the line ends before.
        line: its number.
    """

    blob: str
    start: int
    end: int
    line: int


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a file covers.

    Attributes:
        ranges: parts of blobs as name, start and end.
        entries: number of entries.
        bits: of a hash that choose its bucket.
        check: CRC-32 of the other values.
    """

    ranges: list[tuple[str, int, int]]
    entries: int
    bits: int
    check: int = 0

    @property
    def covered(self) -> list[ByteRange]:
        """The parts of blobs."""
        return [ByteRange(*one) for one in self.ranges]


_decode_header: Final = msgspec.json.Decoder(Header).decode


def is_index(one: StoredObject) -> bool:
    """Whether an object of a store is a file of the index."""
    return one.name.startswith(f"{FOLDER}/") and one.name.endswith(_SUFFIX)


def entry_type() -> Any:
    """The NumPy type of an entry."""
    import numpy as np  # noqa: PLC0415 (only where an index is written or has a hit)

    return np.dtype([("hash", "<u8"), ("place", "<u8"), ("line", "<u4")])


def written(ranges: Sequence[ByteRange], entries: Any) -> tuple[str, bytes]:
    """The name and the content of a new file.

    Args:
        ranges: what it covers.
        entries: an array of `entry_type`, in any order, whose `place` is made by `place_of`.
    """
    import numpy as np  # noqa: PLC0415 (see above)

    entries = entries[np.lexsort((entries["place"], entries["hash"]))]
    is_first = np.ones(len(entries), bool)
    is_first[1:] = entries["hash"][1:] != entries["hash"][:-1]
    firsts = np.flatnonzero(is_first)
    number = np.arange(len(entries)) - np.repeat(firsts, np.diff(np.append(firsts, len(entries))))
    entries = entries[number < ENTRIES_OF_ID]
    bits = min(_MOST_BITS, max(0, (len(entries) // _BUCKET_ENTRIES).bit_length()))
    buckets = entries["hash"] >> np.uint64(64 - bits) if bits else np.zeros(len(entries), np.uint64)
    starts = np.searchsorted(buckets, np.arange((1 << bits) + 1, dtype=np.uint64))
    content = entries.tobytes()
    directory = np.zeros(((1 << bits) + 1, 2), "<u4")
    directory[:, 0] = starts
    bounds = starts.tolist()
    directory[:-1, 1] = [
        zlib.crc32(content[start * _ENTRY_BYTES : end * _ENTRY_BYTES]) for start, end in pairwise(bounds)
    ]
    header = Header(ranges=[(one.blob, one.start, one.end) for one in ranges], entries=len(entries), bits=bits)
    head = msgspec.json.encode(msgspec.structs.replace(header, check=_check(header)))
    whole = b"".join((_MAGIC, len(head).to_bytes(4, "little"), head, directory.tobytes(), content))
    return f"{FOLDER}/{blake2b(whole, digest_size=16).hexdigest()}{_SUFFIX}", whole


def place_of(number: int, position: Any) -> Any:
    """The range and the position of a line as one number; positions may be an array."""
    return position + (number << _POSITION_BITS)


def header_size(content: bytes) -> int:
    """How many bytes at the beginning of a file end with its header.

    Raises:
        DamagedIndexError: it is no file of the index.
    """
    if not content.startswith(_MAGIC) or len(content) < _PREFIX_BYTES:
        raise DamagedIndexError("it begins as no index does")
    size = int.from_bytes(content[len(_MAGIC) : _PREFIX_BYTES], "little")
    if size > _MOST_HEADER_BYTES:
        raise DamagedIndexError(f"its header has {size:,} bytes")
    return _PREFIX_BYTES + size


def read_header(content: bytes, size: int) -> Header:
    """The header of a file of `size` bytes, whose beginning is `content`.

    Raises:
        DamagedIndexError: it is damaged.
    """
    end = header_size(content)
    try:
        header = _decode_header(content[_PREFIX_BYTES:end])
    except (ValueError, RecursionError) as error:
        raise DamagedIndexError("its header cannot be read") from error
    if header.check != _check(header):
        raise DamagedIndexError("the checksum of its header is wrong")
    if not 0 <= header.bits <= _MOST_BITS or header.entries < 0 or len(header.ranges) > MOST_RANGES:
        raise DamagedIndexError("its header has impossible numbers")
    if size != end + _DIRECTORY_BYTES * ((1 << header.bits) + 1) + _ENTRY_BYTES * header.entries:
        raise DamagedIndexError(f"it has {size:,} bytes, which are not those of its header")
    return header


def directory_range(name: str, size: int, header: Header, wanted: bytes) -> ByteRange:
    """Where the directory of a file of `size` bytes has the bucket of a hash."""
    start = _directory_start(size, header) + _bucket_of(header, wanted) * _DIRECTORY_BYTES
    return ByteRange(name, start, start + 2 * _DIRECTORY_BYTES)


def read_directory(name: str, size: int, header: Header, content: bytes) -> tuple[ByteRange, int]:
    """Where a bucket is, and its checksum, from the bytes at `directory_range`.

    Raises:
        DamagedIndexError: it is none of the file.
    """
    first, check, last = (int.from_bytes(content[start : start + 4], "little") for start in (0, 4, 8))
    if not first <= last <= header.entries or last - first > _MOST_BUCKET_ENTRIES:
        raise DamagedIndexError("its directory has impossible numbers")
    start = size - _ENTRY_BYTES * header.entries
    return ByteRange(name, start + first * _ENTRY_BYTES, start + last * _ENTRY_BYTES), check


def read_bucket(header: Header, content: bytes, check: int, wanted: bytes) -> list[Entry]:
    """The lines of a hash in its bucket.

    Raises:
        DamagedIndexError: the checksum is wrong, or a line is outside of the ranges.
    """
    if zlib.crc32(content) != check:
        raise DamagedIndexError("the checksum of its entries is wrong")
    found = []
    for start in range(0, len(content), _ENTRY_BYTES):
        if content[start : start + 8] != wanted:
            continue
        place = int.from_bytes(content[start + 8 : start + 16], "little")
        line = int.from_bytes(content[start + 16 : start + 20], "little")
        index, position = place >> _POSITION_BITS, place & ((1 << _POSITION_BITS) - 1)
        if index >= len(header.ranges):
            raise DamagedIndexError("an entry has an impossible place")
        blob, first, end = header.ranges[index]
        if not first <= position < end or line < 1:
            raise DamagedIndexError("an entry has an impossible place")
        found.append(Entry(blob, position, end, line))
    return found


def _bucket_of(header: Header, wanted: bytes) -> int:
    return int.from_bytes(wanted, "little") >> (64 - header.bits)


def _directory_start(size: int, header: Header) -> int:
    return size - _ENTRY_BYTES * header.entries - _DIRECTORY_BYTES * ((1 << header.bits) + 1)


def _check(header: Header) -> int:
    return zlib.crc32(msgspec.json.encode([header.ranges, header.entries, header.bits]))
