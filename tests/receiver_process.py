"""The receiver as users start it: `otel-modeldata receive` in a process of its own, on a free loopback port."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Protocol

    class StartReceiver(Protocol):
        """What the `start_receiver` fixture offers: flags and environment variables to a serving process."""

        def __call__(self, store: str, *flags: str, **variables: str) -> ReceiverProcess: ...


STOP_SECONDS = 60.0
STORED_SECONDS = 90.0
"""How long a wait for lines may last; only ever reached by a failing test."""


@dataclass(kw_only=True)
class ReceiverProcess:
    """One receiver process, which can be stopped, killed and started again on the same port."""

    store: str
    flags: tuple[str, ...]
    variables: dict[str, str]
    log: Path
    endpoint: str = "127.0.0.1:0"
    startup: dict[str, Any] = field(default_factory=dict)
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start the process and wait for its startup line, which comes when it serves."""
        command = [sys.executable, "-m", "otel_modeldata_receiver", "receive", "--json"]
        command += ["--listen", self.endpoint, "--store", self.store, *self.flags]
        with self.log.open("ab") as errors:
            process = subprocess.Popen(
                command, env=os.environ | self.variables, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self._process = process
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            self.kill()
            pytest.fail(f"the receiver did not start: {' '.join(command)}\n{self.log.read_text()[-4000:]}")
        self.startup = json.loads(line)
        self.endpoint = self.startup["listen"]

    def stop(self) -> int:
        """SIGTERM, as a rollout does; returns the exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, as running out of memory does."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        with process:
            return process.wait(timeout=STOP_SECONDS)


@pytest.fixture
def start_receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartReceiver]:
    """Starts receivers: `start_receiver(str(folder))`; all are stopped after the test."""
    started: list[ReceiverProcess] = []

    def start(store: str, *flags: str, **variables: str) -> ReceiverProcess:
        log = tmp_path_factory.mktemp("receiver") / "receiver.log"
        process = ReceiverProcess(store=store, flags=flags, variables=variables, log=log)
        started.append(process)
        process.start()
        return process

    yield start
    for process in started:
        process.kill()


def lines_below(folder: Path) -> list[dict[str, Any]]:
    """Every whole line of a local store, blob by blob in the order of their names."""
    blobs = [blob.read_bytes() for blob in sorted(folder.rglob("*.jsonl"))]
    return [json.loads(line) for blob in blobs for line in blob[: blob.rfind(b"\n") + 1].splitlines()]


def wait_for_lines(folder: Path, count: int) -> None:
    """Return when the store holds at least `count` lines."""
    wait_until(lambda: len(lines_below(folder)) >= count)


def wait_until(condition: Callable[[], bool]) -> None:
    """Return when `condition` holds."""
    deadline = time.monotonic() + STORED_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not true within {STORED_SECONDS} s"
        time.sleep(0.05)
