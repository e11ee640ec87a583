"""Sockets that a service manager passes on (sd_listen_fds)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from otel_modeldata_receiver.listeners.inherited_sockets import inherited_socket

LOOK = """
import os, sys
from otel_modeldata_receiver.listeners.inherited_sockets import inherited_socket
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_FDS": sys.argv[2], "LISTEN_PID": sys.argv[3] or str(os.getpid())}
found = inherited_socket("localhost", int(sys.argv[4]))
print(None if found is None else found.getsockname())
"""


def looked(count: str, pid: str = "", *, port: int | None = None, listening: bool = True) -> str:
    """What a process finds that is started with a socket on a free port of 127.0.0.1."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        if listening:
            held.listen()
        mine = held.getsockname()[1]
        arguments = [str(held.fileno()), count, pid, str(port or mine)]
        done = subprocess.run(
            [sys.executable, "-c", LOOK, *arguments],
            pass_fds=[held.fileno()],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout.strip().replace(str(mine), "PORT")


def test_the_socket_of_the_address_is_taken() -> None:
    assert looked("1") == "('127.0.0.1', PORT)"


@pytest.mark.parametrize("count", ["0", "", "-1", "x"])
def test_none_is_taken_when_none_was_passed_on(count: str) -> None:
    assert looked(count) == "None"


def test_a_socket_for_another_process_address_or_use_is_not_taken() -> None:
    assert looked("1", str(os.getpid())) == "None"
    assert looked("1", port=1) == "None"
    assert looked("1", listening=False) == "None"


def test_without_the_variables_nothing_is_looked_up() -> None:
    assert inherited_socket("127.0.0.1", 1) is None
