"""A number that any thread, and any signal handler, may add to without a lock."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable


BY: Final = io.SEEK_CUR


class AtomicSum:
    """A sum that is never below 0: the position of a file in memory.

    `total += n` reads, adds and writes: what another thread or a signal handler adds in between is lost. A lock does
    not help, because a signal handler may interrupt the thread that holds it. Moving a position by `n` is one call of
    C, in which Python switches to no thread and runs no signal handler. The file stays empty.

    Attributes:
        value: returns the sum. It is the file's own method, because `collect` calls it.
        move: adds a number and returns the new sum, if its second argument is `BY`: the file's own, too.
    """

    __slots__ = ("move", "value")

    def __init__(self) -> None:
        file = io.BytesIO()
        self.value: Callable[[], int] = file.tell
        self.move: Callable[[int, int], int] = file.seek

    def add(self, number: int) -> None:
        """Add a number, which may be negative."""
        self.move(number, BY)
