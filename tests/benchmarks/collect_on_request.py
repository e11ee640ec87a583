"""One SDK in a process of its own, which collects when it is asked: `python collect_on_request.py SIDE [--no-arrow]`.

A request is a line of JSON on standard input, the name of a method of `Asked` and its arguments; the answer is a line,
too. Between two requests the process waits, as a server does, so a call is measured with cold caches. Each call has a
new frame. It is made when the call is asked for, as a server makes it of the request that woke it, or before (`make`).
"""

from __future__ import annotations

import sys

if "--no-arrow" in sys.argv:
    sys.modules["pyarrow"] = None  # type: ignore[assignment]  # how Python marks a module that cannot be imported

import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from realistic_frames import VARIANTS, sample

if TYPE_CHECKING:
    from collections.abc import Callable


class Asked:
    """What is asked of one SDK.

    Args:
        side: `ours` or `official`.
    """

    def __init__(self, side: str) -> None:
        self._is_ours = side == "ours"
        self._prepared: dict[str, _Frames] = {}

    def versions(self) -> dict[str, str]:
        """What the frames are made with."""
        arrow = sys.modules.get("pyarrow")
        return {"pandas": pd.__version__, "numpy": np.__version__, "pyarrow": getattr(arrow, "__version__", "none")}

    def prepare(self, collection: str, kind: str, rows: int) -> dict[str, int]:
        """Collect these frames from now on. The first one is collected here: what is done once is not measured."""
        is_new = collection not in self._prepared
        if is_new:
            builds = [sample(kind, rows, variant).build for variant in range(VARIANTS)]
            self._prepared[collection] = _Frames(builds, _collector(self._is_ours, collection))
        self._frames = self._prepared[collection]
        if is_new:
            self._frames.collect()
        return {"collected": int(is_new)}

    def make(self) -> dict[str, int]:
        """Make the next frame now."""
        return self._frames.make()

    def collect(self) -> dict[str, float]:
        """Collect the next frame, which is made now unless it was made before."""
        return self._frames.collect()

    def copy(self, floats: int) -> dict[str, float]:
        """The time of one memcpy of so many floats, into memory that the process already has."""
        source, target = np.ones(floats), np.empty(floats)
        target.fill(0.0)  # touches every page
        time.sleep(0.005)
        wall = time.perf_counter()
        np.copyto(target, source)
        return {"wall": time.perf_counter() - wall}

    def flush(self) -> dict[str, float]:
        """Deliver everything. The answer has the CPU time of this process so far, without making frames."""
        if self._is_ours:
            import otel_modeldata

            otel_modeldata.flush()
        return {"cpu": time.process_time() - sum(frames.build_cpu for frames in self._prepared.values())}


class _Frames:
    """Frames of one kind and size."""

    def __init__(self, builds: list[Callable[[], pd.DataFrame]], collect: Callable[[pd.DataFrame], object]) -> None:
        self._builds = builds
        self._collect = collect
        self._made: list[pd.DataFrame] = []
        self._count = 0
        self.build_cpu = 0.0

    def make(self) -> dict[str, int]:
        """Make the next frame."""
        cpu = time.thread_time()
        self._made.append(self._builds[self._count % VARIANTS]())
        self._count += 1
        self.build_cpu += time.thread_time() - cpu
        return {"made": self._count}

    def collect(self) -> dict[str, float]:
        """The time of the call and the CPU time of its thread."""
        if not self._made:
            self.make()
        frame, collect = self._made.pop(), self._collect
        cpu, wall = time.thread_time(), time.perf_counter()
        collect(frame)
        wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
        return {"wall": wall, "cpu": cpu}


def _collector(is_ours: bool, collection: str) -> Callable[[Any], object]:
    if is_ours:
        from otel_modeldata import Collector

        return Collector(name=collection).collect
    from azureml.ai.monitoring import Collector as OfficialCollector

    collect: Callable[[Any], object] = OfficialCollector(name=collection).collect
    return collect


def main() -> None:
    """Answer requests until standard input ends."""
    asked = Asked(sys.argv[1])
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(getattr(asked, name)(*arguments)), flush=True)


if __name__ == "__main__":
    main()
