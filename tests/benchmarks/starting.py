"""A case of starts in new processes: the help of the command, the first `collect` of a program, a receiver."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final
from unittest.mock import patch

import official
import usage
from case import Case, Effort, Run, Sides, Target, in_turn

_TIMES: Final = 15
_FEWER: Final = 3
"""Starts without any bytecode, which take long."""
_FRAME: Final = {"cells": {"age": [41], "income": [1234.5], "city": ["Graz"]}}


def _start(effort: Effort) -> Sides:
    """All starts in turn, with modules that are compiled already, as after an installation by pip.

    `over_pandas_without_bytecode_ms` is that of processes in which every module is compiled again, as in an image of a
    container that lets Python store nothing.
    """
    times = effort.of(_TIMES, 1)
    with patch.dict(os.environ, {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": os.devnull}):
        without = in_turn(effort.of(_FEWER, 1), {"ours": _first_collect, "official": _first_collect_of_peer})
    with tempfile.TemporaryDirectory() as bytecode:
        compiled = {"PYTHONPYCACHEPREFIX": bytecode, "PYTHONDONTWRITEBYTECODE": ""}
        with patch.dict(os.environ, compiled):
            sides = {"ours": _ours, "official": _first_collect_of_peer}
            in_turn(1, sides)
            found = in_turn(times, sides)
    for side, runs in without.items():
        middle = statistics.median([run["over_pandas_ms"] for run in runs])
        found[side] = [run | {"over_pandas_without_bytecode_ms": middle} for run in found[side]]
    return found


def _ours() -> Run:
    return {**_help(), **_listen(), **_first_collect()}


def _first_collect() -> Run:
    return official.ours("cold", _FRAME, "cold_start.py")


def _first_collect_of_peer() -> Run:
    return official.official("cold", _FRAME, "cold_start.py")


def _help() -> Run:
    """The time of `otel-modeldata --help`."""
    command = (str(Path(sys.executable).with_name("otel-modeldata")), "--help")
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stdout.startswith("usage: otel-modeldata ")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"help_ms": seconds * 1e3, "help_cpu_ms": cpu * 1e3}


def _listen() -> Run:
    """The time from the command `otel-modeldata receive` to its startup line, which it prints when it serves."""
    began = time.perf_counter()
    with official.receiver() as receiver:
        seconds = time.perf_counter() - began
        assert receiver._process is not None
        cpu = usage.cpu_seconds(receiver._process.pid)
        assert receiver.health() == "SERVING"
        assert receiver.stop() == 0
    return {"listen_ms": seconds * 1e3, "listen_cpu_ms": cpu * 1e3}


CASES: Final[dict[str, Case]] = {
    "start": Case(
        about="new processes: --help, a receiver that listens, and import with the first collect, beyond pandas",
        run=_start,
        targets={
            "help_ms": [Target(most=150, absolute=True)],
            "listen_ms": [Target(most=700, absolute=True)],
            "over_pandas_ms": [Target(most=150, absolute=True)],
        },
    ),
}
