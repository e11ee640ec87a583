"""Workloads of one SDK in its own process: ours with a real receiver, azureml-ai-monitoring with an HTTP sink."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from arrivals import add_store
from kept_requests import KeptRequests
from receiver_process import ReceiverProcess
from workload_arrivals import of_workload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arrivals import Arrivals
    from case import Run

HERE: Final = Path(__file__).parent
LONGEST_SECONDS: Final = 3600.0
OFFICIAL_PLACES: Final = 9
"""It rounds floats to ten decimal places."""

_KEPT_ONCE_BYTES: Final = 2**20
"""Larger texts are kept once."""


class CountingSink:
    """Replaces Azure's sidecar: answers 200 to each POST, counts them, and checks the rows when all have come.

    Nothing is compared before, because that would take the interpreter lock from the answers.

    Args:
        arrivals: what checks the rows of each event.
    """

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._taken: list[tuple[str, bytes]] = []
        self._texts: dict[bytes, bytes] = {}

    def __enter__(self) -> Self:
        sink = self
        self.count = 0
        self.open = threading.Event()
        self.open.set()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                sink.open.wait()
                rows = self.rfile.read(int(self.headers["Content-Length"]))
                if len(rows) > _KEPT_ONCE_BYTES:
                    rows = sink._texts.setdefault(rows, rows)
                sink._taken.append((self.headers["ce-type"].removeprefix("azureml.inference."), rows))
                sink.count += 1
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()

    def check(self, sent: int) -> None:
        """Every event that was sent has arrived with its rows; called when nothing more comes."""
        taken, self._taken = self._taken, []
        for collection, rows in taken:
            self._arrivals.add(collection, rows)
        assert self._arrivals.counts.total() == self.count == sent, (self._arrivals.counts, self.count, sent)

    @property
    def variables(self) -> dict[str, str]:
        """The variables that make the official SDK send here."""
        return {
            "AZUREML_MDC_ENABLED": "true",
            "AZUREML_MDC_HOST": "127.0.0.1",
            "AZUREML_MDC_PORT": str(self.port),
            "AZUREML_MDC_QUEUE_CAPACITY": "1000000",
        }


@contextmanager
def receiver(store: str = "", config: str = "", **variables: str) -> Iterator[ReceiverProcess]:
    """A receiver on `store`, by default a new folder, with the settings of the YAML text `config`."""
    with tempfile.TemporaryDirectory() as scratch:
        flags = ["--instance-id", "0" * 32]
        if config:
            Path(scratch, "receiver.yaml").write_text(config)
            flags += ["--config", f"{scratch}/receiver.yaml"]
        log = Path(scratch, "log")
        process = ReceiverProcess(store=store or f"{scratch}/store", flags=tuple(flags), variables=variables, log=log)
        process.start()
        try:
            yield process
        finally:
            process.kill()


def ours(workload: str, settings: dict[str, Any], script: str = "workloads.py") -> Run:
    """Run a workload with our SDK; stored events must equal sent events in number, sequence and rows."""
    with receiver() as one:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{one.endpoint}"}
        result = run(workload, settings | {"sender": "ours"}, environ, script)
        assert one.stop() == 0
        check(Path(one.store), round(result["sent"]), settings)
    return result


def ours_unstored(workload: str, settings: dict[str, Any]) -> Run:
    """The same with an endpoint that stores nothing, as that of `official`."""
    with KeptRequests(of_workload(settings)) as endpoint:
        result = run(workload, settings | {"sender": "ours"}, {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint.endpoint})
        endpoint.check(round(result["sent"]))
    return result


def check(store: Path, sent: int, settings: dict[str, Any]) -> None:
    """Every event of a workload is stored once, whole, under the number that it had when it was collected."""
    arrived = of_workload(settings)
    add_store(arrived, store)
    assert arrived.counts.total() == sent, (arrived.counts, sent)


def official(workload: str, settings: dict[str, Any], script: str = "workloads.py") -> Run:
    """Run a workload with azureml-ai-monitoring; what arrives must equal what was sent."""
    with CountingSink(of_workload(settings, OFFICIAL_PLACES)) as sink:
        result = run(workload, settings | {"sender": "official"}, sink.variables, script)
        sink.check(round(result["sent"]))
    return result


def run(workload: str, settings: dict[str, Any], environ: dict[str, str], script: str = "workloads.py") -> Run:
    """The answer of a workload in a process without this one's OpenTelemetry and Azure settings."""
    command = [sys.executable, str(HERE / script), workload, json.dumps(settings)]
    done = subprocess.run(
        command, env=clean() | environ, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS
    )
    assert done.returncode == 0, done.stderr[-4000:]
    answer: Run = json.loads(done.stdout.splitlines()[-1])
    return answer


def clean() -> dict[str, str]:
    """The environment without variables that would redirect either SDK."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "AZUREML_", "HTTP_PROXY", "http_proxy"))}
