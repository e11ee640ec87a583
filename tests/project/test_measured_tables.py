"""Tables of measured figures are made from the files that benchmarks write."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from documents import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """The script, with an empty folder of figures."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    module = import_module("measured")
    monkeypatch.setattr(module, "FIGURES", tmp_path)
    module._run.cache_clear()
    yield module
    module._run.cache_clear()


def _write(folder: Path, case: str, rows: list[dict[str, Any]]) -> None:
    machine = {"cpus": 2, "processor": "one", "system": "Linux", "python": "3.11"}
    run = {"about": f"about {case}", "date": "2026-01-02", "commit": "abc", "repeat": 3, "machine": machine}
    (folder / f"{case}.json").write_text(json.dumps(run | {"rows": rows}))


def _ratio(frame: str, p50: float, p99: float) -> list[dict[str, Any]]:
    beside = {"peer_name": "official", "peer": 100.0}
    return [
        {"figure": f"{frame} p50_us", "ours": 100 * p50, **beside},
        {"figure": f"{frame} p99_us", "ours": 100 * p99, **beside},
    ]


def test_the_short_table_has_the_best_and_the_worst_frame(measured: ModuleType, tmp_path: Path) -> None:
    frames = _ratio("mixed x 1", 0.7, 0.9) + _ratio("floats x 1000", 0.5, 3.0) + _ratio("dates x 32", 12.4, 0.1)
    copy = {"figure": "dates x 32 p50_us", "ours": 99.0, "peer_name": "memcpy", "peer": 1.0}
    _write(tmp_path, "frames-pandas-3", [*frames, copy])
    text = "before\n<!-- figures: extremes -->\nold\n<!-- end of figures -->\nafter\n"
    assert measured.filled(text) == (
        "before\n"
        "<!-- figures: extremes -->\n"
        "| time of `collect` | best p50 | worst p50 | worst p99 |\n"
        "| --- | --- | --- | --- |\n"
        "| pandas 3 | 0.50 (0.05 ms, floats x 1000) | 12 (1.24 ms, dates x 32) | 3.00 (0.3 ms, floats x 1000) |\n"
        "<!-- end of figures -->\n"
        "after\n"
    )


def test_a_case_is_shown_with_its_peer_and_where_it_was_measured(measured: ModuleType, tmp_path: Path) -> None:
    peer = {"peer_name": "official", "peer": 600.0}
    missed = {"target": "<= 1", "met": False}
    rows = [
        {"figure": "events_per_second", "ours": 15000.0, **peer, "target": ">= 20x", "met": True},
        {"figure": "growth_of_setting", "ours": 1.06, **missed},
    ]
    _write(tmp_path, "sustained", rows)
    text = "<!-- figures: machine sustained -->\n<!-- end of figures -->\n\n"
    text += "<!-- figures: cases sustained events_per_second growth_of_setting -->\n<!-- end of figures -->\n"
    assert measured.filled(text) == (
        "<!-- figures: machine sustained -->\n"
        "\n"
        "Measured on 2026-01-02, commit `abc`, medians of 3 runs: 2 cores (one), Linux, Python 3.11.\n"
        "\n"
        "<!-- end of figures -->\n"
        "\n"
        "<!-- figures: cases sustained events_per_second growth_of_setting -->\n"
        "\n"
        "| case | figure | otel-modeldata | peer | ratio | target |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| about sustained | events/s | 15,000 | 600 (azureml-ai-monitoring) | 25 | >= 20x |\n"
        "| about sustained | growth of setting | 1.06 | - | - | <= 1: missed |\n"
        "\n"
        "<!-- end of figures -->\n"
    )


def test_cases_of_different_commits_say_theirs_and_a_case_without_figures_is_an_error(
    measured: ModuleType, tmp_path: Path
) -> None:
    for case, commit in (("one", "abc"), ("two", "def")):
        _write(tmp_path, case, [{"figure": "seconds", "ours": 1.0}])
        file = tmp_path / f"{case}.json"
        file.write_text(file.read_text().replace('"abc"', f'"{commit}"'))
    text = "<!-- figures: cases {} -->\n<!-- end of figures -->\n"
    assert "| about two | seconds | 1 | - | - | - | def, 2026-01-02 |\n" in measured.filled(text.format("one; two"))
    with pytest.raises(ValueError, match="three"):
        measured.filled(text.format("one; three"))


def test_percentiles_of_all_calls_are_not_called_medians(measured: ModuleType, tmp_path: Path) -> None:
    calls = {"figure": "mixed x 1 calls", "ours": 200.0, "peer_name": "official", "peer": 200.0}
    _write(tmp_path, "frames-pandas-3", [*_ratio("mixed x 1", 0.7, 0.9), calls])
    made = measured.filled("<!-- figures: machine frames-pandas-3 -->\n<!-- end of figures -->\n")
    assert "commit `abc`, all calls of 3 rounds: 2 cores" in made


def test_filling_twice_changes_nothing(measured: ModuleType, tmp_path: Path) -> None:
    _write(tmp_path, "growth", [{"figure": "exponent_rows", "ours": 0.9}, {"figure": "end_exponent_rows", "ours": 1.0}])
    once = measured.filled("<!-- figures: growth -->\n<!-- end of figures -->\n")
    assert "| rows | 0.90 | 1.00 |" in once
    assert measured.filled(once) == once
