"""The wire format of Protocol Buffers: the fields of an encoded OTLP message, without decoding what is in them.

Protocol Buffers encode an embedded message, a string and bytes in the same way: a length and that many bytes. So the
outline of a request is read without decoding its records, in steps of any size: a decoder would make an object of each
of 36 million empty messages, which fit into one request, before anybody can count them. A damaged record is found when
it is decoded, and does not affect the others.

A message is a sequence of fields; a field is a varint `number << 3 | wire type`, then a varint (0), 8 bytes (1), a
varint length and that many bytes (2), or 4 bytes (5). Groups (3, 4) do not occur in OTLP.
"""

from __future__ import annotations

from functools import lru_cache
from operator import sub
from typing import TYPE_CHECKING, Final

import msgspec

from ..exceptions import UndecodableError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Embedded",
    "EmbeddedMessages",
    "content_of",
    "field",
    "fields",
    "is_whole",
    "text_header",
    "undecodable",
    "varint",
]

_LENGTH_DELIMITED: Final = 2
_FIRST_TAG: Final = 8
"""Fields are numbered from 1."""
_FIXED_SIZES: Final = {1: 8, 5: 4}
_STRING_VALUE: Final = 0x0A
"""The tag of `AnyValue.string_value`: number 1, length-delimited."""
_MOST_VARINT_BYTES: Final = 10
_MOST_HEADER_BYTES: Final = 2 * 5 + 1
"""Protocol Buffers have no longer messages than 2 GiB."""


class Embedded(msgspec.Struct, frozen=True, gc=False):
    """An embedded message that is not copied out of its message: for a large one, the copy takes time.

    It keeps the whole message in memory.

    Attributes:
        message: the bytes in which it is.
        start: where it begins.
        end: where it ends.
    """

    message: bytes
    start: int
    end: int

    def __len__(self) -> int:
        """Its bytes."""
        return self.end - self.start

    @property
    def content(self) -> bytes:
        """A copy of it."""
        return self.message[self.start : self.end]


def content_of(embedded: bytes | Embedded) -> bytes:
    """The bytes of an embedded message, which are copied if they were not yet."""
    return embedded if isinstance(embedded, bytes) else embedded.content


