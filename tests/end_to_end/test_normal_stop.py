"""Servers that are stopped as a platform stops them, and which of the collected events are stored.

Each server is started as its users start it, with the model of `fixtures/scored.py`: two collectors, no code for the
end of the process. Every request that was answered must have arrived when the server has ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from gateway import free_port
from recording_backend import RecordingBackend

from otel_modeldata import semconv

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

FIXTURES = Path(__file__).parents[1] / "fixtures"
REQUESTS = 40
COLLECTIONS = ("model_inputs", "model_outputs")
START_SECONDS = 90.0
GRACE_SECONDS = 30
"""As in Kubernetes."""
NO_ONE_LISTENS = "http://127.0.0.1:9"

UVICORN = ("uvicorn", "scored:asgi_app", "--log-level", "warning", "--port", "PORT")
HYPERCORN = ("hypercorn", "--bind", "127.0.0.1:PORT")
GUNICORN = ("gunicorn", "--no-control-socket", "--bind", "127.0.0.1:PORT")
SERVERS: dict[str, tuple[tuple[str, ...], int, int]] = {
    # name: command line, workers, exit status after SIGTERM
    "uvicorn": (UVICORN, 1, -signal.SIGTERM),
    "uvicorn with two workers": ((*UVICORN, "--workers", "2"), 2, 0),
    "uvicorn that reloads": ((*UVICORN, "--reload", "--reload-dir", "."), 1, 0),
    "gunicorn": ((*GUNICORN, "--workers", "2", "scored:wsgi_app"), 2, 0),
    "gunicorn, gthread": ((*GUNICORN, "--worker-class", "gthread", "--threads", "4", "scored:wsgi_app"), 1, 0),
    "gunicorn, uvicorn": ((*GUNICORN, "--worker-class", "uvicorn_worker.UvicornWorker", "scored:asgi_app"), 1, 0),
    "gunicorn, uvicorn, preloaded": (
        (*GUNICORN, "--preload", "--worker-class", "uvicorn_worker.UvicornWorker", "scored:asgi_app"),
        1,
        0,
    ),
    "gunicorn, gevent": ((*GUNICORN, "--worker-class", "gevent", "scored:wsgi_app"), 1, 0),
    "gunicorn, --max-requests": ((*GUNICORN, "--max-requests", "7", "scored:wsgi_app"), 1, 0),
    "hypercorn": ((*HYPERCORN, "scored:asgi_app"), 1, 0),
    "hypercorn with two workers": ((*HYPERCORN, "--workers", "2", "scored:asgi_app"), 2, 0),
    "granian": (("granian", "--interface", "asgi", "--no-ws", "--port", "PORT", "scored:asgi_app"), 1, 0),
    "granian, WSGI": (("granian", "--interface", "wsgi", "--port", "PORT", "scored:wsgi_app"), 1, 0),
    "waitress": (("waitress-serve", "--listen=127.0.0.1:PORT", "scored:wsgi_app"), 1, -signal.SIGTERM),
}


@dataclass
class Stopped:
    """What is left of a server: its answers, its exit status, and what it printed."""

    answered: set[str]
    status: int
    log: str


@dataclass
class Machine:
    """Starts servers that send to one backend."""

    backend: RecordingBackend
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def stop(
        self, command: tuple[str, ...], *, workers: int = 1, signum: int = signal.SIGTERM, group: bool = False
    ) -> Stopped:
        """Start a server, score with it, and stop it: by a signal to its process, or to its group (Ctrl-C)."""
        port = free_port()
        program, *arguments = (part.replace("PORT", str(port)) for part in command)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "AZUREML_", "PYTHON"))}
        own = {"PYTHONPATH": str(FIXTURES), "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{self.backend.endpoint}"}
        log = self.folder / "log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [str(Path(sys.executable).parent / program), *arguments],
                env=clean | own | self.variables,
                cwd=self.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_until_ready(port, process, log)
            answered = ask_all(port, workers)
            (os.killpg if group else os.kill)(process.pid, signum)
            status = process.wait(GRACE_SECONDS)
            return Stopped(answered, status, log.read_text("utf-8"))
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)

    def stored(self) -> set[tuple[str, str]]:
        """Collection and correlation id of each event that arrived."""
        values = ({one.key: one.value.string_value for one in record.attributes} for record in self.backend.records())
        return {(one[semconv.AZUREML_COLLECTION_NAME], one[semconv.AZUREML_CORRELATION_ID]) for one in values}


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=30) as response:
        text: str = response.read().decode()
        return text


def wait_until_ready(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text("utf-8")
        with contextlib.suppress(OSError):
            get(port, "")
            return
        time.sleep(0.05)
    pytest.fail(f"the server did not answer: {log.read_text('utf-8')}")


def ask_all(port: int, workers: int) -> set[str]:
    """Score, until there are enough answers, of all workers: one that still starts may not heed signals."""
    answered: set[str] = set()
    seen: set[str] = set()
    for n in range(500):
        with contextlib.suppress(OSError):  # a worker of --max-requests has just ended: not answered, not counted
            seen.add(get(port, f"request-{n}"))
            answered.add(f"request-{n}")
        if len(answered) >= REQUESTS and len(seen) >= workers:
            return answered
    pytest.fail(f"{len(answered)} answers from {seen}")


def expected(answered: set[str]) -> set[tuple[str, str]]:
    return {(collection, name) for name in answered for collection in COLLECTIONS}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with RecordingBackend() as backend:
        yield Machine(backend, tmp_path)


@pytest.mark.parametrize("name", SERVERS)
def test_sigterm_loses_nothing(machine: Machine, name: str) -> None:
    command, workers, status = SERVERS[name]
    stopped = machine.stop(command, workers=workers)
    assert machine.stored() >= expected(stopped.answered), stopped.log
    assert stopped.status == status, stopped.log


@pytest.mark.parametrize("name", ["uvicorn", "gunicorn, gthread", "waitress"])
def test_ctrl_c_loses_nothing(machine: Machine, name: str, interrupts: None) -> None:
    command, workers, _ = SERVERS[name]
    stopped = machine.stop(command, workers=workers, signum=signal.SIGINT, group=True)
    assert machine.stored() >= expected(stopped.answered), stopped.log


@pytest.mark.parametrize("name", ["uvicorn", pytest.param("waitress", marks=pytest.mark.long)])
def test_a_gateway_that_is_down_delays_the_end_by_a_bounded_time_and_is_one_line(tmp_path: Path, name: str) -> None:
    machine = Machine(RecordingBackend(), tmp_path, {"OTEL_EXPORTER_OTLP_ENDPOINT": NO_ONE_LISTENS})
    command, workers, status = SERVERS[name]
    stopped = machine.stop(command, workers=workers)
    count = 2 * len(stopped.answered)
    (line,) = (line for line in stopped.log.splitlines() if "at the end of this process" in line)
    assert f"{count} of {count} accepted event(s) are lost (127.0.0.1:9: UNAVAILABLE: " in line
    assert stopped.status == status
