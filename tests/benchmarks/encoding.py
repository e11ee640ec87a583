"""Case `encoding`: CPU time of the delivery thread for the JSON of frames as people have them, each in a new process.

The JSON that is measured is compared with the values that its frame was made from.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from case import Case, Effort, Run, Sides, Target
from realistic_frames import KINDS, sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_modeldata._encoding.dataframe_json import Rows

COUNTS: Final = {1: 200, 1000: 3}
"""Frames of a measured loop, by their rows."""
_KEPT_BYTES: Final = 16 * 2**20
"""As the delivery thread."""


def _encoding(effort: Effort) -> Sides:
    return {"ours": [_in_process(effort.of(10, 1)) for _ in range(effort.repeat)]}


def _in_process(loops: int) -> Run:
    command = [sys.executable, str(Path(__file__)), str(loops)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]
    answer: Run = json.loads(done.stdout)
    return answer


def main() -> None:
    """Print the nanoseconds of a cell for every kind and number of rows."""
    from otel_modeldata._encoding.column_names import ColumnNameCache
    from otel_modeldata._encoding.dataframe_json import Rows
    from otel_modeldata.memory_hint import keep_freed_memory

    keep_freed_memory(_KEPT_BYTES)
    loops, names = int(sys.argv[1]), ColumnNameCache("model_inputs")
    figures = {}
    for kind in KINDS:
        for rows, count in COUNTS.items():
            one = sample(kind, rows, 0)
            cells = rows * len(one.columns)
            held = partial(lambda make, count: [Rows(make(), names) for _ in range(count)], one.build, count)
            assert msgspec.json.decode(held()[0].text()) == one.rows(), (kind, rows)
            figures[f"{kind} x {rows} ns_per_cell"] = min(_nanoseconds(held) for _ in range(loops)) / count / cells
    print(json.dumps(figures))


def _nanoseconds(held: Callable[[], list[Rows]]) -> int:
    frames = held()
    began = time.thread_time_ns()
    for rows in frames:
        rows.text()
    return time.thread_time_ns() - began


CASES: Final[dict[str, Case]] = {
    "encoding": Case(
        about="CPU time of the delivery thread for the JSON of one cell, frames as people have them",
        run=_encoding,
        targets={
            "mixed x 1000 ns_per_cell": [Target(most=60, absolute=True)],
            "floats x 1000 ns_per_cell": [Target(most=90, absolute=True)],
            "mixed x 1 ns_per_cell": [Target(most=700, absolute=True)],
        },
    ),
}

if __name__ == "__main__":
    main()
