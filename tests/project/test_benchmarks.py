"""Runs each benchmark with very little work, which is enough for its check of stored events."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from gateway import BUILD_SECONDS, NO_GO
from npm_packages import NO_NODE
from prerequisites import need

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


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
