"""A number that any thread, and any signal handler, may add to without waiting."""

from __future__ import annotations

from .native_threads import Lock

_MOST_PARTS = 8


class AtomicSum:
    """A sum that is never below 0: the sum of a short list.

    `total += n` reads, adds and writes: what another thread or a signal handler adds in between is lost. A lock around
    it does not help, because a signal handler may interrupt the thread that holds it. To append to a list is one call
    of C, in which Python switches to no thread and runs no signal handler; `collect` uses it because its code is used
    everywhere, so it is in the processor's cache.

    Who finds the list long replaces its first numbers by their sum, in one call of C, too. One thread at a time does
    so, because only appending leaves these numbers where they are. A signal handler that finds the lock taken, maybe by
    the thread that it interrupted, leaves the list as it is.
    """

    __slots__ = ("_folding", "parts")

    def __init__(self) -> None:
        self.parts = [0]
        """Their sum is the value, or less than 0 for a moment: for `collect`, which saves a call."""
        self._folding = Lock()

    def value(self) -> int:
        """The sum."""
        return max(0, sum(self.parts))

    def add(self, number: int) -> None:
        """Add a number, which may be negative."""
        parts = self.parts
        parts.append(number)
        if (number < 0 or len(parts) > _MOST_PARTS) and not self._folding.locked():
            with self._folding:  # not held by this thread; another one holds it for a moment only
                count = len(parts)
                parts[:count] = (max(0, sum(parts[:count])),)
