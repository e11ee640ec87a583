"""Runs each benchmark with very little work, which is enough for its check of stored events."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from gateway import BUILD_SECONDS, NO_GO
from npm_packages import NO_NODE
from prerequisites import need

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
KINDS = [
    "mixed",
    "floats",
    "object text",
    "Arrow text",
    "categories",
    "dates",
    "nullable integers",
    "prompts",
    "embeddings",
    "500 columns",
]


@pytest.mark.long
@pytest.mark.timeout(BUILD_SECONDS + 600)  # the peers' Collector is built once
def test_every_benchmark_runs_checks_its_results_and_draws(tmp_path: Path) -> None:
    need("go", NO_GO)
    need("node", NO_NODE)
    results, picture = tmp_path / "results.json", tmp_path / "growth.png"
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--tiny", "--json", str(results), "--plot", str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    cases = json.loads(results.read_text())["results"]
    assert {name for name, sides in cases.items() if all(sides.values())} == set(listed_cases())
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_every_kind_of_frame_arrives_on_both_sides_with_its_values(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    command = [sys.executable, str(BENCHMARKS / "run.py"), "frames-pandas-3", "--tiny", "--json", str(results)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    figures = ("p50_us", "p99_us", "waited_p50_us", "cpu_us", "all_cpu_us", "calls")
    expected = {f"{kind} x {rows} {figure}" for kind in KINDS for rows in (1, 32) for figure in figures}
    sides = json.loads(results.read_text())["results"]["frames-pandas-3"]
    assert {side: {name for run in runs for name in run} for side, runs in sides.items()} == {
        "ours": expected,
        "official": expected,
    }
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.slow
def test_growth_is_measured_and_drawn_from_the_same_figures(tmp_path: Path) -> None:
    results, picture = tmp_path / "results.json", tmp_path / "growth.svg"
    command = [sys.executable, str(BENCHMARKS / "run.py"), "growth", "--tiny", "--only", "blobs"]
    command += ["--json", str(results), "--plot", str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    (figures,) = json.loads(results.read_text())["results"]["growth"]["ours"]
    assert set(figures) == {"exponent_blobs", "end_exponent_blobs", "blobs_1_seconds", "blobs_50_seconds"}
    title = f"blobs^{figures['exponent_blobs']:.2f}, at the end ^{figures['end_exponent_blobs']:.2f}"
    assert title in picture.read_text("utf-8")


@pytest.mark.parametrize(
    ("texts", "count"),
    [
        ([b'[{"a":1,"b":0.5}]', b'[{"a":2,"b":0.25}]', b'[{"a":1,"b":0.5}]'], 3),
        ([b'[{"a":1,"b":0.5000001}]'], None),  # another value
        ([b'[{"b":0.5,"a":1}]'], None),  # another order of columns
        ([b'[{"a":1,"b":0.5},{"a":1,"b":0.5}]'], None),  # a row too many
        ([b'[{"a":1,"b":0.5}]', b'[{"a":1,"b":0.5}]'], None),  # twice, or in another order
    ],
)
def test_the_check_of_arrivals_finds_what_differs_from_the_frames(
    texts: list[bytes], count: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    arrivals = import_module("arrivals").Arrivals(
        lambda _, number: [{"a": number % 2 + 1, "b": 0.5 / (number % 2 + 1)}], lambda _, number: number % 2
    )

    def add_all() -> int:
        for text in texts:
            arrivals.add("model_inputs", text)
        return int(arrivals.counts["model_inputs"])

    if count is None:
        with pytest.raises(AssertionError):
            add_all()
    else:
        assert add_all() == count


def listed_cases() -> list[str]:
    """The names in the help text, two spaces before each."""
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.split()[0] for line in text.partition("\ncases:\n")[2].splitlines()]


def test_an_unknown_benchmark_is_refused_with_the_known_ones() -> None:
    command = [sys.executable, str(BENCHMARKS / "run.py"), "paced-smal"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("expected cases among paced-small, paced-large, ")
    assert done.stderr.endswith(", got paced-smal\n")
