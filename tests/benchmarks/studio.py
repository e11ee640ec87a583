"""Case `studio`: what a person waits for in Explore, over ten million joined rows of 23 columns and a tail of lines.

A tenth of the rows has a label and a response. The store is made once, in the folder of the tests' cache, which takes
some twenty minutes; the command `studio_store.py` makes it beforehand. Every count is compared with that of DuckDB over
the Parquet files themselves. `first_answer_s` is the slowest start of the command (`studio_starts.py`); the other
answers are measured in a process of their own. `partners_s` is how long it takes after its start until filters of
inputs and outputs have all rows; the answers come after it. `deep_page` reads the responses of its hour; those of all
hours are read before the answers that need them, in `responses_s` from the first filter of latencies on. Each answer
with a filter has values that were not asked for before, as when a brush is dragged, but for `both_sides_again`. Each
figure has one of the time of all processors beside it, which a busy machine does not change.
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

_WARMED: Final = 60.5, 0.91
_BRUSHED: Final = 60.0
_FILTERED: Final = 60.25
_BOTH: Final = {"volume": (59.75, 0.9), "facets": (60.75, 0.89), "histogram": (59.5, 0.905), "page": (61.0, 0.88)}
"""An input from here on, and an output: all values differ, so that no answer finds what another one has left."""
_RARE: Final = 0.99999
_SLOW_MS: Final = 50.0
_LABEL: Final = "yes"
_BASELINE: Final = "2026-11-20T00:00:00Z..2026-11-20T12:00:00Z"


def _explores(effort: Effort) -> Sides:
    from build_cache import cache_root
    from studio_starts import first_answers
    from studio_store import ROWS, TAIL, make

    rows, tail = effort.of(ROWS, 9_600), effort.of(TAIL, 100)
    store = cache_root() / f"studio-{rows}"
    make(store, rows, tail)
    return {"ours": [first_answers(store, tail, effort) | _in_process(store) for _ in range(effort.repeat)]}


def _least(**columns: float) -> str:
    """A filter of rows with such values or higher ones, as in the address of the page."""
    names = {"feature_03": "inputs.feature_03", "score": "outputs.score", "latency_ms": "latency_ms"}
    return json.dumps(
        [{"column": names[name], "op": "between", "low": low, "high": None} for name, low in columns.items()]
    )


def _both(name: str) -> str:
    above, best = _BOTH[name]
    return _least(feature_03=above, score=best)


def _in_process(store: Path) -> Run:
    command = [sys.executable, str(Path(__file__)), str(store)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]
    run: Run = json.loads(done.stdout)
    return run


def main() -> None:  # noqa: PLR0915 (one answer after the other)
    """Print the seconds of each answer, also of all processors, and the peak of memory."""
    began = time.perf_counter()
    from studio_store import EACH, ROWS

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
    above, best = _WARMED
    while explore.volume(studio, f=_least(feature_03=above, score=best), **of).pending:
        time.sleep(0.1)
    figures["partners_s"] = time.perf_counter() - began
    timed("home", lambda: home.home(studio))
    total = timed("volume", lambda: explore.volume(studio, **of)).total
    brushed = timed("brush", lambda: explore.volume(studio, f=_least(feature_03=_BRUSHED), **of)).total
    chosen = timed("both_sides", lambda: explore.volume(studio, f=_both("volume"), **of)).total
    timed("both_sides_again", lambda: explore.volume(studio, f=_both("volume"), **of))
    timed("facets_of_both", lambda: explore.facets(studio, f=_both("facets"), **of))
    column = {"columns": ("inputs.feature_03",), "f": _both("histogram")}
    of_both = timed("histogram_of_both", lambda: explore.facets(studio, **column, **of)).facets[0]
    timed("page_of_both", lambda: explore.rows(studio, f=_both("page"), **of))
    timed("facets", lambda: explore.facets(studio, **of))
    explore.facets(studio, baseline=_BASELINE, **of)
    timed("facets_with_baseline", lambda: explore.facets(studio, baseline=_BASELINE, **of))
    facet = timed("histogram", lambda: explore.facets(studio, columns=("inputs.feature_03",), **of)).facets[0]
    page = timed("page", lambda: explore.rows(studio, **of))
    timed("next_page", lambda: explore.rows(studio, after=page.next, **of))
    deep = timed("deep_page", lambda: explore.rows(studio, until="2026-11-20T09:00:00Z", **of))
    started = time.perf_counter()
    while explore.rows(studio, f=_least(latency_ms=2 * _SLOW_MS), **of).pending:
        time.sleep(0.1)
    figures["responses_s"] = time.perf_counter() - started
    filtered = timed("filtered_page", lambda: explore.rows(studio, f=_least(feature_03=_FILTERED), **of))
    found = timed("rare_page", lambda: explore.rows(studio, f=_least(score=_RARE), limit=500, **of))
    one = json.dumps([{"column": "correlationid", "op": "in", "values": [page.rows[-1].id.rpartition("_")[0]]}])
    request = timed("one_row", lambda: explore.rows(studio, f=one, **of))
    timed("request", lambda: requests.request(studio, id=deep.rows[0].id.rpartition("_")[0]))
    label = json.dumps([{"column": "labels.label", "op": "in", "values": [_LABEL]}])
    labelled = timed("page_by_label", lambda: explore.rows(studio, f=label, **of))
    of_label = timed("volume_by_label", lambda: explore.volume(studio, f=label, **of)).total
    slow = timed("page_by_latency", lambda: explore.rows(studio, f=_least(latency_ms=_SLOW_MS), **of))
    status = Path("/proc/self/status").read_text("ascii")
    figures["peak_mb"] = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1000

    counts = {
        "rows": total,
        "brushed": brushed,
        "both": chosen,
        "histogram": sum(one.count for one in facet.bins) + facet.nulls,
        "histogram of both": sum(one.count for one in of_both.bins),
        "label": of_label,
        "rare": len(found.rows),
    }
    expected = _counts(store)
    assert counts == expected, (counts, expected)
    assert [one.id for one in request.rows] == [page.rows[-1].id]
    place = filtered.columns.index("inputs.feature_03")
    assert all(entry.values[place] >= _FILTERED for entry in filtered.rows)
    for one in (page, deep):
        assert sum(entry.label is not None for entry in one.rows) == len(one.rows) // EACH
        assert sum(entry.latency_ms is not None for entry in one.rows) == len(one.rows) // EACH
    assert {entry.label for entry in labelled.rows} == {_LABEL}
    assert all(entry.latency_ms is not None and entry.latency_ms >= _SLOW_MS for entry in slow.rows)
    assert len(labelled.rows) == len(slow.rows) == 100 or total < ROWS
    studio.close()
    print(json.dumps(figures))


def _counts(store: Path) -> dict[str, int]:
    """By DuckDB over the Parquet files and the lines."""
    import duckdb

    names = ("model_inputs", "model_outputs", "ground_truth")
    files = {one: f"read_parquet('{store}/_parquet/shop/blue/{one}/**/part-*.parquet')" for one in names}
    lines = {
        one: "(SELECT correlationid, unnest(data, max_depth := 2) FROM read_json("
        f"'{store}/shop/blue/{one}/**/*.jsonl', format = 'newline_delimited'))"
        for one in names
    }

    def count(collection: str, condition: str) -> int:
        texts = [f"SELECT count(*) FROM {one[collection]} WHERE {condition}" for one in (files, lines)]
        return sum(duckdb.execute(text).fetchall()[0][0] for text in texts)

    def count_of_both(above: float, best: float) -> int:
        chosen = f"a.feature_03 >= {above} AND b.score >= {best}"
        texts = [
            f"SELECT count(*) FROM {one['model_inputs']} a JOIN {one['model_outputs']} b USING (correlationid) "
            f"WHERE {chosen}"
            for one in (files, lines)
        ]
        return sum(duckdb.execute(text).fetchall()[0][0] for text in texts)

    rows = count("model_inputs", "true")
    return {
        "rows": rows,
        "brushed": count("model_inputs", f"feature_03 >= {_BRUSHED}"),
        "both": count_of_both(*_BOTH["volume"]),
        "histogram": rows,
        "histogram of both": count_of_both(*_BOTH["histogram"]),
        "label": count("ground_truth", f"label = '{_LABEL}'"),
        "rare": min(count("model_outputs", f"score >= {_RARE}"), 500),
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
                    *("page", "next_page", "deep_page", "filtered_page", "rare_page", "page_by_label"),
                    *("volume_by_label", "page_by_latency"),
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
