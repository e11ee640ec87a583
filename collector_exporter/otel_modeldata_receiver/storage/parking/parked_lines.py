"""Reads parked lines, and finds those that somebody damaged."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from ...line import Line

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["count_within", "read_parked"]


class _Id(msgspec.Struct):
    id: str


_decode: Final = msgspec.json.Decoder(_Id).decode


def read_parked(content: bytes) -> tuple[list[Line], list[bytes]]:
    """The lines in a part of a parked blob, and what is no JSON any more: with it the folder would not be readable."""
    *texts, rest = content.split(b"\n")
    lines, damaged = [], [rest] if rest else []
    for text in texts:
        key = _id(text)
        if key is None:
            damaged.append(text)
        else:
            lines.append(Line(key, text + b"\n"))
    return lines, damaged


def count_within(lines: Sequence[Line], size: int) -> int:
    """How many lines, but at least one, have together at most `size` bytes."""
    total = 0
    for number, line in enumerate(lines):
        total += len(line.data)
        if total > size:
            return max(1, number)
    return len(lines)


def _id(line: bytes) -> str | None:
    """The id of a parked line, None if it is no JSON; a line of another writer may have none, and is delivered."""
    try:
        return _decode(line).id
    except msgspec.ValidationError:
        return hashlib.sha256(line).hexdigest()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
