"""Servers that are stopped as a platform stops them, and which of the collected events are stored.

Each server is started as its users start it, with the model of `fixtures/scored.py`: two collectors, no code for the
end of the process. Every request that was answered must have arrived when the server has ended.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from recording_backend import RecordingBackend
from stopped_server import Machine, expected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

NO_ONE_LISTENS = "http://127.0.0.1:9"

UVICORN = ("uvicorn", "scored:asgi_app", "--log-level", "warning", "--port", "PORT")
HYPERCORN = ("hypercorn", "--bind", "127.0.0.1:PORT")
GUNICORN = ("gunicorn", "--no-control-socket", "--bind", "127.0.0.1:PORT")
SOON = ("--graceful-timeout", "10")
SERVERS: dict[str, tuple[tuple[str, ...], int, int]] = {
    # name: command line, workers, exit status after SIGTERM
    "uvicorn": (UVICORN, 1, -signal.SIGTERM),
    "uvicorn with two workers": ((*UVICORN, "--workers", "2"), 2, 0),
    "uvicorn that reloads": ((*UVICORN, "--reload", "--reload-dir", "."), 1, 0),
    "gunicorn": ((*GUNICORN, "--workers", "2", "scored:wsgi_app"), 2, 0),
    # Ctrl-C reaches gunicorn and its worker, which also gets SIGQUIT from gunicorn: a worker with threads may block
    # itself for ever then (the handler of the second signal waits for the lock of an executor that the first one has).
    "gunicorn, gthread": ((*GUNICORN, "--worker-class", "gthread", "--threads", "4", *SOON, "scored:wsgi_app"), 1, 0),
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
QUICK = {
    "uvicorn",
    "uvicorn with two workers",
    "gunicorn, uvicorn",
    "gunicorn, gevent",
    "hypercorn with two workers",
    "granian",
    "waitress",
}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with RecordingBackend() as backend:
        yield Machine(backend, tmp_path)


@pytest.mark.parametrize(
    "name", [one if one in QUICK else pytest.param(one, marks=pytest.mark.long) for one in SERVERS]
)
def test_sigterm_loses_nothing(machine: Machine, name: str) -> None:
    command, workers, status = SERVERS[name]
    stopped = machine.stop(command, workers=workers)
    assert machine.stored() >= expected(stopped.answered), stopped.log
    assert stopped.status == status, stopped.log


@pytest.mark.parametrize(
    "name", ["uvicorn", *(pytest.param(one, marks=pytest.mark.long) for one in ("gunicorn, gthread", "waitress"))]
)
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
