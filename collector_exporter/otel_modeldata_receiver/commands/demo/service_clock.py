"""The clock of the service: that of the day whose flights it scores.

A day passes in ten seconds. So the service has a clock of its own, which the demo sets to the departure of each flight
before it is scored: events, bodies and spans have the times that they would have in a service that runs all day. The
clock is a file of eight bytes in shared memory; `scripts/serve.py` reads it in the process of the service. Only the
time of day is shifted: latencies and timeouts are real.
"""

from __future__ import annotations

import mmap
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

__all__ = ["ServiceClock"]

_BYTES: Final = 8
"""Nanoseconds between this clock and that of the machine, as a signed integer of the machine."""


class ServiceClock:
    """A clock that another process reads.

    Args:
        path: the file; it is made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(_BYTES))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _BYTES)

    def set(self, moment: datetime) -> None:
        """Let it be `moment` now, with a time zone; from now on it runs as the clock of the machine."""
        shift = int(moment.timestamp()) * 1_000_000_000 - time.time_ns()
        with memoryview(self._memory) as octets, octets.cast("q") as integers:
            integers[0] = shift
