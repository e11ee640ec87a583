"""The processes of the demo: each is started, waited for and ended here, so that none outlives the demo.

`scripts/attended.py` ends them if the demo itself is killed. Each has a session of its own: Ctrl-C in a terminal
reaches the demo only, which ends them in the right order. What a process logs is kept in a file, and its last line is
in the error if the process ends too early.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from .exceptions import ProcessEndedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .interrupts import Interrupts

__all__ = ["ChildProcess", "ChildProcesses", "environment"]

_READY_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.05
_END_SECONDS: Final = 30.0
_LEAVE_SECONDS: Final = 0.5
"""How long processes may take to end when the demo is left; after that they are killed. The store is whole then too:
an append is applied completely or not at all."""
_ATTENDED: Final = Path(__file__).parent / "scripts" / "attended.py"
_LEFT_OUT: Final = ("OTEL_", "AZUREML_")


T = TypeVar("T")


def environment(**variables: str) -> dict[str, str]:
    """The environment of a process of the demo: that of this process, without settings for other programs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
    return kept | {"PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1", "GRPC_VERBOSITY": "NONE"} | variables


@dataclass(slots=True)
class ChildProcess:
    """A process and the file that has its output."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    started: float = field(default_factory=time.monotonic)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.popen.poll() is None

    def output(self) -> list[str]:
        """The lines that it has printed and logged, without one that is not complete."""
        return self.log.read_bytes().decode("utf-8", "replace").split("\n")[:-1]

    def announced(self, key: str) -> dict[str, Any] | None:
        """The line with `key` that a command prints with `--json` when it listens; None before that."""
        for line in self.output():
            if line.startswith("{") and key in (facts := json.loads(line)):
                found: dict[str, Any] = facts
                return found
        return None

    def check(self) -> None:
        """Raise `ProcessEndedError` if it has ended."""
        if (code := self.popen.poll()) is not None:
            raise ProcessEndedError(self.name, f"exit code {code}", self._last_line())

    def wait_for(self, is_ready: Callable[[], T | None]) -> T:
        """What `is_ready` returns when it is no longer None.

        Raises:
            ProcessEndedError: the process ended before, or that takes more than a minute.
        """
        until = time.monotonic() + _READY_SECONDS
        while (ready := is_ready()) is None:
            self.check()
            if time.monotonic() > until:
                raise ProcessEndedError(self.name, f"nothing for {_READY_SECONDS:.0f} seconds", self._last_line())
            time.sleep(_POLL_SECONDS)
        return ready

    def kill(self) -> None:
        """End it with SIGKILL, which it cannot notice."""
        self.popen.kill()
        self.popen.wait()

    def kill_group(self) -> None:
        """End it, and the processes that it has started, with SIGKILL."""
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.popen.pid, signal.SIGKILL)  # each process is the leader of its session
        self.kill()

    def interrupt(self) -> None:
        """End it as Ctrl-C does, so that it runs its exit handlers, and wait for it."""
        self._end_with(signal.SIGINT, _END_SECONDS)

    def _last_line(self) -> str:
        return (self.output() or ["nothing"])[-1]

    def _end_with(self, number: signal.Signals, seconds: float) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.popen.send_signal(number)
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()


class ChildProcesses:
    """Starts processes, and ends those that still run when it is left.

    Args:
        folder: for the files with their output, and for their temporary files, which one that is killed leaves.
        interrupts: which wait while a process is started or ended.
    """

    def __init__(self, folder: Path, interrupts: Interrupts) -> None:
        self._folder = folder
        self._interrupts = interrupts
        self._running: list[ChildProcess] = []
        self._pipe = (-1, -1)
        self._count = 0

    def __enter__(self) -> ChildProcesses:  # noqa: PYI034 (`Self` is not in Python 3.10)
        self._pipe = os.pipe()
        return self

    def __exit__(self, *_: object) -> None:
        with self._interrupts.deferred():
            self._end()
            for end in self._pipe:
                os.close(end)

    def _end(self) -> None:
        running = [process for process in self._running if process.is_running]
        for process in running:
            process.popen.send_signal(signal.SIGINT)
        until = time.monotonic() + _LEAVE_SECONDS
        for process in running:
            try:
                process.popen.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill_group()

    def start(self, name: str, arguments: Sequence[str], variables: Mapping[str, str]) -> ChildProcess:
        """Run a script or a module in the interpreter of this process.

        Args:
            name: what it is, for errors, such as "the receiver".
            arguments: the path of a script, or "-m" and the name of a module, and its arguments.
            variables: its whole environment.
        """
        self._count += 1
        log = self._folder / f"{self._count}.log"
        with self._interrupts.deferred(), log.open("wb") as output:
            popen = subprocess.Popen(  # noqa: S603 (the interpreter of this process)
                [sys.executable, str(_ATTENDED), *arguments],
                env={**variables, "TMPDIR": str(self._folder)},
                stdin=self._pipe[0],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            process = ChildProcess(name, popen, log)
            self._running.append(process)
        return process
