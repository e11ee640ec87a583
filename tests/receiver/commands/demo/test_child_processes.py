"""The processes of the demo end with it, whatever happens."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from otel_modeldata_receiver.commands.demo.child_processes import ChildProcess, ChildProcesses, environment
from otel_modeldata_receiver.commands.demo.exceptions import ProcessEndedError
from otel_modeldata_receiver.commands.demo.interrupts import Interrupts

if TYPE_CHECKING:
    from pathlib import Path

FOREVER = "import time; print('ready', flush=True); time.sleep(600)"


def start(processes: ChildProcesses, code: str) -> ChildProcess:
    return processes.start("the test", ["-c", code], environment())


def is_ready(process: ChildProcess) -> bool | None:
    return "ready" in process.output() or None


def test_processes_end_when_they_are_left_also_because_of_an_error(tmp_path: Path) -> None:
    def fail() -> None:
        with Interrupts() as interrupts, ChildProcesses(tmp_path, interrupts) as processes:
            started.append(start(processes, FOREVER))
            started[0].wait_for(lambda: is_ready(started[0]))
            raise KeyError

    started: list[ChildProcess] = []
    with pytest.raises(KeyError):
        fail()
    assert not started[0].is_running


def test_a_process_that_ignores_the_request_to_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_modeldata_receiver.commands.demo.child_processes._LEAVE_SECONDS", 0.2)
    with Interrupts() as interrupts, ChildProcesses(tmp_path, interrupts) as processes:
        stubborn = start(processes, f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); {FOREVER}")
        stubborn.wait_for(lambda: is_ready(stubborn))
    assert stubborn.popen.returncode == -signal.SIGKILL


def test_a_process_that_ends_too_early_is_an_error_with_its_last_line(tmp_path: Path) -> None:
    with Interrupts() as interrupts, ChildProcesses(tmp_path, interrupts) as processes:
        process = start(processes, "print('no such \\x1b[1mmodule'); raise SystemExit(3)")
        with pytest.raises(
            ProcessEndedError, match="expected the test to run, got exit code 3 and the last line"
        ) as one:
            process.wait_for(lambda: None)
    assert "\x1b" not in str(one.value)


def test_an_interrupt_inside_a_deferred_part_comes_at_its_end(interrupts: None) -> None:
    steps: list[str] = []

    def part(handler: Interrupts) -> None:
        with handler.deferred():
            with handler.deferred():
                os.kill(os.getpid(), signal.SIGINT)
                steps.append("inner")
            steps.append("outer")
        steps.append("never")

    with Interrupts() as handler, pytest.raises(KeyboardInterrupt):
        part(handler)
    assert steps == ["inner", "outer"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_signal_interrupts_and_its_handler_is_restored(interrupts: None, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interrupts(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    assert signal.getsignal(number) == before


def test_settings_for_other_programs_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("AZUREML_MDC_ENABLED", "false")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_URL", "https://account.blob.core.windows.net")
    kept = environment(OTEL_SERVICE_NAME="flights")
    assert {name for name in kept if name.startswith(("OTEL_", "AZUREML_"))} == {"OTEL_SERVICE_NAME"}
    assert kept["AZURE_STORAGE_ACCOUNT_URL"] == "https://account.blob.core.windows.net"
