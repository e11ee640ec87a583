r"""From the `data` of events to the text of their rows, one JSON object per line, which `pyarrow.json` reads.

The rows of an event are a JSON array. Its text is divided at `},{`, which is exact or noticed: where these bytes are in
a string or between nested objects, neither part is a JSON object, so that parsing fails, and the array is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["RowText", "fast_text", "is_tabular", "single_rows"]

_BETWEEN: Final = b"},{"
_rows: Final = msgspec.json.Decoder(list[msgspec.Raw])
_NO_BREAKS: Final = bytes.maketrans(b"\r\n", b"  ")


@dataclass(frozen=True, slots=True)
class RowText:
    """The rows of several events.

    Attributes:
        text: one row per line.
        counts: how many rows each event has.
    """

    text: bytes
    counts: Sequence[int]


def is_tabular(data: bytes) -> bool:
    """Whether this may be an array of JSON objects."""
    return data.startswith((b"[{", b"[]")) or (data[:1] == b"[" and data[1:].lstrip()[:1] in {b"{", b"]"})


def fast_text(payloads: Sequence[bytes]) -> RowText | None:
    """The rows of payloads, divided without decoding; None if one of them has another form than `[{...},{...}]`.

    The result is right if it can be parsed.
    """
    texts, counts = [], []
    for data in payloads:
        if data[:2] != b"[{" or data[-2:] != b"}]":
            return None
        count = data.count(_BETWEEN)
        texts.append(data[1:-1].replace(_BETWEEN, b"}\n{") if count else data[1:-1])
        counts.append(count + 1)
    return RowText(b"\n".join(texts), counts)


def single_rows(data: bytes) -> list[bytes] | None:
    """The rows of a payload, each without line breaks; None if it is no array of JSON objects."""
    try:
        rows = [bytes(row) for row in _rows.decode(data)]
    except (msgspec.DecodeError, RecursionError):
        return None
    if any(not row.startswith(b"{") for row in rows):
        return None
    return [row.translate(_NO_BREAKS) if b"\n" in row else row for row in rows]
