"""The lower bounds of pyproject.toml work: the SDK's tests pass on the oldest versions that it allows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from lowest_python import VERSION as LOWEST_PYTHON
from lowest_python import lowest_python
from prerequisites import need_uv
from scoring_host import clean_environment

ROOT = Path(__file__).parents[2]
INSTALL_SECONDS = 900
RUN_SECONDS = 900
OF_THE_TESTS = "setuptools==65.5.0"
"""The oldest opentelemetry-instrumentation imports pkg_resources, which later versions deprecate and then remove."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DIRECT = PROJECT["dependencies"]
VERSIONS = "import sys, importlib.metadata as m; print(*(m.version(name) for name in sys.argv[1:]))"


def run(*command: str | Path, seconds: float) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-20_000:]}")
    return done.stdout


def released(version: str) -> tuple[int, ...]:
    """A version as numbers, so that 6 equals 6.0."""
    numbers = [int(part) for part in version.split(".")]
    return tuple([*numbers, 0, 0][:3])


@pytest.mark.long
@pytest.mark.timeout(INSTALL_SECONDS + RUN_SECONDS + 60)
def test_the_sdks_own_tests_pass_on_the_lowest_versions(tmp_path: Path) -> None:
    uv, folder = need_uv(), tmp_path / "lowest"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(uv, "venv", "--quiet", "--python", lowest_python(), folder, seconds=INSTALL_SECONDS)
    install = (uv, "pip", "install", "--quiet", "--python", python, "--resolution", "lowest-direct")
    run(*install, "--editable", ".", "--group", "test", OF_THE_TESTS, seconds=INSTALL_SECONDS)

    names, bounds = zip(*(re.split(">=", text) for text in DIRECT), strict=True)
    installed = run(python, "-c", VERSIONS, *names, seconds=60).split()
    assert list(map(released, installed)) == list(map(released, bounds))

    # tests/conftest.py belongs to the receiver's tests, whose dependencies are not in this environment.
    command = ("-m", "pytest", "tests/sdk", "--confcutdir=tests/sdk", "-p", "no:cacheprovider", "-q")
    run(python, *command, seconds=RUN_SECONDS)


@pytest.mark.slow
def test_the_packages_use_no_name_that_the_oldest_python_lacks() -> None:
    assert PROJECT["requires-python"] == f">={LOWEST_PYTHON}"
    # pandas-stubs cannot be read as Python 3.10, so what pandas returns is unknown then.
    options = ("--python-version", LOWEST_PYTHON, "--disable-error-code", "no-any-return", "--no-warn-unused-ignores")
    run(Path(sys.executable).parent / "mypy", *options, seconds=RUN_SECONDS)
