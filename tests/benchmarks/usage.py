"""Memory and open files of processes while a benchmark runs, from /proc of Linux."""

from __future__ import annotations

import os
import statistics
import threading
import time
from pathlib import Path
from typing import Final, NamedTuple, Self

_PAUSE_SECONDS: Final = 0.5
MIB: Final = 1 << 20


class Sample(NamedTuple):
    """Monotonic seconds, resident bytes and open files of a living process."""

    at: float
    resident: int
    files: int


def sample(pid: int) -> Sample | None:
    """What a process uses now; None when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        resident = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))
        return Sample(time.monotonic(), resident, len(list(Path(f"/proc/{pid}/fd").iterdir())))
    except (OSError, StopIteration):
        return None


def cpu_seconds(pid: int) -> float:
    """The CPU time of a process and its threads, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def summary(samples: list[Sample]) -> dict[str, float]:
    """For MiB and open files: the medians of the first and last third of the run, the maximum and the slope."""
    third = max(1, len(samples) // 3)
    figures: dict[str, float] = {}
    for name, values in (
        ("mib", [one.resident / MIB for one in samples]),
        ("files", [float(one.files) for one in samples]),
    ):
        figures[f"{name}_first"] = statistics.median(values[:third])
        figures[f"{name}_last"] = statistics.median(values[-third:])
        figures[f"{name}_most"] = max(values)
        figures[f"{name}_per_hour"] = slope([one.at for one in samples], values) * 3600
    return figures


def slope(times: list[float], values: list[float]) -> float:
    """The median slope between points half a run apart: a single peak or restart does not change it."""
    half = len(times) // 2
    if not half:
        return 0.0
    pairs = zip(range(len(times) - half), range(half, len(times)), strict=True)
    return statistics.median((values[n] - values[m]) / (times[n] - times[m]) for m, n in pairs)


class Watch:
    """Samples one process in the background.

    Args:
        pid: the process.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.samples: list[Sample] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        """Sample at the start, after each pause, and at the end, so that a short run has samples too."""
        stopped = False
        while True:
            if (one := sample(self._pid)) is not None:
                self.samples.append(one)
            if stopped:
                return
            stopped = self._stop.wait(_PAUSE_SECONDS)
