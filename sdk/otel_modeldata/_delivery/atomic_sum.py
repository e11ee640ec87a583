"""A number that any thread, and any signal handler, may add to without a lock."""

from __future__ import annotations

import io


class AtomicSum:
    """A sum that is never below 0.

    `total += n` is several steps: what a signal handler or another thread adds between them is lost. A lock does not
    help, because a signal handler may interrupt the thread that holds it. Moving the position of a file in memory is
    one step, and takes no memory.
    """

    __slots__ = ("_position",)

    def __init__(self) -> None:
        self._position = io.BytesIO()

    @property
    def value(self) -> int:
        """The sum."""
        return self._position.tell()

    def add(self, number: int) -> None:
        """Add a number, which may be negative."""
        self._position.seek(number, io.SEEK_CUR)
