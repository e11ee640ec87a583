"""Case `join`: rows of inputs, outputs and labels joined by row id, beside `pandas.merge` of the same rows.

Each run is a new process, whose peak memory holds the tables too. The rows that come out are compared with the numbers
that they were made from.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from case import Case, Effort, Run, Sides, Target, in_turn

if TYPE_CHECKING:
    import pyarrow as pa

ROWS: Final = 1_000_000
ROWS_OF_REQUEST: Final = 4
NUMBERS: Final = 19
TEXTS: Final = 4
_START_NS: Final = 1_790_000_000 * 10**9


def _joins(effort: Effort) -> Sides:
    rows = effort.of(ROWS, 4_000)
    return in_turn(
        effort.repeat,
        {side: lambda side=side: _in_process(side, rows) for side in ("ours", "pandas.merge")},  # type: ignore[misc]
    )


def _in_process(side: str, rows: int) -> Run:
    found: Run = {}
    for kind in ("rows", "labels", *(("one id",) if side == "ours" else ())):
        command = [sys.executable, str(Path(__file__)), side, kind, str(rows)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stderr[-4000:]
        found |= {f"{kind} {figure}": value for figure, value in json.loads(done.stdout).items()}
    return found


def main() -> None:
    """Print the CPU seconds and the peak of memory of one join."""
    side, kind, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
    order = np.random.default_rng(0).permutation(rows)
    inputs = _table(rows, one_id=kind == "one id").append_column("x", [np.arange(rows)])
    for number in range(NUMBERS - 1):
        inputs = inputs.append_column(f"n{number}", [np.arange(rows) * 0.5])
    for number in range(TEXTS):
        inputs = inputs.append_column(f"t{number}", [_texts("v", np.arange(rows) % 1000)])
    outputs = _table(rows, one_id=kind == "one id", later_ns=1).append_column("y", [np.arange(rows) * 2]).take(order)
    labels = _labels(outputs["row_id"].take(np.argsort(order)), rows) if kind == "labels" else None
    print(json.dumps((_ours if side == "ours" else _pandas)(inputs, outputs, labels, rows)))


def _table(rows: int, *, one_id: bool, later_ns: int = 0) -> pa.Table:
    import pyarrow as pa

    request = np.arange(rows) // ROWS_OF_REQUEST
    ids = pa.repeat("test", rows) if one_id else _texts("0190a0b0-4f7c-7e31-9d5a-", request + 10**11)
    times = pa.array(_START_NS + request * 1_000 + later_ns).cast(pa.timestamp("ns", "UTC"))
    names = ("endpoint", "deployment", "collection", "modelversion")
    return pa.table(
        {"row_id": _texts(ids, np.arange(rows) % ROWS_OF_REQUEST, "_"), "correlationid": ids, "time": times}
        | {name: pa.repeat("name", rows) for name in names}
    )


def _labels(row_ids: Any, rows: int) -> pa.Table:
    """Half of the rows have a label, and a tenth another one before."""
    import pyarrow as pa

    labeled = np.concatenate([np.arange(0, rows, 2), np.arange(0, rows, 10)])
    is_last = np.arange(len(labeled)) < (rows + 1) // 2
    return pa.table(
        {
            "row_id": row_ids.take(labeled),
            "time": pa.array(_START_NS + is_last).cast(pa.timestamp("ns", "UTC")),
            "label": np.where(is_last, labeled * 3, -1),
        }
    )


def _texts(start: Any, numbers: Any, between: str = "") -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(start, pa.array(numbers).cast(pa.string()), between)


def _ours(inputs: pa.Table, outputs: pa.Table, labels: pa.Table | None, rows: int) -> Run:
    from otel_modeldata_reader.joining import join

    _reset_peak()
    began = time.process_time()
    joined = join(inputs, outputs, labels)
    figures = {"cpu_s": time.process_time() - began, "peak_mb": _peak_mb()}
    assert joined.report.joined == joined.table.num_rows == rows
    _check({name: joined.table[name].to_numpy() for name in ("x", "y", "label")[: 2 + (labels is not None)]}, rows)
    return figures


def _pandas(inputs: pa.Table, outputs: pa.Table, labels: pa.Table | None, rows: int) -> Run:
    mine, theirs = inputs.to_pandas(), outputs.select(["row_id", "y"]).to_pandas()
    of_rows = None if labels is None else labels.to_pandas()
    del inputs, outputs, labels
    _reset_peak()
    began = time.process_time()
    joined = mine.merge(theirs, on="row_id")
    if of_rows is not None:
        last = of_rows.sort_values("time", kind="stable").drop_duplicates("row_id", keep="last")
        joined = joined.merge(last[["row_id", "label"]], on="row_id", how="left")
    figures = {"cpu_s": time.process_time() - began, "peak_mb": _peak_mb()}
    _check({name: joined[name].to_numpy() for name in ("x", "y", "label") if name in joined}, rows)
    return figures


def _check(columns: dict[str, Any], rows: int) -> None:
    """Every row came out once, in the order of the inputs, with its own output and its last label."""
    assert np.array_equal(columns["x"], np.arange(rows))
    assert np.array_equal(columns["y"], np.arange(rows) * 2)
    if "label" in columns:
        expected = np.where(np.arange(rows) % 2 == 0, np.arange(rows) * 3.0, np.nan)
        assert np.array_equal(columns["label"].astype(np.float64), expected, equal_nan=True)


def _reset_peak() -> None:
    """From here on VmHWM is the peak (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text("ascii")
    (line,) = (one for one in status.splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) / 1000


CASES: Final[dict[str, Case]] = {
    "join": Case(
        about="a million rows of 23 columns joined with their outputs and labels, by row id",
        run=_joins,
        targets={
            f"{kind} {figure}": [Target(most=bound, absolute=True)]
            for kind in ("rows", "labels", "one id")
            for figure, bound in (("cpu_s", 5), ("peak_mb", 1500))
        },
    ),
}

if __name__ == "__main__":
    main()
