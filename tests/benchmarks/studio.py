"""Case `studio`: what a person waits for in Explore, over ten million joined rows of 23 columns and a tail of lines.

The store is made once, in the folder of the tests' cache, which takes a quarter of an hour. Every count is compared
with that of DuckDB over the Parquet files themselves. `first_answer_s` is the slowest start of the command
(`studio_starts.py`); the other answers are measured in a process of their own. `partners_s` is how long it takes after
its start until filters of inputs and outputs have all rows; the answers come after it. Each figure has one of the time
of all processors beside it, which a busy machine does not change.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from case import Case, Effort, Run, Sides, Target

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS: Final = 10_000_000
TAIL: Final = 50_000
_ABOVE: Final = 60.0
_BEST: Final = 0.9
_BASELINE: Final = "2026-11-20T00:00:00Z..2026-11-20T12:00:00Z"


def _explores(effort: Effort) -> Sides:
    from build_cache import cache_root
    from studio_starts import first_answers
    from studio_store import make

    rows, tail = effort.of(ROWS, 9_600), effort.of(TAIL, 100)
    store = cache_root() / f"studio-{rows}"
    make(store, rows, tail)
    return {"ours": [first_answers(store, effort) | _in_process(store) for _ in range(effort.repeat)]}


def _in_process(store: Path) -> Run:
    command = [sys.executable, str(Path(__file__)), str(store)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]
    run: Run = json.loads(done.stdout)
    return run


def main() -> None:  # noqa: PLR0915 (one answer after the other)
    """Print the seconds of each answer, also of all processors, and the peak of memory."""
    began = time.perf_counter()
    import otel_modeldata_reader as reader
    from otel_modeldata_studio.screens import explore, home
    from otel_modeldata_studio.screens import request as requests
    from otel_modeldata_studio.studio import Studio

    store = Path(sys.argv[1])
    figures: Run = {}
    studio = Studio(reader.open(store))
    of = {"deployment": "shop/blue"}

    def timed(name: str, answer: Callable[[], Any]) -> Any:
        start, cpu = time.perf_counter(), time.process_time()
        found = answer()
        figures[f"{name}_s"], figures[f"{name}_cpu_s"] = time.perf_counter() - start, time.process_time() - cpu
        return found

    while explore.volume(studio, **of).pending:
        time.sleep(0.1)
    high = json.dumps([{"column": "inputs.feature_03", "op": "between", "low": _ABOVE, "high": None}])
    rare = json.dumps([{"column": "outputs.score", "op": "between", "low": 0.99999, "high": None}])
    best = json.dumps([{"column": "outputs.score", "op": "between", "low": _BEST, "high": None}])
    both = json.dumps(json.loads(high) + json.loads(best))
    while explore.volume(studio, f=both, **of).pending:
        time.sleep(0.1)
    figures["partners_s"] = time.perf_counter() - began
    timed("home", lambda: home.home(studio))
    total = timed("volume", lambda: explore.volume(studio, **of)).total
    brushed = timed("brush", lambda: explore.volume(studio, f=high, **of)).total
    chosen = timed("both_sides", lambda: explore.volume(studio, f=both, **of)).total
    timed("facets_of_both", lambda: explore.facets(studio, f=both, **of))
    column = {"columns": ("inputs.feature_03",), "f": both}
    of_both = timed("histogram_of_both", lambda: explore.facets(studio, **column, **of)).facets[0]
    timed("page_of_both", lambda: explore.rows(studio, f=both, **of))
    timed("facets", lambda: explore.facets(studio, **of))
    explore.facets(studio, baseline=_BASELINE, **of)
    timed("facets_with_baseline", lambda: explore.facets(studio, baseline=_BASELINE, **of))
    facet = timed("histogram", lambda: explore.facets(studio, columns=("inputs.feature_03",), **of)).facets[0]
    page = timed("page", lambda: explore.rows(studio, **of))
    timed("next_page", lambda: explore.rows(studio, after=page.next, **of))
    timed("deep_page", lambda: explore.rows(studio, until="2026-11-20T09:00:00Z", **of))
    filtered = timed("filtered_page", lambda: explore.rows(studio, f=high, **of))
    found = timed("rare_page", lambda: explore.rows(studio, f=rare, limit=500, **of))
    one = json.dumps([{"column": "correlationid", "op": "in", "values": [page.rows[-1].id.rpartition("_")[0]]}])
    request = timed("one_row", lambda: explore.rows(studio, f=one, **of))
    name = explore.rows(studio, until="2026-11-20T09:00:00Z", **of).rows[0].id.rpartition("_")[0]
    timed("request", lambda: requests.request(studio, id=name))
    status = Path("/proc/self/status").read_text("ascii")
    figures["peak_mb"] = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1000

    expected = _counts(store)
    counts = {
        "rows": total,
        "brushed": brushed,
        "both": chosen,
        "histogram": sum(one.count for one in facet.bins) + facet.nulls,
        "histogram of both": sum(one.count for one in of_both.bins),
    }
    assert counts == {
        "rows": expected["rows"],
        "brushed": expected["brushed"],
        "both": expected["both"],
        "histogram": expected["rows"],
        "histogram of both": expected["both"],
    }, counts
    assert len(found.rows) == min(expected["rare"], 500), (len(found.rows), expected)
    assert [one.id for one in request.rows] == [page.rows[-1].id]
    place = filtered.columns.index("inputs.feature_03")
    assert all(entry.values[place] >= _ABOVE for entry in filtered.rows)
    studio.close()
    print(json.dumps(figures))


def _counts(store: Path) -> dict[str, int]:
    """By DuckDB over the Parquet files and the lines."""
    import duckdb

    files = {one: f"{store}/_parquet/shop/blue/{one}/**/part-*.parquet" for one in ("model_inputs", "model_outputs")}
    lines = {one: f"{store}/shop/blue/{one}/**/*.jsonl" for one in files}

    def count(collection: str, name: str, condition: str) -> int:
        of_files = f"SELECT count(*) FROM read_parquet('{files[collection]}') WHERE {condition}"
        row = f"SELECT unnest(data) AS r FROM read_json('{lines[collection]}', format = 'newline_delimited')"
        of_lines = f"SELECT count(*) FROM (SELECT r.{name} AS {name} FROM ({row})) WHERE {condition}"
        return sum(duckdb.execute(text).fetchall()[0][0] for text in (of_files, of_lines))

    inputs, outputs = files.values()
    chosen = f"a.feature_03 >= {_ABOVE} AND b.score >= {_BEST}"
    of_files = f"FROM read_parquet('{inputs}') a JOIN read_parquet('{outputs}') b USING (row_id) WHERE {chosen}"
    events = [
        f"(SELECT correlationid, data[1].{name} AS {name} FROM read_json('{lines[one]}', format = 'newline_delimited'))"
        for one, name in (("model_inputs", "feature_03"), ("model_outputs", "score"))
    ]
    of_lines = f"FROM {events[0]} a JOIN {events[1]} b USING (correlationid) WHERE {chosen}"
    both = sum(duckdb.execute(f"SELECT count(*) {text}").fetchall()[0][0] for text in (of_files, of_lines))
    return {
        "rows": count("model_inputs", "feature_03", "true"),
        "both": both,
        "brushed": count("model_inputs", "feature_03", f"feature_03 >= {_ABOVE}"),
        "rare": count("model_outputs", "score", "score >= 0.99999"),
    }


CASES: Final[dict[str, Case]] = {
    "studio": Case(
        about="Explore over ten million rows of 23 columns",
        run=_explores,
        targets={
            **{
                f"first_answer{kind}_s": [Target(most=2, absolute=True)]
                for kind in ("", "_without_bytecode", "_cold_store")
            },
            **{
                f"{name}_s": [Target(most=1, absolute=True)]
                for name in (
                    *("home", "both_sides", "facets_of_both", "histogram_of_both", "page_of_both"),
                    *("volume", "brush", "facets", "facets_with_baseline", "histogram"),
                    *("page", "next_page", "deep_page", "filtered_page", "rare_page"),
                )
            },
            "one_row_s": [Target(most=0.5, absolute=True)],
            "request_s": [Target(most=0.5, absolute=True)],
            "peak_mb": [Target(most=1000, absolute=True)],
        },
    ),
}

if __name__ == "__main__":
    main()
