"""Checks of the source: style, types, layers, sizes and names. Contributors run the same commands."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[2]
MAX_LINES = 400
MAX_TEST_LINES = 450
MAX_MODULES = 18
"""Maximum number of modules in one folder."""
MAX_STILTED = 15
"""Maximum in source and documentation together."""
IMPORTS = {"importorskip", "import_module", "__import__"}
PATCHING = {"billiard", "celery", "eventlet", "gevent"}
"""They change threads and forks of the process that imports them, so every later test would run in another one."""
MAX_BYTES = 500_000
"""Of a file in git, but for the lock file."""
EMPTY_WORDS = {"utils", "util", "common", "helpers", "helper", "base", "core", "manager", "handler", "misc"}


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


def test_a_broad_except_gives_its_reason() -> None:
    broad = re.compile(r"except( Exception)?( as \w+)?:(?P<comment>.*)")
    for path in _python_files():
        for line in path.read_text("utf-8").splitlines():
            if (match := broad.search(line)) is not None:
                assert "#" in match["comment"], f"{path.name}: {line.strip()}"


def test_no_module_is_too_long() -> None:
    lengths = {path.name: len(path.read_text("utf-8").splitlines()) for path in _python_files()}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_no_test_file_is_too_long() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines())
        for path in (ROOT / "tests").rglob("*.py")
        if "node_modules" not in path.parts
    }
    assert {name: length for name, length in lengths.items() if length > MAX_TEST_LINES} == {}


def test_git_has_no_large_file_and_no_package() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    sizes = {name: (ROOT / name).stat().st_size for name in listed.stdout.split("\0") if (ROOT / name).is_file()}
    assert [name for name, size in sizes.items() if size > MAX_BYTES or name.endswith(".whl")] == ["uv.lock"]


def test_no_folder_has_too_many_modules() -> None:
    folders = Counter(path.parent for path in _python_files() if path.stem != "__init__")
    assert {str(folder.relative_to(ROOT)): n for folder, n in folders.items() if n > MAX_MODULES} == {}


def test_no_module_has_a_meaningless_name() -> None:
    names = {part.strip("_") for path in _python_files() for part in path.relative_to(ROOT).with_suffix("").parts}
    assert EMPTY_WORDS.isdisjoint(names)


def test_property_tests_have_no_deadline() -> None:
    assert settings.default is not None
    assert settings.default.deadline is None
    limited = re.compile(r"settings\([^)]*\bdeadline=")
    tests = sorted((ROOT / "tests").rglob("*.py"))
    assert [path.name for path in tests if limited.search(path.read_text("utf-8"))] == []


def _imported(path: Path) -> set[str]:
    """The packages that a file imports, also by `importorskip`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in IMPORTS:
            found.update(str(part.value) for part in ast.walk(node) if isinstance(part, ast.Constant))
    return {name.partition(".")[0] for name in found}


def test_no_test_imports_a_package_that_changes_the_process() -> None:
    """`prerequisites.skip_without` looks for a package and does not import it."""
    found = {path.name: _imported(path) & PATCHING for path in sorted((ROOT / "tests").rglob("*.py"))}
    assert {name: packages for name, packages in found.items() if packages} == {}


def test_stilted_words_are_rare() -> None:
    stilted = re.compile(r"\b(told|nobody|anew|for good|of ours|patiently)\b", re.IGNORECASE)
    prose = [path for folder in ("sdk", "collector_exporter", "docs") for path in (ROOT / folder).rglob("*")]
    texts = [path for path in (*prose, ROOT / "README.md") if path.suffix in {".md", ".py", ".yaml"}]
    counts = {path.relative_to(ROOT).as_posix(): len(stilted.findall(path.read_text("utf-8"))) for path in texts}
    assert sum(counts.values()) <= MAX_STILTED, {name: count for name, count in counts.items() if count}
