"""Counts events and rows without parsing the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from .envelope import Envelope, decode_line, decode_lines
from .erased_rows import erased_of
from .payloads import Payloads

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess

__all__ = ["counts_of", "rows_of"]

_LONGEST_LINE: Final = 64 << 20
_MARK: Final = b"\xef\xbb\xbf"
_rows: Final = msgspec.json.Decoder(list[msgspec.Raw])


def counts_of(store: StoreAccess, collection: CollectionBlobs, progress: Callable[[int], object]) -> tuple[int, int]:
    """The lines of a collection, and the rows of those that are events.

    Args:
        store: has them.
        collection: its blobs.
        progress: called with the number of bytes of each part that is read.

    Raises:
        StoreUnavailableError: a blob cannot be read.
    """
    payloads = Payloads(store, collection.objects)
    lines = rows = 0
    rest = b""
    for piece in store.pieces(collection.blobs):
        content = piece.content if piece.start == 0 else rest + piece.content
        end = len(content) if piece.is_last else content.rfind(b"\n") + 1
        whole, rest = content[:end], content[end:]
        if len(rest) > _LONGEST_LINE:
            rest = b""
        lines += whole.count(b"\n") + (piece.is_last and not whole.endswith(b"\n"))
        rows += sum(rows_of(one, payloads, piece.blob) for one in _envelopes(whole))
        progress(len(piece.content))
    return lines, rows


def _envelopes(content: bytes) -> list[Envelope]:
    if (found := decode_lines(content)) is not None:
        return found
    return [one for line in content.split(b"\n") if (one := decode_line(line.removeprefix(_MARK))) is not None]


def rows_of(envelope: Envelope, payloads: Payloads, blob: str) -> int:
    """The rows of a line in `blob`; a payload that is no list of rows is one.

    Raises:
        StoreUnavailableError: its payload is an object that cannot be read.
    """
    content: bytes | None = bytes(envelope.data)
    if envelope.dataref is not None:
        content = payloads.read(envelope, blob)
    if not content or content == b"null":
        return 0
    try:
        rows = len(_rows.decode(content))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 1
    return rows - erased_of(envelope.erasedrows, rows)
