"""`doctor` in a terminal of 80 columns: it says what it waits for, and its lines are wrapped between words."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import socket
import struct
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import pytest
from doctor_hops import SECONDS

from otel_modeldata.environment import read_environment
from otel_modeldata_receiver.commands.doctor import network

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def screen(*arguments: str, **variables: str) -> tuple[int, str]:
    """The exit code, and everything that is written to the terminal."""
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "COLUMNS"))}
    running = subprocess.Popen(
        [sys.executable, "-m", "otel_modeldata_receiver", "doctor", *arguments],
        env=clean | {"TERM": "dumb"} | variables,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    shown = b""
    try:
        while part := os.read(main, 65_536):
            shown += part
    except OSError:  # the terminal is closed with the process
        pass
    finally:
        os.close(main)
    return running.wait(SECONDS), shown.decode()


def test_a_terminal_says_what_is_waited_for_and_how_long(tmp_path: Path) -> None:
    store, other = tmp_path / "store", tmp_path / "other"
    other.mkdir()
    code, shown = screen("--store", str(other), "--timeout", "0.75", OTEL_MODELDATA_STORE=str(store))
    assert code == 1
    waits = re.findall(r"\r\x1b\[Kwaits( .*?)(?=\r)", shown)
    assert waits[0] == "       acknowledged: at most 0.75 s for the acknowledgment"
    assert waits[1].startswith(f"       stored: at most 0.75 s for the line in {other}"[:60])
    assert len(waits) == 2
    final = [line.rpartition("\x1b[K")[2] for line in shown.split("\r\n")]
    assert [line for line in final if line.startswith("waits")] == []
    assert [line for line in final if len(line) > 80 and " " in line.strip()] == []
    start = next(number for number, line in enumerate(final) if line.startswith("failed      stored:"))
    end = next(number for number, line in enumerate(final) if line.startswith("not checked clock:"))
    sentence = " ".join(line.strip() for line in final[start:end])
    assert sentence.startswith(f"failed      stored: expected the event below local/default/doctor of {other} within ")
    assert sentence.endswith("or the receiver writes to another store")


def test_each_step_that_may_wait_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_PROBE_SECONDS", 0.25)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = f"127.0.0.1:{silent.getsockname()[1]}"
        found: list[tuple[object, ...]] = []
        for scheme in ("http", "https"):
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"{scheme}://{target}")
            endpoint = read_environment().endpoint
            assert endpoint is not None
            *_, last = network.hops(endpoint, 1.0, "--endpoint", lambda *step: found.append(step))
            assert last.outcome == "failed"
    assert found == [
        ("connection", f"a listener on {target}", 0.25),
        ("protocol", f"the first bytes of {target}", 0.25),
        ("connection", f"a listener on {target}", 0.25),
        ("TLS", f"the handshake of {target}", 0.25),
    ]