def fields(message: bytes, position: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The fields between two positions of `message`.

    Yields the tag, which combines number and wire type, and where the content begins and ends.

    Raises:
        UndecodableError: the bytes are not fields.
    """
    while position < end:
        tag, position = varint(message, position)
        wire_type = tag & 7
        if tag < _FIRST_TAG:
            raise undecodable("a field with the number 0")
        stop = position
        if wire_type == _LENGTH_DELIMITED:
            size, position = varint(message, position)
            stop = position + size
        elif wire_type in _FIXED_SIZES:
            stop += _FIXED_SIZES[wire_type]
        elif wire_type == 0:
            _, stop = varint(message, position)
        else:
            raise undecodable(f"wire type {wire_type}")
        if stop > end:
            raise _too_long(stop - position, end - position)
        yield tag, position, stop
        position = stop


def is_whole(message: bytes, most: int) -> bool:
    """Whether `message` is at most so many fields, and the last one ends with it: what follows is not read as its."""
    try:
        for number, _ in enumerate(fields(message, 0, len(message))):
            if number == most:
                return False
    except UndecodableError:
        return False
    return True


class EmbeddedMessages(msgspec.Struct, gc=False):
    """Embedded messages of one message, which are not copied before that is asked for.

    Attributes:
        message: the bytes in which they are.
        starts: where each of them begins.
        ends: where each of them ends.
    """

    message: bytes
    starts: list[int] = []
    ends: list[int] = []

    def __len__(self) -> int:
        """How many there are."""
        return len(self.starts)

    def __getitem__(self, some: slice) -> EmbeddedMessages:
        """Some of them."""
        return EmbeddedMessages(self.message, self.starts[some], self.ends[some])

    def some(self, start: int, count: int) -> EmbeddedMessages:
        """At most `count` of them."""
        return self if not start and len(self.starts) <= count else self[start : start + count]

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum(self.ends) - sum(self.starts)

    @property
    def largest(self) -> int:
        """Bytes of the largest one."""
        return max(map(sub, self.ends, self.starts), default=0)

    def contents(self, copied: int | None = None) -> list[bytes | Embedded]:
        """Each of them: as bytes, or as it is in the message where it has more than `copied` bytes."""
        message = self.message
        copied = len(message) if copied is None else copied
        return [
            message[start:end] if end - start <= copied else Embedded(message, start, end)
            for start, end in zip(self.starts, self.ends, strict=True)
        ]

    def add(self, start: int, end: int) -> None:
        """Add the one between two positions."""
        self.starts.append(start)
        self.ends.append(end)

    def add_run(self, position: int, end: int, tag: int, most: int) -> int:
        """Add the contents of adjacent length-delimited fields with a one-byte `tag`, at most `most` of them.

        Args:
            position: where the first one begins.
            end: where they end at the latest.
            tag: their tag.
            most: how many are added.

        Returns:
            The position after them: that of another field, or `end`.

        Raises:
            UndecodableError: a field is longer than what is left.
        """
        message, starts, ends = self.message, self.starts, self.ends
        last = end - 2
        for _ in range(most):
            if position >= last or message[position] != tag:
                break
            size, start = message[position + 1], position + 2
            if size >= 0x80:
                high = message[start]
                if high < 0x80:
                    size += (high << 7) - 0x80
                    start += 1
                else:
                    size, start = varint(message, position + 1)
            position = start + size
            starts.append(start)
            ends.append(position)
        if position > end:
            raise undecodable(f"a field that ends {position - end} bytes after its message")
        return position


def field(number: int, content: bytes) -> bytes:
    """An encoded length-delimited field."""
    return bytes([number << 3 | _LENGTH_DELIMITED]) + _length(len(content)) + content


@lru_cache(maxsize=4096)
def text_header(size: int) -> bytes:
    """What stands before the text in an `AnyValue` with its length: that length, a tag and the length of the text.

    Args:
        size: bytes of these three and the text.

    Returns:
        The bytes before the text; empty where no text has this size.
    """
    for own in range(3, min(size, _MOST_HEADER_BYTES) + 1):
        header = _length(size - own + 1 + len(_length(size - own))) + bytes([_STRING_VALUE]) + _length(size - own)
        if len(header) == own:
            return header
    return b""


def _length(size: int) -> bytes:
    encoded = bytearray()
    while size >= 0x80:
        encoded.append(size & 0x7F | 0x80)
        size >>= 7
    encoded.append(size)
    return bytes(encoded)


def varint(message: bytes, position: int) -> tuple[int, int]:
    """The base-128 number at `position`, lowest digit first, and the position after it.

    Raises:
        UndecodableError: it does not end within ten bytes, the limit of the encoding, or within the message.
    """
    try:  # numbers up to 16,383 in a third of the time
        low = message[position]
        if low < 0x80:
            return low, position + 1
        high = message[position + 1]
        if high < 0x80:
            return low & 0x7F | high << 7, position + 2
    except IndexError:
        raise undecodable("a number without end") from None
    number = shift = 0
    for byte in message[position : position + _MOST_VARINT_BYTES]:
        position += 1
        if byte < 0x80:
            return number | byte << shift, position
        number |= (byte & 0x7F) << shift
        shift += 7
    raise undecodable("a number without end")


def undecodable(found: str) -> UndecodableError:
    """The error for bytes that are not a request."""
    return UndecodableError(f"undecodable request: expected an OTLP export request, got {found}; correct the sender")


def _too_long(size: int, left: int) -> UndecodableError:
    return undecodable(f"a field of {size} bytes where {left} are left")
