"""The lower bounds of pyproject.toml work: the SDK's tests pass on the oldest versions that it allows."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fresh_environment import INSTALL_SECONDS, ROOT, new_environment, run
from lowest_python import VERSION as LOWEST_PYTHON
from lowest_python import lowest_python
from prerequisites import need_uv
from receiver_process import lines_below

if TYPE_CHECKING:
    from receiver_process import StartReceiver

RUN_SECONDS = 900
OF_THE_TESTS = "setuptools==65.5.0"
"""The oldest opentelemetry-instrumentation imports pkg_resources, which later versions deprecate and then remove."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DIRECT = PROJECT["dependencies"]
VERSIONS = "import sys, importlib.metadata as m; print(*(m.version(name) for name in sys.argv[1:]))"


def released(version: str) -> tuple[int, ...]:
    """A version as numbers, so that 6 equals 6.0."""
    numbers = [int(part) for part in version.split(".")]
    return tuple([*numbers, 0, 0][:3])


@pytest.mark.long
@pytest.mark.timeout(INSTALL_SECONDS + RUN_SECONDS + 60)
def test_the_sdks_own_tests_pass_on_the_lowest_versions(tmp_path: Path) -> None:
    python = new_environment(tmp_path / "lowest", lowest_python())
    install = (need_uv(), "pip", "install", "--quiet", "--python", python, "--resolution", "lowest-direct")
    run(*install, "--editable", ".", "--group", "test", OF_THE_TESTS)

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
READ = """
import sys
import otel_modeldata_reader as reader
store = reader.open(sys.argv[1])
(collection,) = store.collections()
reading = store.read(collection.name, envelope=False)
frame = reading.to_pandas()
print(list(frame["n"]) == list(range(30)), frame["n"].dtype, reading.report.is_clean)
"""


@pytest.mark.long
@pytest.mark.timeout(INSTALL_SECONDS + RUN_SECONDS)
def test_the_receiver_and_the_reader_work_on_the_oldest_python(
    tmp_path: Path, start_receiver: StartReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = new_environment(tmp_path / "receiver", lowest_python())
    run(need_uv(), "pip", "install", "--quiet", "--python", python, "--editable", ".[read,receiver]")

    monkeypatch.setattr(sys, "executable", str(python))
    receiver = start_receiver(str(tmp_path / "store"))
    endpoint = f"http://{receiver.endpoint}"
    sent = run("env", f"OTEL_EXPORTER_OTLP_ENDPOINT={endpoint}", python, "-c", COLLECT, seconds=RUN_SECONDS)
    stored = run("env", f"OTEL_MODELDATA_STORE={tmp_path / 'direct'}", python, "-c", COLLECT, seconds=RUN_SECONDS)
    assert (sent, stored) == ("30\n", "30\n")
    for store in ("store", "direct"):
        rows = [row for line in lines_below(tmp_path / store) for row in line["data"]]
        assert rows == [{"n": number} for number in range(30)]
        assert run(python, "-c", READ, tmp_path / store, seconds=RUN_SECONDS) == "True int64 True\n"
    run(python, "-m", "otel_modeldata_receiver", "doctor", "--endpoint", endpoint, seconds=RUN_SECONDS)


@pytest.mark.slow
def test_the_packages_use_no_name_that_the_oldest_python_lacks() -> None:
    assert PROJECT["requires-python"] == f">={LOWEST_PYTHON}"
    # pandas-stubs cannot be read as Python 3.10, so what pandas returns is unknown then.
    options = ("--python-version", LOWEST_PYTHON, "--disable-error-code", "no-any-return", "--no-warn-unused-ignores")
    run(Path(sys.executable).parent / "mypy", *options, seconds=RUN_SECONDS)
