"""How long a person waits after `otel-modeldata studio` until Explore has its first page: the slowest of its starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final

import usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from case import Effort, Run

_TIMES: Final = 10
_FEWER: Final = 3
_ROWS: Final = "api/rows?deployment=shop/blue"


def first_answers(store: Path, effort: Effort) -> Run:
    """The seconds from the start of the process to its first page of rows, with modules that are compiled already.

    `without_bytecode` compiles all modules at the start, as in an image of a container that does not let Python store
    them; for `cold_store` the system's memory has nothing of the store's files.
    """
    with tempfile.TemporaryDirectory() as bytecode, tempfile.TemporaryDirectory() as nothing:
        compiled = {"PYTHONPYCACHEPREFIX": bytecode, "PYTHONDONTWRITEBYTECODE": ""}
        _started(store, compiled)
        found = {"first_answer": [_started(store, compiled) for _ in range(effort.of(_TIMES, 1))]}
        without = {"PYTHONPYCACHEPREFIX": nothing, "PYTHONDONTWRITEBYTECODE": "1"}
        found["first_answer_without_bytecode"] = [_started(store, without) for _ in range(effort.of(_FEWER, 1))]
        found["first_answer_cold_store"] = []
        for _ in range(effort.of(_FEWER, 1)):
            _forget(store)
            found["first_answer_cold_store"].append(_started(store, compiled))
    figures: Run = {}
    for name, times in found.items():
        figures[f"{name}_s"], figures[f"{name}_cpu_s"] = max(times)
    return figures


def _started(store: Path, environment: Mapping[str, str]) -> tuple[float, float]:
    """The seconds of a start, and those of all processors."""
    command = [str(Path(sys.executable).with_name("otel-modeldata")), "studio", str(store)]
    began = time.perf_counter()
    with subprocess.Popen(
        [*command, "--no-browser", "--json", "--listen", "127.0.0.1:0"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    ) as studio:
        try:
            assert studio.stdout is not None
            place = json.loads(studio.stdout.readline())["url"]
            with urllib.request.urlopen(f"{place}{_ROWS}", timeout=60) as answer:
                page = json.loads(answer.read())
            seconds, cpu = time.perf_counter() - began, usage.cpu_seconds(studio.pid)
        finally:
            studio.send_signal(signal.SIGINT)
        assert studio.wait(60) == 0
    assert len(page["rows"]) == 100, len(page["rows"])
    return seconds, cpu


def _forget(store: Path) -> None:
    """Let the system's memory have nothing of these files; another process must not have them open."""
    for path in store.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)
