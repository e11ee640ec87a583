"""A line: what mapping makes, storage appends, and one id stands for."""

from __future__ import annotations

import msgspec


class Line(msgspec.Struct, frozen=True, gc=False):
    """One JSON object in UTF-8 and a newline, with the id under which it is stored once, whoever sends it again."""

    id: str
    data: bytes
