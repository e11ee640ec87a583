"""The processes of the demo end with it, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import wait_until

from otel_modeldata_receiver.commands.demo.child_processes import ChildProcess, ChildProcesses, environment
from otel_modeldata_receiver.commands.demo.exceptions import ProcessEndedError
from otel_modeldata_receiver.commands.demo.interrupts import Interrupts

FOREVER = "import time; print('ready', flush=True); time.sleep(600)"


def start(processes: ChildProcesses, folder: Path, code: str) -> ChildProcess:
    script = folder / "script.py"
    script.write_text(code)
    return processes.start("the test", [str(script)], environment())


def is_ready(process: ChildProcess) -> bool | None:
    return "ready" in process.output() or None


def test_processes_end_when_they_are_left_also_because_of_an_error(tmp_path: Path) -> None:
    def fail() -> None:
        with Interrupts() as interrupts, ChildProcesses(tmp_path, interrupts) as processes:
            started.append(start(processes, tmp_path, FOREVER))
            started[0].wait_for(lambda: is_ready(started[0]))
            raise KeyError

    started: list[ChildProcess] = []
    with pytest.raises(KeyError):
        fail()
    assert not started[0].is_running


def test_a_process_that_ignores_the_request_to_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_modeldata_receiver.commands.demo.child_processes._LEAVE_SECONDS", 0.2)
    with Interrupts() as interrupts, ChildProcesses(tmp_path, interrupts) as processes:
        stubborn = start(processes, tmp_path, f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); {FOREVER}")
        stubborn.wait_for(lambda: is_ready(stubborn))
    assert stubborn.popen.returncode == -signal.SIGKILL


def test_a_module_runs_as_the_main_one_with_its_arguments(tmp_path: Path) -> None:
    (tmp_path / "named.py").write_text("import sys; print(__name__, __spec__.name, sys.argv[1:], flush=True)")
    with Interrupts() as interrupts, ChildProcesses(tmp_path, interrupts) as processes:
        process = processes.start("the test", ["-m", "named", "-x", "y"], environment(PYTHONPATH=str(tmp_path)))
        process.popen.wait()
        assert process.output() == ["__main__ named ['-x', 'y']"]


def test_when_the_demo_is_killed_its_processes_end_as_by_ctrl_c(tmp_path: Path) -> None:
    """Nothing of the demo runs then, so they have to notice it."""
    child = tmp_path / "child.py"
    child.write_text(
        "import os, time\nprint(os.getpid(), flush=True)\n"
        f"try:\n    time.sleep(600)\nexcept KeyboardInterrupt:\n    open({str(tmp_path / 'ended')!r}, 'w').close()\n"
    )
    demo = f"""
import os, pathlib, signal
from otel_modeldata_receiver.commands.demo.child_processes import ChildProcesses, environment
from otel_modeldata_receiver.commands.demo.interrupts import Interrupts

with Interrupts() as interrupts, ChildProcesses(pathlib.Path({str(tmp_path)!r}), interrupts) as processes:
    children = [processes.start("the test", [{str(child)!r}], environment()) for _ in range(2)]
    for process in children:
        process.wait_for(lambda: process.output() or None)
        print(process.output()[0], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", demo], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, "")
    children = [int(line) for line in done.stdout.split()]
    assert len(children) == 2
    wait_until(lambda: not any(Path(f"/proc/{child}").exists() for child in children))
    assert (tmp_path / "ended").exists()


def test_a_process_that_ends_too_early_is_an_error_with_its_last_line(tmp_path: Path) -> None:
    with Interrupts() as interrupts, ChildProcesses(tmp_path, interrupts) as processes:
        process = start(processes, tmp_path, "print('no such \\x1b[1mmodule'); raise SystemExit(3)")
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
