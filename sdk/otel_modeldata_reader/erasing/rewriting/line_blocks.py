"""The lines of blobs in blocks of whole lines, each with its place; a block has a few megabytes at most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...blobs.byte_ranges import ByteRange
    from ...blobs.store_access import StoreAccess

__all__ = ["LineBlock", "line_blocks", "lines_in"]

_LONGEST_LINE: Final = 64 << 20
"""A longer line is none of a receiver; it is given in parts, which are no lines."""


class LineBlock(NamedTuple):
    """Some bytes of a blob.

    Attributes:
        start: position of the first byte.
        content: whole lines, each with its line feed.
        tail: what follows the last line feed, only at the end of the range: a torn line, or one that is being written.
        is_long: whether the content is a part of a line that is too long to be looked at.
    """

    start: int
    content: bytes
    tail: bytes = b""
    is_long: bool = False


def line_blocks(store: StoreAccess, blob: ByteRange) -> Iterator[LineBlock]:
    """The lines of a blob from a position on at which a line begins.

    Raises:
        StoreUnavailableError: it cannot be read.
    """
    rest, start, is_long = b"", blob.start, False
    for piece in store.pieces([blob]):
        content = rest + piece.content if rest else piece.content
        if is_long:
            end = content.find(b"\n") + 1
            yield LineBlock(start, content[: end or len(content)], is_long=True)
            start += end or len(content)
            rest, is_long = (content[end:], False) if end else (b"", True)
            continue
        end = content.rfind(b"\n") + 1
        if end:
            yield LineBlock(start, content[:end])
        rest = content[end:]
        start += end
        if len(rest) > _LONGEST_LINE:
            yield LineBlock(start, rest, is_long=True)
            start, rest, is_long = start + len(rest), b"", True
    if rest:
        yield LineBlock(start, b"", tail=rest)


def lines_in(content: bytes) -> list[bytes]:
    """The lines of a block, each with its line feed."""
    *lines, rest = content.split(b"\n")
    return [line + b"\n" for line in lines] + ([rest] if rest else [])
