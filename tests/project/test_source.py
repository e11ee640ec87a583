"""What a reviewer would check by hand: style, types, layers. A contributor runs the same commands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "--no-fix", "--no-cache"],
        ["ruff", "format", "--check", "--no-cache"],
        ["mypy"],
        ["lint-imports", "--no-cache"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_the_source_passes(command: list[str]) -> None:
    tool = Path(sys.executable).parent / command[0]
    result = subprocess.run([tool, *command[1:]], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def _python_files() -> list[Path]:
    return [path for folder in ("sdk", "collector_exporter") for path in sorted((ROOT / folder).rglob("*.py"))]


def test_a_broad_except_stands_only_where_it_gives_its_reason() -> None:
    broad = re.compile(r"except( Exception)?( as \w+)?:(?P<comment>.*)")
    for path in _python_files():
        for line in path.read_text("utf-8").splitlines():
            if (found := broad.search(line)) is not None:
                assert "#" in found["comment"], f"{path.name}: {line.strip()}"


def test_no_file_outgrows_what_one_reader_holds_in_mind() -> None:
    lengths = {path.name: len(path.read_text("utf-8").splitlines()) for path in _python_files()}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_no_module_is_named_after_nothing() -> None:
    empty_words = {"utils", "util", "common", "helpers", "helper", "base", "core", "manager", "handler", "misc"}
    assert empty_words.isdisjoint(path.stem.strip("_") for path in _python_files())
