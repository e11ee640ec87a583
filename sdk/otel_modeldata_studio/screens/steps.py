"""Steps of time of a usual length, such as an hour, over the rows of a window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..queries.moments import iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_modeldata_reader.window import Window

    from ..tables.piece import Piece

__all__ = ["Steps", "steps_of"]

_NANOSECONDS: Final = 1_000_000_000
_LENGTHS: Final = (1, 5, 15, 60, 300, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400)
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps of time.

    Attributes:
        first: beginning of the first one, in nanoseconds since the epoch: a whole number of steps, which may be before
            what an int64 holds.
        step: nanoseconds.
        count: how many there are.
    """

    first: int
    step: int
    count: int

    @property
    def seconds(self) -> float:
        """The length of a step."""
        return self.step / _NANOSECONDS

    @property
    def texts(self) -> list[str]:
        """The beginnings, ISO 8601 in UTC."""
        return [iso(self.first + self.step * at) for at in range(self.count)]

    def places(self, times: Any) -> Any:
        """The number of the step of each moment; those outside are in the first or the last one.

        Args:
            times: an int64 array of nanoseconds since the epoch. The first step is not subtracted from them: an int64
                does not hold the distance from a moment of 1700 to one of today.
        """
        return np.clip(times // self.step - self.first // self.step, 0, self.count - 1)


def steps_of(pieces: Sequence[Piece], window: Window, most: int) -> Steps:
    """The steps of the rows of a window: those of the window where it is bounded.

    Args:
        pieces: have the rows.
        window: may be open.
        most: steps.
    """
    first = min((one.first for one in pieces), default=0) if window.since is None else window.since
    last = max((one.last for one in pieces), default=first) + 1 if window.until is None else window.until
    seconds = max(1, -(-(last - first) // _NANOSECONDS))
    # One more step than fit, because the first one begins before the window.
    length = next((one for one in _LENGTHS if seconds / one <= most - 1), None)
    if length is None:
        length = -(-seconds // (most - 1) // 86_400) * 86_400
    step = length * _NANOSECONDS
    start = first // step * step
    return Steps(start, step, max(1, -(-(last - start) // step)))
