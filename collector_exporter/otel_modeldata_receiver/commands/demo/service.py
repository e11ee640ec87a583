"""The service of the demo: uvicorn with `scripts/app.py`, instrumented as by `opentelemetry-instrument`."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .child_processes import environment
from .deployment import ENDPOINT
from .flights import HISTORY

if TYPE_CHECKING:
    from .child_processes import ChildProcess, ChildProcesses

__all__ = ["SCRIPTS", "start_service"]

SCRIPTS: Final = Path(__file__).with_name("scripts")
_TRACES_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"


def start_service(
    processes: ChildProcesses, deployment: str, receiver_port: int, clock: Path, reports: Path
) -> tuple[ChildProcess, int]:
    """Start it; return it and its port when it listens. It trains its model before.

    Args:
        processes: that it belongs to.
        deployment: its name.
        receiver_port: where it sends events, and spans if no other endpoint is set.
        clock: the file of its clock.
        reports: the folder for its final report.

    Raises:
        ProcessEndedError: it ended.
    """
    port = _free_port()
    variables = environment(
        CLOCK=str(clock),
        HISTORY=str(HISTORY),
        OMP_NUM_THREADS="1",  # one row at a time: more threads would wait for each other
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{receiver_port}",
        OTEL_MODELDATA_CONFIG=str(SCRIPTS / "deployment.yml"),
        OTEL_MODELDATA_REPORT=str(reports),
        OTEL_RESOURCE_ATTRIBUTES=f"azureml.endpoint.name={ENDPOINT},azureml.deployment.name={deployment}",
        OTEL_SERVICE_NAME=ENDPOINT,
        OTEL_LOGS_EXPORTER="none",  # a receiver takes no others
        OTEL_METRICS_EXPORTER="none",
    )
    if endpoint := os.environ.get(_TRACES_ENDPOINT):
        variables[_TRACES_ENDPOINT] = endpoint
    served = [str(SCRIPTS / "serve.py"), "app:app", "--app-dir", str(SCRIPTS), "--port", str(port), "--no-access-log"]
    service = processes.start("the service", served, variables)
    service.wait_for(lambda: _answers(port))
    return service, port


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _answers(port: int) -> bool | None:
    """True as soon as something listens at the port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return None
    return True
