"""The lower bounds of pyproject.toml work: the SDK's tests pass on the oldest versions that it allows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lowest_python import VERSION as LOWEST_PYTHON
from lowest_python import lowest_python
from prerequisites import need_uv
from receiver_process import lines_below
from scoring_host import clean_environment

if TYPE_CHECKING:
    from receiver_process import StartReceiver

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
    command = ("-m", "pytest", "tests/sdk", "--confcutdir=tests/sdk", "-p", "no:cacheprovider", "-q", "-m", "not long")
    run(python, *command, seconds=RUN_SECONDS)


COLLECT = """
import pandas as pd
from otel_modeldata import Collector, flush
collector = Collector(name="model_inputs")
for number in range(30):
    collector.collect(pd.DataFrame({"n": [number]}))
print(flush(60).delivered)
"""


@pytest.mark.long
@pytest.mark.timeout(INSTALL_SECONDS + RUN_SECONDS)
def test_the_receiver_works_on_the_oldest_python(
    tmp_path: Path, start_receiver: StartReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv, folder = need_uv(), tmp_path / "receiver"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(uv, "venv", "--quiet", "--python", lowest_python(), folder, seconds=INSTALL_SECONDS)
    run(uv, "pip", "install", "--quiet", "--python", python, "--editable", ".[receiver]", seconds=INSTALL_SECONDS)

    monkeypatch.setattr(sys, "executable", str(python))
    receiver = start_receiver(str(tmp_path / "store"))
    endpoint = f"http://{receiver.endpoint}"
    sent = run("env", f"OTEL_EXPORTER_OTLP_ENDPOINT={endpoint}", python, "-c", COLLECT, seconds=RUN_SECONDS)
    stored = run("env", f"OTEL_MODELDATA_STORE={tmp_path / 'direct'}", python, "-c", COLLECT, seconds=RUN_SECONDS)
    assert (sent, stored) == ("30\n", "30\n")
    for store in ("store", "direct"):
        rows = [row for line in lines_below(tmp_path / store) for row in line["data"]]
        assert rows == [{"n": number} for number in range(30)]
    run(python, "-m", "otel_modeldata_receiver", "doctor", "--endpoint", endpoint, seconds=RUN_SECONDS)


@pytest.mark.slow
def test_the_packages_use_no_name_that_the_oldest_python_lacks() -> None:
    assert PROJECT["requires-python"] == f">={LOWEST_PYTHON}"
    # pandas-stubs cannot be read as Python 3.10, so what pandas returns is unknown then.
    options = ("--python-version", LOWEST_PYTHON, "--disable-error-code", "no-any-return", "--no-warn-unused-ignores")
    run(Path(sys.executable).parent / "mypy", *options, seconds=RUN_SECONDS)
