"""Workers of servers that end."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from ending_host import DRAIN, Host
from gateway import free_port

if TYPE_CHECKING:
    import subprocess


def _get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=60) as response:
        text: str = response.read().decode()
        return text


def _wait_for_server(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            _get(port, "first")
            return
        time.sleep(0.05)
    pytest.fail("the server did not answer within 120 s")


def _ask_until_two_workers_answered(port: int, name: str) -> set[str]:
    """Several at the same time: one worker that is idle may get all that come one after the other."""
    workers: set[str] = set()
    deadline = time.monotonic() + 120
    with ThreadPoolExecutor(4) as clients:
        for first in itertools.count(step=4):
            names = [f"{name}{n}" for n in range(first, first + 4)]
            workers.update(clients.map(_get, itertools.repeat(port), names))
            if first >= 28 and len(workers) == 2:
                break
            if time.monotonic() > deadline:
                pytest.fail(f"expected answers of two workers, got {workers}")
    return workers


def _gunicorn(host: Host, worker: str, port: int) -> subprocess.Popen[str]:
    return host.start_command(
        *(sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--worker-class", worker),
        *("--threads", "2" if worker == "gthread" else "1", "--bind", f"127.0.0.1:{port}"),
        *("--no-control-socket", "accepting:wsgi_app"),
    )


@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_gunicorns_preloaded_workers_deliver_before_they_end(without_spool: Host, worker: str) -> None:
    process = _gunicorn(without_spool, worker, port := free_port())
    _wait_for_server(port, process)
    _ask_until_two_workers_answered(port, "a")
    process.terminate()
    process.communicate(timeout=60)
    without_spool.check(producers=2)


def test_a_killed_worker_of_gunicorn_loses_nothing_with_a_spool(with_spool: Host) -> None:
    process = _gunicorn(with_spool, "sync", port := free_port())
    _wait_for_server(port, process)
    workers = _ask_until_two_workers_answered(port, "a")
    _get(port, "last")
    os.kill(int(workers.pop()), signal.SIGKILL)
    _ask_until_two_workers_answered(port, "b")
    process.terminate()
    process.communicate(timeout=60)
    with_spool.run(DRAIN)
    with_spool.check(producers=3)


def test_uvicorns_workers_deliver_before_they_end(host: Host) -> None:
    """uvicorn ends by raising the signal again, so Python's exit handlers do not run."""
    port = free_port()
    process = host.start_command(
        *(sys.executable, "-m", "uvicorn", "--workers", "2", "--port", str(port), "accepting:asgi_app"),
        *("--log-level", "warning"),
    )
    _wait_for_server(port, process)
    _ask_until_two_workers_answered(port, "a")
    process.terminate()
    process.communicate(timeout=60)
    host.check(producers=2)
