"""The process of a command: output that cannot be written, errors on a terminal, and a Ctrl-C while it starts."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from read_lines import line, write

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = [sys.executable, "-m", "otel_modeldata_receiver"]
SECONDS = 60
WITHOUT_RICH = """
import sys
sys.modules["rich"] = sys.modules["rich.console"] = None
from otel_modeldata_receiver.__main__ import main
sys.exit(main())
"""
INTERRUPTED = """
import os, signal, sys
from importlib.metadata import entry_points

wanted = sys.argv.pop(1)

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == wanted:
            os.kill(os.getpid(), signal.SIGINT)

(command,) = entry_points(group="console_scripts", name="otel-modeldata")
main = command.load()
sys.meta_path.insert(0, Interrupt())
sys.exit(main())
"""


@pytest.mark.parametrize("command", [["ls"], ["--version"], ["--help"], ["ls", "--help"]], ids=" ".join)
@pytest.mark.parametrize("python", [["-m", "otel_modeldata_receiver"], ["-c", WITHOUT_RICH]], ids=["rich", "plain"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_enough_of_the_output_is_no_error(
    tmp_path: Path, command: list[str], python: list[str], unbuffered: str
) -> None:
    write(tmp_path, [line([{"a": 1}], number=1)])
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, *python, *command],
        cwd=tmp_path,
        env={**os.environ, "OTEL_MODELDATA_STORE": ".", "PYTHONUNBUFFERED": unbuffered},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("command", [["ls"], ["--version"]], ids=" ".join)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_without_room_is_one_sentence(tmp_path: Path, command: list[str], unbuffered: str) -> None:
    write(tmp_path, [line([{"a": 1}], number=1)])
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [*COMMAND, *command],
            env={**os.environ, "OTEL_MODELDATA_STORE": str(tmp_path), "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        2,
        "otel-modeldata: expected to write the output, got No space left on device: write it elsewhere\n",
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")  # noqa: PTH110
def test_an_error_that_cannot_be_written_keeps_its_code(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [*COMMAND, "ls", str(tmp_path / "none")],
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert (done.returncode, done.stdout) == (3, "")


def test_an_error_fits_a_terminal_with_paths_in_one_piece(tmp_path: Path) -> None:
    store = tmp_path / ("x" * 90)
    terminal, stderr = pty.openpty()
    done = subprocess.run(
        [*COMMAND, "ls", str(store)],
        env={**os.environ, "COLUMNS": "80"},
        stdout=subprocess.PIPE,
        stderr=stderr,
        timeout=SECONDS,
        check=False,
    )
    os.close(stderr)
    printed = os.read(terminal, 1 << 16).decode()
    os.close(terminal)
    expected = f"otel-modeldata: expected a folder of blobs, got none at\n    '{store}':\n    correct its path\n"
    assert (done.returncode, printed.replace("\r\n", "\n")) == (3, expected)


@pytest.mark.parametrize(
    "module", ["otel_modeldata_receiver.commands", "otel_modeldata_receiver.commands.main", "argparse"]
)
def test_ctrl_c_while_the_command_line_is_imported_has_its_code_and_prints_nothing(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, module, "ls"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
