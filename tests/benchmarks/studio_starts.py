"""How long a person waits after `otel-modeldata studio` until Explore has its first page: the slowest of its starts.

The page is asked for as a browser does it, again and again until all lines are read. The answer that counts is the
first one that is right: the newest rows of the store, with their outputs, and the labels and latencies that they have.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import usage
from studio_store import EACH, newest_ids

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from case import Effort, Run

_TIMES: Final = 10
_FEWER: Final = 3
_ROWS: Final = "api/rows?deployment=shop/blue"
_AGAIN_SECONDS: Final = 0.7
"""After an answer that does not have all lines, as the page waits."""
_MOST_SECONDS: Final = 300


def first_answers(store: Path, tail: int, effort: Effort) -> Run:
    """The seconds from the start of the process to its first right page, with modules that are compiled already.

    `without_bytecode` compiles all modules at the start, as in an image of a container that does not let Python store
    them; for `cold_store` the system's memory has nothing of the store's files. `all_lines` is the time until an answer
    has all lines; `first_answers` how many answers there were up to the first right one.
    """
    with tempfile.TemporaryDirectory() as bytecode, tempfile.TemporaryDirectory() as nothing:
        compiled = {"PYTHONPYCACHEPREFIX": bytecode, "PYTHONDONTWRITEBYTECODE": ""}
        _started(store, tail, compiled)
        found = {"first_answer": [_started(store, tail, compiled) for _ in range(effort.of(_TIMES, 1))]}
        without = {"PYTHONPYCACHEPREFIX": nothing, "PYTHONDONTWRITEBYTECODE": "1"}
        found["first_answer_without_bytecode"] = [_started(store, tail, without) for _ in range(effort.of(_FEWER, 1))]
        found["first_answer_cold_store"] = []
        for _ in range(effort.of(_FEWER, 1)):
            _forget(store)
            found["first_answer_cold_store"].append(_started(store, tail, compiled))
    figures: Run = {}
    for name, starts in found.items():
        slowest = max(starts, key=lambda one: one.seconds)
        figures[f"{name}_s"], figures[f"{name}_cpu_s"] = slowest.seconds, slowest.cpu
    figures["first_answers"] = max(one.answers for one in found["first_answer"])
    figures["all_lines_s"] = max(one.all_lines for one in found["first_answer"])
    return figures


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """The seconds until the first right answer, those of all processors, and those until all lines were read."""

    seconds: float
    cpu: float
    answers: int
    all_lines: float


def _started(store: Path, tail: int, environment: Mapping[str, str]) -> _Start:
    command = [str(Path(sys.executable).with_name("otel-modeldata")), "studio", str(store)]
    began = time.perf_counter()
    seconds = cpu = None
    answers = 0
    with subprocess.Popen(
        [*command, "--no-browser", "--json", "--listen", "127.0.0.1:0"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    ) as studio:
        try:
            assert studio.stdout is not None
            place = json.loads(studio.stdout.readline())["url"]
            while True:
                with urllib.request.urlopen(f"{place}{_ROWS}", timeout=60) as answer:
                    page = json.loads(answer.read())
                now = time.perf_counter() - began
                if seconds is None:
                    answers += 1
                    if _is_right(page, tail):
                        seconds, cpu = now, usage.cpu_seconds(studio.pid)
                if not page["pending"]:
                    break
                assert now < _MOST_SECONDS, page["pending"]
                time.sleep(_AGAIN_SECONDS)
        finally:
            studio.send_signal(signal.SIGINT)
        assert studio.wait(60) == 0
    assert seconds is not None, page["rows"][:2]
    assert cpu is not None
    return _Start(seconds=seconds, cpu=cpu, answers=answers, all_lines=now)


def _is_right(page: Mapping[str, Any], tail: int) -> bool:
    """Whether these are the newest rows, with all that belongs to them."""
    rows = page["rows"]
    scores = page["columns"].index("outputs.score")
    numbers = range(tail - 1, tail - 1 - len(rows), -1)
    has_more = [number % EACH == 0 for number in numbers]
    return (
        [row["id"] for row in rows] == newest_ids(tail, 100)
        and all(row["values"][scores] is not None for row in rows)
        and [row["label"] is not None for row in rows] == has_more
        and [row["latency_ms"] is not None for row in rows] == has_more
    )


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
