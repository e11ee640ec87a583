"""The clock of the service is what the demo sets, in another process, too."""

from __future__ import annotations

import mmap
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from otel_modeldata_receiver.commands.demo.service_clock import ServiceClock

if TYPE_CHECKING:
    from pathlib import Path

DEPARTED = datetime(2013, 7, 11, 22, 0, tzinfo=UTC)


def test_the_file_has_the_nanoseconds_between_both_clocks(tmp_path: Path) -> None:
    clock = ServiceClock(tmp_path / "clock")
    with clock.path.open("rb") as file:
        shift = memoryview(mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)).cast("q")
    assert shift[0] == 0
    before = time.time_ns()
    clock.set(DEPARTED)
    after = time.time_ns()
    departed = int(DEPARTED.timestamp()) * 1_000_000_000
    assert departed - after <= shift[0] <= departed - before
