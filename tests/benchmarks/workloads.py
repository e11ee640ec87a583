"""The benchmarks' workloads, each in its own process: `python workloads.py NAME JSON` prints a JSON object.

Both SDKs get the same frames at the same pace. The result has latencies, CPU time and the sender's counts;
`official.py` compares what arrives.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from realistic_frames import sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from realistic_frames import Columns

COLUMNS = 23
"""As the seed's example of two collected rows."""


SAMPLES = 16
"""How many different frames a workload collects in turn."""


def columns_of(number: int, rows: int = 1, columns: int = COLUMNS, text: int = 0, kind: str = "") -> Columns:
    """The cells of one of the frames, see `frames`."""
    if kind:
        return sample(kind, rows, number).columns
    if text:
        return {"text": [f"{number:02}" + "x" * (text - 2)] * rows}
    return {f"feature_{n}": cells for n, cells in enumerate(_floats(number, rows, columns).T.tolist())}


def frames(
    rows: int, columns: int = COLUMNS, count: int = SAMPLES, text: int = 0, kind: str = ""
) -> list[pd.DataFrame]:
    """A few different frames, the same in every process.

    Args:
        rows: of each frame.
        columns: of floats, in one block of memory.
        count: of frames.
        text: one column of text of this length instead.
        kind: frames of `realistic_frames.py` instead.
    """
    if kind:
        return [sample(kind, rows, number).build() for number in range(count)]
    if text:
        return [pd.DataFrame(columns_of(number, rows, text=text)) for number in range(count)]
    names = [f"feature_{n}" for n in range(columns)]
    return [pd.DataFrame(_floats(number, rows, columns), columns=names) for number in range(count)]


def _floats(number: int, rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(number).normal(size=(rows, columns))


def score(loops: int) -> float:
    """Simulates a model in pure Python, which holds the interpreter lock all the time."""
    total = 0.0
    for n in range(loops):
        total += n * 0.5
    return total


def paced(
    collect: Callable[[pd.DataFrame], object],
    *,
    rows: int,
    count: int,
    per_second: float,
    loops: int = 0,
    kind: str = "",
) -> dict[str, float]:
    """Latency of `collect`, and of a scoring call before it, at a steady pace."""
    collected = frames(rows, kind=kind)
    collect(collected[0])
    latencies = np.empty(count)
    start = time.perf_counter()
    for n in range(count):
        while (wait := start + n / per_second - time.perf_counter()) > 0:
            time.sleep(wait)
        began = time.perf_counter()
        score(loops)
        collect(collected[n % len(collected)])
        latencies[n] = time.perf_counter() - began
    p50, p99 = np.percentile(latencies, [50, 99]) * 1e6
    return {"p50_us": p50, "p99_us": p99, "sent": count + 1}


def burst(
    collect: Callable[[pd.DataFrame], object],
    drain: Callable[[], object],
    *,
    rows: int,
    count: int,
    columns: int = COLUMNS,
    text: int = 0,
    kind: str = "",
) -> dict[str, float]:
    """The throughput of one process, from the first `collect` until the last event is delivered."""
    collected = frames(rows, columns, text=text, kind=kind)
    collect(collected[0])
    drain()
    cpu, began = sum(os.times()[:2]), time.perf_counter()
    for n in range(count):
        collect(collected[n % len(collected)])
    drain()
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "events_per_second": count / seconds,
        "cpu_us_per_event": (sum(os.times()[:2]) - cpu) / count * 1e6,
        "sent": count + 1,
    }


def our_sdk(collections: int) -> tuple[Callable[[pd.DataFrame], object], Callable[[], object]]:
    import otel_modeldata
    from otel_modeldata.exceptions import QueueFullError

    collectors = itertools.cycle(
        [otel_modeldata.Collector(name=f"model_inputs_{n}" if n else "model_inputs") for n in range(collections)]
    )

    def collect(frame: pd.DataFrame) -> None:
        collector = next(collectors)
        try:
            collector.collect(frame)
        except QueueFullError:  # a burst of large frames is faster than the network: wait, and count the wait
            otel_modeldata.flush()
            collector.collect(frame)

    return collect, otel_modeldata.flush


def official_sdk(_: int) -> tuple[Callable[[pd.DataFrame], object], Callable[[], object]]:
    from azureml.ai.monitoring import Collector
    from azureml.ai.monitoring.queue import get_queue

    collector = Collector(name="model_inputs")

    def drain() -> None:
        while get_queue().length():
            time.sleep(0.001)

    return collector.collect, drain


def _none(_: int) -> tuple[Callable[[pd.DataFrame], object], Callable[[], object]]:
    return lambda _frame: None, lambda: None


def main() -> None:
    """Run the workload that the command line names."""
    name, settings = sys.argv[1], json.loads(sys.argv[2])
    sender = settings.pop("sender")
    sides = {"ours": our_sdk, "official": official_sdk, "none": _none}
    collect, drain = sides[sender](settings.pop("collections", 1))
    result: dict[str, Any] = burst(collect, drain, **settings) if name == "burst" else paced(collect, **settings)
    drain()
    print(json.dumps(result))
    sys.stdout.flush()
    if sender == "official":
        # Its worker takes an event from the queue before it sends it, and ends with the process: wait for it.
        time.sleep(1.0)


if __name__ == "__main__":
    main()
