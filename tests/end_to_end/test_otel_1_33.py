"""The SDK on the older line: its own tests in the environment of Azure's server, opentelemetry 1.33.0 and pandas 2."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from gateway import REPOSITORY
from scoring_host import clean_environment

if TYPE_CHECKING:
    from pathlib import Path

RUN_SECONDS = 900
VERSIONS = """\
from importlib.metadata import version
print(version("opentelemetry-sdk"), version("azureml-inference-server-http"), version("pandas").split(".")[0])
"""


def run(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), *arguments],
        cwd=REPOSITORY,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )


def test_the_second_environment_equals_that_of_azures_server(scoring_host_bin: Path) -> None:
    assert run(scoring_host_bin / "python", "-c", VERSIONS).stdout.split() == ["1.33.0", "1.5.1", "2"]


@pytest.mark.long
def test_the_sdks_own_tests_pass_on_the_older_line(scoring_host_bin: Path) -> None:
    # The conftest above tests/sdk is for the receiver's tests, whose dependencies are not installed here.
    done = run(
        scoring_host_bin / "python",
        "-m",
        "pytest",
        "tests/sdk",
        "--confcutdir=tests/sdk",
        "-p",
        "no:cacheprovider",
        "-m",
        "not long",
    )
    if done.returncode != 0:
        pytest.fail(f"pytest tests/sdk ended with {done.returncode} on opentelemetry 1.33.0:\n{done.stdout[-20_000:]}")
