"""Cases `compact` and `read-parquet-...`: lines to Parquet, and Parquet to a frame beside pandas on the lines.

Each run is a new process. The peer `read_json` only parses the lines, and leaves the rows of each as a list of
dictionaries; `pandas` makes the frame that `to_pandas` returns. What is read from Parquet is compared with the lines.

`pyarrow` is the floor: `pyarrow.parquet` reads the same columns of the same files to a frame, and checks neither pages
nor ids. What is above it is ours; `pyarrow` beside `read_json` is what the formats differ.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from case import Case, Effort, Run, Sides, Target, in_turn
from reading_back import MEGABYTES, ROOT, memory_mb, write_lines

if TYPE_CHECKING:
    from collections.abc import Callable

_TYPES: Final = "f8*13,i8*5,s*3,b,f8"


def _reads(rows: int, effort: Effort) -> Sides:
    with tempfile.TemporaryDirectory() as folder:
        _compacted(Path(folder), rows, effort)
        sides = {side: partial(_in_process, side, folder) for side in ("ours", "read_json", "pandas", "pyarrow")}
        return in_turn(effort.repeat, sides)


def _compacts(rows: int, effort: Effort) -> Sides:
    with tempfile.TemporaryDirectory() as folder:
        write_lines(Path(folder), rows, effort.of(MEGABYTES * 1_000_000, 200_000), datatypes=_TYPES)
        return in_turn(effort.repeat, {"ours": partial(_in_process, "compact", folder)})


def _compacted(store: Path, rows: int, effort: Effort) -> None:
    import otel_modeldata_reader as reader

    write_lines(store, rows, effort.of(MEGABYTES * 1_000_000, 200_000), datatypes=_TYPES)
    with reader.open(store) as opened:
        lines = opened.read(ROOT).to_arrow()
        opened.compact()
        assert opened.read(ROOT).to_arrow().equals(lines)


def _in_process(act: str, store: str) -> Run:
    command = [sys.executable, str(Path(__file__)), act, store]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr[-4000:]
    found: Run = json.loads(done.stdout)
    return found


def main() -> None:
    """Print the CPU seconds and the peak of memory of one run."""
    act, store = sys.argv[1], Path(sys.argv[2])
    import pandas as pd  # noqa: F401 - imported before the clock starts
    import pyarrow.compute
    import pyarrow.json
    import pyarrow.parquet  # noqa: F401 - likewise

    import otel_modeldata_reader as reader
    import otel_modeldata_reader.rows.frames
    import otel_modeldata_reader.rows.one_pass
    import otel_modeldata_reader.types.pandas_columns

    reader.open(store).close()
    acts: dict[str, Callable[[Path], Any]] = {
        "ours": _ours,
        "read_json": _read_json,
        "pandas": _pandas,
        "pyarrow": _pyarrow,
        "compact": _compact,
    }
    _touch(_MOST_MEMORY * _size(store, "*.jsonl"))
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # from here on VmHWM is the peak (proc(5))
    before, began = memory_mb("VmRSS"), time.process_time()
    result = acts[act](store)
    found = {"cpu_s": time.process_time() - began, "peak_mb": memory_mb("VmHWM") - before}
    if act == "compact":
        lines = _size(store, "*.jsonl")
        found |= {"mb_per_cpu_s": lines / 1e6 / found["cpu_s"], "size_ratio": _size(store, "*.parquet") / lines}
        _remove(store / "_parquet")
    else:
        assert len(result) > 0
    print(json.dumps(found))


def _ours(store: Path) -> Any:
    import otel_modeldata_reader as reader

    return reader.open(store).read(ROOT).to_pandas()


def _read_json(store: Path) -> Any:
    import pandas as pd

    return pd.concat([pd.read_json(path, lines=True) for path in sorted(store.rglob("*.jsonl"))], ignore_index=True)


def _pandas(store: Path) -> Any:
    import pandas as pd

    rows = _read_json(store).explode("data", ignore_index=True)
    own = pd.json_normalize(rows.pop("data").tolist())
    return pd.concat([rows, own], axis=1)


def _pyarrow(store: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = [pq.ParquetFile(path) for path in sorted(store.rglob("part-*.parquet"))]
    columns = [name for name in files[0].schema_arrow.names if not name.startswith("_")]
    return pa.concat_tables([one.read(columns, use_threads=False) for one in files]).to_pandas(use_threads=False)


def _touch(size: int) -> None:
    """Use memory once. A virtual machine that gets it from its host only now spends a second a gigabyte on that."""
    import numpy as np

    np.ones(size, np.uint8)


def _compact(store: Path) -> None:
    import otel_modeldata_reader as reader

    with reader.open(store) as opened:
        assert all(one.events for one in opened.compact())


def _size(store: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in store.rglob(pattern))


def _remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


_MOST_MEMORY: Final = 12
"""Times the bytes of the lines: what the peer that takes most uses."""
_READ: Final = {
    "cpu_s": [
        Target(most=1 / 10, peer="read_json"),
        Target(most=1 / 10, peer="pandas"),
        Target(most=1.3, peer="pyarrow"),
    ]
}
_COMPACT: Final = {"peak_mb": [Target(most=500, absolute=True)]}
CASES: Final = {
    "compact-small": Case(
        about="200 MB of lines of 1 row of 23 mixed columns to Parquet", run=partial(_compacts, 1), targets=_COMPACT
    ),
    "compact-large": Case(
        about="200 MB of lines of 1000 rows of 23 mixed columns to Parquet",
        run=partial(_compacts, 1000),
        targets=_COMPACT,
    ),
    "read-parquet-small": Case(
        about="the Parquet files of 200 MB of lines of 1 row to a frame", run=partial(_reads, 1), targets=_READ
    ),
    "read-parquet-large": Case(
        about="the Parquet files of 200 MB of lines of 1000 rows to a frame", run=partial(_reads, 1000), targets=_READ
    ),
}

if __name__ == "__main__":
    main()
