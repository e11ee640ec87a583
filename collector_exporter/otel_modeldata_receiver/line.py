"""A line: mapping makes it, storage appends it, and its id identifies it."""

from __future__ import annotations

import msgspec


class Line(msgspec.Struct, frozen=True, gc=False):
    """One JSON object in UTF-8 and a newline. A line with the same id is stored once, however often it is sent."""

    id: str
    data: bytes
