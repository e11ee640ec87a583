"""How long a question waits for lines that were not read before: longer where it has all of them then."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Deadline"]

_SOON_BYTES: Final = 8 << 20
"""Of lines are read between the two moments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """Two moments of the monotonic clock.

    Attributes:
        last: until here a question waits for all that it reads.
        soon: until here it waits for some of what is much: as of a large store after the start.
    """

    last: float
    soon: float

    @classmethod
    def at(cls, moment: float) -> Deadline:
        """One that is the same for little and for much."""
        return cls(last=moment, soon=moment)

    def asking(self, left: Callable[[], int]) -> Callable[[], bool]:
        """A function that says whether there is time to read more.

        Args:
            left: returns how much is still to be read, as bytes of lines; it is asked once at most, after `soon`.
        """
        answers: list[bool] = []

        def is_time() -> bool:
            now = time.monotonic()
            if now < self.soon or now >= self.last:
                return now < self.last
            if not answers:
                answers.append(left() <= _SOON_BYTES)
            return answers[0]

        return is_time
