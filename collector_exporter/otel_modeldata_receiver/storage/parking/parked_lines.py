"""Reads parked lines, and finds those that somebody damaged."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from ...line import Line

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["count_within", "read_parked"]


_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_text: Final = msgspec.json.Decoder(str).decode


def read_parked(content: bytes) -> tuple[list[Line], list[bytes]]:
    """The lines in a part of a parked blob, and what is no line any more: with it the folder would not be readable."""
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
    """The id of a parked line, None if it is no JSON object; a line of another writer may have none, and is delivered.

    The whole line is checked: a decoder of the id alone ends where the first value has another type than expected, and
    checks no UTF-8 in values that it skips.
    """
    try:
        line.decode()
        members = _members(line)
    except (ValueError, RecursionError):
        return None
    try:
        return _text(members.get("id", b""))
    except msgspec.DecodeError:
        return hashlib.sha256(line).hexdigest()
