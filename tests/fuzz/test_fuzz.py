"""Every target, from its kept corpus on: hypothesis, changed inputs, and, in CI, a bounded run with coverage.

`run.py` looks further, for as long as you want.
"""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fuzz_target import CORPUS, corpus, failure, first_failure, smaller
from hypothesis import HealthCheck, given, settings
from targets import NAMES, target

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN = Path(__file__).parent / "run.py"
RUNS = 1000
EXAMPLES = 120
SLOW = {"configuration": 5, "http_listeners": 2, "otlp_json": 2, "otlp_mapper": 2}
"""Targets whose inputs take milliseconds: they get fewer, so that every target takes about as long."""
MOST_CORPUS_BYTES = 100_000
HAS_ATHERIS = importlib.util.find_spec("atheris") is not None
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The receiver logs a warning for most of these inputs."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", NAMES)
def test_every_kept_input_is_handled_right(name: str) -> None:
    inputs = sorted((CORPUS / name).iterdir())
    assert inputs
    failures = {path.name: failure(target(name).check, path.read_bytes()) for path in inputs}
    assert {name: why for name, why in failures.items() if why} == {}


def test_the_corpus_is_small() -> None:
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < MOST_CORPUS_BYTES
    assert sorted(path.name for path in CORPUS.iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_valid_and_nearly_valid_inputs_are_handled_right(name: str) -> None:
    examples = EXAMPLES // SLOW.get(name, 1)
    check = settings(max_examples=examples, derandomize=True, database=None, suppress_health_check=list(HealthCheck))(
        given(target(name).inputs)(target(name).check)
    )
    check()


@pytest.mark.parametrize("name", NAMES)
def test_changed_inputs_are_handled_right(name: str) -> None:
    assert first_failure(target(name), corpus(name), RUNS // SLOW.get(name, 1)) is None


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.skipif(not HAS_ATHERIS, reason="atheris has no wheel for this Python or system")
def test_a_bounded_run_with_coverage_has_no_finding(name: str) -> None:
    command = [sys.executable, str(RUN), name, "--runs", str(target(name).runs)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=550, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, [f"{name}: no finding"]), done.stderr[-2000:]


def test_an_input_can_be_replayed() -> None:
    one = CORPUS / "tail_reader" / "two_lines"
    command = [sys.executable, str(RUN), "tail_reader", "--replay", str(one)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, f"tail_reader: the oracle accepts {one}\n"), done.stderr


def test_the_help_names_every_target() -> None:
    done = subprocess.run([sys.executable, str(RUN), "--help"], capture_output=True, text=True, timeout=60, check=True)
    assert [name for name in NAMES if f"  {name} " in done.stdout and target(name).about in done.stdout] == list(NAMES)


def test_a_finding_is_made_smaller() -> None:
    def check(given: bytes) -> None:
        assert not (b"x" in given and b"y" in given), "both"

    assert smaller(check, b"a" * 500 + b"x" + b"b" * 300 + b"y" + b"c") == b"xy"
