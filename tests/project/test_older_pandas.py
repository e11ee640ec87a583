"""Pandas 2, which most environments of data scientists have: the reader gives back and exports the dtypes there too."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from fresh_environment import INSTALL_SECONDS, new_environment, run
from prerequisites import need_uv

if TYPE_CHECKING:
    from pathlib import Path

VERSION = "2.3.3"
RUN_SECONDS = 600
TESTS = ("tests/reader/types", "tests/reader/exporting", "tests/reader/test_collected_frames.py")


@pytest.mark.long
@pytest.mark.timeout(INSTALL_SECONDS + RUN_SECONDS + 60)
def test_dtypes_come_back_with_pandas_2(tmp_path: Path) -> None:
    python = new_environment(tmp_path / "pandas", sys.executable)
    install = (need_uv(), "pip", "install", "--quiet", "--python", python, "--editable", ".[receiver,read]")
    run(*install, "--group", "test", "anyio", "deltalake", f"pandas=={VERSION}")
    assert run(python, "-c", "import pandas; print(pandas.__version__)", seconds=60) == f"{VERSION}\n"
    run(
        python,
        "-m",
        "pytest",
        *TESTS,
        "-p",
        "no:cacheprovider",
        "-q",
        "-m",
        "not long and not slow",
        seconds=RUN_SECONDS,
    )
