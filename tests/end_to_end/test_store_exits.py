"""A short program that writes to a store itself, and how it ends: its events are stored, on every Python.

Python 3.12 starts no thread from the moment it begins to exit, also for functions of `atexit`.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from fresh_environment import INSTALL_SECONDS, new_environment
from fresh_environment import run as run_in_project
from installed_pythons import installed_python
from prerequisites import need_uv
from receiver_process import lines_below
from scoring_host import clean_environment

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 90
OTHERS = [version for version in ("3.10", "3.11", "3.12", "3.13", "3.14") if version != f"3.{sys.version_info.minor}"]
BEGINNING = """
import atexit, os, sys, threading
import otel_modeldata
import pandas as pd
from otel_modeldata import Collector
inputs = Collector(name="model_inputs")
def collect(value=1): inputs.collect(pd.DataFrame({"a": [value]}))
"""
ENDS = {
    "the end of the program": ("collect()", 0, 1),
    "sys.exit": ("collect(); sys.exit(3)", 3, 1),
    "an uncaught exception": ("collect(); sys.excepthook = lambda *_: None; raise ValueError", 1, 1),
    "SIGTERM": ("collect(); os.kill(os.getpid(), 15); threading.Event().wait()", -signal.SIGTERM, 1),
    "a flush before": ("collect(); assert otel_modeldata.flush(60).delivered == 1", 0, 1),
    "an event after a flush": ("collect(); otel_modeldata.flush(60); collect()", 0, 2),
    "large events": ("for _ in range(3): collect('x' * 3_000_000)", 0, 3),
    "a thread that outlives the main one": (
        "threading.Thread(target=lambda: threading.main_thread().join() or collect()).start()",
        0,
        1,
    ),
    "the first event in an exit handler": ("atexit.register(collect)", 0, 1),
    "SIGTERM in an exit handler": ("atexit.register(lambda: (collect(), os.kill(os.getpid(), 15)))", -15, 1),
}
LATE = (
    "the end of the program",
    "an event after a flush",
    "large events",
    "the first event in an exit handler",
    "SIGTERM in an exit handler",
)
"""Those that store while Python exits."""


FIRST_COLLECTOR = """
import atexit, sys, threading
import pandas as pd
for name in [name for name in sys.modules if name.partition(".")[0] == "concurrent"]:
    del sys.modules[name]  # as with pandas 2, which does not import it
from otel_modeldata import Collector
atexit.register(lambda: Collector(name="model_inputs").collect(pd.DataFrame({"a": [1]})))
"""


def run(python: Path | str, folder: Path, ending: str, **variables: str) -> tuple[int, str, int]:
    """The status of the program, what it wrote, and how many events it stored."""
    return run_program(python, folder, BEGINNING + ENDS[ending][0], **variables)


def run_program(python: Path | str, folder: Path, program: str, **variables: str) -> tuple[int, str, int]:
    """The same of any program."""
    done = subprocess.run(
        [python, "-c", program],
        cwd=folder,
        env=clean_environment() | {"OTEL_MODELDATA_STORE": "store"} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout, len(lines_below(folder / "store"))


@pytest.mark.parametrize("ending", ENDS)
def test_a_short_program_stores_its_events_and_says_nothing(tmp_path: Path, ending: str) -> None:
    _, status, stored = ENDS[ending]
    assert run(sys.executable, tmp_path, ending) == (status, "", stored)


def test_the_first_collector_may_be_made_in_an_exit_handler(tmp_path: Path) -> None:
    assert run_program(sys.executable, tmp_path, FIRST_COLLECTOR) == (0, "", 1)


@pytest.mark.parametrize("ending", ["the end of the program", "the first event in an exit handler"])
def test_nothing_stays_in_the_spool(tmp_path: Path, ending: str) -> None:
    assert run(sys.executable, tmp_path, ending, OTEL_MODELDATA_SPOOL="spool") == (0, "", 1)
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.long
@pytest.mark.timeout(INSTALL_SECONDS + len(LATE) * SECONDS)
@pytest.mark.parametrize("version", OTHERS)
def test_it_does_so_on_the_other_pythons_of_this_machine(tmp_path: Path, version: str) -> None:
    python = new_environment(tmp_path / "environment", installed_python(version))
    run_in_project(need_uv(), "pip", "install", "--quiet", "--python", python, "--editable", ".[receiver]")
    outcomes = {}
    for number, ending in enumerate(LATE):
        folder = tmp_path / str(number)
        folder.mkdir()
        outcomes[ending] = run(python, folder, ending)
    assert outcomes == {ending: (ENDS[ending][1], "", ENDS[ending][2]) for ending in LATE}
