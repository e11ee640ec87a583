"""Decodes many lines at once, as `stored_line.decode` decodes each of them.

Most lines repeat the same source, type, producer and agent. Values that were seen are made a part of the decoder, which
then returns the same text for each of them instead of a new one. That saves a third of the time.
"""

from __future__ import annotations

import sys
from typing import Final, Literal, cast

import msgspec

from ..stored_line import StoredLine
from .shaped_lines import Shapes

__all__ = ["LineDecoder", "raise_recursion_limit"]

_LEARNED: Final = ("source", "type", "producer", "agent")
_MOST_VALUES: Final = 64
"""Of a key; one with more is decoded as text, because its values may be new in each line."""
_RECURSION_LIMIT: Final = 3_000
_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def raise_recursion_limit() -> None:
    """Let this process read every line that a receiver has written.

    Before Python 3.12 the levels of a value and the calls under way count together, so a process with more of these
    would call lines unreadable that the receiver has read. For commands and workers: it holds for the whole process.
    """
    sys.setrecursionlimit(max(sys.getrecursionlimit(), _RECURSION_LIMIT))


class LineDecoder:
    """A decoder that learns from the lines it decodes.

    Attributes:
        shapes: of lines that need not be decoded.
    """

    def __init__(self) -> None:
        self.shapes = Shapes()
        self._values: dict[str, set[str]] = {name: set() for name in _LEARNED}
        self._any = msgspec.json.Decoder(StoredLine)
        self._learned: msgspec.json.Decoder[StoredLine] | None = None

    def decode_lines(self, content: bytes | memoryview) -> list[StoredLine] | None:
        """The lines in ASCII or UTF-8; None if one of them is no event.

        A line feed is no more than white space here: the caller checks that each line is one event.
        """
        if self._learned is not None:
            try:
                return self._learned.decode_lines(content)
            except _ERRORS:
                pass  # a new value, or an error
        try:
            lines = self._any.decode_lines(content)
        except _ERRORS:
            return None
        self._learn(lines)
        return lines

    def _learn(self, lines: list[StoredLine]) -> None:
        is_new = False
        for name, known in self._values.items():
            if len(known) <= _MOST_VALUES:
                before = len(known)
                known.update({getattr(line, name) for line in lines})
                is_new |= len(known) > before
        if is_new:
            self._learned = msgspec.json.Decoder(self._type())

    def _type(self) -> type[StoredLine]:
        fields: list[tuple[str, object] | tuple[str, object, object]] = [
            (name, Literal[tuple(sorted(known))]) if name in {"source", "type"} else (name, Literal[tuple(known)], "")
            for name, known in self._values.items()
            if 0 < len(known) <= _MOST_VALUES
        ]
        made = msgspec.defstruct("LearnedLine", fields, bases=(StoredLine,), kw_only=True, gc=False)
        return cast("type[StoredLine]", made)
