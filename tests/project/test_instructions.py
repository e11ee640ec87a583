"""Counts the instructions of the hot paths as CI does, and checks that a slower path is found."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prerequisites import need

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[2]
COMMAND = ROOT / "tests/benchmarks/instructions.py"
RENEW = "renew instructions.json with `python tests/benchmarks/instructions.py --write`"


def loaded() -> ModuleType:
    """The command as a module; its folder is on no path of the tests."""
    spec = importlib.util.spec_from_file_location("instructions", COMMAND)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["instructions"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


instructions: Any = loaded()
VERSIONS = {"python": "3.11.7", "pandas": "3.0.0"}


def counts(versions: dict[str, str] = VERSIONS, **paths: int) -> Any:
    return instructions.Counts(environment=versions, instructions=paths)


def test_a_path_that_takes_more_than_recorded_is_a_finding() -> None:
    recorded = counts(collect=117_000, encode=1000, read=1000)
    (sentence,) = instructions.findings(recorded, counts(collect=140_000, encode=1050, read=900))
    assert sentence == (
        "collect: expected at most 122,850 instructions (117,000 + 5%), got 140,000: find what was added (--keep "
        f"FOLDER, then callgrind_annotate), or, if it is worth it, {RENEW}"
    )


def test_a_path_that_is_not_recorded_is_a_finding() -> None:
    assert list(instructions.findings(counts(), counts(collect=1))) == [
        f"collect: expected a recorded count, got none: {RENEW}"
    ]


def test_a_path_that_takes_clearly_less_is_a_note_because_the_gain_could_be_lost_again() -> None:
    recorded = counts(collect=1000, encode=1000)
    assert list(instructions.gains(recorded, counts(collect=800, encode=951))) == [
        f"collect: 20% fewer instructions than recorded: {RENEW}"
    ]


def test_counts_of_other_versions_are_not_compared() -> None:
    recorded = counts(collect=1)
    assert instructions.incomparable(recorded, counts(collect=2)) is None
    other = counts({"python": "3.11.7", "pandas": "3.0.1", "numpy": "2.4"}, collect=1)
    assert instructions.incomparable(recorded, other) == (
        "expected the versions with which the counts were recorded, got pandas 3.0.1 instead of 3.0.0; numpy 2.4 "
        "instead of None: counts can be compared only on equal versions, so install the locked ones (uv sync "
        f"--all-extras) or {RENEW}"
    )


def test_the_recorded_packages_are_the_locked_ones() -> None:
    """Or CI would compare nothing."""
    locked: dict[str, set[str]] = {}
    for package in tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]:
        locked.setdefault(package["name"], set()).add(package.get("version", ""))
    recorded = instructions.Counts.read(instructions.RECORDED).environment
    packages = {name: recorded[name] for name in instructions.PACKAGES}
    assert {name: version for name, version in packages.items() if version not in locked[name]} == {}, RENEW


def test_without_valgrind_nothing_is_counted_and_one_sentence_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, COMMAND], env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "",
        "expected valgrind on the PATH, found none, so nothing is counted: apt-get install valgrind\n",
    )


LOOPS = """
import sys
sys.path.insert(0, {folder!r})
from pathlib import Path
from counted_runs import CountedRun, fork_each

def loop(steps):
    def run(times, _):
        for _ in range(times):
            for n in range(steps):
                n * n
    return CountedRun(run=run, few=10, many=60)

if sys.argv[1] == "run":
    fork_each({{"steady": loop(2000), "changed": loop({steps})}}, Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_a_planted_slow_down_of_a_tenth_is_found_and_the_count_of_the_other_path_is_the_same(tmp_path: Path) -> None:
    need("valgrind", instructions.NO_VALGRIND, debian="valgrind")
    script = tmp_path / "loops.py"
    counted = []
    for steps in (2000, 2200):
        script.write_text(LOOPS.format(folder=str(COMMAND.parent), steps=steps))
        counted.append(instructions.count(script))
    before, after = counted
    assert [sentence.partition(":")[0] for sentence in instructions.findings(before, after)] == ["changed"]
    assert after.instructions["steady"] == pytest.approx(before.instructions["steady"], rel=0.01)


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_no_hot_path_takes_more_instructions_than_recorded() -> None:
    need("valgrind", instructions.NO_VALGRIND, debian="valgrind")
    done = subprocess.run(
        [sys.executable, COMMAND, "--json"], capture_output=True, text=True, timeout=1400, check=False
    )
    assert done.stderr == ""
    result = json.loads(done.stdout)
    if result["incomparable"]:
        pytest.skip(result["incomparable"])
    assert (result["findings"], done.returncode) == ([], 0)
