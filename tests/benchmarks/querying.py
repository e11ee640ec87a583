"""Case `query`: an aggregate over a million rows in a store by SQL, beside the same in pandas, from the lines on.

Each run is a new process. Both answers are compared with the numbers that the rows were made from.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any, Final

from case import Case, Effort, Run, Sides, Target, in_turn

ROWS: Final = 1_000_000
ROWS_OF_LINE: Final = 1_000
COUNTRIES: Final = ("ES", "FR", "IT", "PT")
_SQL: Final = """
    SELECT country, count(*) AS n, sum(amount) AS total, max(number) AS last
    FROM model_inputs WHERE number % 3 = 0 GROUP BY country ORDER BY country
"""


def _queries(effort: Effort) -> Sides:
    rows = effort.of(ROWS, 2_000)
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), rows)
        sides = {side: partial(_in_process, side, folder, rows) for side in ("ours", "pandas")}
        return in_turn(effort.repeat, sides)


def _write(store: Path, rows: int) -> None:
    folder = store / "shop/blue/model_inputs/2026/11/22/10"
    folder.mkdir(parents=True)
    with (folder / f"{0:032x}000000.jsonl").open("w") as blob:
        for first in range(0, rows, ROWS_OF_LINE):
            event = {
                "specversion": "1.0",
                "id": f"event-{first}",
                "source": "/endpoints/shop/deployments/blue",
                "type": "azureml.inference.model_inputs",
                "datacontenttype": "application/json",
                "time": "2026-11-22T10:00:00Z",
                "data": [_row(number) for number in range(first, first + ROWS_OF_LINE)],
                "correlationid": f"request-{first}",
            }
            blob.write(json.dumps(event, separators=(",", ":")) + "\n")


def _row(number: int) -> dict[str, Any]:
    country = COUNTRIES[number * 7 % 4]
    return {"number": number, "country": country, "amount": number % 8 / 4, "text": f"text {number % 100}", "ok": True}


def _answer(rows: int) -> list[dict[str, Any]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for number in range(0, rows, 3):
        found[_row(number)["country"]].append(_row(number))
    return [
        {"country": country, "n": len(own), "total": sum(row["amount"] for row in own), "last": own[-1]["number"]}
        for country, own in sorted(found.items())
    ]


def _in_process(side: str, store: str, rows: int) -> Run:
    command = [sys.executable, str(Path(__file__)), side, store, str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]
    run: Run = json.loads(done.stdout)
    return run


def main() -> None:
    """Print the CPU seconds and the peak of memory of one run."""
    side, store, rows = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    import duckdb  # noqa: F401 - imported before the clock starts
    import pandas as pd  # noqa: F401 - likewise
    import pyarrow.compute
    import pyarrow.json  # noqa: F401 - likewise

    Path("/proc/self/clear_refs").write_text("5", "ascii")  # from here on VmHWM is the peak (proc(5))
    before, began = _memory_mb("VmRSS"), time.process_time()
    found = (_ours if side == "ours" else _pandas)(store)
    seconds, peak = time.process_time() - began, _memory_mb("VmHWM") - before
    assert found == _answer(rows), found
    print(json.dumps({"cpu_s": seconds, "peak_mb": peak}))


def _ours(store: Path) -> list[dict[str, Any]]:
    import otel_modeldata_reader as reader

    rows: list[dict[str, Any]] = reader.open(store).query(_SQL).to_arrow().to_pylist()
    return rows


def _pandas(store: Path) -> Any:
    import pandas as pd

    lines = pd.concat([pd.read_json(path, lines=True) for path in sorted(store.rglob("*.jsonl"))], ignore_index=True)
    rows = pd.json_normalize(lines["data"].explode(ignore_index=True).tolist())
    groups = rows[rows["number"] % 3 == 0].groupby("country")
    totals = groups.agg(n=("number", "size"), total=("amount", "sum"), last=("number", "max"))
    return totals.reset_index().to_dict("records")


def _memory_mb(name: str) -> float:
    status = Path("/proc/self/status").read_text("ascii")
    (line,) = (one for one in status.splitlines() if one.startswith(name))
    return int(line.split()[1]) / 1000


CASES: Final[dict[str, Case]] = {
    "query": Case(
        about="an aggregate over a million rows by SQL, beside pandas",
        run=_queries,
        targets={"cpu_s": [Target(most=1)], "peak_mb": [Target(most=1)]},
    ),
}

if __name__ == "__main__":
    main()
